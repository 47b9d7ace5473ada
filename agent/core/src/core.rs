//! The state and its one entrance: `handle(now, event)`.
//!
//! Decisions live beside their data: `get.rs` decides what a caller gets, `renew.rs` when a provider is
//! asked, `lock.rs` who may open the vault, `change.rs` what outlives an edit. This file only routes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::token::KEYS_PER_PROFILE_MAX;
use tokctl_proto::{BootMs, Failure, Kind, Now, ProfileName, TokenKey};

use crate::effect::{Effect, Reply};
use crate::event::{AttemptId, Event, RequestId, SaveId, Start, Vault};
use crate::key::{Key, Saving, Times};
use crate::lane::{Lane, LaneId};
use crate::lock::Lock;
use crate::outcome::{Class, Trouble};
use crate::policy;
use crate::profile::Profile;
use crate::rng::Rng;
use crate::schedule::{Schedule, ScheduledKey};
use crate::token::Token;
use crate::waiters::Waiters;

/// The schedule is written at most this often.
const SCHEDULE_EVERY: Duration = Duration::from_secs(60);

/// Everything the agent has to decide with.
#[derive(Debug)]
pub struct Core {
    pub(crate) now: Now,
    pub(crate) rng: Rng,
    pub(crate) lock: Lock,
    pub(crate) profiles: BTreeMap<ProfileName, Profile>,
    pub(crate) entries: BTreeMap<ProfileName, Entry>,
    pub(crate) keys: BTreeMap<TokenKey, Key>,
    pub(crate) lanes: BTreeMap<LaneId, Lane>,
    pub(crate) attempts: BTreeMap<AttemptId, Attempt>,
    pub(crate) waiters: Waiters,
    pub(crate) effects: Vec<Effect>,
    last_id: u64,
    due: Due,
    schedule_due: Option<BootMs>,
    /// No schedule was found: read all entries once somebody has been served.
    pub(crate) rebuild: bool,
}

/// The clocks part by less than this between two looks at all lanes unless somebody sets one of them: they
/// are read one after the other, and the wall clock is slewed.
const DRIFT_MAX: Duration = Duration::from_millis(50);

/// When something is due by itself.
#[derive(Clone, Copy, Debug, Default)]
struct Due {
    at: Option<BootMs>,
    /// When all lanes were looked at.
    as_of: Now,
}

impl Due {
    fn or_sooner(self, at: Option<BootMs>) -> Self {
        Self { at: self.at.into_iter().chain(at).min(), ..self }
    }

    /// Whether the wall clock has run on with the boot clock since.
    fn holds_at(&self, now: Now) -> bool {
        let expected = self.as_of.wall.plus(now.boot.since(self.as_of.boot));
        now.wall.since(expected).max(expected.since(now.wall)) <= DRIFT_MAX
    }
}

/// How far an entry has been read. An entry that is not in the map has not been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Loading,
    Loaded,
}

/// A request to a provider that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) key: TokenKey,
    pub(crate) lane: LaneId,
    pub(crate) sent_at: BootMs,
    /// The profile's revision when it was sent.
    pub(crate) revision: u64,
    pub(crate) worth: Worth,
}

/// What the answer to an attempt is still good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    Everything,
    /// The entry was written since it was sent: a failure is the old secret's.
    Token,
    /// Another vault has taken the place of the one it was sent from.
    Nothing,
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
            keys: BTreeMap::new(),
            lanes: BTreeMap::new(),
            attempts: BTreeMap::new(),
            waiters: Waiters::default(),
            effects: Vec::new(),
            last_id: 0,
            due: Due::default(),
            schedule_due: None,
            rebuild: false,
        }
    }

    /// Takes one event at the time it is handled and says what is to be done, in order.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        self.now = now;
        if let Event::Get(get) = event {
            let served = self.get(get);
            self.due = match served {
                // The way of nearly every request: no look at what the other lanes are about.
                Some(lane) if self.due.holds_at(now) => {
                    let lane = self.lanes.get(&lane).and_then(|state| self.lane_due(&lane, state));
                    self.due.or_sooner(lane).or_sooner(self.schedule_due)
                }
                _ => self.work_out_due(),
            };
        } else {
            self.take(event);
            self.due = self.work_out_due();
        }
        std::mem::take(&mut self.effects)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Start(start) => self.start(start),
            Event::Tick => self.tick(),
            Event::Get(get) => {
                self.get(get);
            }
            Event::Admit { request, interactive } => self.admit(request, interactive),
            Event::Unlock { request, passphrase, interactive } => {
                self.unlock(request, passphrase, interactive);
            }
            Event::Passphrase { request, passphrase } => self.passphrase(request, passphrase),
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
            Event::Changed(changed) => self.changed(changed),
            Event::Stop => self.stop(),
        }
    }

    /// When `Event::Tick` is due, worked out anew from the wall as of the last event; `None` when nothing
    /// will ever be due by itself. It may be early, never late.
    pub fn poll_timeout(&self) -> Option<BootMs> {
        self.due.at
    }

    fn work_out_due(&self) -> Due {
        let renewals = self.lanes.iter().filter_map(|(id, lane)| self.lane_due(id, lane));
        let saves = self.keys.values().filter_map(|key| match key.saving {
            Saving::Failed { retry_at, .. } if self.lock.is_open() => Some(retry_at),
            _ => None,
        });
        let others = self.waiters.next_deadline().into_iter().chain(self.schedule_due);
        Due { at: renewals.chain(saves).chain(others).min(), as_of: self.now }
    }

    fn start(&mut self, start: Start) {
        self.profiles = start.profiles;
        self.rebuild = start.schedule.is_none();
        for scheduled in start.schedule.unwrap_or_default().keys {
            self.restore(scheduled);
        }
        self.found_vault(start.vault);
    }

    /// Takes over what the last run knew of a key.
    fn restore(&mut self, scheduled: ScheduledKey) {
        let Some(profile) = self.profiles.get(&scheduled.key.profile) else { return };
        let source = profile.source;
        self.make_room(&scheduled.key.profile);
        let lane = self.lanes.entry(LaneId::of(source, &scheduled.key)).or_default();
        if let Some(at) = scheduled.cool_down {
            // A clock that was wrong when this was written must not silence the lane for ever.
            let wait = at.since(self.now.wall).min(Duration::from_secs(3600));
            lane.not_before = lane.not_before.max(self.now.boot.plus(wait));
            let failure = Failure::new(
                Kind::ProviderFailed,
                "the last request failed before the agent restarted",
            );
            lane.trouble = Some(Trouble::new(Class::Retry, failure));
        }
        lane.failures = lane.failures.max(scheduled.failures);
        let times = scheduled.issued_at.map(|issued_at| {
            let lead = self.jittered_lead(scheduled.expires_at.map(|end| end.since(issued_at)));
            Times::of(self.now, issued_at, scheduled.expires_at, Duration::ZERO, lead)
        });
        let last_used = scheduled.last_used;
        self.keys.insert(scheduled.key, Key { times, last_used, ..Key::default() });
    }

    fn tick(&mut self) {
        while let Some(request) = self.waiters.overdue(self.now.boot) {
            self.time_out(request);
        }
        let due: Vec<LaneId> = self.lanes.keys().cloned().collect();
        for lane in due {
            self.pump(&lane);
        }
        self.retry_saves();
        if self.schedule_due.is_some_and(|due| due <= self.now.boot) {
            self.schedule_due = None;
            let schedule = self.schedule();
            self.effects.push(Effect::SaveSchedule(schedule));
        }
    }

    fn stop(&mut self) {
        for request in self.waiters.all() {
            self.waiters.remove(request);
            self.fail(request, Failure::new(Kind::NoAgent, "the agent is stopping"));
        }
        for request in self.lock.drain() {
            self.fail(request, Failure::new(Kind::NoAgent, "the agent is stopping"));
        }
        let schedule = self.schedule();
        self.effects.push(Effect::SaveSchedule(schedule));
    }

    /// Drops a request that nobody waits for any more; false when it was not waiting here.
    fn forget(&mut self, request: RequestId) -> bool {
        self.waiters.remove(request).is_some() | self.lock.remove(request)
    }

    fn schedule(&self) -> Schedule {
        let keys = self
            .keys
            .iter()
            .filter_map(|(key, state)| {
                let profile = self.profiles.get(&key.profile)?;
                let lane = self.lanes.get(&LaneId::of(profile.source, key));
                let cooling = lane.filter(|lane| lane.trouble.is_some());
                let left = cooling.map(|lane| lane.not_before.since(self.now.boot));
                Some(ScheduledKey {
                    key: key.clone(),
                    issued_at: state.times.map(|times| times.issued_at),
                    expires_at: state.times.and_then(|times| times.expires_at),
                    last_used: state.last_used,
                    cool_down: left
                        .filter(|left| !left.is_zero())
                        .map(|left| self.now.wall.plus(left)),
                    failures: lane.map_or(0, |lane| lane.failures),
                })
            })
            .collect();
        Schedule { keys }
    }

    /// Something in the schedule changed: it is written within a minute.
    pub(crate) fn touch_schedule(&mut self) {
        self.schedule_due.get_or_insert(self.now.boot.plus(SCHEDULE_EVERY));
    }

    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn fail(&mut self, request: RequestId, failure: Failure) {
        self.effects.push(Effect::Reply { request, reply: Reply::Failed(failure) });
    }

    /// The lead of a token, spread by a tenth so that tokens issued together are not renewed together.
    pub(crate) fn jittered_lead(&mut self, lifetime: Option<Duration>) -> Duration {
        let lead = policy::lead(lifetime.unwrap_or_default());
        let tenth = u64::try_from((lead / 10).as_millis()).unwrap_or(0);
        let shift = Duration::from_millis(self.rng.between(0, 2 * tenth));
        lead - Duration::from_millis(tenth) + shift
    }

    /// Makes room for one more key of a profile: the least recently used goes, if nobody waits for it. The
    /// plain one stays if it has a token, since it is what `status` shows and what a bare `get` wants.
    pub(crate) fn make_room(&mut self, name: &ProfileName) {
        let keys = self.keys_of(name);
        if keys.len() < KEYS_PER_PROFILE_MAX {
            return;
        }
        let surplus = keys.len() + 1 - KEYS_PER_PROFILE_MAX;
        let plain = TokenKey::plain(name.clone());
        let stays = self.keys.get(&plain).is_some_and(|state| state.times.is_some());
        let mut idle: Vec<_> = keys
            .into_iter()
            .filter(|key| !(stays && *key == plain) && self.waiters.oldest_of(key).is_none())
            .collect();
        idle.sort_by_key(|key| self.keys.get(key).and_then(|state| state.last_used));
        for key in idle.into_iter().take(surplus) {
            self.keys.remove(&key);
        }
        self.sweep_lanes(name);
    }

    /// Takes a token, at least of this age, as the newest of its key.
    pub(crate) fn adopt(
        &mut self,
        key: &TokenKey,
        token: Arc<Token>,
        age: Duration,
        saving: Saving,
    ) {
        let lifetime = token.expires_at.map(|end| end.since(token.issued_at));
        let lead = self.jittered_lead(lifetime);
        let times = Times::of(self.now, token.issued_at, token.expires_at, age, lead);
        let state = self.keys.entry(key.clone()).or_default();
        // What was known of this very token was reckoned when it was new.
        let known = state.times.filter(|known| {
            (known.issued_at, known.expires_at) == (token.issued_at, token.expires_at)
        });
        if known.is_none() {
            state.young_until = BootMs::default();
        }
        state.times = Some(known.unwrap_or(times));
        state.token = Some(token);
        state.saving = saving;
        self.touch_schedule();
    }

    pub(crate) fn next_save(&mut self) -> SaveId {
        SaveId(self.next_id())
    }

    /// Tells the core whether there is a vault, before anything was asked of it.
    fn found_vault(&mut self, vault: Vault) {
        self.lock.found(vault);
        if vault == Vault::Bare {
            self.start_unlock(None, None);
        }
    }
}
