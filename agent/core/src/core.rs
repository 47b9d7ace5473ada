//! The state and its one entrance: `handle(now, event)`.
//!
//! Decisions live beside their data: `get.rs` decides what a caller gets, `renew.rs` when a provider is
//! asked, `flight.rs` what its answer changes, `traffic.rs` how many it is asked for at a time, `lock.rs` who
//! may open the vault, `change.rs` what outlives an edit. This file only routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::token::KEYS_PER_PROFILE_MAX;
use tokctl_proto::{BootMs, Failure, Kind, Now, ProfileName, TokenKey};

use crate::agenda::Agenda;
use crate::book::Book;
use crate::effect::{Effect, Reply};
use crate::entry::Entry;
use crate::event::{AttemptId, Event, Report, RequestId, SaveId, Start, Vault};
use crate::flight::Flight;
use crate::get::stopping;
use crate::hold::Holds;
use crate::key::{Key, Saving, Times};
use crate::lane::{Lane, LaneId, is_plain};
use crate::lock::Lock;
use crate::parked::Parked;
use crate::policy;
use crate::pool::Turns;
use crate::profile::{Policy, Profile};
use crate::rng::Rng;
use crate::subject::Subjects;
use crate::token::Token;
use crate::traffic::Traffic;
use crate::waiters::Waiters;

/// The schedule is written at most this often, with many keys less often, since all of it is written each time.
const SCHEDULE_EVERY: Duration = Duration::from_secs(60);
const SCHEDULE_EVERY_EACH: Duration = Duration::from_millis(90);
const SCHEDULE_EVERY_MAX: Duration = Duration::from_secs(900);

/// What must survive a kill is written this long after the last time at the earliest,
const SCHEDULE_SOON: Duration = Duration::from_secs(1);
/// and so much later for each key that is written with it.
const SCHEDULE_SOON_EACH: Duration = Duration::from_micros(100);

/// Everything the agent has to decide with.
#[derive(Debug)]
pub struct Core {
    pub(crate) now: Now,
    pub(crate) rng: Rng,
    pub(crate) lock: Lock,
    pub(crate) profiles: BTreeMap<ProfileName, Profile>,
    pub(crate) entries: BTreeMap<ProfileName, Entry>,
    pub(crate) books: BTreeMap<ProfileName, Book>,
    pub(crate) keys: BTreeMap<Arc<TokenKey>, Key>,
    pub(crate) lanes: BTreeMap<LaneId, Lane>,
    pub(crate) turns: BTreeMap<ProfileName, Turns>,
    pub(crate) flights: BTreeMap<AttemptId, Flight>,
    /// What each write that has not been acknowledged is for.
    pub(crate) saves: BTreeMap<SaveId, Saved>,
    pub(crate) traffic: Traffic,
    pub(crate) waiters: Waiters,
    pub(crate) parked: Parked,
    pub(crate) holds: Holds,
    pub(crate) subjects: Subjects,
    /// Logins under way, and the callers who know that they wait for one.
    pub(crate) logins: BTreeMap<ProfileName, BTreeSet<RequestId>>,
    /// By a profile, those that present its token.
    pub(crate) exchanges: BTreeMap<ProfileName, Vec<ProfileName>>,
    /// Reports that wait until the entry they are about has been read.
    pub(crate) reports: Vec<Report>,
    pub(crate) effects: Vec<Effect>,
    /// Lanes that something was done to in this step.
    pub(crate) touched: BTreeSet<LaneId>,
    pub(crate) agenda: Agenda,
    pub(crate) is_stopping: bool,
    /// The last schedule of this run is written.
    is_closed: bool,
    last_id: u64,
    pub(crate) schedule_due: Option<BootMs>,
    schedule_written: Option<BootMs>,
    pub(crate) rebuild: Rebuild,
}

/// The reading of all entries where no schedule was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rebuild {
    None,
    /// It begins when somebody has been served, and not a moment earlier.
    Wanted,
    /// It has come to this profile.
    UnderWay(ProfileName),
}

/// What a write was for.
#[derive(Clone, Debug)]
pub(crate) enum Saved {
    Intent(AttemptId),
    Answer(AttemptId),
    /// What a refresh token was spent for.
    Rotation(AttemptId),
    /// The same, tried again after its lane was done with the attempt.
    Unsaved(LaneId),
    /// A token that came without a refresh token.
    Token {
        key: Arc<TokenKey>,
        /// With it the client secret that waited takes the place of the present one.
        promote: bool,
    },
}

impl Core {
    /// A core that has been told nothing yet. The seed drives jitter alone.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Now::default(),
            rng: Rng::new(seed),
            lock: Lock::new(),
            profiles: BTreeMap::new(),
            entries: BTreeMap::new(),
            books: BTreeMap::new(),
            keys: BTreeMap::new(),
            lanes: BTreeMap::new(),
            turns: BTreeMap::new(),
            flights: BTreeMap::new(),
            saves: BTreeMap::new(),
            traffic: Traffic::default(),
            waiters: Waiters::default(),
            parked: Parked::default(),
            holds: Holds::default(),
            subjects: Subjects::default(),
            logins: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            reports: Vec::new(),
            effects: Vec::new(),
            touched: BTreeSet::new(),
            agenda: Agenda::default(),
            is_stopping: false,
            is_closed: false,
            last_id: 0,
            schedule_due: None,
            schedule_written: None,
            rebuild: Rebuild::None,
        }
    }

    /// Takes one event at the time it is handled and says what is to be done, in order.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        let before = std::mem::replace(&mut self.now, now);
        self.notice_sleep(before);
        self.take(event);
        self.settle_subjects();
        self.settle_agenda();
        self.close_the_books();
        std::mem::take(&mut self.effects)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Start(start) => self.start(start),
            Event::Tick => self.tick(),
            Event::Get(get) => self.get(get),
            Event::Refresh(refresh) => self.refresh(refresh),
            Event::Report(report) => self.report(report),
            Event::Admit { request, interactive, alone } => self.admit(request, interactive, alone),
            Event::Unlock { request, passphrase, interactive } => {
                self.unlock(request, passphrase, interactive);
            }
            Event::Passphrase { request, passphrase } => self.passphrase(request, passphrase),
            Event::Subject { request, subject } => self.subject(request, subject),
            Event::Lock { request } => self.seal(request),
            Event::Cancel { request } => {
                if self.forget(request) {
                    self.fail(request, Failure::new(Kind::Cancelled, "cancelled"));
                }
            }
            Event::Gone { request } => {
                self.forget(request);
            }
            Event::Unlocked(result) => self.unlocked(result),
            Event::Loaded { profile, result } => self.loaded(profile, result),
            Event::Answered { attempt, result } => self.answered(attempt, result),
            Event::Classified { attempt, outcome } => self.classified(attempt, outcome),
            Event::Saved { save, result } => self.saved(save, result),
            Event::Buried { attempt, result } => self.buried(attempt, result),
            Event::Changed(changed) => self.changed(changed),
            Event::SubjectChanged { profile } => self.subject_changed(&profile),
            Event::Login { profile, state } => self.login(&profile, state),
            Event::Stop => self.stop(),
        }
    }

    fn start(&mut self, start: Start) {
        self.profiles = start.profiles;
        self.list_exchanges();
        self.rebuild = match start.schedule {
            Some(_) => Rebuild::None,
            None => Rebuild::Wanted,
        };
        self.restore(start.schedule.unwrap_or_default());
        self.found_vault(start.vault);
    }

    fn tick(&mut self) {
        // Whoever has waited for a slot may have no time left to wait for a token.
        while let Some(get) = self.parked.take_due(self.now.boot) {
            self.get(get);
        }
        while let Some(request) = self.waiters.overdue(self.now.boot) {
            self.time_out(request);
        }
        // What is due was worked out by another wall, if somebody has set it since.
        self.settle_agenda();
        for lane in self.agenda.take_due(self.now.boot) {
            self.pump(&lane);
        }
        self.pump_origins();
        if self.schedule_due.is_some_and(|due| due <= self.now.boot) {
            self.write_schedule();
        }
    }

    fn stop(&mut self) {
        self.is_stopping = true;
        self.subjects = Subjects::default();
        let waiting: Vec<RequestId> = self.waiters.all();
        let reports = std::mem::take(&mut self.reports).into_iter().map(|report| report.request);
        let others: Vec<RequestId> = self
            .lock
            .drain()
            .into_iter()
            .chain(self.parked.drain())
            .chain(self.holds.drain())
            .chain(reports)
            .collect();
        for request in waiting.into_iter().chain(others) {
            self.waiters.remove(request);
            self.fail(request, stopping());
        }
        self.save_once_more();
        if !self.is_quiet() {
            self.write_schedule();
        }
    }

    /// What came to its end while the agent was stopping belongs into the schedule too.
    fn close_the_books(&mut self) {
        if self.is_stopping && !self.is_closed && self.is_quiet() {
            self.is_closed = true;
            self.write_schedule();
        }
    }

    /// After `Event::Stop`: whether nothing is under way that would be lost, so that the process may end.
    pub fn is_quiet(&self) -> bool {
        let is_saved = !self.lanes.values().any(|lane| lane.unsaved.is_some());
        let is_idle = self.saves.is_empty() && !self.flights.values().any(Flight::is_rotation);
        self.is_stopping && is_idle && is_saved
    }

    /// Drops a request that nobody waits for any more; false when it was not waiting here.
    fn forget(&mut self, request: RequestId) -> bool {
        let reports = self.reports.len();
        self.reports.retain(|report| report.request != request);
        let waiter = self.take_waiter(request);
        if let Some(waiter) = &waiter {
            self.touch_key(&waiter.key);
        }
        let elsewhere =
            self.lock.remove(request) | self.parked.remove(request) | self.leave_hold(request);
        waiter.is_some() | elsewhere | (self.reports.len() < reports)
    }

    /// Something in the schedule changed: it is written within a minute.
    pub(crate) fn touch_schedule(&mut self) {
        let keys = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        let every = SCHEDULE_EVERY.max(SCHEDULE_EVERY_EACH.saturating_mul(keys));
        self.schedule_due.get_or_insert(self.now.boot.plus(every.min(SCHEDULE_EVERY_MAX)));
    }

    /// Something changed that must survive a kill: a failure, what an API said. It is written at once, unless that
    /// was done a moment ago.
    pub(crate) fn write_schedule_soon(&mut self) {
        let least = SCHEDULE_SOON
            + SCHEDULE_SOON_EACH.saturating_mul(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        let soon = self.schedule_written.map_or(self.now.boot, |at| at.plus(least));
        let due = self.schedule_due.map_or(soon, |due| due.min(soon));
        self.schedule_due = Some(due);
        if due <= self.now.boot {
            self.write_schedule();
        }
    }

    fn write_schedule(&mut self) {
        self.schedule_due = None;
        self.schedule_written = Some(self.now.boot);
        let schedule = self.schedule();
        self.effects.push(Effect::SaveSchedule(schedule));
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn fail(&mut self, request: RequestId, failure: Failure) {
        self.effects.push(Effect::Reply { request, reply: Reply::Failed(failure) });
    }

    pub(crate) fn say(&mut self, request: RequestId, said: impl Into<String>) {
        self.effects.push(Effect::Reply { request, reply: Reply::Said(said.into()) });
    }

    pub(crate) fn alarm(&mut self, profile: &ProfileName, text: impl Into<String>) {
        self.effects.push(Effect::Alarm { profile: profile.clone(), text: text.into() });
    }

    pub(crate) fn policy_of(&self, name: &ProfileName) -> Policy {
        self.profiles.get(name).map_or(Policy::DEFAULT, |profile| profile.policy)
    }

    /// The lead of a token, spread by a tenth so that tokens issued together are not renewed together.
    pub(crate) fn jittered_lead(
        &mut self,
        name: &ProfileName,
        lifetime: Option<Duration>,
    ) -> Duration {
        let lead = policy::lead(lifetime.unwrap_or_default(), &self.policy_of(name));
        let share = u64::try_from(lead.mul_f64(policy::JITTER).as_millis()).unwrap_or(0);
        let shift = Duration::from_millis(self.rng.between(0, 2 * share));
        lead - Duration::from_millis(share) + shift
    }

    /// The one copy of a key.
    pub(crate) fn shared(&self, key: TokenKey) -> Arc<TokenKey> {
        match self.keys.get_key_value(&key) {
            Some((shared, _)) => Arc::clone(shared),
            None => Arc::new(key),
        }
    }

    /// Makes room for one more key of a profile: the least recently used goes, if nobody waits for it. The
    /// plain one stays if it has a token, since it is what `status` shows and what a bare `get` wants.
    pub(crate) fn make_room(&mut self, name: &ProfileName) {
        let keys = self.keys_of(name);
        if keys.len() < KEYS_PER_PROFILE_MAX {
            return;
        }
        let surplus = keys.len() + 1 - KEYS_PER_PROFILE_MAX;
        let mut idle: Vec<_> = keys
            .into_iter()
            .filter(|key| {
                let stays =
                    is_plain(key) && self.keys.get(key).is_some_and(|state| state.times.is_some());
                !stays && self.turn_of(key).is_none()
            })
            .collect();
        // One that the provider gave or refused a moment ago last of all: whoever forgets it asks again at once.
        idle.sort_by_key(|key| {
            let state = self.keys.get(key);
            let is_new = state.is_some_and(|state| state.free_at() > self.now.boot);
            (is_new, state.and_then(|state| state.last_used))
        });
        for key in idle.into_iter().take(surplus) {
            self.touch_key(&key);
            self.keys.remove(&key);
        }
        self.sweep_lanes(name);
    }

    /// Takes a token, at least of this age, as the newest of its key.
    pub(crate) fn adopt(&mut self, key: &Arc<TokenKey>, token: Arc<Token>, age: Duration) {
        let lifetime = token.expires_at.map(|end| end.since(token.issued_at));
        let lead = self.jittered_lead(&key.profile, lifetime);
        let times = Times::of(self.now, token.issued_at, token.expires_at, age, lead);
        let state = self.keys.entry(Arc::clone(key)).or_default();
        // What was known of this very token was reckoned when it was new.
        let known = state.times.filter(|known| {
            (known.issued_at, known.expires_at) == (token.issued_at, token.expires_at)
        });
        if known.is_none() {
            state.is_newest = false;
        }
        state.times = Some(known.unwrap_or(times));
        state.token = Some(token);
        state.saving = Saving::Saved;
        state.is_wanted = false;
        self.touch_key(key);
        self.touch_schedule();
    }

    pub(crate) fn next_save(&mut self, what: Saved) -> SaveId {
        let save = SaveId(self.next_id());
        self.saves.insert(save, what);
        save
    }

    /// Tells the core whether there is a vault, before anything was asked of it.
    fn found_vault(&mut self, vault: Vault) {
        self.lock.found(vault);
        if vault == Vault::Bare {
            self.start_unlock(None, None);
        }
    }
}
