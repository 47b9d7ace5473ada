//! A refusal of what was signed here, where our clock and the provider's differ: the times in it are probably why.
//!
//! Providers word this in many ways, and some not at all. The Date of the answer says it in one.

use std::time::Duration;

use tokctl_core::{Cause, Class, Trouble};
use tokctl_proto::time::Spoken;

use crate::config::{ClientAuth, Grant};
use crate::oauth::provider_clock::is_off;
use crate::oauth::reply::Asked;

/// Says that the clocks differ. A clock is set sooner or later, and nobody needs to store anything for it.
pub(super) fn named(mut trouble: Trouble, asked: &Asked<'_>, ahead_s: Option<i64>) -> Trouble {
    let is_refusal = matches!(trouble.class, Class::Permanent | Class::LoginRequired)
        && matches!(trouble.cause, Cause::Other | Cause::InvalidClient);
    let Some(ahead_s) = ahead_s.filter(|_| is_refusal && is_signed(asked.grant)) else {
        return trouble;
    };
    if !is_off(ahead_s) {
        return trouble;
    }
    let ours = if ahead_s > 0 { "behind" } else { "ahead of" };
    let apart = Spoken(Duration::from_secs(ahead_s.unsigned_abs()));
    let message = &mut trouble.failure.message;
    message.push_str(&format!("; the clock of this machine is {apart} {ours} the provider's"));
    trouble.failure.hint = Some("compare `date -u` with a clock that is right".to_owned());
    Trouble { class: Class::Retry, cause: Cause::Other, ..trouble }
}

/// Whether a request of this grant holds times of ours.
fn is_signed(grant: &Grant) -> bool {
    match grant {
        Grant::JwtBearer(_) | Grant::GithubApp(_) => true,
        grant => grant.client().is_some_and(|client| {
            matches!(
                client.client_auth,
                Some(ClientAuth::PrivateKeyJwt | ClientAuth::ClientSecretJwt)
            )
        }),
    }
}
