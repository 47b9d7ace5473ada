//! What a client has sent and nobody has used yet.
//!
//! Messages are taken from the front, one at a time; an answer and a cancel are taken from wherever
//! they stand, since they belong to the request under way. What was used is wiped: it may have been
//! a secret.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use tokctl_proto::codec;
use tokctl_proto::frame::{self, FRAME_BYTES_MAX, Frame, FrameError, LENGTH_BYTES, Preamble};
use tokctl_proto::request::Request;
use tokctl_proto::{Secret, escape, version};
use tokio::io::{AsyncRead, AsyncReadExt};
use zeroize::{Zeroize, Zeroizing};

use super::reply::Encoding;

/// Most bytes that wait: a preamble and a whole frame. A client that sends more waits for its
/// answers first.
const BYTES_MAX: usize = frame::HOME_BYTES_MAX + 16 + LENGTH_BYTES + FRAME_BYTES_MAX;
/// Room for nearly every request without growing; what a silent connection costs.
const BYTES_MIN: usize = 2048;

/// How a connection began.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// With a preamble, which names the client's home.
    Binary(Option<PathBuf>),
    /// With a line of JSON. It says the client's home where it is no request yet.
    Json(Option<Greeting>),
}

/// What a preamble says, as a line of JSON.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Greeting {
    /// Has to be there: `{}` is a request that cannot be read.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) home: Option<PathBuf>,
}

impl Opening {
    pub(super) fn encoding(&self) -> Encoding {
        match self {
            Self::Binary(_) => Encoding::Binary(version::LOWEST),
            Self::Json(_) => Encoding::Json,
        }
    }

    /// The client's home, where it was said: none is one too.
    pub(super) fn home(self) -> Option<Option<PathBuf>> {
        match self {
            Self::Binary(home) => Some(home),
            Self::Json(greeting) => Some(greeting?.home),
        }
    }
}

/// A message, still in the buffer.
pub(super) enum Message<'a> {
    Request(Request<'a>),
    /// A frame of a version that is not spoken here.
    Unsupported,
    /// Never was a message, for this reason. What follows it cannot be read.
    Malformed(String),
}

/// A message that does not wait its turn.
#[derive(Debug)]
pub(super) enum Urgent {
    Answer(Secret),
    Cancel,
}

/// Whether a message may be taken before those in front of it.
enum Turn {
    Overtakes(Urgent),
    Waits,
    /// Nothing behind it can be read.
    Blocks,
}

impl Turn {
    fn of(message: Message<'_>) -> Self {
        match message {
            Message::Request(Request::Answer(answer)) => {
                Self::Overtakes(Urgent::Answer(answer.text.to_secret()))
            }
            Message::Request(Request::Cancel(_)) => Self::Overtakes(Urgent::Cancel),
            Message::Request(_) | Message::Unsupported => Self::Waits,
            Message::Malformed(_) => Self::Blocks,
        }
    }
}

pub(super) struct Inbound {
    bytes: Zeroizing<Vec<u8>>,
    /// The client sends nothing any more.
    ended: bool,
    /// So many bytes at the front are whole messages that wait their turn.
    waiting: usize,
}

impl Inbound {
    pub(super) fn new() -> Self {
        Self { bytes: Zeroizing::new(Vec::with_capacity(BYTES_MIN)), ended: false, waiting: 0 }
    }

    /// Whether anything can still be read.
    pub(super) fn is_open(&self) -> bool {
        !self.ended && self.bytes.len() < BYTES_MAX
    }

    /// Reads what there is, at least a byte unless the peer has closed. Only while
    /// [`Self::is_open`]. Safe to cancel: bytes are either here or not read yet.
    pub(super) async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        debug_assert!(self.is_open());
        if self.bytes.len() == self.bytes.capacity() {
            let length = (self.bytes.len() * 4).min(BYTES_MAX);
            let mut larger = Zeroizing::new(Vec::with_capacity(length));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        // Bounded by the capacity: `read_buf` would grow the vector and leave the old bytes behind.
        let room = self.bytes.capacity() - self.bytes.len();
        let count = stream.take(room as u64).read_buf(&mut *self.bytes).await?;
        self.ended = count == 0;
        Ok(())
    }

    /// Uses up a preamble or a greeting, or sees that there is none; `None` until that can be said.
    pub(super) fn opening(&mut self) -> Result<Option<Opening>, FrameError> {
        if self.bytes.first() == Some(&b'{') {
            let Some((line, used)) = self.line(0) else { return Ok(None) };
            let greeting = serde_json::from_slice(line).ok();
            if greeting.is_some() {
                self.remove(0..used);
            }
            return Ok(Some(Opening::Json(greeting)));
        }
        Ok(Preamble::decode(&self.bytes)?.map(|(preamble, used)| {
            self.remove(0..used);
            Opening::Binary(preamble.home)
        }))
    }

    /// Whether there is something to [`Self::take`].
    pub(super) fn has_message(&self, encoding: Encoding) -> bool {
        match encoding {
            Encoding::Binary(_) => !matches!(Frame::split(&self.bytes), Ok(None)),
            Encoding::Json => self.line(0).is_some(),
        }
    }

    /// Takes the message at the front, if all of it is there.
    pub(super) fn take<T>(
        &mut self,
        encoding: Encoding,
        detach: impl FnOnce(Message<'_>) -> T,
    ) -> Option<T> {
        let (message, used) = self.message(0, encoding)?;
        let taken = detach(message);
        self.remove(0..used);
        self.waiting = self.waiting.saturating_sub(used);
        Some(taken)
    }

    /// Takes the first answer or cancel. Requests before it stay where they are; behind something
    /// malformed nothing is looked for.
    pub(super) fn take_urgent(&mut self, encoding: Encoding) -> Option<Urgent> {
        loop {
            let (message, used) = self.message(self.waiting, encoding)?;
            match Turn::of(message) {
                Turn::Overtakes(urgent) => {
                    self.remove(self.waiting..self.waiting + used);
                    return Some(urgent);
                }
                Turn::Waits => self.waiting += used,
                Turn::Blocks => return None,
            }
        }
    }

    /// The message that starts at a place, and its length; `None` until all of it is there.
    fn message(&self, at: usize, encoding: Encoding) -> Option<(Message<'_>, usize)> {
        match encoding {
            Encoding::Binary(_) => match Frame::split(&self.bytes[at..]) {
                Ok(Some((frame, used))) => Some((decode_frame(frame), used)),
                Ok(None) => None,
                Err(error) => Some((Message::Malformed(error.to_string()), self.bytes.len() - at)),
            },
            Encoding::Json => self.line(at).map(|(line, used)| (decode_line(line), used)),
        }
    }

    /// The line that starts at a place, and its length with the line feed. The last one needs none,
    /// and one that is too long already is not waited for.
    fn line(&self, at: usize) -> Option<(&[u8], usize)> {
        let rest = &self.bytes[at..];
        match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) => Some((&rest[..end], end + 1)),
            None if rest.len() > FRAME_BYTES_MAX => Some((rest, rest.len())),
            None if self.ended && !rest.is_empty() => Some((rest, rest.len())),
            None => None,
        }
    }

    /// Takes bytes out and wipes what was moved away from. A buffer that had to grow shrinks again.
    fn remove(&mut self, used: Range<usize>) {
        let left = self.bytes.len() - used.len();
        self.bytes.copy_within(used.end.., used.start);
        self.bytes[left..].zeroize();
        self.bytes.truncate(left);
        if left == 0 && self.bytes.capacity() > BYTES_MIN {
            self.bytes = Zeroizing::new(Vec::with_capacity(BYTES_MIN));
        }
    }
}

fn decode_frame(frame: Frame<'_>) -> Message<'_> {
    if !(version::LOWEST..=version::HIGHEST).contains(&frame.version) {
        return Message::Unsupported;
    }
    match codec::decode(frame.body) {
        Ok(request) => Message::Request(request),
        Err(error) => Message::Malformed(error.to_string()),
    }
}

fn decode_line(line: &[u8]) -> Message<'_> {
    if line.len() > FRAME_BYTES_MAX {
        return Message::Malformed("the line is longer than a frame".to_owned());
    }
    match codec::decode_line(line) {
        Ok(request) => Message::Request(request),
        Err(error) => Message::Malformed(malformed_line(&error)),
    }
}

/// serde names what it does not know and what it misses; those are names. Its other texts may quote
/// a value, and a passphrase of digits without quotes is one.
fn malformed_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let names = ["unknown field", "unknown variant", "missing field"];
    match (error.is_data(), names.iter().any(|begin| text.starts_with(begin))) {
        (true, true) => escape::shown(&text),
        (true, false) => format!("a value of another type at column {}", error.column()),
        (false, _) => format!("no JSON at column {}", error.column()),
    }
}
