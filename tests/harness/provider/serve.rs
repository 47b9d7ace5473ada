//! The threads of a provider: one that listens, one for each connection.

use std::io::{self, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::answer::Answer;
use super::received::Received;
use super::{Shared, token};
use crate::http::Message;

/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(60);

pub(super) fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            break;
        }
        threads.retain(|thread| !thread.is_finished());
        if let Ok(stream) = stream {
            let id = shared.connections.fetch_add(1, Ordering::SeqCst);
            if let Ok(copy) = stream.try_clone() {
                shared.state().open.insert(id, copy);
            }
            let shared = Arc::clone(shared);
            threads.push(std::thread::spawn(move || connection(&shared, id, &stream)));
        }
    }
    for stream in shared.state().open.values() {
        // It may be closed already.
        drop(stream.shutdown(Shutdown::Both));
    }
    for thread in threads {
        drop(thread.join());
    }
}

fn connection(shared: &Shared, id: u64, stream: &TcpStream) {
    // How a connection ends is the other side's business, and its tests'.
    drop(requests(shared, stream));
    drop(stream.shutdown(Shutdown::Both));
    shared.state().open.remove(&id);
}

/// Answers the requests of one connection until either side closes it.
fn requests(shared: &Shared, stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(message) = Message::read(&mut reader)? {
        if shared.stopping.load(Ordering::SeqCst) {
            return Ok(());
        }
        let (path, method) = (message.word(1), message.word(0));
        let path = path.split('?').next().unwrap_or_default();
        let page = shared.state().pages.get(path).cloned();
        if let Some(page) = page {
            if method == "POST" {
                shared.state().requests.push(Received::new(&message));
                shared.changed.notify_all();
            }
            if !canned(shared, stream, page)? {
                return Ok(());
            }
            continue;
        }
        let own = path.strip_prefix(shared.path.as_str());
        let openid = own == Some("/.well-known/openid-configuration");
        let rfc8414 =
            path.strip_prefix("/.well-known/oauth-authorization-server") == Some(&shared.path);
        match (method, own) {
            ("POST", Some("/token")) => {
                if !token_request(shared, stream, &message)? {
                    return Ok(());
                }
            }
            ("GET", Some("/api/me")) => {
                let answer = token::me(&shared.state(), message.header("authorization"));
                reply(stream, answer)?;
            }
            ("GET", _) if openid || rfc8414 => reply(stream, (200, token::metadata(shared)))?,
            _ => reply(stream, (404, json!({ "error": "not_found" })))?,
        }
        if message.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether the connection goes on.
fn token_request(shared: &Shared, stream: &TcpStream, message: &Message) -> io::Result<bool> {
    let received = Received::new(message);
    let answer = {
        let mut state = shared.state();
        state.requests.push(received.clone());
        shared.changed.notify_all();
        match state.next.is_empty() {
            true => state.standing.clone(),
            false => state.next.remove(0),
        }
    };
    let mut end = End::Whole;
    match answer {
        Answer::Token => {}
        Answer::CommitAndClose => end = End::Nothing,
        Answer::Torn => end = End::Half,
        Answer::Changed(change) => end = End::Changed(change),
        Answer::Hang => hang(shared, None),
        Answer::Late(wait) => hang(shared, Some(wait)),
        other => return canned(shared, stream, other),
    }
    if shared.stopping.load(Ordering::SeqCst) {
        return Ok(false);
    }
    let (status, mut body) = token::token(shared, &mut shared.state(), &received);
    shared.changed.notify_all();
    match end {
        End::Whole => {}
        End::Changed(change) => change(&mut body),
        End::Nothing => return Ok(false),
        End::Half => {
            let text = body.to_string();
            let (mut stream, half) = (stream, &text[..text.len() / 2]);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
            write!(stream, "{head}: {}\r\n\r\n{half}", text.len())?;
            return Ok(false);
        }
    }
    reply(stream, (status, body))?;
    Ok(true)
}

/// An answer that is the same whatever the request. Whether the connection goes on.
fn canned(shared: &Shared, mut stream: &TcpStream, answer: Answer) -> io::Result<bool> {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    match answer {
        Answer::Canned { status, headers, body } => {
            write(stream, status, &headers, &body)?;
            Ok(true)
        }
        Answer::Held(then) => {
            hang(shared, None);
            canned(shared, stream, *then)
        }
        Answer::Endless => {
            stream.write_all(HEAD)?;
            stream.write_all(b"\r\n{\"x\":\"")?;
            while !shared.stopping.load(Ordering::SeqCst) {
                stream.write_all(&[b'x'; 4096])?;
            }
            Ok(false)
        }
        Answer::CloseAfterHeaders => {
            stream.write_all(&[HEAD, b"content-length: 900\r\n\r\n"].concat())?;
            Ok(false)
        }
        _ => Ok(false),
    }
}

/// How an answer leaves.
enum End {
    Whole,
    Changed(fn(&mut Value)),
    Half,
    Nothing,
}

/// Waits for the next release, for the time to be over, or for the end.
fn hang(shared: &Shared, wait: Option<Duration>) {
    let deadline = wait.map(|wait| Instant::now() + wait);
    let mut state = shared.state();
    let released = state.released;
    state.hanging += 1;
    shared.changed.notify_all();
    while state.released == released && !shared.stopping.load(Ordering::SeqCst) {
        let left = match deadline {
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            None => Duration::from_secs(1),
        };
        if left.is_zero() {
            break;
        }
        state = match shared.changed.wait_timeout(state, left) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        };
    }
    state.hanging -= 1;
}

fn reply(stream: &TcpStream, (status, body): (u16, Value)) -> io::Result<()> {
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("cache-control".to_owned(), "no-store".to_owned()),
    ];
    if status == 401 {
        // RFC 6749 section 5.2 and RFC 6750 section 3.
        let challenge = match body["error"] == "invalid_client" {
            true => "Basic realm=\"provider\"",
            false => "Bearer error=\"invalid_token\"",
        };
        headers.push(("www-authenticate".to_owned(), challenge.to_owned()));
    }
    write(stream, status, &headers, body.to_string().as_bytes())
}

fn write(
    mut stream: &TcpStream,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> io::Result<()> {
    let mut bytes = format!("HTTP/1.1 {status} Said\r\n").into_bytes();
    for (name, value) in headers {
        write!(bytes, "{name}: {value}\r\n")?;
    }
    write!(bytes, "content-length: {}\r\n\r\n", body.len())?;
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)
}
