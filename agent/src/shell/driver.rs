//! The loop between the world and the core: one input at a time, then what the core wants done.
//!
//! It decides nothing. Between inputs it naps (`nap.rs`), until the core's next deadline at most. What
//! becomes of a request is in `request.rs`, of the end in `stop.rs`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokctl_core::{Changed as CoreChanged, Core, Effect, Event, RequestId, Start};
use tokctl_proto::response::{Item, Paste, PublicKey};
use tokctl_proto::{BootMs, Failure, Now, ProfileName, TokenKey, WallMs};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tracing::{info, warn};

use super::change::{Change, Changed};
use super::command::{Command, NewSocket, ProofFor};
use super::hooks::Hooks;
use super::import::Wanted;
use super::life::Life;
use super::listen::Desk;
use super::live::Live;
use super::login::{LoginId, Logins, News, Wish};
use super::nap::Nap;
use super::obtain::{Answer, Means};
use super::perform::Performer;
use super::probe::Endpoint;
use super::reply::ReplyTo;
use super::revoke::work_off::{Tried, Waiting};
use super::serve::stopping;
use super::stored::Loaded;
use super::subject_files::SubjectFiles;
use super::watchers::Watchers;
use crate::clock;
use crate::config::Profile;
use crate::vault::EntryId;
use stop::turn_away;

mod login;
mod purge;
mod request;
mod sockets;
mod status;
mod stop;
mod tell;
#[cfg(test)]
mod tests;
mod tombstones;

pub(super) use purge::Purging;
use sockets::Sockets;
pub use sockets::SocketsStart;
use tell::Noticed;
use tombstones::Tombstones;

/// Editors write in several steps; the file is read when they have been quiet for this long.
const CONFIG_SETTLES_IN: Duration = Duration::from_millis(150);
/// A request of the driver's own; those of clients count from 1.
const NOBODY: RequestId = RequestId(0);

/// What reaches the driver. The channel has no bound of its own: each input belongs to a connection
/// or to an effect under way.
#[derive(Debug)]
pub enum Input {
    Request {
        id: RequestId,
        command: Command,
        reply: ReplyTo,
    },
    /// The client of this request is gone.
    Gone(RequestId),
    Event(Event),
    Answered {
        attempt: tokctl_core::AttemptId,
        result: Result<Answer, tokctl_core::Trouble>,
    },
    /// An entry was read, or could not be.
    Loaded {
        profile: ProfileName,
        result: Result<Loaded, Failure>,
    },
    /// A login has something to say.
    Login {
        profile: ProfileName,
        id: LoginId,
        news: News,
    },
    Changed {
        request: RequestId,
        changed: Changed,
        /// As many as `Performer::seals` when it began.
        seals: u64,
    },
    /// An attempt to open the vault has ended.
    Unlocked {
        result: Result<(), Failure>,
        /// As many as `Performer::seals` when it began.
        seals: u64,
    },
    /// The tombstones of a vault that was just opened.
    Tombstones(BTreeMap<EntryId, Waiting>),
    /// A further socket could not be written down.
    SocketUnsaved(PathBuf),
    /// A tombstone was tried.
    Tried {
        id: EntryId,
        tried: Tried,
    },
    /// config.toml was read again; `None` when its bytes are those in use.
    Reread {
        result: Result<Option<Live>, Failure>,
        then: Then,
    },
    /// Something happened to config.toml.
    ConfigTouched,
    /// Something else stands in the file of a subject.
    SubjectChanged(PathBuf),
    /// A program that was told what happened is done.
    HookEnded(&'static str),
    /// SIGHUP.
    Reload,
    /// SIGTERM.
    Stop,
}

/// Why config.toml was read again.
#[derive(Debug)]
pub enum Then {
    /// It seems to have changed.
    Nothing,
    /// A client asked for it.
    Tell(ReplyTo),
    /// A client names a profile that the configuration in use does not have: it may be in an edit
    /// of this very moment.
    Ask { request: RequestId, profile: ProfileName, ask: Box<Ask> },
}

/// What a client asks about a profile.
#[derive(Debug)]
pub enum Ask {
    Core(Event),
    Login(Box<Wish>),
    Why,
    /// How its token is used, and whether at that URL.
    Usage(Option<String>),
    Watch(BTreeSet<ProfileName>),
    Socket(Box<NewSocket>),
}

impl Input {
    /// Answers whoever still waits for this while the agent goes down.
    pub(super) fn turn_away(self) {
        match self {
            Self::Request { reply, .. } | Self::Reread { then: Then::Tell(reply), .. } => {
                reply.failed(&stopping());
            }
            _ => {}
        }
    }
}

/// What the agent knows about itself.
#[derive(Debug)]
pub struct Facts {
    pub started_at: WallMs,
    pub socket: String,
    pub vault: String,
    /// Why edits of config.toml are not noticed, if they are not.
    pub unwatched: Option<String>,
    /// The desktop of the person whose agent this is can be told something.
    pub has_session_bus: bool,
    pub desk: Arc<Desk>,
    /// The agent belongs to a job, and ends then at the latest.
    pub life: Option<Life>,
}

/// What came of one turn of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Taken,
    Stop,
}

/// A request that has not been answered.
pub(super) struct Pending {
    pub(super) reply: ReplyTo,
    /// What to do once the vault is open.
    pub(super) task: Option<Task>,
    pub(super) form: TokenForm,
    /// The profiles that its client was asked for a subject of and has not answered, as they were then.
    pub(super) subjects: VecDeque<Profile>,
}

/// What a request wants done that needs an open vault.
#[derive(Debug)]
pub(super) enum Task {
    Change(Change),
    Login(Box<Wish>),
    Inspect(TokenKey),
    Import(Box<Wanted>),
    Purge(Purging),
}

/// In which of the wire's shapes a client wants its token.
#[derive(Clone, Debug)]
pub(super) enum TokenForm {
    Token,
    Token2,
    /// With a proof for one request, where the token is bound to a key.
    Token3(Option<Box<ProofFor>>),
    /// Not at all: it is called with there.
    Probe(Box<Endpoint>),
}

/// The daemon's state outside the core.
pub struct Driver {
    core: Core,
    inbox: UnboundedReceiver<Input>,
    performer: Performer,
    logins: Logins,
    watchers: Watchers,
    sockets: Sockets,
    hooks: Hooks,
    noticed: Noticed,
    subject_files: SubjectFiles,
    facts: Facts,
    live: Live,
    /// Why the file's configuration is not the one in use.
    config_problem: Option<Failure>,
    config_due: Option<BootMs>,
    tombstones: Tombstones,
    /// Nothing is left of configuration, vault and state.
    is_purged: bool,
    /// The agent is going down, and waits until then for what must not be lost.
    leave_by: Option<BootMs>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Driver")
    }
}

impl Driver {
    pub fn new(
        seed: u64,
        inbox: (UnboundedSender<Input>, UnboundedReceiver<Input>),
        means: Means,
        facts: Facts,
        sockets: SocketsStart,
        live: Live,
        config_problem: Option<Failure>,
    ) -> Self {
        let (sender, receiver) = inbox;
        let prompt = format!("passphrase for {}", facts.vault);
        Self {
            core: Core::new(seed),
            inbox: receiver,
            subject_files: SubjectFiles::new(sender.clone()),
            performer: Performer::new(means, sender, prompt),
            logins: Logins::default(),
            watchers: Watchers::default(),
            sockets: Sockets::new(sockets),
            hooks: Hooks::default(),
            noticed: Noticed::default(),
            facts,
            live,
            config_problem,
            config_due: None,
            tombstones: Tombstones::default(),
            is_purged: false,
            leave_by: None,
        }
    }

    /// Runs until it is told to stop, and until nothing is under way that must not be lost. An error
    /// is the kernel's, for want of a timer.
    pub async fn run(&mut self, start: Start) -> io::Result<()> {
        let mut nap = Nap::new()?;
        let mut now = clock::now();
        self.subject_files.follow(&self.live);
        self.handle(now, Event::Start(start));
        self.start_sockets(now);
        let mut signals = 0;
        while signals == 0 && !self.performer.stopping && self.performer.purging.is_none() {
            signals += u32::from(self.turn(&mut nap, &mut now).await? == Turn::Stop);
        }
        self.finish(&mut nap, now, signals).await
    }

    /// Takes one input, or what is due.
    async fn turn(&mut self, nap: &mut Nap, now: &mut Now) -> io::Result<Turn> {
        let due = self.core.poll_timeout().into_iter().chain(self.config_due).chain(self.leave_by);
        let due = due.chain(self.tombstones_due()).chain(self.sockets.due(*now));
        let due = due.chain(self.life_ends()).min();
        // As of the last event: a nap that ends a little early costs nothing, another look at the clock does.
        nap.end_by(now.boot, due)?;
        let input = tokio::select! {
            biased;
            received = self.inbox.recv() => received,
            () = nap.over() => {
                *now = clock::now();
                self.tick(*now);
                return Ok(Turn::Taken);
            }
        };
        *now = clock::now();
        match input {
            None | Some(Input::Stop) => return Ok(Turn::Stop),
            Some(input) => self.take(*now, input),
        }
        // Clients that leave no pause between their requests must not hold up what is due.
        if due.is_some_and(|due| due <= now.boot) {
            self.tick(*now);
        }
        Ok(Turn::Taken)
    }

    fn tick(&mut self, now: Now) {
        if self.config_due.is_some_and(|due| due <= now.boot) {
            self.config_due = None;
            self.performer.reread(self.live.fingerprint.clone(), Then::Nothing);
        }
        if self.life_ends().is_some_and(|end| end <= now.boot) {
            info!("the longest life of this ephemeral agent is over");
            self.performer.stopping = true;
        }
        self.work_off(now);
        self.end_sockets(now);
        self.check_sockets();
        self.handle(now, Event::Tick);
    }

    /// When the agent ends by itself, unless it is ending already.
    fn life_ends(&self) -> Option<BootMs> {
        self.facts.life.map(|life| life.ends_at).filter(|_| !self.performer.stopping)
    }

    /// When the next tombstone is tried: only while the vault is open, and not while the agent goes down.
    fn tombstones_due(&self) -> Option<BootMs> {
        let may = self.core.lock_state() == "unlocked" && self.leave_by.is_none();
        self.tombstones.due().filter(|_| may)
    }

    fn work_off(&mut self, now: Now) {
        if self.tombstones_due().is_some_and(|due| due <= now.boot)
            && let Some(id) = self.tombstones.next(now.boot)
        {
            self.performer.work_off(id);
        }
    }

    fn take(&mut self, now: Now, input: Input) {
        match input {
            Input::Request { command, reply, .. } if self.leave_by.is_some() => {
                turn_away(&command, reply);
            }
            Input::Request { id, command, reply } => self.request(now, id, command, reply),
            Input::Gone(request) | Input::Event(Event::Cancel { request })
                if self.leave_socket(request) => {}
            Input::Gone(request) => {
                self.performer.requests.remove(&request);
                self.watchers.leave(request);
                self.leave_login(now, request);
                self.handle(now, Event::Gone { request });
            }
            Input::Event(Event::Cancel { request }) if self.watchers.is_watching(request) => {
                self.watchers.leave(request);
            }
            Input::Event(event) => {
                if let Some(event) = self.unless_of_login(now, event) {
                    let event = self.performer.heard(event);
                    self.handle(now, event);
                }
            }
            Input::Login { profile, id, news } => self.login_news(now, &profile, id, news),
            Input::Answered { attempt, result } => {
                let event = self.performer.answered(attempt, result);
                self.handle(now, event);
            }
            Input::Loaded { profile, result } => {
                let event = self.performer.loaded(profile, result);
                self.handle(now, event);
            }
            Input::Changed { request, changed, seals } => {
                let opened = changed.vault.is_some();
                self.changed(now, request, changed);
                self.opened(now, opened, seals);
            }
            Input::Unlocked { result, seals } => {
                let opened = result.is_ok();
                self.handle(now, Event::Unlocked(result));
                self.opened(now, opened, seals);
            }
            Input::Tombstones(found) => {
                self.tombstones.found(now.boot, found);
                self.work_off(now);
            }
            Input::SocketUnsaved(path) => self.socket_unsaved(&path),
            Input::Tried { id, tried } => {
                self.tombstones.tried(now.boot, id, tried);
                self.work_off(now);
            }
            Input::Reread { result, then } => self.reread(now, result, then),
            Input::ConfigTouched => self.config_due = Some(now.boot.plus(CONFIG_SETTLES_IN)),
            Input::SubjectChanged(path) => {
                for profile in self.subject_files.changed(&self.live, &path) {
                    self.handle(now, Event::SubjectChanged { profile });
                }
            }
            Input::HookEnded(kind) => self.hook_ended(kind),
            Input::Reload => {
                self.check_sockets();
                self.performer.reread(self.live.fingerprint.clone(), Then::Nothing);
            }
            Input::Stop => {}
        }
    }

    /// What follows when a vault was opened. Whoever sealed it while it was being opened has the last
    /// word: its keys are gone already.
    fn opened(&mut self, now: Now, opened: bool, seals: u64) {
        match opened {
            true if seals != self.performer.seals => {
                self.handle(now, Event::Lock { request: NOBODY });
            }
            true => self.performer.find_tombstones(),
            false => {}
        }
    }

    /// Feeds the core and does what it says, until nothing is left to do at once.
    fn handle(&mut self, now: Now, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.core.handle(now, event) {
                if let Effect::Tell(happening) = &effect {
                    self.tell(now, happening);
                } else if let Some(effect) = self.unless_effect_of_login(now, effect) {
                    events.extend(self.performer.perform(effect, &self.live));
                }
            }
        }
    }

    fn changed(&mut self, now: Now, request: RequestId, changed: Changed) {
        self.show(request, &changed);
        let profiles = changed.live.and_then(|live| self.adopt(now, live));
        let event = Event::Changed(CoreChanged {
            reply: Some((request, changed.result)),
            profiles,
            entries: changed.entries,
            forget: changed.forget,
            vault: changed.vault,
        });
        for laid in changed.laid {
            self.tombstones.laid(now.boot, laid);
        }
        self.handle(now, event);
    }

    /// Sends what a change has to say besides its end.
    fn show(&self, request: RequestId, changed: &Changed) {
        if let Some(profile) = self.logins.storing(request) {
            return self.tell_watchers(profile, &changed.warnings);
        }
        let Some(Pending { reply, .. }) = self.performer.requests.get(&request) else { return };
        for warning in &changed.warnings {
            reply.progress(warning, true);
        }
        if let Some(text) = &changed.paste {
            reply.item(Item::Paste(Paste { text: text.as_str().into() }));
        }
        if let Some(key) = &changed.public_key {
            let (jwk, pem) = (key.jwk.as_str().into(), key.pem.as_str().into());
            reply.item(Item::PublicKey(PublicKey { jwk, pem }));
        }
    }

    /// Takes a configuration into use, unless a later reading of the file is in use already: a
    /// change and a reading that follows it arrive by different ways.
    fn adopt(
        &mut self,
        now: Now,
        live: Live,
    ) -> Option<BTreeMap<ProfileName, tokctl_core::Profile>> {
        if live.reading < self.live.reading {
            return None;
        }
        let profiles = live.profiles();
        self.live = live;
        self.subject_files.follow(&self.live);
        self.config_problem = None;
        self.end_outdated_logins(now);
        Some(profiles)
    }

    fn reread(&mut self, now: Now, result: Result<Option<Live>, Failure>, then: Then) {
        let said = match result {
            Ok(Some(live)) => {
                info!(profiles = live.config.profiles.len(), "took the configuration into use");
                let profiles = self.adopt(now, live);
                let changed = CoreChanged { profiles, ..CoreChanged::default() };
                self.handle(now, Event::Changed(changed));
                Ok("took the configuration into use")
            }
            Ok(None) => {
                self.config_problem = None;
                Ok("the configuration is in use as it is")
            }
            // A bad edit never takes the agent down: it goes on with what it had.
            Err(failure) => {
                warn!(problem = %failure.message, "kept the last good configuration");
                self.config_problem = Some(failure.clone());
                Err(failure)
            }
        };
        match (then, said) {
            (Then::Nothing, _) => {}
            (Then::Tell(reply), Ok(said)) => reply.said(said),
            (Then::Tell(reply), Err(failure)) => reply.failed(&failure),
            // Not "no such profile" while it may well be in the file that cannot be read.
            (Then::Ask { request, profile, .. }, Err(failure)) if !self.has(&profile) => {
                if let Some(pending) = self.performer.requests.remove(&request) {
                    pending.reply.failed(&failure);
                }
            }
            (Then::Ask { request, profile, ask }, _) => self.ask(now, request, &profile, *ask),
        }
    }
}
