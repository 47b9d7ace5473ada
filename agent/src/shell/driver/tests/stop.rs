//! A stop while a refresh token is at a provider.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc as std_mpsc;

use super::*;

const ROTATED: &str = r#"{"access_token":"new","expires_in":3600,"refresh_token":"second"}"#;

/// A provider that answers one request, when it is told to.
struct Provider {
    port: u16,
    asked: std_mpsc::Receiver<()>,
    go_on: std_mpsc::Sender<()>,
}

fn provider() -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (ask, asked) = std_mpsc::channel();
    let (go_on, told) = std_mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"refresh_token=first") {
            let mut chunk = [0; 1024];
            match stream.read(&mut chunk).unwrap() {
                0 => return,
                read => request.extend_from_slice(&chunk[..read]),
            }
        }
        ask.send(()).unwrap();
        // Until the test has ended or says so.
        if told.recv().is_ok() {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
            let length = ROTATED.len();
            write!(stream, "{head}Content-Length: {length}\r\n\r\n{ROTATED}").unwrap();
        }
    });
    Provider { port, asked, go_on }
}

/// An agent whose profile `acme` has sent its refresh token and waits.
async fn renewing() -> (Running, std_mpsc::Sender<()>, Waiting) {
    let Provider { port, asked, go_on } = provider();
    let mut running = running();
    let init = r#"{"init":{"passphrase":null,"replace":false,"network":[]}}"#;
    assert!(running.line(init).end().await.starts_with("said:made"));
    running.configure(&format!(
        "[profiles.acme]\ngrant = \"refresh_token\"\nclient_id = \"cc\"\nclient_auth = \"none\"\n\
         token_endpoint = \"http://127.0.0.1:{port}/token\"\nallow_http_loopback = true\n"
    ));
    let set = r#"{"set_secret2":{"profile":"acme","value":"first"}}"#;
    assert_eq!(running.line(set).end().await, "said:stored the refresh token of acme");
    let waiting = running.line(GET);
    let sent = tokio::task::spawn_blocking(move || asked.recv_timeout(PATIENCE));
    sent.await.unwrap().expect("nothing was sent");
    (running, go_on, waiting)
}

impl Running {
    async fn refresh_token(&self) -> String {
        let read = self.jobs.ask(|worker| {
            let (vault, keys) = worker.open()?;
            let entry = vault.read(keys, &ProfileName::parse("acme").unwrap()).unwrap().unwrap();
            Ok(entry.refresh.unwrap().token.expose().to_owned())
        });
        read.await.unwrap()
    }
}

#[tokio::test]
async fn a_refresh_token_that_was_sent_is_waited_for_and_its_successor_saved() {
    let (mut running, go_on, waiting) = renewing().await;
    running.inbox.send(Input::Stop).unwrap();
    for refused in [waiting, running.line(GET), running.line(r#"{"status":{}}"#)] {
        assert_eq!(refused.end().await, "no_agent");
    }
    assert_eq!(running.line(r#"{"agent_stop":{}}"#).end().await, "said:the agent stops");
    assert!(!running.driving.is_finished());
    go_on.send(()).unwrap();
    tokio::time::timeout(PATIENCE, running.desk.stop.notified()).await.unwrap();
    assert_eq!(running.refresh_token().await, "second");
    running.driving.await.unwrap();
}

#[tokio::test]
async fn a_second_signal_ends_the_agent_whatever_is_under_way() {
    let (running, _go_on, waiting) = renewing().await;
    running.inbox.send(Input::Stop).unwrap();
    assert_eq!(waiting.end().await, "no_agent");
    running.inbox.send(Input::Stop).unwrap();
    tokio::time::timeout(PATIENCE, running.desk.stop.notified()).await.unwrap();
    assert_eq!(running.refresh_token().await, "first");
    running.driving.await.unwrap();
}

#[tokio::test]
async fn a_client_that_stops_the_agent_counts_for_no_signal() {
    let (mut running, go_on, waiting) = renewing().await;
    assert_eq!(running.line(r#"{"agent_stop":{}}"#).end().await, "said:the agent stops");
    running.inbox.send(Input::Stop).unwrap();
    assert_eq!(waiting.end().await, "no_agent");
    assert_eq!(running.line(GET).end().await, "no_agent");
    assert!(!running.driving.is_finished());
    go_on.send(()).unwrap();
    tokio::time::timeout(PATIENCE, running.desk.stop.notified()).await.unwrap();
    assert_eq!(running.refresh_token().await, "second");
    running.driving.await.unwrap();
}
