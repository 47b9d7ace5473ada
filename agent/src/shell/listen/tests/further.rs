//! Connections that come by further sockets.

use std::collections::BTreeSet;

use tokctl_proto::ProfileName;

use super::*;
use crate::shell::socket::{Place, further_socket};
use crate::shell::terms::Terms;

/// A further socket as the driver keeps it.
struct Made {
    path: PathBuf,
    _place: Place,
    count: Arc<AtomicU32>,
}

impl Listening {
    fn open(&self, id: u64, name: &str, allow_uid: Option<u32>) -> Made {
        let path = self.path.with_file_name(name);
        let (listener, place) = further_socket(&path, allow_uid.is_some()).unwrap();
        let only = BTreeSet::from([ProfileName::parse("acme").unwrap()]);
        let terms = Terms { only, scope: BTreeSet::new(), allow_uid, expires_at: None };
        let count = Arc::<AtomicU32>::default();
        let order = Order::Open {
            id: SocketId(id),
            listener,
            terms: Arc::new(terms),
            count: Arc::clone(&count),
        };
        self.orders.send(order).unwrap();
        Made { path, _place: place, count }
    }

    /// A client of a further socket with a request under way.
    async fn busy_at(&mut self, made: &Made) -> (UnixStream, ReplyTo) {
        let mut client = connect(&made.path).await;
        client.write_all(b"{\"why\":{\"profile\":\"acme\"}}\n").await.unwrap();
        match in_time("the request", self.driver.recv()).await.unwrap() {
            Input::Request { reply, .. } => (client, reply),
            other => panic!("{other:?}"),
        }
    }
}

async fn reads(mut client: UnixStream) -> String {
    let mut text = String::new();
    in_time("the answer", client.read_to_string(&mut text)).await.unwrap();
    text
}

#[tokio::test]
async fn by_a_further_socket_its_own_requests_are_served_and_others_refused() {
    let mut listening = listening(8);
    let made = listening.open(1, "acme.sock", None);
    for (line, kind) in [
        ("{\"list\":{}}", "socket_scoped"),
        ("{\"agent_stop\":{}}", "socket_scoped"),
        ("{\"get\":{\"profile\":\"shop\"}}", "no_such_profile"),
        ("{\"gets\":{}}", "usage"),
    ] {
        let mut client = connect(&made.path).await;
        client.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let said = reads(client).await;
        assert!(said.contains(&format!("\"kind\":\"{kind}\"")), "{line}: {said}");
    }
    let busy = listening.busy_at(&made).await;
    assert!(busy.1.is_further());
    assert_eq!(made.count.load(Ordering::Relaxed), 1);
    is_answered(busy).await;
    let own = listening.busy().await;
    assert!(!own.1.is_further());
}

#[tokio::test]
async fn a_closed_socket_hangs_up_on_its_own_whatever_is_under_way_and_on_nobody_else() {
    let mut listening = listening(32);
    let (one, other) = (listening.open(1, "one", None), listening.open(2, "other", None));
    let (busy, _reply) = listening.busy_at(&one).await;
    let silent = connect(&one.path).await;
    let kept = listening.busy_at(&other).await;
    let own = listening.busy().await;
    listening.orders.send(Order::Close(SocketId(1))).unwrap();
    is_hung_up_on(busy).await;
    is_hung_up_on(silent).await;
    let gone = in_time("its end", listening.driver.recv()).await.unwrap();
    assert!(matches!(gone, Input::Gone(_)), "{gone:?}");
    is_answered(kept).await;
    is_answered(own).await;
}

#[tokio::test]
async fn further_sockets_have_half_of_the_places_and_never_keep_the_owner_out() {
    let mut listening = listening(16);
    let made = listening.open(1, "acme.sock", None);
    let mut busy = Vec::new();
    for _ in 0..8 {
        busy.push(listening.busy_at(&made).await);
    }
    let mut late = connect(&made.path).await;
    late.write_all(b"{\"why\":{\"profile\":\"acme\"}}\n").await.unwrap();
    let too_early = tokio::time::timeout(Duration::from_millis(50), listening.driver.recv());
    assert!(too_early.await.is_err());
    let own = listening.busy().await;
    is_answered(own).await;
    is_answered(busy.pop().unwrap()).await;
    let served = in_time("the late one", listening.driver.recv()).await.unwrap();
    assert!(matches!(served, Input::Request { .. }), "{served:?}");
}

#[tokio::test]
async fn a_silent_one_makes_room_for_the_next_by_a_further_socket() {
    let mut listening = listening(16);
    let made = listening.open(1, "acme.sock", None);
    let own = connect(&listening.path).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(connect(&made.path).await);
    }
    let served = listening.busy_at(&made).await;
    is_answered(served).await;
    is_hung_up_on(silent.remove(0)).await;
    // The owner's is older and stays.
    let mut own = own;
    own.write_all(b"{\"list\":{}}\n").await.unwrap();
    let request = in_time("the owner's", listening.driver.recv()).await.unwrap();
    assert!(matches!(request, Input::Request { .. }), "{request:?}");
}

#[tokio::test]
async fn one_that_is_made_anew_keeps_its_connections() {
    let mut listening = listening(32);
    let first = listening.open(1, "first", None);
    let before = listening.busy_at(&first).await;
    let second = listening.open(1, "second", None);
    let after = listening.busy_at(&second).await;
    is_answered(before).await;
    is_answered(after).await;
    listening.orders.send(Order::Close(SocketId(1))).unwrap();
    in_time("the end of the second", async {
        while UnixStream::connect(&second.path).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[test]
fn there_are_fewer_further_sockets_than_places() {
    for (connections, sockets) in [(8, 1), (32, 2), (192, 16), (768, 64), (4096, 256)] {
        assert_eq!(further_max(connections), sockets, "{connections}");
    }
}
