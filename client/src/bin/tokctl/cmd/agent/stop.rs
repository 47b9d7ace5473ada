//! `tokctl agent stop`: ends the agent. One that speaks no version of ours, or is stuck, is told by a signal,
//! so that an update never leaves an agent behind that nobody can talk to.

use std::fs::File;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokctl_client::Request;
use tokctl_client::proto::Kind;
use tokctl_client::proto::endpoint::{Holder, Places};
use tokctl_client::proto::request::AgentStop;

use crate::exit::Stop;
use crate::session::Session;

pub(super) fn run(session: &Session) -> Result<(), Stop> {
    let mut client = session.connect()?.never_start().open()?;
    match session.tell(&mut client, &Request::AgentStop(AgentStop {})) {
        Err(stop) if stop.is(Kind::Version) || stop.is(Kind::Timeout) => {
            if !terminate(client.places()) {
                return Err(stop);
            }
            session.output.talk(match stop.is(Kind::Version) {
                true => "the agent speaks another version and was told to end",
                false => "the agent does not answer and was told to end",
            });
            Ok(())
        }
        outcome => outcome,
    }
}

/// Sends SIGTERM to the agent that holds the vault now. A lock that nobody holds names a process that is
/// gone, and perhaps another one by now.
fn terminate(places: &Places) -> bool {
    // A socket that was named may be another agent's than the one of this vault.
    if places.socket_is_named {
        return false;
    }
    let Some(holder) = Holder::read(&places.vault) else { return false };
    let is_held = File::open(places.vault.join("lock")).is_ok_and(|lock| {
        matches!(Flock::lock(lock, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
    });
    let pid = i32::try_from(holder.pid).ok().filter(|&pid| pid > 1);
    is_held && pid.is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGTERM).is_ok())
}
