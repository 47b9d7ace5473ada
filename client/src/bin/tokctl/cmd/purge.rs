//! `tokctl purge`: logs out of everything and removes everything, after asking for the word.

use std::time::Duration;

use tokctl_client::proto::endpoint::Places;
use tokctl_client::proto::request::Purge;
use tokctl_client::{Error, Request};

use crate::cmd::consent;
use crate::exit::Stop;
use crate::session::Session;

/// What is to be typed: nobody types it by accident.
const WORD: &str = "purge";
/// The agent's last acts come after its answer: its socket goes, and the directories that are empty by then.
const END_NAPS_MAX: u32 = 100;
const END_NAP: Duration = Duration::from_millis(20);

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Every token is revoked at its provider, then configuration, vault and state are removed, and the agent ends. What \
could not be revoked is listed on stderr: nobody will see to it any more. Without the vault's passphrase only \
`--local` works.

Examples:
  tokctl purge
  tokctl purge --local --yes")]
pub(crate) struct PurgeArgs {
    /// Remove everything without a word to any provider, where tokens go on living
    #[arg(long)]
    local: bool,
}

pub(crate) fn run(args: &PurgeArgs, session: &Session) -> Result<(), Stop> {
    let flag = if args.local { " --local" } else { "" };
    let command = format!("tokctl purge{flag}");
    consent::must_be_had(session, "purge removes every profile, secret and token", &command)?;
    let mut client = session.client()?;
    let places = client.places().clone();
    if !session.yes {
        agree(args, session, &places)?;
    }
    let request = Request::Purge(Purge { local: args.local, interactive: session.can_ask() });
    session.tell(&mut client, &request)?;
    if !places.socket_is_named {
        wait_for_the_end(&places);
    }
    Ok(())
}

fn agree(args: &PurgeArgs, session: &Session, places: &Places) -> Result<(), Stop> {
    let mut will_happen = match args.local {
        true => "this removes, without a word to any provider,".to_owned(),
        false => "this revokes every token at its provider, and then removes".to_owned(),
    };
    match places.socket_is_named {
        // Whatever that agent keeps, wherever it does.
        true => {
            let socket = places.socket.display();
            will_happen.push_str(&format!("\n  what the agent at {socket} keeps"));
        }
        false => {
            for path in [&places.config, &places.vault, &places.state] {
                will_happen.push_str(&format!("\n  {}", path.display()));
            }
        }
    }
    will_happen.push_str("\nand ends the agent. No secret in there can be got back.");
    for line in will_happen.lines() {
        session.output.notice(line);
    }
    let typed = session.ask(&format!("type `{WORD}` to do that:"), false)?;
    match typed.expose().trim() == WORD {
        true => Ok(()),
        false => Err(Error::Cancelled.into()),
    }
}

fn wait_for_the_end(places: &Places) {
    for _ in 0..END_NAPS_MAX {
        if !places.socket.exists() {
            break;
        }
        std::thread::sleep(END_NAP);
    }
    if places.run_dir().exists() {
        // The directory goes a moment after the socket, unless it holds anything else.
        std::thread::sleep(END_NAP);
    }
}
