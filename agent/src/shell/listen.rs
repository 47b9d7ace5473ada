//! Connections: accepted from our own user alone, and shared out so that nobody can use them up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use interprocess::local_socket::tokio::{Stream, prelude::*};
use tokctl_proto::BootMs;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tracing::{info, warn};

use super::serve::{self, Context};
use super::socket::Socket;
use crate::clock;

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
}

/// All connections. The oldest comes first in the list, and each has one task.
struct Connections {
    tasks: JoinSet<()>,
    open: Vec<Open>,
    max: usize,
}

impl Connections {
    fn is_full(&self) -> bool {
        self.tasks.len() >= self.max
    }

    fn begin(&mut self, stream: Stream, context: Context) {
        let busy = Arc::new(AtomicBool::new(false));
        let abort = self.tasks.spawn(serve::connection(stream, context, Arc::clone(&busy)));
        self.open.push(Open { id: abort.id(), busy, since: clock::now().boot, abort });
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        self.open.retain(|connection| connection.id != id);
    }

    /// Hangs up on the oldest connection that has nothing under way.
    fn make_room(&self) {
        let now = clock::now().boot;
        if let Some(oldest) = self.silent().next()
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
/// next.
pub async fn accept(mut socket: Socket, context: Context, max: usize, desk: Arc<Desk>) {
    let mut all = Connections { tasks: JoinSet::new(), open: Vec::new(), max };
    let mut failing = false;
    loop {
        tokio::select! {
            () = desk.stop.notified() => break,
            () = desk.check.notified() => check(&mut socket),
            Some(ended) = all.tasks.join_next_with_id() => {
                all.ended(ended);
                failing = false;
            }
            () = tokio::time::sleep(ACCEPT_PAUSE), if failing || all.is_full() => failing = false,
            accepted = socket.listener.accept(), if !failing && !all.is_full() => match accepted {
                Ok(stream) if is_ours(&stream) => all.begin(stream, context.clone()),
                Ok(_) => {}
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    failing = true;
                    all.make_room();
                }
            },
        }
        if all.is_full() {
            all.make_room();
        }
        let count = u32::try_from(all.tasks.len()).unwrap_or(u32::MAX);
        desk.connections.store(count, Ordering::Relaxed);
    }
    // The name goes first: who connects from now on waits for the next agent. Who is being answered
    // is.
    drop(socket);
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
    let own = nix::unistd::geteuid().as_raw();
    match stream.peer_creds().ok().and_then(|peer| peer.euid()) {
        Some(uid) if uid == own => true,
        uid => {
            info!(?uid, "refused a connection of another user");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::AtomicU64;

    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio::sync::mpsc::{self, UnboundedReceiver};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::shell::driver::Input;
    use crate::shell::reply::ReplyTo;
    use crate::shell::serve::Home;

    /// Waiting for a real socket goes on for so long before it is a failure.
    const PATIENCE: Duration = Duration::from_secs(20);

    struct Listening {
        _home: TempDir,
        path: PathBuf,
        desk: Arc<Desk>,
        driver: UnboundedReceiver<Input>,
        accepting: JoinHandle<()>,
    }

    fn listening(max: usize) -> Listening {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/agent.sock");
        let socket = Socket::bind(&path, false).unwrap();
        let (inbox, driver) = mpsc::unbounded_channel();
        let context = Context {
            inbox,
            home: Home::default(),
            last_request: Arc::new(AtomicU64::new(1)),
            stopping: Arc::default(),
        };
        let desk = Arc::new(Desk::default());
        let accepting = tokio::spawn(accept(socket, context, max, Arc::clone(&desk)));
        Listening { _home: home, path, desk, driver, accepting }
    }

    async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(value) => value,
            Err(_) => panic!("{what} has not come about"),
        }
    }

    async fn connect(path: &Path) -> UnixStream {
        in_time("a connection", UnixStream::connect(path)).await.unwrap()
    }

    async fn is_hung_up_on(mut client: UnixStream) {
        let read = in_time("the end", client.read(&mut [0])).await;
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }

    impl Listening {
        /// A client with a request under way.
        async fn busy(&mut self) -> (UnixStream, ReplyTo) {
            self.asking(b"{\"list\":{}}\n").await
        }

        async fn asking(&mut self, request: &[u8]) -> (UnixStream, ReplyTo) {
            let mut client = connect(&self.path).await;
            client.write_all(request).await.unwrap();
            match in_time("the request", self.driver.recv()).await.unwrap() {
                Input::Request { reply, .. } => (client, reply),
                other => panic!("{other:?}"),
            }
        }
    }

    async fn is_answered((mut client, reply): (UnixStream, ReplyTo)) {
        reply.said("done");
        let mut line = [0; 64];
        let length = in_time("the answer", client.read(&mut line)).await.unwrap();
        assert!(line[..length].starts_with(b"{\"done\""));
    }

    #[test]
    fn a_quarter_of_the_files_is_left_and_never_too_few() {
        for (open_files, connections) in [
            (0, 8),
            (32, 8),
            (64, 32),
            (127, 93),
            (128, 96),
            (256, 192),
            (1024, 768),
            (5461, 4095),
            (1 << 20, 4096),
            (u64::MAX, 4096),
        ] {
            assert_eq!(connections_max(open_files), connections, "{open_files}");
        }
    }

    #[tokio::test]
    async fn when_full_the_oldest_silent_connection_makes_room() {
        let mut listening = listening(3);
        let busy = listening.busy().await;
        let oldest = connect(&listening.path).await;
        let newest = connect(&listening.path).await;
        is_hung_up_on(oldest).await;
        let second = listening.busy().await;
        is_hung_up_on(newest).await;
        is_answered(busy).await;
        is_answered(second).await;
    }

    #[tokio::test]
    async fn who_finds_all_places_busy_waits_and_is_served() {
        let mut listening = listening(2);
        let first = listening.busy().await;
        let second = listening.busy().await;
        let mut third = connect(&listening.path).await;
        third.write_all(b"{\"list\":{}}\n").await.unwrap();
        let too_early = tokio::time::timeout(Duration::from_millis(50), listening.driver.recv());
        assert!(too_early.await.is_err());
        is_answered(first).await;
        let Input::Request { reply, .. } =
            in_time("the third", listening.driver.recv()).await.unwrap()
        else {
            panic!("not a request");
        };
        is_answered((third, reply)).await;
        is_answered(second).await;
    }

    #[tokio::test]
    async fn a_stop_hangs_up_on_the_silent_and_lets_the_others_finish() {
        let mut listening = listening(8);
        let silent = connect(&listening.path).await;
        let busy = listening.busy().await;
        listening.desk.stop.notify_one();
        is_hung_up_on(silent).await;
        assert!(!listening.path.exists());
        is_answered(busy).await;
        in_time("the end", listening.accepting).await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_for_a_login_is_missed_when_it_dies_and_not_when_it_has_said_all() {
        let mut listening = listening(8);
        let login = b"{\"login\":{\"profile\":\"acme\"}}\n";
        let (mut client, reply) = listening.asking(login).await;
        client.shutdown().await.unwrap();
        let too_early = tokio::time::timeout(Duration::from_millis(50), listening.driver.recv());
        assert!(too_early.await.is_err());
        is_answered((client, reply)).await;
        let (client, _reply) = listening.asking(login).await;
        drop(client);
        let gone = in_time("its end", listening.driver.recv()).await.unwrap();
        assert!(matches!(gone, Input::Gone(_)), "{gone:?}");
    }

    #[tokio::test]
    async fn a_socket_that_was_removed_is_back_after_a_look() {
        let mut listening = listening(8);
        let before = listening.busy().await;
        std::fs::remove_file(&listening.path).unwrap();
        listening.desk.check.notify_one();
        in_time("the socket", async {
            while !listening.path.exists() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let after = listening.busy().await;
        is_answered(before).await;
        is_answered(after).await;
    }
}
