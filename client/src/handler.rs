//! Who hears and answers while a request is under way.

use std::os::fd::{AsFd, BorrowedFd};

use tokctl_proto::Secret;
use tokctl_proto::response::{Ask, AskSubject, Item, Progress};

use crate::error::Error;
use crate::subject;

/// Receives what the agent says before the end of a request. `()` hears nothing and answers nothing.
pub trait Handler {
    /// Whether questions can be answered here; the agent asks nobody else.
    fn interactive(&self) -> bool {
        false
    }

    /// Talk for a person.
    fn progress(&mut self, _progress: &Progress<'_>) {}

    /// One row of a listing.
    fn item(&mut self, _item: &Item<'_>) {}

    /// A question. An error ends the request and the connection.
    fn ask(&mut self, _ask: &Ask<'_>, _agent: Agent<'_>) -> Result<Reply, Error> {
        Ok(Reply::Cancel)
    }

    /// A token of this process's environment that a token is exchanged for. An error ends the request and the
    /// connection.
    fn subject(&mut self, ask: &AskSubject<'_>) -> Result<Secret, Error> {
        subject::from_environment(&ask.source)
    }
}

impl Handler for () {}

/// What becomes of a question.
#[derive(Debug)]
pub enum Reply {
    Answer(Secret),
    /// The agent has spoken since: somebody else answered, or the question lapsed.
    Settled,
    /// Gives the request up; the agent answers it with an error of kind `cancelled`.
    Cancel,
}

/// The agent's end of the connection while a person is typing, to be polled for reading.
///
/// Whatever the agent sends after a question means that the question is settled, so whoever waits for the
/// person watches this too.
#[derive(Clone, Copy, Debug)]
pub struct Agent<'a> {
    pub(crate) socket: BorrowedFd<'a>,
}

impl AsFd for Agent<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket
    }
}
