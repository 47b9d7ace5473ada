//! `tokctl watch`: a line of JSON for each thing that happens to tokens.

use serde::Serialize;
use tokctl_client::{Event, ProfileName};

use crate::exit::Stop;
use crate::session::Session;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
One line of JSON for each event, from now on until the agent ends (exit 9):
  renewed        a new token came, by a renewal or a login; expires_at is its end
  failed         an attempt to obtain one failed; kind, message and hint say why
  login_needed   nothing helps but a person
  locked         the vault was sealed; unlocked: it was opened. Only with --all

No token is in them. More kinds may be added. [agent.hooks] in config.toml runs a program on each instead.

Examples:
  tokctl watch acme
  tokctl watch --all | jq --unbuffered -r 'select(.event == \"login_needed\").hint'")]
pub(crate) struct WatchArgs {
    /// Names of profiles; of a pool its members are meant
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse, required_unless_present = "all")]
    profiles: Vec<ProfileName>,
    /// Every profile, and the vault
    #[arg(long, conflicts_with = "profiles")]
    all: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'a str,
    at_ms: i64,
    profile: Option<&'a str>,
    scope: &'a str,
    expires_at: Option<i64>,
    kind: Option<&'a str>,
    message: Option<&'a str>,
    hint: Option<&'a str>,
}

impl<'a> From<&'a Event> for Line<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            event: &event.what,
            at_ms: event.at_ms,
            profile: event.profile.as_ref().map(ProfileName::as_str),
            scope: &event.scope,
            expires_at: event.expires_at,
            kind: event.kind.as_deref(),
            message: event.message.as_deref(),
            hint: event.hint.as_deref(),
        }
    }
}

pub(crate) fn run(args: &WatchArgs, session: &Session) -> Result<(), Stop> {
    let events = session.client()?.watch(&args.profiles)?;
    let whom = match args.all {
        true => "all profiles and the vault".to_owned(),
        false => args.profiles.iter().map(ProfileName::as_str).collect::<Vec<_>>().join(", "),
    };
    session.output.talk(&format!("watching {whom}"));
    for event in events {
        session.output.json(&Line::from(&event?))?;
    }
    Ok(())
}
