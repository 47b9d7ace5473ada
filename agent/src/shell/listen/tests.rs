//! Real sockets, with the test in the place of the driver and of the clients.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

use super::*;
use crate::shell::driver::Input;
use crate::shell::reply::ReplyTo;
use crate::shell::serve::Home;

mod further;

/// Waiting for a real socket goes on for so long before it is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

struct Listening {
    _home: TempDir,
    path: PathBuf,
    desk: Arc<Desk>,
    driver: UnboundedReceiver<Input>,
    orders: UnboundedSender<Order>,
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
        terms: None,
    };
    let desk = Arc::new(Desk::default());
    let (orders, ordered) = mpsc::unbounded_channel();
    let accepting = tokio::spawn(accept(socket, ordered, context, max, Arc::clone(&desk)));
    Listening { _home: home, path, desk, driver, orders, accepting }
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
    let Input::Request { reply, .. } = in_time("the third", listening.driver.recv()).await.unwrap()
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
