//! Whether the other side is still there, where it has nothing more to say.
//!
//! A client may close its way of writing and wait for its answer. One that was killed looks the same to whoever
//! reads, and nothing is written to it while a person is waited for. The kernel knows better: it tells of
//! an end that is closed both ways (EPOLLHUP, poll(2)).

use std::os::fd::{AsFd, OwnedFd};

use interprocess::local_socket::tokio::Stream;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, Ready};

/// The other end of a connection.
pub trait Peer: AsyncRead + AsyncWrite + Unpin {
    /// What tells of its end, where that can be told.
    fn watch(&self) -> Option<Watch>;
}

impl Peer for Stream {
    #[expect(
        deprecated,
        reason = "what takes its place is unsafe; the descriptor is the watch's own and stays open"
    )]
    fn watch(&self) -> Option<Watch> {
        let Self::UdSocket(socket) = self;
        let socket = socket.as_fd().try_clone_to_owned().ok()?;
        AsyncFd::with_interest(socket, Interest::WRITABLE).ok().map(Watch)
    }
}

/// Watches a connection beside those who use it.
#[derive(Debug)]
pub struct Watch(AsyncFd<OwnedFd>);

impl Watch {
    /// Waits until the other side has closed the connection both ways.
    pub(super) async fn hung_up(&self) {
        // Without the runtime's driver the agent is going down.
        while let Ok(mut guard) = self.0.ready(Interest::WRITABLE).await {
            if guard.ready().is_write_closed() {
                return;
            }
            // That something could be written is no news.
            guard.clear_ready_matching(Ready::WRITABLE);
        }
    }
}

/// Waits for the end of the other side, for ever where nobody can tell.
pub(super) async fn of(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.hung_up().await,
        None => std::future::pending().await,
    }
}
