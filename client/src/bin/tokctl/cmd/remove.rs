//! `tokctl remove`: logs out of a profile and removes it with its secrets, after asking.

use tokctl_client::proto::request::Remove2;
use tokctl_client::{ProfileName, Request};

use crate::cmd::consent::{self, Deed};
use crate::exit::Stop;
use crate::session::Session;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Its tokens are revoked as by `tokctl logout`. A provider that cannot be reached is told as soon as it can be, though \
the profile is gone by then.

Examples:
  tokctl remove acme
  tokctl remove acme --local --yes")]
pub(crate) struct RemoveArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// Remove it without a word to the provider, where its tokens go on living
    #[arg(long)]
    local: bool,
}

pub(crate) fn run(args: &RemoveArgs, session: &Session) -> Result<(), Stop> {
    let RemoveArgs { profile, local } = args;
    let (question, flag) = match local {
        true => (
            format!(
                "remove {profile} with its secrets and tokens, without a word to its provider?"
            ),
            " --local",
        ),
        false => (
            format!(
                "revoke the tokens of {profile} at its provider, and remove it with its secrets?"
            ),
            "",
        ),
    };
    let does = format!("removing {profile} deletes its secrets");
    let deed = Deed { does, question, command: format!("tokctl remove {profile}{flag}") };
    let mut client = consent::to(session, profile, &deed)?;
    let request = Request::Remove2(Remove2 {
        profile: profile.as_str().into(),
        local: *local,
        interactive: session.can_ask(),
    });
    session.tell(&mut client, &request)
}
