//! Connections: accepted from our own user alone, and shared out so that nobody can use them up. Who comes by a further
//! socket (`further.rs`) is one of them, and has half of the places at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use interprocess::local_socket::tokio::{Stream, prelude::*};
use tokctl_proto::BootMs;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::{info, warn};

use super::serve::{self, Context};
use super::socket::Socket;
use crate::clock;

mod further;

use further::{Further, Offer};
pub use further::{Order, SocketId, further_max};

/// After a failed accept (no descriptor left, most likely), and while there is no place: others
/// need time to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A connection that is younger may be about to say something: it is not the one that makes room.
const SILENCE_MIN: Duration = Duration::from_millis(100);
/// More than anybody's programs keep open, and some 20 MiB of memory if they do.
const CONNECTIONS_MAX: u64 = 4096;
/// However few files are allowed: with less, a handful of shells could not be served at once.
const CONNECTIONS_MIN: u64 = 8;
/// What the agent itself has open: log, lock, signals, the watch on config.toml, files of the vault
/// and requests to a few providers.
const OWN_FILES: u64 = 32;

/// How many connections there may be at a time, of so many open files.
pub fn connections_max(open_files: u64) -> usize {
    let max = (open_files / 4 * 3).min(open_files.saturating_sub(OWN_FILES));
    usize::try_from(max.clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)).unwrap_or(usize::MAX)
}

/// What the listener is told and tells.
#[derive(Debug, Default)]
pub struct Desk {
    pub stop: Notify,
    /// Time to see whether the socket is still where clients look for it.
    pub check: Notify,
    /// Open connections now.
    pub connections: AtomicU32,
}

/// A connection as the listener sees it.
struct Open {
    id: Id,
    busy: Arc<AtomicBool>,
    since: BootMs,
    abort: AbortHandle,
    /// By which further socket it came, and how many did.
    by: Option<(SocketId, Arc<AtomicU32>)>,
}

/// All connections. The oldest comes first in the list, and each has one task.
struct Connections {
    tasks: JoinSet<()>,
    open: Vec<Open>,
    max: usize,
    /// So many came by further sockets.
    further: usize,
    /// So many files are held by further sockets themselves.
    held: usize,
}

impl Connections {
    fn new(max: usize) -> Self {
        Self { tasks: JoinSet::new(), open: Vec::new(), max, further: 0, held: 0 }
    }

    fn is_full(&self) -> bool {
        self.tasks.len() + self.held >= self.max
    }

    /// Whether no more may come by further sockets: what is in a container must not keep its owner out.
    fn is_full_of_further(&self) -> bool {
        self.is_full() || self.further >= self.max / 2
    }

    fn begin(&mut self, stream: Stream, context: Context, by: Option<(SocketId, Arc<AtomicU32>)>) {
        let busy = Arc::new(AtomicBool::new(false));
        let abort = self.tasks.spawn(serve::connection(stream, context, Arc::clone(&busy)));
        if let Some((_, count)) = &by {
            count.fetch_add(1, Ordering::Relaxed);
            self.further += 1;
        }
        self.open.push(Open { id: abort.id(), busy, since: clock::now().boot, abort, by });
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        let Some(at) = self.open.iter().position(|connection| connection.id == id) else { return };
        if let Some((_, count)) = self.open.remove(at).by {
            count.fetch_sub(1, Ordering::Relaxed);
            self.further -= 1;
        }
    }

    /// Hangs up on whoever came by a further socket, whatever is under way.
    fn hang_up(&self, socket: SocketId) {
        let is_by = |open: &&Open| open.by.as_ref().is_some_and(|(by, _)| *by == socket);
        self.open.iter().filter(is_by).for_each(|open| open.abort.abort());
    }

    /// Hangs up on the oldest connection that has nothing under way.
    fn make_room(&self) {
        Self::evict(self.silent().next());
    }

    /// The same among those that came by further sockets.
    fn make_further_room(&self) {
        Self::evict(self.silent().find(|open| open.by.is_some()));
    }

    fn evict(oldest: Option<&Open>) {
        let now = clock::now().boot;
        if let Some(oldest) = oldest
            && now.since(oldest.since) >= SILENCE_MIN
        {
            oldest.abort.abort();
        }
    }

    fn silent(&self) -> impl Iterator<Item = &Open> {
        self.open.iter().filter(|connection| !connection.busy.load(Ordering::Relaxed))
    }
}

/// Accepts connections until it is told to stop, at most `max` at a time; further ones wait in the
/// kernel's backlog. When full, the oldest connection that has nothing under way makes room for the
/// next. Further sockets come and go by `orders`.
pub async fn accept(
    mut socket: Socket,
    mut orders: UnboundedReceiver<Order>,
    context: Context,
    max: usize,
    desk: Arc<Desk>,
) {
    let (mut all, mut further) = (Connections::new(max), Further::new());
    let mut failing = false;
    loop {
        tokio::select! {
            () = desk.stop.notified() => break,
            () = desk.check.notified() => check(&mut socket),
            Some(order) = orders.recv() => {
                if let Order::Close(id) = order {
                    all.hang_up(id);
                }
                further.obey(order);
                all.held = further.held();
            }
            Some(ended) = all.tasks.join_next_with_id() => {
                all.ended(ended);
                failing = false;
            }
            () = tokio::time::sleep(ACCEPT_PAUSE), if failing || all.is_full_of_further() => {
                failing = false;
            }
            accepted = socket.listener.accept(), if !failing && !all.is_full() => match accepted {
                Ok(stream) if is_ours(&stream) => all.begin(stream, context.clone(), None),
                Ok(_) => {}
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    failing = true;
                    all.make_room();
                }
            },
            Some(offer) = further.next(), if !failing && !all.is_full_of_further() => {
                if let Some(Offer { stream, terms, id, count }) = offer {
                    let context = Context { terms: Some(terms), ..context.clone() };
                    all.begin(stream, context, Some((id, count)));
                }
            }
        }
        if all.is_full() {
            all.make_room();
        } else if all.is_full_of_further() {
            all.make_further_room();
        }
        let count = u32::try_from(all.tasks.len()).unwrap_or(u32::MAX);
        desk.connections.store(count, Ordering::Relaxed);
    }
    // The name goes first: who connects from now on waits for the next agent. Who is being answered
    // is.
    drop((socket, further));
    context.stopping.store(true, Ordering::Relaxed);
    all.silent().for_each(|connection| connection.abort.abort());
    while all.tasks.join_next().await.is_some() {}
}

/// Makes the socket anew if it was taken away.
fn check(socket: &mut Socket) {
    if socket.is_in_place() {
        return;
    }
    let path = socket.path().to_owned();
    match socket.make_anew() {
        Ok(()) => warn!(socket = %path.display(), "the socket was gone and was made anew"),
        Err(failure) => {
            warn!(problem = %failure.message, "the socket is gone and cannot be made anew");
        }
    }
}

/// Whether the peer is our own user. Root is refused too: what root wants it can take, but not by
/// mistake.
fn is_ours(stream: &Stream) -> bool {
    is_let_in(stream, |uid, own| uid == own)
}

/// Whether the peer is one that `lets_in` (of it and of our own user) says yes to.
fn is_let_in(stream: &Stream, lets_in: impl FnOnce(u32, u32) -> bool) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    match stream.peer_creds().ok().and_then(|peer| peer.euid()) {
        Some(uid) if lets_in(uid, own) => true,
        uid => {
            info!(?uid, "refused a connection of another user");
            false
        }
    }
}

#[cfg(test)]
mod tests;
