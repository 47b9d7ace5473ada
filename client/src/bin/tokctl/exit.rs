//! How a command ends when it does not end well: what is said, and the exit status.

use std::process::ExitCode;

use tokctl_client::Error;
use tokctl_client::proto::error::WireFailure;
use tokctl_client::proto::{Failure, Kind};

use crate::output::Output;

/// What a shell reports for a program that SIGPIPE ended, as it ends `cat` and `grep`.
const BROKEN_PIPE: u8 = 128 + 13;

/// Why a command stops short.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(Box<WireFailure<'static>>),
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
        Stop::BrokenPipe => ExitCode::from(BROKEN_PIPE),
    }
}
