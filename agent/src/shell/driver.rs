//! The loop between the world and the core: one input at a time, then what the core wants done.
//!
//! It decides nothing. Between inputs it naps (`nap.rs`), until the core's next deadline at most.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokctl_core::{Changed as CoreChanged, Core, Event, Get, RequestId, Start};
use tokctl_proto::response::{Item, Paste};
use tokctl_proto::{BootMs, Failure, Now, ProfileName, WallMs};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tracing::{info, warn};

use super::change::{Change, Changed};
use super::command::Command;
use super::listen::Desk;
use super::live::Live;
use super::nap::Nap;
use super::obtain::{Answer, Means};
use super::perform::Performer;
use super::query;
use super::reply::ReplyTo;
use super::serve::stopping;
use crate::clock;

mod status;
#[cfg(test)]
mod tests;

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
    /// config.toml was read again; `None` when its bytes are those in use.
    Reread {
        result: Result<Option<Live>, Failure>,
        then: Then,
    },
    /// Something happened to config.toml.
    ConfigTouched,
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
    Get(Get),
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
    pub desk: Arc<Desk>,
}

/// A request that has not been answered.
pub(super) struct Pending {
    pub(super) reply: ReplyTo,
    /// What to carry out once the vault is open.
    pub(super) change: Option<Change>,
}

/// The daemon's state outside the core.
pub struct Driver {
    core: Core,
    inbox: UnboundedReceiver<Input>,
    performer: Performer,
    facts: Facts,
    live: Live,
    /// Why the file's configuration is not the one in use.
    config_problem: Option<Failure>,
    config_due: Option<BootMs>,
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
        live: Live,
        config_problem: Option<Failure>,
    ) -> Self {
        let (sender, receiver) = inbox;
        let prompt = format!("passphrase for {}", facts.vault);
        Self {
            core: Core::new(seed),
            inbox: receiver,
            performer: Performer::new(means, sender, prompt),
            facts,
            live,
            config_problem,
            config_due: None,
        }
    }

    /// Runs until it is told to stop. An error is the kernel's, for want of a timer.
    pub async fn run(&mut self, start: Start) -> io::Result<()> {
        let mut nap = Nap::new()?;
        let mut now = clock::now();
        self.handle(now, Event::Start(start));
        while !self.performer.stopping {
            let due = self.core.poll_timeout().into_iter().chain(self.config_due).min();
            // As of the last event: a nap that ends a little early costs nothing, another look at the clock does.
            nap.end_by(now.boot, due)?;
            let input = tokio::select! {
                biased;
                received = self.inbox.recv() => received,
                () = nap.over() => {
                    now = clock::now();
                    self.tick(now);
                    continue;
                }
            };
            now = clock::now();
            match input {
                None | Some(Input::Stop) => return Ok(()),
                Some(input) => self.take(now, input),
            }
            // Clients that leave no pause between their requests must not hold up what is due.
            if due.is_some_and(|due| due <= now.boot) {
                self.tick(now);
            }
        }
        Ok(())
    }

    /// Tells everybody who waits that the agent stops. Changes that are being made are let finish,
    /// for so long, since who asked for one will want to know.
    pub async fn farewell(&mut self, time_max: Duration) {
        self.handle(clock::now(), Event::Stop);
        let finishing = async {
            while !self.performer.requests.is_empty() {
                match self.inbox.recv().await {
                    Some(input) => self.last_word(input),
                    None => return,
                }
            }
        };
        let _late = tokio::time::timeout(time_max, finishing).await;
        for (_, pending) in std::mem::take(&mut self.performer.requests) {
            pending.reply.failed(&stopping());
        }
        self.inbox.close();
        while let Ok(input) = self.inbox.try_recv() {
            input.turn_away();
        }
        info!("stopped");
    }

    /// What still comes in while the agent goes down. The core has said its last: nothing new is
    /// begun.
    fn last_word(&mut self, input: Input) {
        let (request, result) = match input {
            Input::Gone(request) => {
                self.performer.requests.remove(&request);
                return;
            }
            Input::Changed { request, changed, .. } => {
                self.show(request, &changed);
                (request, changed.result)
            }
            Input::Reread { then: Then::Get(get), .. } => (get.request, Err(stopping())),
            input => return input.turn_away(),
        };
        if let Some(pending) = self.performer.requests.remove(&request) {
            match result {
                Ok(said) => pending.reply.said(&said),
                Err(failure) => pending.reply.failed(&failure),
            }
        }
    }

    fn tick(&mut self, now: Now) {
        if self.config_due.is_some_and(|due| due <= now.boot) {
            self.config_due = None;
            self.performer.reread(self.live.fingerprint.clone(), Then::Nothing);
        }
        self.facts.desk.check.notify_one();
        self.handle(now, Event::Tick);
    }

    fn take(&mut self, now: Now, input: Input) {
        match input {
            Input::Request { id, command, reply } => self.request(now, id, command, reply),
            Input::Gone(request) => {
                self.performer.requests.remove(&request);
                self.handle(now, Event::Gone { request });
            }
            Input::Event(event) => self.handle(now, event),
            Input::Answered { attempt, result } => {
                let event = self.performer.answered(attempt, result);
                self.handle(now, event);
            }
            Input::Changed { request, changed, seals } => {
                let opened = changed.vault.is_some();
                self.changed(now, request, changed);
                self.seal_if_late(now, opened, seals);
            }
            Input::Unlocked { result, seals } => {
                let opened = result.is_ok();
                self.handle(now, Event::Unlocked(result));
                self.seal_if_late(now, opened, seals);
            }
            Input::Reread { result, then } => self.reread(now, result, then),
            Input::ConfigTouched => self.config_due = Some(now.boot.plus(CONFIG_SETTLES_IN)),
            Input::Reload => {
                self.facts.desk.check.notify_one();
                self.performer.reread(self.live.fingerprint.clone(), Then::Nothing);
            }
            Input::Stop => {}
        }
    }

    /// Whoever sealed the vault while it was being opened has the last word: its keys are gone
    /// already.
    fn seal_if_late(&mut self, now: Now, opened: bool, seals: u64) {
        if opened && seals != self.performer.seals {
            self.handle(now, Event::Lock { request: NOBODY });
        }
    }

    fn request(&mut self, now: Now, id: RequestId, command: Command, reply: ReplyTo) {
        let event = match command {
            Command::Get(get) => {
                self.performer.requests.insert(id, Pending { reply, change: None });
                if !self.live.config.profiles.contains_key(&get.key.profile) {
                    let in_use = self.live.fingerprint.clone();
                    return self.performer.reread(in_use, Then::Get(get));
                }
                Event::Get(get)
            }
            Command::Unlock { passphrase, interactive } => {
                self.performer.requests.insert(id, Pending { reply, change: None });
                Event::Unlock { request: id, passphrase, interactive }
            }
            Command::Lock => {
                self.performer.requests.insert(id, Pending { reply, change: None });
                Event::Lock { request: id }
            }
            Command::Admitted { change, interactive } => {
                let change = Some(change);
                self.performer.requests.insert(id, Pending { reply, change });
                Event::Admit { request: id, interactive }
            }
            Command::Direct(change) => {
                self.performer.requests.insert(id, Pending { reply, change: None });
                return self.performer.carry_out(id, change);
            }
            Command::List => {
                if let Some(warning) = self.config_warning() {
                    reply.progress(&warning, true);
                }
                return query::list(&self.performer.means.jobs, &self.live, reply);
            }
            Command::Show(name) => {
                let warning = self.config_warning();
                return query::show(&self.performer.means.jobs, name, warning, reply);
            }
            Command::ConfigRead => return query::config_read(&self.performer.means.jobs, reply),
            Command::Status => return self.status(now, reply),
            Command::AgentStatus => return self.agent_status(now, reply),
            Command::AgentReload => {
                return self.performer.reread(self.live.fingerprint.clone(), Then::Tell(reply));
            }
            Command::AgentStop => {
                reply.said("the agent stops");
                self.performer.stopping = true;
                return;
            }
        };
        self.handle(now, event);
    }

    /// Feeds the core and does what it says, until nothing is left to do at once.
    fn handle(&mut self, now: Now, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.core.handle(now, event) {
                events.extend(self.performer.perform(effect, &self.live));
            }
        }
    }

    fn changed(&mut self, now: Now, request: RequestId, changed: Changed) {
        self.show(request, &changed);
        let profiles = changed.live.and_then(|live| self.adopt(live));
        let event = Event::Changed(CoreChanged {
            reply: Some((request, changed.result)),
            profiles,
            entries: changed.entries,
            vault: changed.vault,
        });
        self.handle(now, event);
    }

    /// Sends what a change has to say besides its end.
    fn show(&self, request: RequestId, changed: &Changed) {
        let Some(Pending { reply, .. }) = self.performer.requests.get(&request) else { return };
        for warning in &changed.warnings {
            reply.progress(warning, true);
        }
        if let Some(text) = &changed.paste {
            reply.item(Item::Paste(Paste { text: text.as_str().into() }));
        }
    }

    /// Takes a configuration into use, unless a later reading of the file is in use already: a
    /// change and a reading that follows it arrive by different ways.
    fn adopt(&mut self, live: Live) -> Option<BTreeMap<ProfileName, tokctl_core::Profile>> {
        if live.reading < self.live.reading {
            return None;
        }
        let profiles = live.profiles();
        self.live = live;
        self.config_problem = None;
        Some(profiles)
    }

    fn reread(&mut self, now: Now, result: Result<Option<Live>, Failure>, then: Then) {
        let said = match result {
            Ok(Some(live)) => {
                info!(profiles = live.config.profiles.len(), "took the configuration into use");
                let profiles = self.adopt(live);
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
            (Then::Get(get), Err(failure))
                if !self.live.config.profiles.contains_key(&get.key.profile) =>
            {
                if let Some(pending) = self.performer.requests.remove(&get.request) {
                    pending.reply.failed(&failure);
                }
            }
            // Its client may have gone in the meantime.
            (Then::Get(get), _) if self.performer.requests.contains_key(&get.request) => {
                self.handle(now, Event::Get(get));
            }
            (Then::Get(_), _) => {}
        }
    }
}
