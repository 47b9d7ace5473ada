//! How a command ends when it does not end well: what is said, and the exit status.

use std::process::ExitCode;

use tokctl_client::Error;
use tokctl_client::proto::error::WireFailure;
use tokctl_client::proto::{Failure, Kind};

use crate::output::Output;

/// What a shell reports for a program that SIGPIPE ended, as it ends `cat` and `grep`.
const BROKEN_PIPE: u8 = 128 + 13;

/// Exit statuses by how much they ask of a person, least first. 7 often passes by itself; 5 and 6 concern one
/// profile, and 6 needs somebody at the provider; 4 stops every profile at once, until somebody comes; 10 and 11
/// are wrong with the set-up of all of them; nobody but its authors can do anything about 1. Those between
/// are no states of a profile, and what is unknown is worse than all that is known.
const SEVERITY: &[u8] = &[0, 7, 5, 6, 8, 3, 2, 4, 10, 11, 9, 1];

/// The status that asks most of a person; 0 where there is none.
pub(crate) fn worst(statuses: impl IntoIterator<Item = u8>) -> u8 {
    let severity =
        |status: u8| SEVERITY.iter().position(|&known| known == status).unwrap_or(SEVERITY.len());
    statuses.into_iter().max_by_key(|&status| severity(status)).unwrap_or(0)
}

/// Why a command stops short.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(Box<WireFailure<'static>>),
    /// Everything was said already; this is the status.
    Status(u8),
    /// The reader of our stdout has had enough: no reason to talk.
    BrokenPipe,
}

impl Stop {
    /// The exit status says that the command line makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure::new(Kind::Usage, message).into()
    }

    pub(crate) fn machine(message: impl Into<String>) -> Self {
        Failure::new(Kind::Machine, message).into()
    }

    /// Whether the failure is of that kind.
    pub(crate) fn is(&self, kind: Kind) -> bool {
        matches!(self, Self::Failed(failure) if failure.kind == kind.name())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(WireFailure::from(&failure).into_owned()))
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(Box::new(error.failure()))
    }
}

/// Says why, and gives the status to exit with.
pub(crate) fn end(stop: Stop, output: &Output) -> ExitCode {
    match stop {
        Stop::Failed(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit)
        }
        Stop::Status(status) => ExitCode::from(status),
        Stop::BrokenPipe => ExitCode::from(BROKEN_PIPE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_status_is_the_one_that_asks_most() {
        for (statuses, expected) in [
            (&[][..], 0),
            (&[0, 0], 0),
            (&[0, 7, 0], 7),
            (&[7, 5], 5),
            (&[6, 5], 6),
            (&[4, 6], 4),
            (&[10, 4], 10),
            (&[10, 11], 11),
            (&[1, 11], 1),
            (&[1, 77], 77),
        ] {
            assert_eq!(worst(statuses.iter().copied()), expected, "{statuses:?}");
        }
    }
}
