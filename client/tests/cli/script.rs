//! An agent that does what a script says:
//!
//! ```text
//! > {"get":{"profile":"acme"}}     the next request is this one
//! < {"done":{"said":{"text":""}}}  the answer, as a frame
//! < hex 00 00 00 01 07             the answer, as bytes
//! close                            the connection ends here
//! switch                           to the connection before, or to one that is yet to come; this one is kept
//! pause                            until the test says so
//! mark                             the test is told that things have come so far
//! ```
//!
//! Requests may come on one connection or on several. What was not in the script is complained about, to
//! the client at once and to the test at the end.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokctl_client::proto::error::{Failure, Kind, WireFailure};
use tokctl_client::proto::frame::{self, Frame, Preamble};
use tokctl_client::proto::{Request, Response, codec, version};
use zeroize::Zeroizing;

/// Longest wait of a test for anything.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(10);

/// The answer of an agent that has a token.
pub(crate) const TOKEN: &str = r#"< {"done":{"token":{"access_token":"eyJ0","token_type":"Bearer","expires_at":1800000000,"expires_in":3600,"scope":"api","profile":"acme","header":"Authorization: Bearer {token}","min_valid_met":true,"warning":null,"extra":""}}}"#;

enum Step {
    Expect(Value),
    Say(Zeroizing<Vec<u8>>),
    Close,
    Switch,
    Pause,
    Mark,
}

/// A scripted agent at work.
pub(crate) struct Script {
    socket: PathBuf,
    is_over: Arc<AtomicBool>,
    go_on: Sender<()>,
    marks: Receiver<()>,
    thread: JoinHandle<Vec<String>>,
}

impl Script {
    /// Listens at `socket` and follows `text`.
    pub(crate) fn listen(socket: &Path, text: &str) -> Self {
        let steps: Vec<Step> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(step).collect();
        let listener = UnixListener::bind(socket).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let (go_on, pauses) = channel();
        let (mark, marks) = channel();
        let stage = Stage {
            listener,
            pauses,
            mark,
            is_over: Arc::clone(&is_over),
            connection: None,
            kept: None,
            complaints: Vec::new(),
        };
        let thread = std::thread::spawn(move || stage.play(steps));
        Self { socket: socket.to_owned(), is_over, go_on, marks, thread }
    }

    /// Ends a pause.
    pub(crate) fn go_on(&self) {
        self.go_on.send(()).unwrap();
    }

    /// Waits for the next mark.
    pub(crate) fn reaches_mark(&self) {
        self.marks.recv_timeout(WAIT_MAX).unwrap();
    }

    /// Ends the agent and gives what did not go by the script.
    pub(crate) fn finish(self) -> Vec<String> {
        let socket = self.socket.clone();
        self.finish_at(&socket)
    }

    /// As [`Self::finish`], for a socket that was moved.
    pub(crate) fn finish_at(self, socket: &Path) -> Vec<String> {
        self.is_over.store(true, Ordering::SeqCst);
        let _wake = UnixStream::connect(socket);
        self.thread.join().unwrap()
    }
}

fn step(line: &str) -> Step {
    let mut bytes = Zeroizing::new(Vec::new());
    match line.split_once(' ') {
        None if line == "close" => Step::Close,
        None if line == "switch" => Step::Switch,
        None if line == "pause" => Step::Pause,
        None if line == "mark" => Step::Mark,
        Some((">", json)) => Step::Expect(value(&codec::decode_line(json.as_bytes()).expect(json))),
        Some(("<", rest)) => {
            match rest.strip_prefix("hex ") {
                Some(hex) => bytes.extend(
                    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()),
                ),
                None => {
                    let response: Response<'_> = codec::decode_line(rest.as_bytes()).expect(rest);
                    frame::append(version::HIGHEST, &response, &mut bytes).unwrap();
                }
            }
            Step::Say(bytes)
        }
        _ => panic!("no line of a script: {line}"),
    }
}

fn value(request: &Request<'_>) -> Value {
    serde_json::to_value(request).unwrap()
}

/// One client, as an agent sees it.
pub(crate) struct Connection {
    stream: UnixStream,
    arrived: Vec<u8>,
}

struct Stage {
    listener: UnixListener,
    pauses: Receiver<()>,
    mark: Sender<()>,
    is_over: Arc<AtomicBool>,
    connection: Option<Connection>,
    /// Another client, who is not spoken with at present.
    kept: Option<Connection>,
    complaints: Vec<String>,
}

impl Stage {
    fn play(mut self, steps: Vec<Step>) -> Vec<String> {
        let mut is_astray = false;
        for step in steps {
            match step {
                Step::Expect(expected) => {
                    let Some(request) = self.next_request() else {
                        self.complaints.push(format!("never asked: {expected}"));
                        return self.complaints;
                    };
                    is_astray = request != expected;
                    if is_astray {
                        self.complain(&format!("expected {expected}, got {request}"));
                    }
                }
                Step::Say(bytes) if !is_astray => {
                    let connection = self.connection.as_mut().expect("somebody to say it to");
                    if let Err(gone) = connection.stream.write_all(&bytes) {
                        self.complaints.push(format!("nobody heard: {gone}"));
                    }
                }
                Step::Close => self.connection = None,
                Step::Switch => std::mem::swap(&mut self.connection, &mut self.kept),
                Step::Pause => self.pauses.recv_timeout(WAIT_MAX).unwrap(),
                Step::Mark => self.mark.send(()).unwrap(),
                Step::Say(_) => {}
            }
        }
        while let Some(request) = self.next_request() {
            self.complain(&format!("not in the script: {request}"));
        }
        self.complaints
    }

    fn complain(&mut self, text: &str) {
        self.complaints.push(text.to_owned());
        let failure = Failure::new(Kind::Internal, text);
        let mut bytes = Zeroizing::new(Vec::new());
        let response = Response::Error(WireFailure::from(&failure));
        frame::append(version::HIGHEST, &response, &mut bytes).unwrap();
        if let Some(connection) = &mut self.connection {
            let _gone = connection.stream.write_all(&bytes);
        }
    }

    /// The next request of this connection or of another; `None` when the play is over.
    fn next_request(&mut self) -> Option<Value> {
        loop {
            if let Some(connection) = &mut self.connection {
                match connection.next_frame() {
                    Some(request) => return Some(request),
                    None => self.connection = None,
                }
            }
            let (stream, _) = self.listener.accept().unwrap();
            if self.is_over.load(Ordering::SeqCst) {
                return None;
            }
            self.connection = Connection::begin(stream);
        }
    }
}

impl Connection {
    /// Reads the preamble; `None` when nobody is there after all.
    pub(crate) fn begin(stream: UnixStream) -> Option<Self> {
        let mut connection = Self { stream, arrived: Vec::new() };
        connection.skip_preamble().then_some(connection)
    }

    /// Answers with a line of JSON, as a frame.
    pub(crate) fn say(&mut self, line: &str) {
        let response: Response<'_> = codec::decode_line(line.as_bytes()).expect(line);
        let mut bytes = Zeroizing::new(Vec::new());
        frame::append(version::HIGHEST, &response, &mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    fn skip_preamble(&mut self) -> bool {
        loop {
            if let Some((_, used)) = Preamble::decode(&self.arrived).unwrap() {
                self.arrived.drain(..used);
                return true;
            }
            if !self.read() {
                return false;
            }
        }
    }

    /// The next request; `None` when the client has left.
    pub(crate) fn next_frame(&mut self) -> Option<Value> {
        loop {
            if let Some((frame, used)) = Frame::split(&self.arrived).unwrap() {
                let request = value(&codec::decode(frame.body).unwrap());
                self.arrived.drain(..used);
                return Some(request);
            }
            if !self.read() {
                return None;
            }
        }
    }

    fn read(&mut self) -> bool {
        let mut piece = [0; 4096];
        let count = self.stream.read(&mut piece).unwrap_or(0);
        self.arrived.extend_from_slice(&piece[..count]);
        count > 0
    }
}
