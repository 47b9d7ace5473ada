//! Further sockets: made, listed, removed, and made again where they are missing.
//!
//! The listener's task accepts for them; here is what they are for, their place in the file system, and their end. Those
//! with a path are in `state/sockets.json` before their maker is told; a private one ends with the request that made it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokctl_core::{RequestId, no_such_profile};
use tokctl_proto::response::{Item, Socket};
use tokctl_proto::{BootMs, Failure, Kind, Now, ProfileName};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

use super::{Driver, Input};
use crate::shell::command::NewSocket;
use crate::shell::listen::{Order, SocketId};
use crate::shell::reply::ReplyTo;
use crate::shell::serve::stopping;
use crate::shell::socket::{Place, further_socket, is_listened_on, private_socket};
use crate::shell::sockets_file;
use crate::shell::terms::Terms;

/// What private sockets are called, with the agent's pid and a number between.
const PRIVATE: (&str, &str) = ("only-", ".sock");

/// What there is to know about further sockets before the first is made.
#[derive(Debug)]
pub struct SocketsStart {
    pub orders: UnboundedSender<Order>,
    /// The directory of private ones.
    pub run: PathBuf,
    pub max: usize,
    /// What the agent before has left.
    pub left: Vec<(PathBuf, Terms)>,
}

/// All further sockets, by their paths.
pub(super) struct Sockets {
    orders: UnboundedSender<Order>,
    run: PathBuf,
    max: usize,
    all: BTreeMap<PathBuf, Further>,
    last: u64,
}

struct Further {
    id: SocketId,
    terms: Arc<Terms>,
    /// Absent while it cannot be made; why not.
    place: Result<Place, String>,
    /// Connections that came by it.
    count: Arc<AtomicU32>,
    /// Whose it is, where it is private.
    holder: Option<(RequestId, ReplyTo)>,
}

impl Sockets {
    pub(super) fn new(start: SocketsStart) -> Self {
        let SocketsStart { orders, run, max, left } = start;
        let mut sockets = Self { orders, run, max, all: BTreeMap::new(), last: 0 };
        for (path, terms) in left {
            let further = sockets.further(terms, None);
            sockets.all.insert(path, further);
        }
        sockets
    }

    fn further(&mut self, terms: Terms, holder: Option<(RequestId, ReplyTo)>) -> Further {
        self.last += 1;
        Further {
            id: SocketId(self.last),
            terms: Arc::new(terms),
            place: Err("it is being made".to_owned()),
            count: Arc::default(),
            holder,
        }
    }

    /// Makes those that are not where clients look for them: at the start, and after somebody took a directory away.
    pub(super) fn check(&mut self) {
        for (path, further) in &mut self.all {
            if further.place.as_ref().is_ok_and(Place::is_taken) {
                continue;
            }
            match further.make(path, &self.orders) {
                Ok(()) => info!(socket = %path.display(), "made a further socket"),
                Err(failure) => {
                    let before = further.place.as_ref().err();
                    if before.is_none_or(|before| *before != failure.message) {
                        warn!(problem = %failure.message, "a further socket cannot be made");
                    }
                    further.place = Err(failure.message);
                }
            }
        }
    }

    /// Removes private sockets that an agent before us has left behind.
    pub(super) fn sweep(&self) {
        let Ok(listing) = std::fs::read_dir(&self.run) else { return };
        for entry in listing.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_private = name.starts_with(PRIVATE.0) && name.ends_with(PRIVATE.1);
            if is_private && !is_listened_on(&entry.path()) {
                let _gone = std::fs::remove_file(entry.path());
            }
        }
    }

    /// When the next one ends.
    pub(super) fn due(&self, now: Now) -> Option<BootMs> {
        let ends = self.all.values().filter_map(|further| further.terms.expires_at);
        ends.min().map(|at| now.boot_at(at))
    }

    fn is_held_by(&self, request: RequestId) -> Option<PathBuf> {
        let holder = |further: &Further| further.holder.as_ref().map(|(holder, _)| *holder);
        let found = self.all.iter().find(|(_, further)| holder(further) == Some(request))?;
        Some(found.0.clone())
    }

    fn private_path(&self) -> PathBuf {
        let (before, after) = PRIVATE;
        self.run.join(format!("{before}{}-{}{after}", std::process::id(), self.last + 1))
    }

    /// Takes one away and hangs up on who is connected. Its name goes first.
    fn close(&mut self, path: &Path) -> Option<Further> {
        let mut further = self.all.remove(path)?;
        further.place = Err(String::new());
        let _stopped = self.orders.send(Order::Close(further.id));
        Some(further)
    }

    /// Takes all names away: whoever comes from now on waits for the next agent.
    pub(super) fn leave(&mut self) {
        for further in self.all.values_mut() {
            further.place = Err(String::new());
        }
    }

    /// Those that outlive the agent.
    fn to_bytes(&self) -> Vec<u8> {
        let lasting = self.all.iter().filter(|(_, further)| further.holder.is_none());
        sockets_file::to_bytes(lasting.map(|(path, further)| (path.as_path(), &*further.terms)))
    }
}

impl Further {
    fn make(&mut self, path: &Path, orders: &UnboundedSender<Order>) -> Result<(), Failure> {
        let (listener, place) = match self.holder {
            Some(_) => private_socket(path)?,
            None => further_socket(path, self.terms.allow_uid.is_some())?,
        };
        self.place = Ok(place);
        let (terms, count) = (Arc::clone(&self.terms), Arc::clone(&self.count));
        let _stopped = orders.send(Order::Open { id: self.id, listener, terms, count });
        Ok(())
    }

    fn row<'a>(&'a self, path: &'a str) -> Item<'a> {
        Item::Socket(Socket {
            path: path.into(),
            only: self.terms.only.iter().map(ProfileName::to_string).collect(),
            scope: self.terms.scope.iter().cloned().collect(),
            allow_uid: self.terms.allow_uid,
            expires_at: self.terms.expires_at.map(|at| at.unix_s()),
            connections: self.count.load(Ordering::Relaxed),
        })
    }
}

impl Driver {
    /// Makes those again that an agent before has left, except for those that have ended since.
    pub(super) fn start_sockets(&mut self, now: Now) {
        self.sockets.sweep();
        self.end_sockets(now);
        self.sockets.check();
    }

    /// Has a look at all sockets, the agent's own too.
    pub(super) fn check_sockets(&mut self) {
        self.facts.desk.check.notify_one();
        self.sockets.check();
    }

    pub(super) fn create_socket(
        &mut self,
        now: Now,
        id: RequestId,
        new: NewSocket,
        reply: ReplyTo,
    ) {
        if let Some(failure) = self.unfit(&new) {
            return reply.failed(&failure);
        }
        let NewSocket { path, only, scope, allow_uid, lasts } = new;
        // The agent's own user needs no leave, and the file stays closed to others.
        let allow_uid = allow_uid.filter(|uid| *uid != nix::unistd::geteuid().as_raw());
        let expires_at = lasts.map(|lasts| now.wall.plus(lasts));
        let terms = Terms { only, scope, allow_uid, expires_at };
        match path {
            Some(path) => self.create_lasting(path, terms, reply),
            None => self.create_private(id, terms, reply),
        }
    }

    /// Why such a socket is not made.
    fn unfit(&self, new: &NewSocket) -> Option<Failure> {
        if let Some(unknown) = new.only.iter().find(|name| !self.has(name)) {
            let known = self.live.config.profiles.keys().map(ProfileName::as_str);
            return Some(no_such_profile(unknown, known));
        }
        if let Some(path) = new.path.as_ref().filter(|path| self.sockets.all.contains_key(*path)) {
            let message = format!("there is such a socket already: {}", path.display());
            return Some(
                Failure::new(Kind::Usage, message)
                    .hint(format!("`tokctl socket remove {}` removes it", path.display())),
            );
        }
        (self.sockets.all.len() >= self.sockets.max).then(|| {
            let message = format!("there are {} further sockets already", self.sockets.all.len());
            Failure::new(Kind::Machine, message).hint(
                "`tokctl socket list` shows them; with a higher limit of open files there can be more",
            )
        })
    }

    /// Told when it is on the disk that there is such a socket.
    fn create_lasting(&mut self, path: PathBuf, terms: Terms, reply: ReplyTo) {
        let said = format!("{} hands out tokens of {}", path.display(), terms.names());
        let mut further = self.sockets.further(terms, None);
        if let Err(failure) = further.make(&path, &self.sockets.orders) {
            return reply.failed(&failure);
        }
        self.sockets.all.insert(path.clone(), further);
        let inbox = self.performer.inbox.clone();
        self.save_sockets(move |result| match result {
            Ok(()) => reply.said(&said),
            Err(failure) => {
                let _stopped = inbox.send(Input::SocketUnsaved(path));
                reply.failed(&failure);
            }
        });
    }

    fn create_private(&mut self, id: RequestId, terms: Terms, reply: ReplyTo) {
        let path = self.sockets.private_path();
        let mut further = self.sockets.further(terms, Some((id, reply)));
        let made = further.make(&path, &self.sockets.orders);
        let Some((_, reply)) = &further.holder else { return };
        match made {
            Ok(()) => {
                reply.item(further.row(&path.to_string_lossy()));
                self.sockets.all.insert(path, further);
            }
            Err(failure) => {
                if let Some((_, reply)) = further.holder {
                    reply.failed(&failure);
                }
            }
        }
    }

    pub(super) fn list_sockets(&self, reply: ReplyTo) {
        for (path, further) in &self.sockets.all {
            if let Err(problem) = &further.place {
                reply.progress(&format!("not listened on: {problem}"), true);
            }
            reply.item(further.row(&path.to_string_lossy()));
        }
        reply.said("");
    }

    pub(super) fn remove_socket(&mut self, path: &Path, reply: ReplyTo) {
        let Some(further) = self.sockets.close(path) else {
            let message = format!("there is no further socket {}", path.display());
            return reply.failed(
                &Failure::new(Kind::Usage, message).hint("`tokctl socket list` shows them"),
            );
        };
        let said = format!("removed {}", path.display());
        match further.holder {
            Some((_, holder)) => {
                holder.failed(&Failure::new(Kind::Cancelled, "the socket was removed"));
                reply.said(&said);
            }
            None => self.save_sockets(move |result| match result {
                Ok(()) => reply.said(&said),
                Err(failure) => reply.failed(&failure),
            }),
        }
    }

    /// Takes away those whose time is over.
    pub(super) fn end_sockets(&mut self, now: Now) {
        let is_over = |(_, further): &(&PathBuf, &Further)| further.terms.has_ended(now.wall);
        let over: Vec<PathBuf> =
            self.sockets.all.iter().filter(is_over).map(|(path, _)| path.clone()).collect();
        let mut is_saved = true;
        for path in over {
            info!(socket = %path.display(), "the time of a further socket is over");
            match self.sockets.close(&path).and_then(|further| further.holder) {
                Some((_, holder)) => {
                    holder.failed(&Failure::new(Kind::Cancelled, "the time of the socket is over"));
                }
                None => is_saved = false,
            }
        }
        if !is_saved {
            // An agent that finds it in the file finds too that it has ended.
            self.save_sockets(|result| {
                if let Err(failure) = result {
                    warn!(problem = %failure.message, "an ended socket stays in the list");
                }
            });
        }
    }

    /// Nobody holds the request any more: its socket goes with it. True where it had one.
    pub(super) fn leave_socket(&mut self, request: RequestId) -> bool {
        let Some(path) = self.sockets.is_held_by(request) else { return false };
        if let Some((_, reply)) = self.sockets.close(&path).and_then(|further| further.holder) {
            reply.failed(&Failure::new(Kind::Cancelled, "cancelled"));
        }
        true
    }

    /// What could not be written down is taken back, since the next agent would not make it again.
    pub(super) fn socket_unsaved(&mut self, path: &Path) {
        drop(self.sockets.close(path));
    }

    /// Lets go of private ones, whose makers are told. The others stay for as long as something is under way.
    pub(super) fn stop_private_sockets(&mut self) {
        let holders = self.sockets.all.values().filter_map(|further| further.holder.as_ref());
        let held: Vec<RequestId> = holders.map(|(request, _)| *request).collect();
        for request in held {
            let Some(path) = self.sockets.is_held_by(request) else { continue };
            if let Some((_, reply)) = self.sockets.close(&path).and_then(|further| further.holder) {
                reply.failed(&stopping());
            }
        }
    }

    fn save_sockets(&self, then: impl FnOnce(Result<(), Failure>) + Send + 'static) {
        let bytes = self.sockets.to_bytes();
        self.performer.means.jobs.run(
            move |worker| {
                sockets_file::write(&worker.state, &bytes).map_err(|error| {
                    let message = format!("cannot write the list of sockets: {error}");
                    Failure::new(Kind::Machine, message)
                })
            },
            then,
        );
    }
}
