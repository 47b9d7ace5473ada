//! One connection to an agent: who is at the other end, the frames out, the frames in.
//!
//! Nothing is sent before the peer's uid was seen to be the right one. The preamble and the first request
//! leave in one write, so a `get` is one round trip. Every buffer that a secret passes through is wiped.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use interprocess::local_socket::prelude::*;
use interprocess::local_socket::{GenericFilePath, Stream};
use tokctl_proto::codec;
use tokctl_proto::endpoint::Places;
use tokctl_proto::frame::{self, Frame, LENGTH_BYTES, Preamble};
use tokctl_proto::request::{Answer, Cancel};
use tokctl_proto::response::{Done, Item};
use tokctl_proto::secret::SecretStr;
use tokctl_proto::{Request, Response, version};
use zeroize::{Zeroize, Zeroizing};

use crate::error::Error;
use crate::handler::{Agent, Handler, Reply};

/// Room for an ordinary request and an ordinary answer, so that neither grows. Two of one size: a process that
/// ends in a moment should not ask the system for more pages than it needs.
const BUFFER_BYTES: usize = 2016;

/// A connection whose other end is the right user's.
pub(crate) struct Connection {
    stream: Stream,
    /// The preamble, until the first request takes it along.
    outgoing: Zeroizing<Vec<u8>>,
    /// What has arrived: `read..filled` of it is not used yet.
    incoming: Zeroizing<Vec<u8>>,
    read: usize,
    filled: usize,
    /// Set on the stream at present.
    patience: Option<Duration>,
    /// No request is under way, so the next frame is the answer to the next request.
    idle: bool,
}

/// Where the end of a request lies, until the next request.
pub(crate) struct Whole(Range<usize>);

/// What a frame means for the exchange.
enum Heard {
    Talk,
    Asked(Reply),
    Done,
    Refused(Error),
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("idle", &self.idle).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects to whoever listens at `socket`; `None` when nobody does.
    pub(crate) fn open(socket: &Path, places: &Places) -> Result<Option<Self>, Error> {
        // Without a named socket the agent is this user's own.
        if let (false, Some(uid)) = (places.socket_is_named, places.agent_uid)
            && !check_directory(socket, uid)?
        {
            return Ok(None);
        }
        let at = || format!("cannot connect to {}", socket.display());
        let name = socket
            .to_fs_name::<GenericFilePath>()
            .map_err(|refused| Error::machine(at(), refused))?;
        let stream = match Stream::connect(name) {
            Ok(stream) => stream,
            Err(refused) => {
                return match refused.kind() {
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(None),
                    _ => Err(Error::machine(at(), refused)),
                };
            }
        };
        check_peer(&stream, socket, places)?;

        let mut outgoing = Zeroizing::new(Vec::with_capacity(BUFFER_BYTES));
        Preamble::new(places.home.clone()).encode(&mut outgoing).map_err(Error::TooLarge)?;
        Ok(Some(Self {
            stream,
            outgoing,
            incoming: Zeroizing::new(vec![0; BUFFER_BYTES]),
            read: 0,
            filled: 0,
            patience: None,
            idle: true,
        }))
    }

    /// Whether another request can follow on this connection.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle
    }

    /// Sends a request and reads to its end. `patience` is the longest silence.
    pub(crate) fn request(
        &mut self,
        request: &Request<'_>,
        patience: Option<Duration>,
        handler: &mut dyn Handler,
    ) -> Result<Whole, Error> {
        self.idle = false;
        self.be_patient(patience)?;
        self.send(request)?;
        let last = loop {
            let body = self.next_frame()?;
            match self.hear(&body, handler)? {
                Heard::Talk | Heard::Asked(Reply::Settled) => {}
                Heard::Asked(Reply::Answer(text)) => {
                    let text = SecretStr::from(&text);
                    self.send(&Request::Answer(Answer { text }))?;
                }
                Heard::Asked(Reply::Cancel) => self.send(&Request::Cancel(Cancel {}))?,
                Heard::Done => break body,
                Heard::Refused(refused) => {
                    self.idle = true;
                    return Err(refused);
                }
            }
        };
        self.idle = true;
        Ok(Whole(last))
    }

    /// Sends a request that has no end of its own; [`Self::next`] waits for what comes of it, no longer than the patience
    /// lasts where there is one.
    pub(crate) fn begin(
        &mut self,
        request: &Request<'_>,
        patience: Option<Duration>,
    ) -> Result<(), Error> {
        self.idle = false;
        self.be_patient(patience)?;
        self.send(request)
    }

    /// What the agent says next.
    pub(crate) fn next(&mut self) -> Result<Response<'_>, Error> {
        let body = self.next_frame()?;
        self.decode(&body)
    }

    /// The first item in which something is found.
    pub(crate) fn first<T>(&mut self, find: impl Fn(&Item<'_>) -> Option<T>) -> Result<T, Error> {
        loop {
            match self.next()? {
                Response::Progress(_) => {}
                Response::Item(item) => {
                    if let Some(found) = find(&item) {
                        return Ok(found);
                    }
                }
                Response::Error(failure) => return Err(failure.into_owned().into()),
                _ => return Err(Error::Unexpected),
            }
        }
    }

    /// The end of the last request. It is decoded a second time because the loop could not return what it
    /// borrowed; costs under 1 µs.
    pub(crate) fn read(&self, whole: &Whole) -> Result<Done<'_>, Error> {
        match self.decode(&whole.0)? {
            Response::Done(done) => Ok(done),
            _ => Err(Error::Unexpected),
        }
    }

    /// Hands one frame to whoever it is for.
    fn hear(&self, body: &Range<usize>, handler: &mut dyn Handler) -> Result<Heard, Error> {
        let heard = match self.decode(body)? {
            Response::Progress(progress) => {
                handler.progress(&progress);
                Heard::Talk
            }
            Response::Item(item) => {
                handler.item(&item);
                Heard::Talk
            }
            Response::Ask(_) if self.read < self.filled => Heard::Asked(Reply::Settled),
            Response::Ask(ask) => {
                Heard::Asked(handler.ask(&ask, Agent { socket: descriptor(&self.stream) })?)
            }
            Response::AskSubject(ask) => Heard::Asked(Reply::Answer(handler.subject(&ask)?)),
            Response::Done(_) => Heard::Done,
            Response::Error(failure) => Heard::Refused(failure.into_owned().into()),
        };
        Ok(heard)
    }

    fn be_patient(&mut self, patience: Option<Duration>) -> Result<(), Error> {
        if self.patience != patience {
            self.stream
                .set_recv_timeout(patience)
                .map_err(|refused| Error::machine("cannot limit the wait", refused))?;
            self.patience = patience;
        }
        Ok(())
    }

    fn send(&mut self, request: &Request<'_>) -> Result<(), Error> {
        frame::append(version::HIGHEST, request, &mut self.outgoing)
            .map_err(|refused| Error::TooLarge(refused.into()))?;
        let sent = (&self.stream).write_all(&self.outgoing);
        self.outgoing.zeroize();
        match sent {
            Ok(()) => Ok(()),
            // An agent that refuses may answer and close before it has read: its answer is still there.
            Err(gone) if is_gone(&gone) => Ok(()),
            Err(refused) => Err(Error::machine("cannot write to the agent", refused)),
        }
    }

    fn decode(&self, body: &Range<usize>) -> Result<Response<'_>, Error> {
        codec::decode(&self.incoming[body.clone()]).map_err(|error| Error::Garbled(error.into()))
    }

    /// Reads until a whole frame is there and gives the place of its body.
    fn next_frame(&mut self) -> Result<Range<usize>, Error> {
        loop {
            match Frame::split(&self.incoming[self.read..self.filled]).map_err(Error::Garbled)? {
                Some((frame, used)) => {
                    if let Some((lowest, highest)) = frame::read_unsupported(frame) {
                        return Err(Error::Version { lowest, highest });
                    }
                    if frame.version != version::HIGHEST {
                        let (lowest, highest) = (frame.version, frame.version);
                        return Err(Error::Version { lowest, highest });
                    }
                    let end = self.read + used;
                    self.read = end;
                    return Ok(end - frame.body.len()..end);
                }
                None => self.read_more()?,
            }
        }
    }

    fn read_more(&mut self) -> Result<(), Error> {
        self.make_room();
        loop {
            match (&self.stream).read(&mut self.incoming[self.filled..]) {
                Ok(0) => return Err(self.closed()),
                Ok(count) => {
                    self.filled += count;
                    return Ok(());
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        let waited = self.patience.unwrap_or_default();
                        return Err(Error::Silent(waited.as_secs()));
                    }
                    _ if is_gone(&error) => return Err(self.closed()),
                    _ => return Err(Error::machine("cannot read from the agent", error)),
                },
            }
        }
    }

    /// The agent hung up. One that never said a word and has another uid than this process, which
    /// TOKCTL_SOCK_UID allows, takes us for somebody else.
    fn closed(&self) -> Error {
        let own = nix::unistd::geteuid().as_raw();
        let agent = self.stream.peer_creds().ok().and_then(|peer| peer.euid());
        match agent {
            Some(agent) if agent != own && self.filled == 0 => Error::NotServed { agent, own },
            _ => Error::Closed,
        }
    }

    /// Makes room behind what has arrived: for the whole of a frame whose length is known and was checked.
    fn make_room(&mut self) {
        let waiting = self.read..self.filled;
        let wanted = match self.incoming[waiting.clone()].first_chunk::<LENGTH_BYTES>() {
            Some(length) => LENGTH_BYTES + u32::from_be_bytes(*length) as usize,
            None => LENGTH_BYTES,
        };
        if self.incoming.len() < wanted {
            let mut larger = Zeroizing::new(vec![0; wanted]);
            larger[..waiting.len()].copy_from_slice(&self.incoming[waiting.clone()]);
            self.incoming = larger;
        } else if self.incoming.len() < self.read + wanted || waiting.is_empty() {
            let stale = waiting.len()..self.filled;
            self.incoming.copy_within(waiting.clone(), 0);
            self.incoming[stale].zeroize();
        } else {
            return;
        }
        self.read = 0;
        self.filled = waiting.len();
    }
}

/// Whether the directory of a socket is there and is the agent's user's or root's.
fn check_directory(socket: &Path, agent_uid: u32) -> Result<bool, Error> {
    let Some(directory) = socket.parent() else { return Ok(true) };
    match directory.metadata() {
        Ok(metadata) if [agent_uid, 0].contains(&metadata.uid()) => Ok(true),
        Ok(metadata) => Err(Error::WrongUser {
            what: format!("the directory {}", directory.display()),
            found: metadata.uid(),
            expected: agent_uid,
        }),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(false),
            _ => {
                Err(Error::at(directory, format!("cannot look at {}", directory.display()), error))
            }
        },
    }
}

fn check_peer(stream: &Stream, socket: &Path, places: &Places) -> Result<(), Error> {
    let Some(expected) = places.agent_uid else { return Ok(()) };
    let refused = |source| Error::machine("cannot tell whose agent this is", source);
    let found = stream.peer_creds().map_err(refused)?.euid();
    let found = found.ok_or_else(|| refused(ErrorKind::Unsupported.into()))?;
    let what = || format!("the agent at {}", socket.display());
    match (found == expected, places.socket_is_named) {
        (true, _) => Ok(()),
        (false, true) => Err(Error::OtherAgent { socket: socket.to_owned(), found, expected }),
        (false, false) => Err(Error::WrongUser { what: what(), found, expected }),
    }
}

fn descriptor(stream: &Stream) -> BorrowedFd<'_> {
    match stream {
        Stream::UdSocket(socket) => socket.as_fd(),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}
