//! `tokctl logout`: revokes and forgets all tokens of a profile, after asking.

use tokctl_client::proto::request::Logout;
use tokctl_client::{ProfileName, Request};

use crate::cmd::consent::{self, Deed};
use crate::exit::Stop;
use crate::session::Session;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The refresh token is revoked first, then each access token; then they are forgotten. The profile stays, and so does its \
client secret. A provider that cannot be reached is told as soon as it can be, also after a restart; \
`tokctl status` says what waits.

Examples:
  tokctl logout acme
  tokctl logout acme --local --yes")]
pub(crate) struct LogoutArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// Forget the tokens without a word to the provider, where they go on living
    #[arg(long)]
    local: bool,
}

pub(crate) fn run(args: &LogoutArgs, session: &Session) -> Result<(), Stop> {
    let LogoutArgs { profile, local } = args;
    let (does, question, flag) = match local {
        true => (
            format!("logging out of {profile} forgets its tokens"),
            format!("forget the tokens of {profile}, without a word to its provider?"),
            " --local",
        ),
        false => (
            format!("logging out of {profile} revokes its tokens"),
            format!("revoke the tokens of {profile} at its provider and forget them?"),
            "",
        ),
    };
    let deed = Deed { does, question, command: format!("tokctl logout {profile}{flag}") };
    let mut client = consent::to(session, profile, &deed)?;
    let request = Request::Logout(Logout {
        profile: profile.as_str().into(),
        local: *local,
        interactive: session.can_ask(),
    });
    session.tell(&mut client, &request)
}
