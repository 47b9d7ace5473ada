//! A client that says whatever bytes it is told to, for what no proper client says.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokctl_proto::frame::{self, Frame, Preamble};
use tokctl_proto::request::Request;
use tokctl_proto::{codec, version};
use zeroize::Zeroizing;

/// The agent closes a connection without a complete first frame after 5 s.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Raw {
    stream: UnixStream,
    received: Vec<u8>,
}

impl Raw {
    #[track_caller]
    pub fn connect(socket: &Path) -> Self {
        let connect = || {
            let stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
            stream.set_write_timeout(Some(ANSWERS_WITHIN))?;
            io::Result::Ok(stream)
        };
        match connect() {
            Ok(stream) => Self { stream, received: Vec::new() },
            Err(error) => panic!("cannot connect to {}: {error}", socket.display()),
        }
    }

    /// Sends bytes as they are. An agent that has hung up already is no error: what it said is yet to be read.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) -> &mut Self {
        match self.stream.write_all(bytes) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe) => {}
            Err(error) => panic!("cannot send: {error}"),
        }
        self
    }

    /// Sends as much as the agent takes within a second.
    #[track_caller]
    pub fn send_some(&mut self, bytes: &[u8]) -> &mut Self {
        let send = |stream: &mut UnixStream| {
            stream.set_write_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(bytes)
        };
        match send(&mut self.stream) {
            Ok(()) => self,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self,
            Err(error) => panic!("cannot send: {error}"),
        }
    }

    /// Sends the preamble of this build.
    #[track_caller]
    pub fn preamble(&mut self, home: &Path) -> &mut Self {
        let bytes = preamble(&Preamble::new(Some(home.to_owned())));
        self.send(&bytes)
    }

    /// Sends a request as a proper frame.
    #[track_caller]
    pub fn request(&mut self, request: &Request<'_>) -> &mut Self {
        let bytes = framed(request);
        self.send(&bytes)
    }

    /// Sends a line of JSON.
    #[track_caller]
    pub fn line(&mut self, text: &str) -> &mut Self {
        self.send(format!("{text}\n").as_bytes())
    }

    /// Says that nothing more comes.
    #[track_caller]
    pub fn half_close(&mut self) -> &mut Self {
        match self.stream.shutdown(Shutdown::Write) {
            Ok(()) => self,
            Err(error) => panic!("cannot close the write side: {error}"),
        }
    }

    /// Reads a binary answer as JSON would show it. `None` where the agent hangs up instead.
    #[track_caller]
    pub fn answer(&mut self) -> Option<Value> {
        loop {
            match Frame::split(&self.received) {
                Ok(Some((frame, used))) => {
                    let value = shown(frame);
                    self.received.drain(..used);
                    return Some(value);
                }
                Ok(None) => {}
                Err(error) => panic!("the agent sent no frame: {error}"),
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// Reads a line of JSON. `None` where the agent hangs up instead.
    #[track_caller]
    pub fn answer_line(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.received.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                match serde_json::from_slice(&line) {
                    Ok(value) => return Some(value),
                    Err(error) => panic!("the agent sent no JSON: {error}"),
                }
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// Reads on until the agent hangs up, and returns what came.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.received)
    }

    /// Whether the agent has neither answered nor hung up.
    #[track_caller]
    pub fn is_pending(&mut self) -> bool {
        let set = |nonblocking| match self.stream.set_nonblocking(nonblocking) {
            Ok(()) => {}
            Err(error) => panic!("cannot look at the connection: {error}"),
        };
        set(true);
        let read = (&self.stream).read(&mut [0]);
        set(false);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Reads what there is; false at the end. A reset is an end too: the agent hung up with bytes of ours unread.
    #[track_caller]
    fn more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(length) => {
                self.received.extend_from_slice(&bytes[..length]);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => false,
            // A child of another test ended.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(error) => panic!("no answer and no hang-up within {ANSWERS_WITHIN:?}: {error}"),
        }
    }
}

/// The bytes of a preamble.
pub fn preamble(preamble: &Preamble) -> Vec<u8> {
    let mut bytes = Zeroizing::new(Vec::new());
    preamble.encode(&mut bytes).expect("a test's home is short");
    bytes.to_vec()
}

/// The bytes of a request's frame.
pub fn framed(request: &Request<'_>) -> Vec<u8> {
    let mut bytes = Zeroizing::new(Vec::new());
    frame::append(version::HIGHEST, request, &mut bytes).expect("a test's request is small");
    bytes.to_vec()
}

/// A frame of any length and content.
pub fn raw_frame(length: u32, version: u8, body: &[u8]) -> Vec<u8> {
    [&length.to_be_bytes()[..], &[version], body].concat()
}

#[track_caller]
fn shown(frame: Frame<'_>) -> Value {
    if let Some((lowest, highest)) = frame::read_unsupported(frame) {
        return serde_json::json!({ "unsupported": [lowest, highest] });
    }
    let response: tokctl_proto::response::Response<'_> = match codec::decode(frame.body) {
        Ok(response) => response,
        Err(error) => panic!("the agent sent a frame that is no response: {error}"),
    };
    serde_json::to_value(&response).expect("every response has a JSON form")
}
