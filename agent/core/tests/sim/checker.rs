//! What must hold at every step, worked out from events and effects alone.
//!
//! It does not know when a key must be renewed (the scenario of the healthy provider does), and it does not
//! judge texts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokctl_core::{
    AttemptId, Changed, Class, Core, Effect, Event, Get, Lanes, Outcome, Profile, Reply, RequestId,
    Schedule, Served, Source, Token, Trouble, VaultChange, policy,
};
use tokctl_proto::token::KEYS_PER_PROFILE_MAX;
use tokctl_proto::{BootMs, Kind, Now, ProfileName, TokenKey, WallMs};

/// No provider that is needed is left alone for longer than this, unless it asked for it.
const SILENCE_MAX: Duration = Duration::from_secs(300);

#[derive(Default)]
pub(super) struct Checker {
    now: Now,
    open: bool,
    profiles: BTreeMap<ProfileName, Profile>,
    waiting: BTreeMap<RequestId, Waiting>,
    /// The most that ever waited at a time.
    waiting_max: usize,
    gone: BTreeSet<RequestId>,
    flights: BTreeMap<AttemptId, Flight>,
    lanes: BTreeMap<String, LaneRecord>,
    tokens: BTreeMap<String, Issued>,
    keys: BTreeMap<TokenKey, KeyRecord>,
    /// Every token that was seen leaving the core.
    seen: Vec<Weak<Token>>,
    sealed_now: bool,
    /// Set by the scenario.
    pub(super) clock_was_set: bool,
    ticked: bool,
}

/// A request that has not been answered.
struct Waiting {
    get: Option<Get>,
    asked_at: BootMs,
    /// From when the vault was open.
    deadline: Option<BootMs>,
}

struct Flight {
    key: TokenKey,
    lane: String,
    revision: u64,
    sent: Now,
    /// The entry was written since: a failure says nothing about it.
    outdated: bool,
}

#[derive(Default)]
struct LaneRecord {
    in_flight: Option<AttemptId>,
    not_before: BootMs,
    /// The last answer was a failure that goes away by itself: when it came and how long it asked for.
    retrying: Option<(BootMs, Duration)>,
}

/// A token that a provider issued in this run.
struct Issued {
    arrived_at: BootMs,
    sent_at: BootMs,
    lifetime: Option<Duration>,
    /// It came back from the vault, so the wall clock alone tells its age.
    reread: bool,
}

#[derive(Default)]
struct KeyRecord {
    last_used: Option<WallMs>,
    issued_at: Option<WallMs>,
    expires_at: Option<WallMs>,
}

impl Checker {
    /// An agent starts: what the last one knew is gone, and so are its clients.
    pub(super) fn started(&mut self, profiles: BTreeMap<ProfileName, Profile>) {
        let clock_was_set = self.clock_was_set;
        *self = Self { profiles, clock_was_set, ..Self::default() };
    }

    pub(super) fn waiting(&self) -> Vec<RequestId> {
        self.waiting.keys().copied().collect()
    }

    pub(super) fn is_waiting(&self, request: RequestId) -> bool {
        self.waiting.contains_key(&request)
    }

    /// Takes note of an event before it is handled.
    pub(super) fn event(&mut self, now: Now, event: &Event) {
        self.now = now;
        self.ticked = matches!(event, Event::Tick);
        match event {
            Event::Get(get) => {
                self.ask(get.request, Some(get.clone()));
                self.keys.entry(get.key.clone()).or_default().last_used = Some(now.wall);
            }
            Event::Admit { request, .. }
            | Event::Unlock { request, .. }
            | Event::Lock { request } => self.ask(*request, None),
            Event::Gone { request } => {
                self.waiting.remove(request);
                self.gone.insert(*request);
            }
            Event::Answered { attempt, result: Err(trouble) } => self.failed(*attempt, trouble),
            Event::Answered { attempt, result: Ok(_) } if !self.open => {
                // Its answer is of no use to a sealed vault.
                self.land(*attempt);
            }
            Event::Classified { attempt, outcome: Outcome::Failed(trouble) } => {
                self.failed(*attempt, trouble);
            }
            Event::Classified { attempt, outcome: Outcome::Tokens(token) } => {
                self.succeeded(*attempt, token);
            }
            Event::Changed(changed) => self.changed(changed),
            Event::Loaded { result: Ok(tokens), .. } => {
                for (_, token) in tokens {
                    if let Some(issued) = self.tokens.get_mut(token.access_token.expose()) {
                        issued.reread = true;
                    }
                }
            }
            Event::Loaded { profile, result: Err(_) } => {
                // It is not renewed any more until somebody asks.
                for (_, key) in self.keys.iter_mut().filter(|(key, _)| key.profile == *profile) {
                    key.last_used = None;
                }
            }
            _ => {}
        }
    }

    fn ask(&mut self, request: RequestId, get: Option<Get>) {
        let deadline = match &get {
            Some(get) if self.open => Some(self.now.boot.plus(get.timeout)),
            _ => None,
        };
        let waiting = Waiting { get, asked_at: self.now.boot, deadline };
        assert!(self.waiting.insert(request, waiting).is_none(), "{request:?} is used twice");
        self.waiting_max = self.waiting_max.max(self.waiting.len());
    }

    fn land(&mut self, attempt: AttemptId) -> Option<Flight> {
        let flight = self.flights.remove(&attempt)?;
        if let Some(lane) = self.lanes.get_mut(&flight.lane) {
            lane.in_flight = None;
        }
        Some(flight)
    }

    fn is_current(&self, flight: &Flight) -> bool {
        self.profiles
            .get(&flight.key.profile)
            .is_some_and(|profile| profile.revision == flight.revision)
    }

    fn failed(&mut self, attempt: AttemptId, trouble: &Trouble) {
        let Some(flight) = self.land(attempt) else { return };
        if !self.is_current(&flight) || flight.outdated {
            return;
        }
        let floor = match trouble.class {
            Class::Retry => Duration::from_secs(1),
            Class::Permanent | Class::LoginRequired => policy::spacing(None),
        };
        let asked = trouble.retry_after.unwrap_or_default();
        let now = self.now.boot;
        let lane = self.lanes.entry(flight.lane).or_default();
        lane.not_before = now.plus(floor.max(asked));
        lane.retrying = (trouble.class == Class::Retry && self.open).then_some((now, asked));
    }

    fn succeeded(&mut self, attempt: AttemptId, token: &Token) {
        let Some(flight) = self.land(attempt) else { return };
        if !self.is_current(&flight) || !self.open {
            return;
        }
        let lifetime = token.expires_at.map(|end| end.since(token.issued_at));
        let lane = self.lanes.entry(flight.lane).or_default();
        lane.not_before = self.now.boot.plus(policy::spacing(lifetime));
        lane.retrying = None;
        let issued = Issued {
            arrived_at: self.now.boot,
            sent_at: flight.sent.boot,
            lifetime,
            reread: false,
        };
        self.tokens.insert(token.access_token.expose().to_owned(), issued);
        let key = self.keys.entry(flight.key).or_default();
        key.issued_at = Some(token.issued_at);
        key.expires_at = token.expires_at;
    }

    fn changed(&mut self, changed: &Changed) {
        if let Some(profiles) = &changed.profiles {
            let old = std::mem::replace(&mut self.profiles, profiles.clone());
            let names: Vec<ProfileName> = old.into_keys().collect();
            for name in names {
                // Too much is forgiven here where nothing changed; that loses a check, not a truth.
                self.forgive(&name);
                self.keys.retain(|key, _| key.profile != name);
            }
        }
        for name in &changed.entries {
            self.forgive(name);
        }
        if matches!(changed.vault, Some(VaultChange::Made(_))) {
            let names: Vec<ProfileName> = self.profiles.keys().cloned().collect();
            for name in names {
                self.forgive(&name);
            }
            self.keys.clear();
            for flight in self.flights.values_mut() {
                flight.revision = u64::MAX;
            }
        }
    }

    fn forgive(&mut self, name: &ProfileName) {
        for flight in self.flights.values_mut().filter(|flight| flight.key.profile == *name) {
            flight.outdated = true;
        }
        let of_key = format!("key:{name}");
        let of_profile = format!("profile:{name}");
        for (id, lane) in &mut self.lanes {
            if *id == of_profile || id.starts_with(&of_key) {
                *lane = LaneRecord { in_flight: lane.in_flight, ..LaneRecord::default() };
            }
        }
    }

    /// Judges what the core wants done about the event.
    pub(super) fn effects(&mut self, core: &Core, effects: &[Effect]) {
        let opened = core.lock_state() == "unlocked";
        let mut open = self.open || opened;
        self.sealed_now = false;
        if opened && !self.open {
            for waiting in self.waiting.values_mut() {
                let timeout = waiting.get.as_ref().map(|get| get.timeout);
                waiting.deadline = timeout.map(|timeout| self.now.boot.plus(timeout));
            }
        }
        for effect in effects {
            match effect {
                Effect::Seal => {
                    open = false;
                    self.sealed_now = true;
                }
                Effect::Load { .. } | Effect::Classify { .. } => {
                    assert!(open, "a sealed vault is read");
                }
                Effect::SaveToken { token, .. } => {
                    assert!(open, "a sealed vault is written");
                    self.seen.push(Arc::downgrade(token));
                }
                Effect::Send { attempt, key } => {
                    assert!(open, "a request is sent while the vault is sealed");
                    self.sent(*attempt, key);
                }
                Effect::Reply { request, reply } => self.replied(open, *request, reply),
                Effect::SaveSchedule(schedule) => self.scheduled(schedule),
                Effect::AskPassphrase { request, .. } | Effect::Admitted { request } => {
                    assert!(self.is_waiting(*request), "nobody waits as {request:?}");
                }
                Effect::Progress { .. } | Effect::Unlock { .. } | Effect::Discard { .. } => {}
            }
        }
        if !opened {
            for lane in self.lanes.values_mut() {
                lane.retrying = None;
            }
        }
        self.open = opened;
    }

    fn sent(&mut self, attempt: AttemptId, key: &TokenKey) {
        let profile = self.profiles.get(&key.profile).expect("a request for a profile that is not");
        let id = match profile.source {
            Source::Stored => panic!("a provider is asked for a stored key"),
            Source::Provider(Lanes::PerKey) => format!("key:{key}"),
            Source::Provider(Lanes::Shared) => format!("profile:{}", key.profile),
        };
        let lane = self.lanes.entry(id.clone()).or_default();
        assert_eq!(lane.in_flight, None, "two requests at a time in {id}");
        assert!(
            lane.not_before <= self.now.boot,
            "{id} is asked {:?} too early",
            lane.not_before.since(self.now.boot)
        );
        lane.in_flight = Some(attempt);
        lane.retrying = None;
        let flight = Flight {
            key: key.clone(),
            lane: id,
            revision: profile.revision,
            sent: self.now,
            outdated: false,
        };
        self.flights.insert(attempt, flight);
    }

    fn replied(&mut self, open: bool, request: RequestId, reply: &Reply) {
        assert!(!self.gone.contains(&request), "{request:?} is gone and gets an answer");
        let waiting = self.waiting.remove(&request);
        let waiting = waiting.unwrap_or_else(|| panic!("{request:?} is answered unasked or twice"));
        match reply {
            Reply::Token(served) => {
                assert!(open, "a token is served by a sealed vault");
                let get = waiting.get.expect("a token for a request that is no get");
                self.served(&get, waiting.asked_at, served);
            }
            Reply::Failed(failure) => assert_ne!(failure.kind, Kind::Internal, "{failure:?}"),
            Reply::Said(_) => assert!(waiting.get.is_none(), "talk in place of a token"),
        }
    }

    fn served(&mut self, get: &Get, asked_at: BootMs, served: &Served) {
        self.seen.push(Arc::downgrade(&served.token));
        let text = served.token.access_token.expose();
        let (key, rest) = text.split_once('|').expect("a token of ours");
        assert_eq!(key, get.key.to_string(), "another key's token");
        assert_eq!(served.profile, get.key.profile);
        let profile = &self.profiles[&get.key.profile];
        assert!(rest.starts_with(&format!("{}|", profile.revision)), "a token of other settings");

        let left = served.token.expires_at.map(|end| end.since(self.now.wall));
        assert_ne!(left, Some(Duration::ZERO), "an expired token is served");
        // The wall clock may say more than is left, if it was set back.
        let said = served.expires_in_s.map(|said| Duration::from_secs(said.try_into().unwrap()));
        assert!(said <= left && said.is_some() == left.is_some(), "{said:?} is not {left:?}");
        let lifetime = served.token.expires_at.map(|end| end.since(served.token.issued_at));
        let least = get.min_valid.unwrap_or(policy::min_valid_default(lifetime));
        match served.min_valid_met {
            true => assert!(left.is_none_or(|left| left >= least), "{left:?} is not {least:?}"),
            false => {
                assert!(get.min_valid.is_none() || get.best_effort, "an unmet validity is served");
                assert!(served.warning.is_some(), "an unmet validity goes without a warning");
            }
        }
        let Some(issued) = self.tokens.get(text) else {
            assert!(!get.refresh, "a token of another run answers --refresh");
            return;
        };
        assert!(
            !get.refresh || issued.arrived_at >= asked_at || served.warning.is_some(),
            "an old token answers --refresh without a word"
        );
        // Whatever was done to the wall clock meanwhile.
        let age = self.now.boot.since(issued.sent_at);
        let is_known = !issued.reread || !self.clock_was_set;
        assert!(
            !is_known || issued.lifetime.is_none_or(|life| age < life),
            "a token of {age:?} is served"
        );
    }

    fn scheduled(&self, schedule: &Schedule) {
        for name in self.profiles.keys() {
            let keys = schedule.keys.iter().filter(|key| key.key.profile == *name).count();
            // A key that is waited for makes no room, and what is too many goes when the next one comes.
            let room = KEYS_PER_PROFILE_MAX + self.waiting_max;
            assert!(keys <= room, "{keys} keys are kept for {name}");
        }
    }

    /// Judges the state that the step left behind. Nobody but the core may hold what it handed out by now.
    pub(super) fn settled(&mut self, core: &Core) {
        let due = core.poll_timeout();
        if self.ticked {
            assert!(due.is_none_or(|due| due > self.now.boot), "a tick is due right after a tick");
        }
        for (request, waiting) in &self.waiting {
            let Some(deadline) = waiting.deadline else { continue };
            assert!(due.is_some_and(|due| due <= deadline), "{request:?} will be forgotten");
        }
        if self.sealed_now {
            let alive = self.seen.drain(..).filter_map(|token| token.upgrade()).count();
            assert_eq!(alive, 0, "tokens outlive the seal");
        }
        if self.seen.len() > 1000 {
            self.seen.retain(|token| token.strong_count() > 0);
        }
        if self.ticked && self.open {
            self.check_silence();
        }
    }

    /// A provider that is down is asked again as long as somebody needs it.
    fn check_silence(&self) {
        for (id, lane) in &self.lanes {
            let Some((since, asked)) = lane.retrying else { continue };
            let silent = self.now.boot.since(since);
            if lane.in_flight.is_some() || silent <= SILENCE_MAX.max(asked) {
                continue;
            }
            for (key, record) in &self.keys {
                let mine = *id == format!("key:{key}") || *id == format!("profile:{}", key.profile);
                assert!(!mine || !self.is_missed(record), "{key} is not renewed for {silent:?}");
            }
        }
    }

    /// Whether the key's token has run out while it is in use.
    fn is_missed(&self, key: &KeyRecord) -> bool {
        let (Some(used), Some(issued), Some(expires)) =
            (key.last_used, key.issued_at, key.expires_at)
        else {
            return false;
        };
        let lifetime = expires.since(issued);
        let keep = Duration::from_secs(3600);
        let wall = self.now.wall;
        lifetime >= Duration::from_secs(60)
            && wall >= expires
            && wall < used.plus(keep)
            && expires < used.plus(keep)
    }
}
