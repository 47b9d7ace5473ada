//! Visitors of the listener, over real sockets: a browser, strangers, and those who never finish.

use std::time::Instant;

use tokio::net::TcpStream;

use super::*;
use crate::oauth::state::Unguessable;

/// Longer than anything here takes, on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(20);

struct Login {
    answer: tokio::task::JoinHandle<Arrived>,
    port: u16,
    state: Unguessable,
}

async fn login() -> Login {
    let loopback = Loopback::open(&acme(), None).await.unwrap();
    let uri = loopback.redirect_uri().to_owned();
    let port = Url::parse(&uri).unwrap().port().unwrap();
    assert_eq!(uri, format!("http://127.0.0.1:{port}/callback"));
    let state = Unguessable::new([7; 32]);
    let expected = Expected { state: state.clone(), issuer: None, names_itself: false };
    Login { answer: tokio::spawn(loopback.answer(expected)), port, state }
}

fn acme() -> ProfileName {
    ProfileName::parse("acme").unwrap()
}

impl Login {
    fn head(&self, query: &str) -> String {
        format!("GET /callback?{query} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port)
    }

    fn right(&self) -> String {
        self.head(&format!("code=c&state={}", self.state.expose()))
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Sends what a visitor has to say, and gives what is answered.
    async fn visit(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read(&mut stream).await
    }

    async fn arrives(self) -> Arrived {
        timeout(PATIENCE, self.answer).await.expect("the answer is heard").unwrap()
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let whole = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    let _reset = whole.expect("an answer comes");
    String::from_utf8(answer).unwrap()
}

fn code(arrived: &Arrived) -> &str {
    arrived.said.as_ref().unwrap().expose()
}

#[tokio::test]
async fn a_wrong_state_a_thousand_times_and_the_right_one_is_still_heard() {
    let login = login().await;
    let stray = String::from_utf8(Page::Stray.response()).unwrap();
    for n in 0..1000 {
        assert_eq!(login.visit(login.head(&format!("code=c&state={n}")).as_bytes()).await, stray);
    }
    let mut browser = login.connect().await;
    browser.write_all(login.right().as_bytes()).await.unwrap();
    let port = login.port;
    let arrived = login.arrives().await;
    assert_eq!(code(&arrived), "c");
    // The port is closed while the browser waits for its page.
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    let (shown, ()) = tokio::join!(read(&mut browser), arrived.browser.show(Page::Done));
    assert_eq!(shown.into_bytes(), Page::Done.response());
}

#[tokio::test]
async fn fifty_slow_visitors_do_not_keep_the_right_one_waiting() {
    let login = login().await;
    let mut slow = Vec::new();
    for n in 0..50 {
        let mut stream = login.connect().await;
        let begun = &login.right()[..n % 20];
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let begun = Instant::now();
    let mut browser = login.connect().await;
    browser.write_all(login.right().as_bytes()).await.unwrap();
    assert_eq!(code(&login.arrives().await), "c");
    // Not by waiting for them to be given up.
    assert!(begun.elapsed() < HEAD_TIME_MAX);
    drop(slow);
}

#[tokio::test]
async fn whoever_is_no_browser_that_was_sent_here_gets_the_same_page() {
    let login = login().await;
    let stray = String::from_utf8(Page::Stray.response()).unwrap();
    let right = login.right();
    let state = login.state.expose().to_owned();
    for bytes in [
        right.replace("127.0.0.1", "evil.example"),
        right.replace("127.0.0.1", "localhost"),
        right.replace("GET", "POST"),
        right.replace("/callback", "/other"),
        right.replace("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n"),
        right.replace("\r\n\r\n", "\r\nSec-Fetch-Mode: no-cors\r\n\r\n"),
        format!("GET /callback?code=c&state={state}\r\n\r\n"),
        format!("GET /callback?code=c&state={state}&state={state} HTTP/1.1\r\n\r\n"),
        "\u{16}\u{3}\u{1}\r\n\r\n".to_owned(),
        format!("{}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX)),
        right.replace("\r\n\r\n", &format!("\r\nX: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX))),
    ] {
        // What was not read may take the page away again.
        let answer = login.visit(bytes.as_bytes()).await;
        assert!(answer == stray || bytes.len() > HEAD_BYTES_MAX, "{bytes}: {answer}");
        assert!(!answer.contains(&state));
    }
    assert!(!login.answer.is_finished());
    let mut browser = login.connect().await;
    browser.write_all(right.as_bytes()).await.unwrap();
    assert_eq!(code(&login.arrives().await), "c");
}

#[tokio::test]
async fn a_request_in_pieces_is_put_together() {
    let login = login().await;
    let mut browser = login.connect().await;
    browser.set_nodelay(true).unwrap();
    for byte in login.right().as_bytes() {
        browser.write_all(std::slice::from_ref(byte)).await.unwrap();
    }
    assert_eq!(code(&login.arrives().await), "c");
}

#[tokio::test]
async fn an_answer_with_two_codes_ends_the_login_without_one() {
    let login = login().await;
    let twice = login.head(&format!("code=c&code=d&state={}", login.state.expose()));
    let mut browser = login.connect().await;
    browser.write_all(twice.as_bytes()).await.unwrap();
    assert_eq!(login.arrives().await.said.unwrap_err(), Refusal::Twice("code"));
}

#[tokio::test]
async fn the_port_is_free_again_as_soon_as_nobody_waits() {
    let login = login().await;
    let held = login.connect().await;
    login.answer.abort();
    assert!(login.answer.await.is_err());
    assert!(TcpStream::connect(("127.0.0.1", login.port)).await.is_err());
    drop(held);
    let uri = RedirectUri::read(&format!("http://127.0.0.1:{}/cb", login.port)).unwrap();
    let again = Loopback::open(&acme(), Some(&uri)).await.unwrap();
    assert_eq!(again.redirect_uri(), uri.text());
    let failure = Loopback::open(&acme(), Some(&uri)).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Machine);
    assert!(failure.hint.unwrap().contains("`ss -ltnp`"));
}

#[tokio::test]
async fn localhost_is_listened_to_wherever_the_browser_looks_for_it() {
    let uri = RedirectUri::read("http://localhost/cb").unwrap();
    let loopback = Loopback::open(&acme(), Some(&uri)).await.unwrap();
    let port = Url::parse(loopback.redirect_uri()).unwrap().port().unwrap();
    assert_eq!(loopback.redirect_uri(), format!("http://localhost:{port}/cb"));
    for listener in &loopback.listeners {
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback() && address.port() == port, "{address}");
    }
}
