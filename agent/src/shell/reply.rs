//! The way back to a client: responses go in as values and leave as bytes of the encoding it
//! speaks.
//!
//! A request has exactly one end. Ending it consumes the [`ReplyTo`], and one that is dropped
//! before, by a panic most likely, ends it as a bug of ours: nobody waits for an answer that cannot
//! come.

use std::sync::Arc;

use tokctl_proto::codec;
use tokctl_proto::error::WireFailure;
use tokctl_proto::frame;
use tokctl_proto::response::{Ask, AskSubject, Done, Item, Progress, Response, Said};
use tokctl_proto::{Failure, Kind};
use tokio::sync::mpsc::UnboundedSender;
use zeroize::Zeroizing;

use super::terms::Terms;

/// What the encoder asks for first: nearly every answer is made in one allocation.
const ANSWER_BYTES: usize = 1024 + 8;

/// How a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Frames of this version.
    Binary(u8),
    Json,
}

/// Bytes for a client.
pub struct Outgoing {
    pub bytes: Zeroizing<Vec<u8>>,
    pub kind: Sent,
    /// Held until they are written, where somebody counts what is not.
    pub waiting: Option<Arc<()>>,
}

impl std::fmt::Debug for Outgoing {
    /// The bytes may hold a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({:?}, {} bytes)", self.kind, self.bytes.len())
    }
}

/// What the bytes mean for the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// More follows.
    More,
    /// A question: without a way to answer, the exchange is over.
    Ask,
    /// The end of the exchange.
    Last,
}

/// Answers one request. Nobody listens any more once the client is gone, and that is fine.
///
/// The channel has no bound of its own: a request has at most as many items as there are profiles, but for one that
/// counts those that are [`ReplyTo::queued`].
#[derive(Debug)]
pub struct ReplyTo {
    encoding: Encoding,
    channel: UnboundedSender<Outgoing>,
    ended: bool,
    /// What the client's socket shows, where it is a further one.
    terms: Option<Arc<Terms>>,
}

impl ReplyTo {
    pub fn new(encoding: Encoding, channel: UnboundedSender<Outgoing>) -> Self {
        Self { encoding, channel, ended: false, terms: None }
    }

    /// Tells no more than a further socket shows.
    #[must_use]
    pub fn within(mut self, terms: Option<Arc<Terms>>) -> Self {
        self.terms = terms;
        self
    }

    /// Whether the client came by a further socket.
    pub fn is_further(&self) -> bool {
        self.terms.is_some()
    }

    pub fn done(self, done: Done<'_>) {
        self.end(&Response::Done(done));
    }

    pub fn said(self, text: &str) {
        self.done(Done::Said(Said { text: text.into() }));
    }

    pub fn failed(self, failure: &Failure) {
        match self.terms.clone() {
            Some(terms) => self.end(&Response::Error(WireFailure::from(&terms.told(failure)))),
            None => self.end(&Response::Error(WireFailure::from(failure))),
        }
    }

    pub fn item(&self, item: Item<'_>) {
        if self.terms.as_ref().is_none_or(|terms| terms.shows(&item)) {
            self.send(&Response::Item(item), Sent::More);
        }
    }

    /// An item of which `waiting` is held until it is written, so that whoever has no end of them can stop.
    pub fn queued(&self, item: Item<'_>, waiting: &Arc<()>) {
        if let Some(bytes) = encode(self.encoding, &Response::Item(item)) {
            let waiting = Some(Arc::clone(waiting));
            let _gone = self.channel.send(Outgoing { bytes, kind: Sent::More, waiting });
        }
    }

    pub fn progress(&self, text: &str, warning: bool) {
        self.send(&Response::Progress(Progress { text: text.into(), warning }), Sent::More);
    }

    /// Asks for a secret.
    pub fn ask(&self, prompt: &str) {
        self.send(&Response::Ask(Ask { prompt: prompt.into(), hidden: true }), Sent::Ask);
    }

    /// Asks for what may be seen while it is typed.
    pub fn ask_openly(&self, prompt: &str) {
        self.send(&Response::Ask(Ask { prompt: prompt.into(), hidden: false }), Sent::Ask);
    }

    /// Asks the client, and no person, for what it has in its environment.
    pub fn ask_subject(&self, profile: &str, source: &str) {
        let ask = AskSubject { source: source.into(), profile: profile.into() };
        self.send(&Response::AskSubject(ask), Sent::Ask);
    }

    fn end(mut self, response: &Response<'_>) {
        self.ended = true;
        if !self.send(response, Sent::Last) {
            let failure = Failure::new(Kind::Internal, "the answer is larger than a frame");
            self.send(&Response::Error(WireFailure::from(&failure)), Sent::Last);
        }
    }

    /// False when the response is larger than a frame and was not sent.
    fn send(&self, response: &Response<'_>, kind: Sent) -> bool {
        let Some(bytes) = encode(self.encoding, response) else { return false };
        let _gone = self.channel.send(Outgoing { bytes, kind, waiting: None });
        true
    }
}

impl Drop for ReplyTo {
    fn drop(&mut self) {
        if !self.ended {
            let failure = Failure::new(Kind::Internal, "the agent could not answer: this is a bug")
                .hint("`tokctl agent log` says where");
            self.send(&Response::Error(WireFailure::from(&failure)), Sent::Last);
        }
    }
}

/// The bytes of an error, for those who have no request to answer.
pub fn error_bytes(encoding: Encoding, failure: &Failure) -> Zeroizing<Vec<u8>> {
    encode(encoding, &Response::Error(WireFailure::from(failure))).unwrap_or_default()
}

/// `None` when it is larger than a frame.
fn encode(encoding: Encoding, response: &Response<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES));
    match encoding {
        Encoding::Binary(version) => frame::append(version, response, &mut bytes).ok()?,
        Encoding::Json => codec::encode_line(response, &mut bytes).ok()?,
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use tokctl_proto::frame::{BODY_BYTES_MAX, Frame};
    use tokio::sync::mpsc::{self, UnboundedReceiver};

    use super::*;

    fn reply(encoding: Encoding) -> (ReplyTo, UnboundedReceiver<Outgoing>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (ReplyTo::new(encoding, sender), receiver)
    }

    fn error_kind(encoding: Encoding, bytes: &[u8]) -> String {
        let response: Response<'_> = match encoding {
            Encoding::Binary(_) => {
                codec::decode(Frame::split(bytes).unwrap().unwrap().0.body).unwrap()
            }
            Encoding::Json => codec::decode_line(bytes).unwrap(),
        };
        let Response::Error(error) = response else { panic!("{response:?}") };
        error.kind.into_owned()
    }

    #[test]
    fn a_request_has_one_end_whatever_becomes_of_it() {
        for encoding in [Encoding::Binary(1), Encoding::Json] {
            let (answered, mut receiver) = reply(encoding);
            answered.progress("…", false);
            answered.said("done");
            let kinds: Vec<Sent> =
                std::iter::from_fn(|| receiver.try_recv().ok()).map(|sent| sent.kind).collect();
            assert_eq!(kinds, [Sent::More, Sent::Last]);

            let (forgotten, mut receiver) = reply(encoding);
            drop(forgotten);
            let sent = receiver.try_recv().unwrap();
            assert_eq!(
                (sent.kind, error_kind(encoding, &sent.bytes).as_str()),
                (Sent::Last, "internal")
            );
            assert!(receiver.try_recv().is_err());
        }
    }

    #[test]
    fn an_answer_larger_than_a_frame_is_an_error_that_fits() {
        for (encoding, longest) in
            // Two variants and a length of three bytes; in JSON the names, quotes and braces.
            [
                (Encoding::Binary(1), BODY_BYTES_MAX - 5),
                (Encoding::Json, BODY_BYTES_MAX - 1 - r#"{"done":{"said":{"text":""}}}"#.len()),
            ]
        {
            for (length, fits) in [(longest, true), (longest + 1, false)] {
                let (reply, mut receiver) = reply(encoding);
                reply.said(&"x".repeat(length));
                let sent = receiver.try_recv().unwrap();
                assert_eq!(sent.kind, Sent::Last);
                assert_eq!(sent.bytes.len() > length, fits, "{encoding:?} {length}");
                if !fits {
                    assert_eq!(error_kind(encoding, &sent.bytes), "internal");
                }
            }
        }
    }

    #[test]
    fn an_item_larger_than_a_frame_is_left_out_and_the_end_still_comes() {
        let (reply, mut receiver) = reply(Encoding::Binary(1));
        reply.progress(&"x".repeat(BODY_BYTES_MAX), false);
        reply.said("");
        assert_eq!(receiver.try_recv().unwrap().kind, Sent::Last);
    }
}
