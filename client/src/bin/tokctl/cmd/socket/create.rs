//! `tokctl socket create`.

use std::path::PathBuf;
use std::time::Duration;

use tokctl_client::proto::request::SocketCreate;
use tokctl_client::proto::time::parse_duration;
use tokctl_client::{ProfileName, Request};

use super::absolute;
use crate::exit::Stop;
use crate::session::Session;

pub(super) const HELP: &str = "\
The directory has to be there and to be yours, and nobody else may enter it (mode 700), unless --allow-uid is given: then \
nobody else may write to it. The socket is there until it is removed or its time is over, also after the agent was \
restarted. A restart makes it anew, so it is the directory that has to be mounted in a container.

It answers get, report, status and why. It guards against mistakes: a program of your own user can look for the agent's \
own socket.

Examples:
  mkdir -m 700 ~/box
  tokctl socket create ~/box/agent.sock --only acme --expires 8h
  podman run -v ~/box:/run/tokctl -e TOKCTL_SOCK=/run/tokctl/agent.sock -e TOKCTL_SOCK_UID=any …
  ssh -R /run/user/1000/acme.sock:$HOME/box/agent.sock host      # there: TOKCTL_SOCK=/run/user/1000/acme.sock";

#[derive(clap::Args, Debug)]
pub(crate) struct CreateArgs {
    /// Path of the socket
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// A profile that it knows; repeat it or separate them by commas
    #[arg(
        long,
        value_name = "PROFILE",
        required = true,
        value_delimiter = ',',
        value_parser = ProfileName::parse
    )]
    only: Vec<ProfileName>,
    /// Ask for these scopes at most, and where nothing else is asked for; repeat it or separate them by spaces
    #[arg(long)]
    scope: Vec<String>,
    /// Let this user in too, by number
    #[arg(long, value_name = "UID")]
    allow_uid: Option<u32>,
    /// Remove it after so long
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    expires: Option<Duration>,
}

pub(super) fn run(args: &CreateArgs, session: &Session) -> Result<(), Stop> {
    let path = absolute(&args.path)?;
    let request = Request::SocketCreate(SocketCreate {
        path: Some(path.as_str().into()),
        only: args.only.iter().map(|name| name.as_str().into()).collect(),
        scope: args.scope.iter().map(|scope| scope.as_str().into()).collect(),
        allow_uid: args.allow_uid,
        expires_s: args.expires.map(|lasts| lasts.as_secs()),
    });
    session.tell(&mut session.client()?, &request)
}
