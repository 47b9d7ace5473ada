//! `tokctl socket`: further sockets, each for some profiles alone: for containers, other machines, other users.

mod create;
mod list;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use tokctl_client::Request;
use tokctl_client::proto::request::SocketRemove;
use tokctl_client::proto::{Failure, Kind};

use crate::exit::Stop;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum SocketCommand {
    /// Make a socket that hands out tokens of some profiles and does nothing else
    #[command(after_help = create::HELP)]
    Create(create::CreateArgs),
    /// List the further sockets
    List,
    /// Remove a socket, and hang up on who is connected to it
    Remove(RemoveArgs),
}

#[derive(clap::Args, Debug)]
pub(crate) struct RemoveArgs {
    /// Path of the socket
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

pub(crate) fn run(command: &SocketCommand, session: &Session) -> Result<(), Stop> {
    match command {
        SocketCommand::Create(args) => create::run(args, session),
        SocketCommand::List => list::run(session),
        SocketCommand::Remove(args) => {
            let path = absolute(&args.path)?;
            let request = SocketRemove { path: path.as_str().into() };
            session.tell(&mut session.client()?, &Request::SocketRemove(request))
        }
    }
}

/// The path as the agent takes it: its working directory is another one.
fn absolute(path: &Path) -> Result<String, Stop> {
    let whole = std::path::absolute(path).map_err(|error| {
        let message = format!("{}: {error}", path.display());
        Stop::from(Failure::new(Kind::Usage, message))
    })?;
    whole.into_os_string().into_string().map_err(|path| {
        let message = format!("`{}` is not in UTF-8", path.to_string_lossy());
        Failure::new(Kind::Usage, message).hint("choose another path").into()
    })
}
