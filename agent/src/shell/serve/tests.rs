//! The connection over a pipe on a paused clock, with the test in the driver's place.

use tokctl_proto::codec;
use tokctl_proto::frame::{FRAME_BYTES_MAX, Frame, Preamble};
use tokctl_proto::request::{self, Answer, Cancel, Get, List, Lock};
use tokctl_proto::response::Response;
use tokctl_proto::version;
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;

const HOME: &str = "/home/ada/ci";

impl Peer for DuplexStream {
    fn watch(&self) -> Option<Watch> {
        None
    }
}

/// A client, the connection it talks to, and what reaches the driver.
struct Pair {
    client: DuplexStream,
    received: Vec<u8>,
    driver: UnboundedReceiver<Input>,
    busy: Arc<AtomicBool>,
    connection: JoinHandle<()>,
}

/// A pipe that holds so many bytes in each direction.
fn pair_holding(bytes: usize) -> Pair {
    let (client, server) = tokio::io::duplex(bytes);
    let (inbox, driver) = mpsc::unbounded_channel();
    let home = Some(PathBuf::from(HOME));
    let last_request = Arc::new(AtomicU64::new(1));
    let home = Home::new(home.as_deref());
    let context = Context { inbox, home, last_request, stopping: Arc::default(), terms: None };
    let busy = Arc::new(AtomicBool::new(false));
    let connection = tokio::spawn(connection(server, context, Arc::clone(&busy)));
    Pair { client, received: Vec::new(), driver, busy, connection }
}

fn pair() -> Pair {
    pair_holding(1 << 20)
}

impl Pair {
    async fn send(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).await.unwrap();
    }

    /// The next request, as the driver sees it.
    async fn request(&mut self) -> (RequestId, Command, ReplyTo) {
        match self.driver.recv().await.unwrap() {
            Input::Request { id, command, reply } => (id, command, reply),
            other => panic!("{other:?}"),
        }
    }

    async fn event(&mut self) -> Event {
        match self.driver.recv().await.unwrap() {
            Input::Event(event) => event,
            other => panic!("{other:?}"),
        }
    }

    async fn gone(&mut self) -> RequestId {
        match self.driver.recv().await.unwrap() {
            Input::Gone(id) => id,
            other => panic!("{other:?}"),
        }
    }

    /// Answers the next request and returns its command.
    async fn answer(&mut self, text: &str) -> Command {
        let (_, command, reply) = self.request().await;
        reply.said(text);
        command
    }

    /// Reads a frame: `said:…`, `ask`, the kind of an error, `unsupported`. `None` at the end.
    async fn frame(&mut self) -> Option<String> {
        loop {
            if let Some((frame, used)) = Frame::split(&self.received).unwrap() {
                let text = match frame::read_unsupported(frame) {
                    Some(_) => "unsupported".to_owned(),
                    None => spoken(&codec::decode(frame.body).unwrap()),
                };
                self.received.drain(..used);
                return Some(text);
            }
            if self.client.read_buf(&mut self.received).await.unwrap() == 0 {
                assert_eq!(self.received, b"");
                return None;
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return Some(spoken(&codec::decode_line(&line).unwrap()));
            }
            if self.client.read_buf(&mut self.received).await.unwrap() == 0 {
                return None;
            }
        }
    }

    /// Until nothing moves any more. The paused clock advances only then.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn spoken(response: &Response<'_>) -> String {
    use tokctl_proto::response::Done;
    match response {
        Response::Done(Done::Said(said)) => format!("said:{}", said.text),
        Response::Ask(_) => "ask".to_owned(),
        Response::Progress(progress) => format!("progress:{}", progress.text),
        Response::Error(error) => error.kind.to_string(),
        other => panic!("{other:?}"),
    }
}

fn hello() -> Vec<u8> {
    hello_from(Some(HOME))
}

fn hello_from(home: Option<&str>) -> Vec<u8> {
    let mut bytes = Zeroizing::new(Vec::new());
    Preamble::new(home.map(PathBuf::from)).encode(&mut bytes).unwrap();
    bytes.to_vec()
}

fn framed(request: &Request<'_>) -> Vec<u8> {
    let mut bytes = Zeroizing::new(Vec::new());
    frame::append(1, request, &mut bytes).unwrap();
    bytes.to_vec()
}

fn list() -> Vec<u8> {
    framed(&Request::List(List {}))
}

fn lock() -> Vec<u8> {
    framed(&Request::Lock(Lock {}))
}

fn cancel() -> Vec<u8> {
    framed(&Request::Cancel(Cancel {}))
}

fn get() -> Vec<u8> {
    framed(&Request::Get(Get { profile: "acme".into(), ..Get::default() }))
}

fn passphrase(text: &str) -> Vec<u8> {
    framed(&Request::Answer(Answer { text: text.into() }))
}

fn frame_of(version: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 1).unwrap().to_be_bytes();
    [&length[..], &[version], body].concat()
}

#[tokio::test(start_paused = true)]
async fn a_first_message_has_five_seconds() {
    let whole = [hello(), list()].concat();
    for sent in [0, 1, 3, hello().len(), whole.len() - 1] {
        let mut pair = pair();
        let started = Instant::now();
        pair.send(&whole[..sent]).await;
        assert_eq!(pair.frame().await, None, "{sent}");
        assert_eq!(started.elapsed().as_secs(), FIRST_FRAME_TIME_MAX.as_secs(), "{sent}");
        assert!(pair.driver.try_recv().is_err());
    }
    // A connection that has said one thing may take its time for the next.
    let mut pair = pair();
    pair.send(&whole).await;
    pair.answer("one").await;
    tokio::time::sleep(FIRST_FRAME_TIME_MAX * 100).await;
    pair.send(&list()).await;
    pair.answer("two").await;
    assert_eq!(pair.frame().await.unwrap(), "said:one");
    assert_eq!(pair.frame().await.unwrap(), "said:two");
}

#[tokio::test(start_paused = true)]
async fn a_request_byte_by_byte_is_a_request() {
    for (bytes, json) in [([hello(), list()].concat(), false), (b"{\"list\":{}}\n".to_vec(), true)]
    {
        let mut pair = pair();
        for byte in bytes {
            pair.send(&[byte]).await;
            pair.settle().await;
        }
        assert!(matches!(pair.answer("all").await, Command::List));
        let said = if json { pair.line().await } else { pair.frame().await };
        assert_eq!(said.unwrap(), "said:all");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_come_early_wait_their_turn() {
    let mut pair = pair();
    pair.send(&[hello(), list(), lock(), list()].concat()).await;
    let (_, first, reply) = pair.request().await;
    assert!(matches!(first, Command::List));
    pair.settle().await;
    assert!(pair.driver.try_recv().is_err(), "the second has begun before the first has ended");
    reply.progress("soon", false);
    reply.said("1");
    assert!(matches!(pair.answer("2").await, Command::Lock));
    pair.answer("3").await;
    for said in ["progress:soon", "said:1", "said:2", "said:3"] {
        assert_eq!(pair.frame().await.unwrap(), said);
    }
}

#[tokio::test(start_paused = true)]
async fn more_requests_than_the_buffer_holds_are_all_answered() {
    let mut pair = pair();
    let count = 3 * FRAME_BYTES_MAX / list().len();
    pair.send(&[hello(), list().repeat(count)].concat()).await;
    for _ in 0..count {
        pair.answer("x").await;
        assert_eq!(pair.frame().await.unwrap(), "said:x");
    }
    pair.settle().await;
    assert!(!pair.busy.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn an_answer_overtakes_the_requests_before_it() {
    let mut pair = pair();
    pair.send(&[hello(), get(), list(), passphrase("open sesame"), lock()].concat()).await;
    let (id, _, reply) = pair.request().await;
    reply.ask("passphrase");
    match pair.event().await {
        Event::Passphrase { request, passphrase } => {
            assert_eq!((request, passphrase.expose()), (id, "open sesame"));
        }
        other => panic!("{other:?}"),
    }
    reply.said("1");
    assert!(matches!(pair.answer("2").await, Command::List));
    assert!(matches!(pair.answer("3").await, Command::Lock));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_reaches_the_request_under_way_and_a_late_one_reaches_nothing() {
    let mut pair = pair();
    pair.send(&[hello(), get()].concat()).await;
    let (id, _, reply) = pair.request().await;
    pair.send(&cancel()).await;
    assert!(matches!(pair.event().await, Event::Cancel { request } if request == id));
    reply.failed(&Failure::new(Kind::Cancelled, "cancelled"));
    assert_eq!(pair.frame().await.unwrap(), "cancelled");
    pair.send(&[cancel(), passphrase("late"), list()].concat()).await;
    pair.answer("next").await;
    assert_eq!(pair.frame().await.unwrap(), "said:next");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_can_send_no_more_still_gets_its_answer() {
    for bytes in [[hello(), get()].concat(), b"{\"get\":{\"profile\":\"acme\"}}".to_vec()] {
        let json = bytes[0] == b'{';
        let mut pair = pair();
        pair.send(&bytes).await;
        pair.client.shutdown().await.unwrap();
        let (_, command, reply) = pair.request().await;
        assert!(matches!(command, Command::Get(_)));
        pair.settle().await;
        assert!(pair.driver.try_recv().is_err());
        reply.said("token");
        let said = if json { pair.line().await } else { pair.frame().await };
        assert_eq!(said.unwrap(), "said:token");
        assert_eq!(pair.frame().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_cannot_be_answered_cancels_its_request() {
    let mut pair = pair();
    pair.send(&[hello(), get()].concat()).await;
    pair.client.shutdown().await.unwrap();
    let (id, _, reply) = pair.request().await;
    reply.ask("passphrase");
    assert!(matches!(pair.event().await, Event::Cancel { request } if request == id));
    // Once, and the driver has the last word.
    pair.settle().await;
    assert!(pair.driver.try_recv().is_err());
    reply.said("opened elsewhere");
    assert_eq!(pair.frame().await.unwrap(), "ask");
    assert_eq!(pair.frame().await.unwrap(), "said:opened elsewhere");
}

#[tokio::test(start_paused = true)]
async fn an_answer_sent_ahead_counts_although_nothing_more_can_come() {
    let mut pair = pair();
    pair.send(b"{\"unlock\":{\"interactive\":true}}\n{\"answer\":{\"text\":\"pw\"}}\n").await;
    pair.client.shutdown().await.unwrap();
    let (_, _, reply) = pair.request().await;
    assert!(matches!(pair.event().await, Event::Passphrase { .. }));
    reply.ask("passphrase");
    pair.settle().await;
    assert!(pair.driver.try_recv().is_err());
    // It was wrong, and there is no second.
    reply.ask("passphrase");
    assert!(matches!(pair.event().await, Event::Cancel { .. }));
    reply.failed(&Failure::new(Kind::Cancelled, "cancelled"));
    for said in ["ask", "ask", "cancelled"] {
        assert_eq!(pair.line().await.unwrap(), said);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_floods_instead_of_answering_is_cancelled() {
    let mut pair = pair();
    let flood = list().repeat(2 * FRAME_BYTES_MAX / list().len());
    pair.send(&[hello(), get(), flood].concat()).await;
    let (_, _, reply) = pair.request().await;
    reply.ask("passphrase");
    assert!(matches!(pair.event().await, Event::Cancel { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_is_reported_once() {
    for asked in [false, true] {
        let mut pair = pair();
        pair.send(&[hello(), get()].concat()).await;
        let (id, _, reply) = pair.request().await;
        drop(pair.client);
        match asked {
            true => reply.ask("passphrase"),
            false => reply.progress("retrying", false),
        }
        let mut heard = Vec::new();
        while let Some(input) = pair.driver.recv().await {
            match input {
                Input::Gone(gone) => heard.push(gone),
                Input::Event(Event::Cancel { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard, [id]);
        pair.connection.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_ended_from_here_reports_its_request() {
    let mut pair = pair();
    pair.send(&[hello(), get()].concat()).await;
    let (id, ..) = pair.request().await;
    pair.connection.abort();
    assert_eq!(pair.gone().await, id);
}

#[tokio::test(start_paused = true)]
async fn an_answered_request_is_never_reported_gone() {
    let mut pair = pair();
    pair.send(&[hello(), get()].concat()).await;
    pair.answer("token").await;
    drop(pair.client);
    assert!(pair.driver.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_loses_its_place() {
    let mut pair = pair_holding(64);
    let started = Instant::now();
    pair.send(&[hello(), get()].concat()).await;
    pair.answer(&"x".repeat(1000)).await;
    assert!(pair.driver.recv().await.is_none());
    assert_eq!(started.elapsed().as_secs(), WRITE_TIME_MAX.as_secs());
    // Whoever reads, however slowly, gets all of it.
    let mut pair = pair_holding(64);
    pair.send(&[hello(), get()].concat()).await;
    pair.answer(&"x".repeat(1000)).await;
    tokio::time::sleep(WRITE_TIME_MAX - Duration::from_secs(1)).await;
    assert_eq!(pair.frame().await.unwrap().len(), "said:".len() + 1000);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_not_spoken_is_answered_in_its_turn_and_not_carried_out() {
    let mut pair = pair();
    // The body would be a request in version 1.
    let strange = frame_of(9, &list()[5..]);
    pair.send(&[hello(), strange.clone(), list(), strange, lock()].concat()).await;
    assert_eq!(pair.frame().await.unwrap(), "unsupported");
    assert!(matches!(pair.answer("list").await, Command::List));
    assert_eq!(pair.frame().await.unwrap(), "said:list");
    assert_eq!(pair.frame().await.unwrap(), "unsupported");
    assert!(matches!(pair.answer("lock").await, Command::Lock));
    assert_eq!(pair.frame().await.unwrap(), "said:lock");
    assert_eq!(version::HIGHEST, 1);
}

#[tokio::test(start_paused = true)]
async fn a_word_of_a_newer_program_says_how_to_get_the_newer_agent() {
    let mut pair = pair();
    pair.send(&[hello(), frame_of(1, &[200])].concat()).await;
    pair.client.read_to_end(&mut pair.received).await.unwrap();
    let (frame, _) = Frame::split(&pair.received).unwrap().unwrap();
    let Response::Error(error) = codec::decode(frame.body).unwrap() else { panic!("no error") };
    assert!(error.hint.unwrap().contains("`tokctl agent stop`"));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_message_ends_the_connection_with_an_error() {
    let long = [b"{\"get\":\"".as_slice(), &[b'x'; FRAME_BYTES_MAX]].concat();
    let long_line = [long.as_slice(), b"\"}\n"].concat();
    for (what, bytes) in [
        ("a length of nothing", [hello(), vec![0, 0, 0, 0]].concat()),
        ("a length without end", [hello(), vec![0xff; 4]].concat()),
        ("an unknown request", [hello(), frame_of(1, &[200])].concat()),
        ("trailing bytes", [hello(), frame_of(1, &[&list()[5..], &[0][..]].concat())].concat()),
        ("no JSON", b"{list}\n".to_vec()),
        ("an unknown field", b"{\"list\":{\"all\":true}}\n".to_vec()),
        ("half a line", b"{\"list\":".to_vec()),
        ("a line without end", long),
        ("a line that is too long", long_line),
    ] {
        let json = bytes[0] == b'{';
        let mut pair = pair();
        pair.send(&bytes).await;
        // The good one behind it must not be carried out.
        pair.send(&if json { b"\n{\"list\":{}}\n".to_vec() } else { list() }).await;
        pair.client.shutdown().await.unwrap();
        let said = if json { pair.line().await } else { pair.frame().await };
        assert_eq!(said.as_deref(), Some("usage"), "{what}");
        let next = if json { pair.line().await } else { pair.frame().await };
        assert_eq!(next, None, "{what}");
        assert!(pair.driver.recv().await.is_none(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn nonsense_behind_a_request_does_not_take_its_answer_away() {
    let mut pair = pair();
    pair.send(&[hello(), get(), vec![0xff; 8]].concat()).await;
    let (_, _, reply) = pair.request().await;
    pair.settle().await;
    reply.progress("soon", false);
    reply.said("token");
    for said in ["progress:soon", "said:token", "usage"] {
        assert_eq!(pair.frame().await.unwrap(), said);
    }
    assert_eq!(pair.frame().await, None);
}

#[tokio::test(start_paused = true)]
async fn other_protocols_are_hung_up_on_without_a_word() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"TKX", b" {\"list\":{}}\n", &[0, 0, 0, 2]] {
        let mut pair = pair();
        pair.send(bytes).await;
        let started = Instant::now();
        assert_eq!(pair.frame().await, None);
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_of_another_home_has_nothing_carried_out() {
    for home in [None, Some("/home/ada"), Some("/home/ada/ci/")] {
        let same = home.map(PathBuf::from) == Some(PathBuf::from(HOME));
        let mut pair = pair();
        pair.send(&[hello_from(home), list(), lock()].concat()).await;
        if same {
            pair.answer("1").await;
            continue;
        }
        for _ in 0..2 {
            assert_eq!(pair.frame().await.unwrap(), "other_home");
        }
        pair.settle().await;
        assert!(pair.driver.try_recv().is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_of_json_can_say_the_clients_home() {
    let list = "{\"list\":{}}\n";
    for (first, heard) in [
        ("", "said:1"),
        (r#"{"home":"/home/ada/ci"}"#, "said:1"),
        (r#"{"home":"/home/ada"}"#, "other_home"),
        (r#"{"home":null}"#, "other_home"),
        // Nothing but a home is one, and there is one at most.
        ("{}", "usage"),
        (r#"{"home":"/home/ada/ci","user":"ada"}"#, "usage"),
        ("{\"home\":\"/home/ada/ci\"}\n{\"home\":\"/home/ada/ci\"}", "usage"),
    ] {
        let mut pair = pair();
        let end = if first.is_empty() { "" } else { "\n" };
        pair.send(format!("{first}{end}{list}").as_bytes()).await;
        if heard == "said:1" {
            pair.answer("1").await;
        }
        assert_eq!(pair.line().await.as_deref(), Some(heard), "{first}");
        assert!(pair.driver.try_recv().is_err(), "{first}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_at_the_door_leaves_the_connection_good() {
    let mut pair = pair();
    let show = request::Show { profile: "No Such Name".into() };
    pair.send(&[hello(), framed(&Request::Show(show)), list()].concat()).await;
    assert_eq!(pair.frame().await.unwrap(), "usage");
    pair.answer("next").await;
    assert_eq!(pair.frame().await.unwrap(), "said:next");
}

#[tokio::test(start_paused = true)]
async fn without_a_driver_a_request_is_told_that_the_agent_stops() {
    let mut pair = pair();
    pair.driver.close();
    pair.send(&[hello(), list()].concat()).await;
    assert_eq!(pair.frame().await.unwrap(), "no_agent");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_value_is_not_repeated_and_a_wrong_name_is() {
    for (line, says) in [
        ("{\"answer\":{\"text\":4711}}\n", "another type at column"),
        ("{\"unlock\":{\"interactive\":\"4711\"}}\n", "another type at column"),
        ("{\"list\":{}} 4711\n", "no JSON at column"),
        ("{\"list\":{\"all\":1}}\n", "unknown field `all`"),
        ("{\"show\":{}}\n", "missing field `profile`"),
        ("{\"lsit\":{}}\n", "unknown variant `lsit`"),
    ] {
        let mut pair = pair();
        pair.send(line.as_bytes()).await;
        let mut said = Vec::new();
        pair.client.read_to_end(&mut said).await.unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(!said.contains("4711"), "{said}");
        assert!(said.contains(says), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn busy_is_whoever_has_a_request_under_way() {
    let mut pair = pair();
    pair.settle().await;
    assert!(!pair.busy.load(Ordering::Relaxed));
    pair.send(&[hello(), get()].concat()).await;
    let (_, _, reply) = pair.request().await;
    assert!(pair.busy.load(Ordering::Relaxed));
    reply.said("token");
    pair.frame().await.unwrap();
    pair.settle().await;
    assert!(!pair.busy.load(Ordering::Relaxed));
}
