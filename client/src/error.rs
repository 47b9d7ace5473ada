//! What a caller can do about a failure.
//!
//! Most failures are the agent's: they arrive with a kind, a message and a hint. The others happen on the
//! way to it. [`Error::failure`] gives all of them one form, the one `tokctl` prints.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokctl_proto::endpoint::EndpointError;
use tokctl_proto::error::WireFailure;
use tokctl_proto::frame::FrameError;
use tokctl_proto::{Failure, Kind, version};

/// A request was not done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The agent's answer. Its `kind` says why.
    #[error("{}", .0.message)]
    Agent(Box<WireFailure<'static>>),
    /// The environment does not say where things lie.
    #[error(transparent)]
    Places(#[from] EndpointError),
    #[error("{0} is not text")]
    NotText(&'static str),
    /// Nobody listens, and no agent may be started.
    #[error("no agent listens at {}", .socket.display())]
    NoAgent { socket: PathBuf, named: bool },
    #[error("cannot start an agent: there is no `tokctl-agent` beside this program or on PATH")]
    NoProgram,
    #[error("cannot start {}", .program.display())]
    Spawn { program: PathBuf, source: io::Error },
    /// The started agent ended, or said something else than that it is ready.
    #[error("the agent ended before it was ready")]
    Died,
    #[error("the agent was not ready in {0} s")]
    NotReady(u64),
    /// Somebody else's socket, or their agent.
    #[error("{what} belongs to uid {found}, not to uid {expected}: nothing was sent")]
    WrongUser { what: String, found: u32, expected: u32 },
    /// The agent that TOKCTL_SOCK names has another uid than it must have.
    #[error("the agent at {} belongs to uid {found}, not to uid {expected}: nothing was sent", .socket.display())]
    OtherAgent { socket: PathBuf, found: u32, expected: u32 },
    /// Root, where everything belongs to another user.
    #[error("{} belongs to uid {owner}, and this runs as root", .path.display())]
    Sudo { path: PathBuf, owner: u32 },
    /// The environment names a place that is another user's, as after some forms of `su` and `sudo`.
    #[error("{} belongs to uid {owner}, and this is uid {uid}", .path.display())]
    Foreign { path: PathBuf, owner: u32, uid: u32 },
    /// The directory of the socket cannot be trusted.
    #[error("others can write to {}", .0.display())]
    OpenDirectory(PathBuf),
    #[error(
        "this tokctl speaks version {} of the protocol, the agent speaks {}",
        versions(version::LOWEST, version::HIGHEST),
        versions(*.lowest, *.highest)
    )]
    Version { lowest: u8, highest: u8 },
    /// The agent, or the way to it, went away in the middle.
    #[error("the agent closed the connection before it answered")]
    Closed,
    /// The agent has ended, and with it what it was telling.
    #[error("the agent has ended")]
    Ended,
    /// An agent of another uid hung up without a word.
    #[error("the agent of uid {agent} does not serve uid {own}")]
    NotServed { agent: u32, own: u32 },
    #[error("the agent did not answer in {0} s")]
    Silent(u64),
    /// What answers is no agent, or one that is broken.
    #[error("the answer cannot be read: {0}")]
    Garbled(FrameError),
    #[error("the answer is not one to this request")]
    Unexpected,
    /// A request that the wire cannot carry.
    #[error("the request does not fit: {0}")]
    TooLarge(FrameError),
    /// The environment has no token to exchange. Nothing was sent to a provider.
    #[error("{message}")]
    NoSubject { message: String, hint: &'static str },
    /// The person pressed Ctrl-C at a question.
    #[error("cancelled")]
    Cancelled,
    #[error("{what}")]
    Machine { what: String, source: io::Error },
}

impl Error {
    pub(crate) fn machine(what: impl Into<String>, source: io::Error) -> Self {
        Self::Machine { what: what.into(), source }
    }

    /// A failure at a path: whose it is, where that is why.
    pub(crate) fn at(path: &Path, what: impl Into<String>, source: io::Error) -> Self {
        let uid = nix::unistd::geteuid().as_raw();
        let nearest =
            || path.ancestors().find_map(|place| Some((place, place.metadata().ok()?.uid())));
        match source.kind() {
            ErrorKind::PermissionDenied => match nearest() {
                Some((place, owner)) if owner != uid => {
                    Self::Foreign { path: place.to_owned(), owner, uid }
                }
                _ => Self::machine(what, source),
            },
            _ => Self::machine(what, source),
        }
    }

    /// The one form of all failures: kind, exit status, message and hint.
    pub fn failure(&self) -> WireFailure<'static> {
        let kind = match self {
            Self::Agent(failure) => return (**failure).clone(),
            Self::Places(_) | Self::NotText(_) | Self::TooLarge(_) => Kind::Usage,
            Self::NoAgent { .. }
            | Self::NoProgram
            | Self::Spawn { .. }
            | Self::Died
            | Self::NotReady(_)
            | Self::Closed
            | Self::Ended => Kind::NoAgent,
            Self::WrongUser { .. }
            | Self::OtherAgent { .. }
            | Self::Sudo { .. }
            | Self::Foreign { .. }
            | Self::NotServed { .. } => Kind::WrongUser,
            Self::Version { .. } | Self::Garbled(_) | Self::Unexpected => Kind::Version,
            Self::Silent(_) => Kind::Timeout,
            Self::NoSubject { .. } => Kind::SubjectRequired,
            Self::Cancelled => Kind::Cancelled,
            Self::Machine { .. } | Self::OpenDirectory(_) => Kind::Machine,
        };
        let mut failure = Failure::new(kind, self.message());
        failure.hint = self.hint();
        WireFailure::from(&failure).into_owned()
    }

    /// The message with the system's reason behind it.
    fn message(&self) -> String {
        match self {
            Self::Spawn { source, .. } | Self::Machine { source, .. } => {
                format!("{self}: {source}")
            }
            _ => self.to_string(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Places(EndpointError::NoHome) => "set HOME or TOKCTL_HOME".to_owned(),
            Self::Places(EndpointError::SocketTooLong(_)) => {
                "set TOKCTL_HOME or TOKCTL_SOCK to a shorter path".to_owned()
            }
            Self::Places(EndpointError::Control(_)) => {
                "name a directory without one: `printenv | cat -v` shows which variable has it"
                    .to_owned()
            }
            Self::NoAgent { named: true, .. } => {
                "TOKCTL_SOCK names that socket, so no agent is started there".to_owned()
            }
            Self::NoAgent { named: false, .. } => {
                "this command starts none; `tokctl agent start` does".to_owned()
            }
            Self::NoProgram => "install tokctl-agent beside tokctl".to_owned(),
            Self::Died | Self::NotReady(_) | Self::Closed => "run `tokctl agent log`".to_owned(),
            Self::Ended => "`tokctl watch` starts another; `tokctl agent log` may say why".to_owned(),
            Self::Silent(_) => {
                "`tokctl agent log` may say why; `tokctl agent stop` ends it".to_owned()
            }
            Self::Sudo { .. } => "leave out sudo".to_owned(),
            Self::Foreign { .. } => "set HOME or TOKCTL_HOME to a directory of your own".to_owned(),
            Self::OtherAgent { found, .. } => {
                format!("if that is the agent you mean, set TOKCTL_SOCK_UID={found}")
            }
            Self::NotServed { .. } => {
                "an agent serves its own user alone, and another at a socket that was made for it, by the uid that it \
                 has where the agent runs: `tokctl socket create PATH --only PROFILE --allow-uid UID`"
                    .to_owned()
            }
            Self::NoSubject { hint, .. } => (*hint).to_owned(),
            Self::OpenDirectory(path) => format!("run `chmod 700 {}`", path.display()),
            Self::Version { .. } | Self::Garbled(_) | Self::Unexpected => {
                "restart the agent: `tokctl agent stop`".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

impl From<WireFailure<'static>> for Error {
    fn from(failure: WireFailure<'static>) -> Self {
        Self::Agent(Box::new(failure))
    }
}

fn versions(lowest: u8, highest: u8) -> String {
    match lowest == highest {
        true => highest.to_string(),
        false => format!("{lowest} to {highest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_named() {
        let failure = Error::Version { lowest: 2, highest: 4 }.failure();
        assert_eq!(
            failure.message,
            "this tokctl speaks version 1 of the protocol, the agent speaks 2 to 4"
        );
        assert_eq!(failure.kind, "version");
    }

    #[test]
    fn a_place_that_is_not_ours_is_said_to_be_whose_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("a/b");
        let failed = |kind: ErrorKind| Error::at(&below, "cannot make it", kind.into()).failure();
        assert_eq!(failed(ErrorKind::PermissionDenied).kind, "machine");
        // Who can give a directory away does; everybody else has root's at hand.
        let uid = nix::unistd::geteuid().as_raw();
        let (foreign, owner) = match std::os::unix::fs::chown(directory.path(), Some(65_534), None)
        {
            Ok(()) => (directory.path(), 65_534),
            Err(_) => (Path::new("/"), 0),
        };
        let failed = |kind: ErrorKind| Error::at(foreign, "cannot make it", kind.into()).failure();
        assert_eq!(failed(ErrorKind::StorageFull).kind, "machine");
        let failure = failed(ErrorKind::PermissionDenied);
        let message =
            format!("{} belongs to uid {owner}, and this is uid {uid}", foreign.display());
        assert_eq!((failure.exit, &*failure.message), (8, &*message));
    }

    #[test]
    fn the_agents_own_words_are_kept() {
        let said = Failure::new(Kind::NoSuchProfile, "there is no profile `acem`").hint("acme?");
        let error = Error::from(WireFailure::from(&said).into_owned());
        assert_eq!(error.failure(), WireFailure::from(&said));
    }
}
