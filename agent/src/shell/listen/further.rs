//! Further sockets: each has a task that accepts for it and offers what came, one at a time. Who waits for a place waits
//! in the kernel's backlog, but for one that was accepted already.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{AbortHandle, JoinSet};
use tracing::warn;

use super::{ACCEPT_PAUSE, is_let_in};
use crate::shell::terms::Terms;

/// More than anybody has containers on one machine.
const SOCKETS_MAX: usize = 256;
/// Files that a further socket holds while nobody is connected: itself, one that was accepted and waits for a place, and
/// one that is on its way to this task.
const FILES_EACH: usize = 3;

/// How many further sockets there may be beside so many connections.
pub fn further_max(connections: usize) -> usize {
    (connections / (4 * FILES_EACH)).clamp(1, SOCKETS_MAX)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketId(pub u64);

/// What the driver wants of the listener.
#[derive(Debug)]
pub enum Order {
    /// Listen there too. In place of an earlier one of this id, whose connections stay.
    Open { id: SocketId, listener: Listener, terms: Arc<Terms>, count: Arc<AtomicU32> },
    /// Listen there no more, and hang up.
    Close(SocketId),
}

/// Somebody who was let in by a further socket.
pub(super) struct Offer {
    pub(super) stream: Stream,
    pub(super) terms: Arc<Terms>,
    pub(super) id: SocketId,
    /// Of the connections that came by it.
    pub(super) count: Arc<AtomicU32>,
}

struct One {
    accepting: AbortHandle,
    terms: Arc<Terms>,
    count: Arc<AtomicU32>,
}

/// All further sockets that are listened on.
pub(super) struct Further {
    tasks: JoinSet<()>,
    all: BTreeMap<SocketId, One>,
    sender: Sender<(SocketId, Stream)>,
    offers: Receiver<(SocketId, Stream)>,
}

impl Further {
    pub(super) fn new() -> Self {
        let (sender, offers) = mpsc::channel(1);
        Self { tasks: JoinSet::new(), all: BTreeMap::new(), sender, offers }
    }

    /// How many files these sockets hold, with nobody connected.
    pub(super) fn held(&self) -> usize {
        self.all.len() * FILES_EACH
    }

    pub(super) fn obey(&mut self, order: Order) {
        // Those that have ended.
        while self.tasks.try_join_next().is_some() {}
        match order {
            Order::Open { id, listener, terms, count } => {
                let accepting = accept(listener, id, Arc::clone(&terms), self.sender.clone());
                let accepting = self.tasks.spawn(accepting);
                if let Some(before) = self.all.insert(id, One { accepting, terms, count }) {
                    before.accepting.abort();
                }
            }
            Order::Close(id) => {
                if let Some(one) = self.all.remove(&id) {
                    one.accepting.abort();
                }
            }
        }
    }

    /// The next who was let in; nobody where their socket was closed meanwhile.
    pub(super) async fn next(&mut self) -> Option<Option<Offer>> {
        let (id, stream) = self.offers.recv().await?;
        Some(self.all.get(&id).map(|one| Offer {
            stream,
            terms: Arc::clone(&one.terms),
            id,
            count: Arc::clone(&one.count),
        }))
    }
}

async fn accept(
    listener: Listener,
    id: SocketId,
    terms: Arc<Terms>,
    sender: Sender<(SocketId, Stream)>,
) {
    loop {
        match next(&listener, &terms).await {
            Ok(Some(stream)) => {
                if sender.send((id, stream)).await.is_err() {
                    return;
                }
            }
            Ok(None) => {}
            Err(error) => {
                warn!(%error, "cannot accept a connection of a further socket");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Accepts one connection; `None` of somebody who is not let in, and is hung up on before a byte is read.
async fn next(listener: &Listener, terms: &Terms) -> io::Result<Option<Stream>> {
    let stream = listener.accept().await?;
    Ok(is_let_in(&stream, |uid, own| terms.lets_in(uid, own)).then_some(stream))
}
