//! What threads tell the parent, in a form that can be waited for together with signals.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokctl_client::{ProfileName, Token};

use crate::exit::Stop;

pub(super) enum News {
    /// A profile has another token.
    Renewed(ProfileName, Box<Token>),
    Warning(String),
    /// A stream is copied to its end, or cannot be copied on; the reason where somebody should know.
    Copied(Option<String>),
}

/// The threads' end.
#[derive(Clone)]
pub(super) struct Teller {
    tell: Sender<News>,
    ring: Arc<PipeWriter>,
}

impl Teller {
    /// Whether anybody listens still.
    pub(super) fn tell(&self, news: News) -> bool {
        self.tell.send(news).is_ok() && (&*self.ring).write_all(b"!").is_ok()
    }
}

/// The parent's end.
pub(super) struct Listener {
    news: Receiver<News>,
    /// A byte for each of the news.
    bell: PipeReader,
}

impl Listener {
    pub(super) fn new() -> Result<(Teller, Self), Stop> {
        let (bell, ring) =
            io::pipe().map_err(|error| Stop::machine(format!("cannot make a pipe: {error}")))?;
        let (tell, news) = channel();
        Ok((Teller { tell, ring: Arc::new(ring) }, Self { news, bell }))
    }

    /// The next of the news; to be called when the descriptor can be read.
    pub(super) fn next(&self) -> Option<News> {
        let _rung = (&self.bell).read(&mut [0]).ok()?;
        self.news.try_recv().ok()
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
