//! One connection: bytes in, commands to the driver, responses out.
//!
//! The peer's uid was checked before this file sees a byte. A connection holds up nobody but
//! itself: it waits only for its own socket and its own answers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokctl_core::{Event, RequestId};
use tokctl_proto::request::Request;
use tokctl_proto::{Failure, Kind, escape, frame};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::command::Command;
use super::driver::Input;
use super::inbound::{Inbound, Message, Opening, Urgent};
use super::reply::{Encoding, Outgoing, ReplyTo, Sent, error_bytes};
use super::terms::Terms;

mod hang_up;
#[cfg(test)]
mod tests;

pub use hang_up::{Peer, Watch};

/// A program encodes what it knows, and an agent may have run since before it was updated.
const NEWER_CLIENT: &str = "if tokctl was updated meanwhile, run `tokctl agent stop`: the next command starts the new agent";

/// A connection that has not said a whole sentence by then is closed.
pub const FIRST_FRAME_TIME_MAX: Duration = Duration::from_secs(5);
/// A client that takes nothing of its answer for so long has been stopped or forgotten; its place
/// is for others.
pub const WRITE_TIME_MAX: Duration = Duration::from_secs(30);

/// What connections share.
#[derive(Clone, Debug)]
pub struct Context {
    pub inbox: UnboundedSender<Input>,
    /// The agent's TOKCTL_HOME, resolved.
    pub home: Home,
    pub last_request: Arc<AtomicU64>,
    /// No further request is taken.
    pub stopping: Arc<AtomicBool>,
    /// By which further socket it came; none: by the agent's own.
    pub terms: Option<Arc<Terms>>,
}

/// Serves one connection until either side ends it. `busy` is true while a request is under way.
pub async fn connection<S: Peer>(stream: S, context: Context, busy: Arc<AtomicBool>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let inbound = Inbound::new();
    let mut connection = Connection { stream, context, busy, inbound, sender, receiver };
    // A peer that went away or talked nonsense has been told what there was to tell.
    let _ended = connection.serve().await;
}

struct Connection<S> {
    stream: S,
    context: Context,
    busy: Arc<AtomicBool>,
    inbound: Inbound,
    sender: UnboundedSender<Outgoing>,
    receiver: UnboundedReceiver<Outgoing>,
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    Io,
    Closed,
    /// The peer broke the protocol and was told.
    Protocol,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

/// A message at its turn, detached from the bytes it came in.
enum Turn {
    Command(Result<Box<Command>, Failure>),
    /// Nothing was asked, or the question was settled before the answer came.
    Late,
    Unsupported,
    Malformed(String),
}

impl Turn {
    fn of(id: RequestId, message: Message<'_>, terms: Option<&Terms>) -> Self {
        match message {
            Message::Request(Request::Answer(_) | Request::Cancel(_)) => Self::Late,
            Message::Request(request) => Self::Command(taken(id, request, terms).map(Box::new)),
            Message::Unsupported => Self::Unsupported,
            Message::Malformed(why) => Self::Malformed(why),
        }
    }
}

/// What is wanted, within what this socket gives.
fn taken(id: RequestId, request: Request<'_>, terms: Option<&Terms>) -> Result<Command, Failure> {
    match terms {
        None => Command::parse(id, request),
        Some(terms) => {
            terms.admit(&request)?;
            terms.narrow(Command::parse(id, request)?)
        }
    }
}

impl<S: Peer> Connection<S> {
    async fn serve(&mut self) -> Result<(), End> {
        let Ok(opening) = timeout(FIRST_FRAME_TIME_MAX, self.first()).await else {
            return Err(End::Protocol);
        };
        let opening = opening?;
        let encoding = opening.encoding();
        let stranger = match opening.home() {
            // A further socket is there for others, in containers and on other machines, whose home is elsewhere.
            _ if self.context.terms.is_some() => None,
            Some(home) if !self.context.home.is(home.as_deref()) => {
                Some(other_home(home, self.context.home.0.clone()))
            }
            _ => None,
        };
        loop {
            self.wait_for_message(encoding).await?;
            self.busy.store(true, Ordering::Relaxed);
            let id = RequestId(self.context.last_request.fetch_add(1, Ordering::Relaxed));
            let terms = self.context.terms.as_deref();
            let turn = self.inbound.take(encoding, |message| Turn::of(id, message, terms));
            match (turn.ok_or(End::Closed)?, &stranger) {
                (Turn::Command(_), Some(failure)) => self.refuse(encoding, failure).await?,
                (Turn::Command(Ok(command)), None) => self.exchange(encoding, id, *command).await?,
                (Turn::Command(Err(failure)), None) => self.refuse(encoding, &failure).await?,
                (Turn::Late, _) => {}
                (Turn::Unsupported, _) => {
                    let mut bytes = Zeroizing::new(Vec::new());
                    frame::append_unsupported(&mut bytes);
                    write(&mut self.stream, &bytes).await?;
                }
                (Turn::Malformed(why), _) => {
                    let message = format!("the request cannot be read: {why}");
                    let failure = Failure::new(Kind::Usage, message);
                    let failure = match encoding {
                        Encoding::Binary(_) => failure.hint(NEWER_CLIENT),
                        Encoding::Json => failure,
                    };
                    self.refuse(encoding, &failure).await?;
                    return Err(End::Protocol);
                }
            }
            self.busy.store(false, Ordering::Relaxed);
            if self.context.stopping.load(Ordering::Relaxed) {
                return Err(End::Closed);
            }
        }
    }

    /// What the connection begins with, once the whole first message is there.
    async fn first(&mut self) -> Result<Opening, End> {
        let opening = loop {
            match self.inbound.opening() {
                Ok(Some(opening)) => break opening,
                Ok(None) => self.read_more().await?,
                Err(_) => return Err(End::Protocol),
            }
        };
        self.wait_for_message(opening.encoding()).await?;
        Ok(opening)
    }

    async fn wait_for_message(&mut self, encoding: Encoding) -> Result<(), End> {
        while !self.inbound.has_message(encoding) {
            self.read_more().await?;
        }
        Ok(())
    }

    async fn read_more(&mut self) -> Result<(), End> {
        match self.inbound.is_open() {
            true => Ok(self.inbound.fill(&mut self.stream).await?),
            false => Err(End::Closed),
        }
    }

    /// Carries one request through to its end.
    async fn exchange(
        &mut self,
        encoding: Encoding,
        id: RequestId,
        command: Command,
    ) -> Result<(), End> {
        let terms = self.context.terms.clone();
        let reply = ReplyTo::new(encoding, self.sender.clone()).within(terms);
        let mut under_way = UnderWay { inbox: self.context.inbox.clone(), id, answered: false };
        // Nobody writes to whoever waits for a person or for something to happen, or holds a private socket, so a client
        // that was killed would not be missed.
        let watch = match command {
            Command::Login(_) | Command::Watch(_) | Command::SocketCreate(_) => self.stream.watch(),
            _ => None,
        };
        under_way.begin(command, reply);
        // Questions put and answers given: an answer may be here before its question is.
        let (mut asked, mut told) = (0_u32, 0_u32);
        loop {
            while let Some(urgent) = self.inbound.take_urgent(encoding) {
                under_way.send(match urgent {
                    Urgent::Answer(passphrase) => {
                        told += 1;
                        Event::Passphrase { request: id, passphrase }
                    }
                    Urgent::Cancel => Event::Cancel { request: id },
                });
            }
            // A closed write side does not cancel a `get`, but a question can then not be answered.
            if asked > told && !self.inbound.is_open() {
                told = asked;
                under_way.send(Event::Cancel { request: id });
            }
            tokio::select! {
                biased;
                outgoing = self.receiver.recv() => {
                    let Outgoing { bytes, kind, waiting: _waiting } = outgoing.ok_or(End::Closed)?;
                    under_way.answered = kind == Sent::Last;
                    write(&mut self.stream, &bytes).await?;
                    match kind {
                        Sent::Last => return Ok(()),
                        Sent::Ask => asked += 1,
                        Sent::More => {}
                    }
                }
                read = self.inbound.fill(&mut self.stream), if self.inbound.is_open() => read?,
                () = hang_up::of(watch.as_ref()), if !self.inbound.is_open() => {
                    return Err(End::Closed);
                }
            }
        }
    }

    /// Ends a request that the driver never heard of.
    async fn refuse(&mut self, encoding: Encoding, failure: &Failure) -> Result<(), End> {
        Ok(write(&mut self.stream, &error_bytes(encoding, failure)).await?)
    }
}

/// A request that the driver knows of. Unless it is answered, the driver learns that nobody waits
/// for it any more, however that came about: an error, or the end of this task.
struct UnderWay {
    inbox: UnboundedSender<Input>,
    id: RequestId,
    answered: bool,
}

impl UnderWay {
    fn begin(&self, command: Command, reply: ReplyTo) {
        let request = Input::Request { id: self.id, command, reply };
        if let Err(SendError(Input::Request { reply, .. })) = self.inbox.send(request) {
            reply.failed(&stopping());
        }
    }

    fn send(&self, event: Event) {
        // Without a driver the request has been answered already.
        let _stopped = self.inbox.send(Input::Event(event));
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.answered {
            let _stopped = self.inbox.send(Input::Gone(self.id));
        }
    }
}

/// What a client is told whose request comes while the agent goes down.
pub fn stopping() -> Failure {
    tokctl_core::stopping()
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    match timeout(WRITE_TIME_MAX, stream.write_all(bytes)).await {
        Ok(written) => written,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// The agent's TOKCTL_HOME, its links resolved; none where it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home(Option<PathBuf>);

impl Home {
    pub fn new(home: Option<&Path>) -> Self {
        Self(home.map(resolved))
    }

    /// Whether a client means this agent. Links are followed only when the names differ, so that a client
    /// need not do it every time.
    fn is(&self, client: Option<&Path>) -> bool {
        match (&self.0, client) {
            (None, None) => true,
            (Some(own), Some(client)) => own == client || *own == resolved(client),
            _ => false,
        }
    }
}

fn resolved(home: &Path) -> PathBuf {
    home.canonicalize().unwrap_or_else(|_| home.to_owned())
}

fn other_home(client: Option<PathBuf>, agent: Option<PathBuf>) -> Failure {
    let spoken = |home: Option<PathBuf>| match home {
        Some(home) => format!("TOKCTL_HOME={}", escape::shown(&home.to_string_lossy())),
        None => "no TOKCTL_HOME".to_owned(),
    };
    let hint = match &agent {
        Some(_) => format!("export {}", spoken(agent.clone())),
        None => "unset TOKCTL_HOME".to_owned(),
    };
    let message =
        format!("this socket's agent has {}, and the client has {}", spoken(agent), spoken(client));
    Failure::new(Kind::OtherHome, message).hint(hint)
}
