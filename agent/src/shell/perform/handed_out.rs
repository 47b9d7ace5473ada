//! The last look at a token before it leaves the agent.
//!
//! Replies of providers and keys are looked at when they come in too. What an entry of the vault holds may be older than
//! that rule, or of another hand, and nobody who is handed a token should have to look at it again.

use tokctl_core::Served;
use tokctl_proto::token::is_vschar;
use tokctl_proto::{Failure, Kind};

use crate::config::Grant;
use crate::shell::live::Live;

/// Whether the token may go to a header, an environment or a terminal (RFC 6749 appendix A.12).
pub(super) fn check(served: &Served, live: &Live) -> Result<(), Failure> {
    if is_vschar(served.token.access_token.expose()) {
        return Ok(());
    }
    let whose = served.member.as_ref().unwrap_or(&served.profile);
    let settings = live.config.profiles.get(whose);
    let next = match settings.is_some_and(|profile| profile.grant == Grant::ApiKey) {
        true => "set-secret",
        false => "refresh",
    };
    let message = "what is stored has characters that no token may have (RFC 6749 appendix A), so it stays here";
    let failure = Failure::new(Kind::SecretRequired, message).of(whose);
    Err(failure.hint(format!("run `tokctl {next} {whose}`")))
}
