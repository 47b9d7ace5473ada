//! A server for tests that answers each connection as it was told to, and hands over what it was
//! asked.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

use crate::config::Network;

/// Longer than anything here takes, on a machine that is busy with something else.
const DEADLINE: Duration = Duration::from_secs(20);

/// What to do with one connection once its request is read.
#[derive(Clone)]
pub(in crate::shell) enum Answer {
    Bytes(Vec<u8>),
    /// Writes the bytes, then holds the connection open until the test ends.
    Hold(Vec<u8>),
    /// Writes the first bytes, then resets the connection.
    Reset(Vec<u8>),
    /// Writes the first bytes, then the second over and over until nobody reads them.
    Flood(Vec<u8>, Vec<u8>),
    /// Writes the bytes without reading anything, for what is not a request in our language; then as
    /// [`Self::Hold`].
    Unasked(Vec<u8>),
    /// Closes the connection without reading anything.
    HangUp,
}

impl Answer {
    pub(in crate::shell) fn json(body: &str) -> Self {
        let length = body.len();
        Self::Bytes(
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
                .into_bytes(),
        )
    }

    pub(in crate::shell) fn html() -> Self {
        Self::Bytes(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
                .to_vec(),
        )
    }

    pub(in crate::shell) fn status(status: u16) -> Self {
        Self::Bytes(
            format!(
                "HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
            )
            .into_bytes(),
        )
    }
}

pub(in crate::shell) struct Scripted {
    pub(in crate::shell) port: u16,
    requests: Receiver<String>,
    /// Dropped at the end of the test, which ends every `Hold`.
    _release: Sender<()>,
}

impl Scripted {
    pub(in crate::shell) fn start(answers: Vec<Answer>) -> Self {
        Self::start_with(|_| (answers, ())).0
    }

    /// As [`Self::start`], for answers that name the port.
    pub(in crate::shell) fn start_with<T>(
        answers: impl FnOnce(u16) -> (Vec<Answer>, T),
    ) -> (Self, T) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answers, made) = answers(port);
        let (asked, requests) = channel();
        let (release, released) = channel();
        thread::spawn(move || {
            let mut held = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                stream.set_write_timeout(Some(DEADLINE)).unwrap();
                let request = match answer {
                    Answer::Unasked(_) | Answer::HangUp => String::new(),
                    _ => read_request(&mut stream),
                };
                if asked.send(request).is_err() {
                    return;
                }
                held.extend(perform(answer, stream));
            }
            let _ended = released.recv();
        });
        (Self { port, requests, _release: release }, made)
    }

    /// The next request, head and body.
    pub(in crate::shell) fn request(&self) -> String {
        self.requests.recv_timeout(DEADLINE).expect("a request comes before the deadline")
    }

    /// Asserts that every request so far was taken.
    pub(in crate::shell) fn assert_idle(&self) {
        assert!(self.requests.try_recv().is_err(), "a request nobody expected");
    }
}

/// Gives back a connection that is to stay open.
fn perform(answer: Answer, mut stream: TcpStream) -> Option<TcpStream> {
    // The other side may hang up at any time; that is what most of these tests are about.
    match answer {
        Answer::Bytes(bytes) => {
            let _gone = stream.write_all(&bytes);
        }
        Answer::Hold(bytes) | Answer::Unasked(bytes) => {
            let _gone = stream.write_all(&bytes);
            return Some(stream);
        }
        Answer::HangUp => {}
        Answer::Reset(bytes) => {
            let _gone = stream.write_all(&bytes);
            let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
            setsockopt(&stream, sockopt::Linger, &at_once).unwrap();
        }
        Answer::Flood(first, again) => {
            let mut alive = stream.write_all(&first).is_ok();
            while alive {
                alive = stream.write_all(&again).is_ok();
            }
        }
    }
    None
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).unwrap_or(0);
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request);
        if read == 0 || is_whole(&text) {
            return text.into_owned();
        }
    }
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap());
    body.len() >= length
}

/// A network that lets plain http go to this machine.
pub(in crate::shell) fn loopback() -> Network {
    Network { allow_http_loopback: true, ..Network::default() }
}
