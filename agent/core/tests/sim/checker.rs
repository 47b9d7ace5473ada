//! What must hold at every step, worked out from events and effects alone.
//!
//! It does not know when a key must be renewed (the scenario of the healthy provider does), and it does not
//! judge texts. What only provider and disk can know is in `ledger.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokctl_core::{
    AnswerId, AttemptId, Burial, Cause, Changed, Contents, Core, Credential, Effect, Event,
    Outcome, Profile, Reply, Report, RequestId, SaveId, Schedule, Served, Source, Subject, Token,
    VaultChange,
};
use tokctl_proto::token::KEYS_PER_PROFILE_MAX;
use tokctl_proto::{Failure, Kind, Now, ProfileName, Secret, TokenKey};

use super::callers::{Callers, Waiting};
use super::flights::Flights;
use super::provider::{REFUSED_FOR, presents};
use super::rotation::Rotations;
use super::served::{HandOut, Tokens};
use super::subjects::Subjects;
use super::uses::{Uses, pool_of};
use super::watcher::Watcher;

#[derive(Default)]
pub(super) struct Checker {
    now: Now,
    /// Tokens may be handed out.
    open: bool,
    /// The vault's keys are in memory.
    has_keys: bool,
    profiles: BTreeMap<ProfileName, Profile>,
    pub(super) callers: Callers,
    pub(super) flights: Flights,
    pub(super) rotations: Rotations,
    pub(super) tokens: Tokens,
    pub(super) uses: Uses,
    subjects: Subjects,
    watcher: Watcher,
    alarmed: BTreeSet<ProfileName>,
    /// Answers that an earlier run left, and the attempts that read them.
    unread: BTreeMap<AnswerId, TokenKey>,
    reading: BTreeMap<AttemptId, TokenKey>,
    answers: BTreeMap<AnswerId, AttemptId>,
    /// The access token of each write, and its profile.
    writing: BTreeMap<SaveId, String>,
    /// Attempts that read an answer of an earlier run for somebody who has logged out.
    forgotten: BTreeSet<AttemptId>,
    sealed_now: bool,
    ticked: bool,
    locking: bool,
}

impl Checker {
    /// An agent starts: what the last one knew is gone, and so are its clients.
    pub(super) fn started(&mut self, profiles: BTreeMap<ProfileName, Profile>, knows_all: bool) {
        let old = std::mem::take(self);
        self.profiles = profiles;
        self.tokens.clock_was_set = old.tokens.clock_was_set;
        self.tokens.forgetful = old.tokens.forgetful;
        self.flights.in_flight_max = old.flights.in_flight_max;
        self.uses = old.uses;
        self.uses.restarted(knows_all);
    }

    pub(super) fn is_waiting(&self, request: RequestId) -> bool {
        self.callers.is_waiting(request)
    }

    /// Takes note of an event before it is handled.
    pub(super) fn event(&mut self, now: Now, event: &Event) {
        // Who was parked when the machine was suspended has the whole of its time for the token left.
        if now.boot.since(self.now.boot) > Duration::from_secs(60) {
            self.callers.slept(now);
            self.flights.slept(now);
        }
        self.now = now;
        self.ticked = matches!(event, Event::Tick);
        self.locking = matches!(event, Event::Lock { .. });
        self.callers.event(now, self.open, event);
        self.subjects.event(event);
        match event {
            // A sealed vault turns it away: that is no use.
            Event::Get(get) if self.open => self.flights.used(now, &get.key),
            Event::Refresh(refresh) => {
                let profiles = BTreeSet::from([refresh.key.profile.clone()]);
                self.flights.insists(refresh.request, profiles);
            }
            Event::Report(report) if report.status == 401 => {
                let mut profiles = BTreeSet::from([report.profile.clone()]);
                let source = self.profiles.get(&report.profile).map(|profile| &profile.source);
                if let Some(Source::Pool(pool)) = source {
                    profiles.extend(pool.members.iter().cloned());
                }
                self.flights.insists(report.request, profiles);
            }
            // It may be tried again, and what is under way be refused for nothing.
            Event::SubjectChanged { profile } => self.flights.forgive(profile),
            Event::Gone { request } => self.flights.told(*request),
            Event::Unlocked(Ok(())) => {
                self.has_keys = true;
                // What failed while the vault was sealed was not to be tried again there.
                self.flights.excuse_silence();
            }
            Event::Answered { attempt, result } => match result {
                Ok(answer) => {
                    self.answers.insert(*answer, *attempt);
                    self.rotations.answered(*attempt);
                    self.flights.off_the_road(*attempt);
                }
                Err(trouble) => {
                    self.rotations.ends(*attempt);
                    self.flights.failed(now, *attempt, &self.profiles, trouble);
                }
            },
            Event::Classified { attempt, outcome } => self.classified(*attempt, outcome),
            Event::Saved { save, result } => self.saved(*save, result.is_ok()),
            Event::Buried { attempt, result } => {
                self.rotations.ends(*attempt);
                let flight = self.flights.land(*attempt);
                if let (Ok(Burial::Superseded), Some(flight)) = (result, flight) {
                    self.flights.forgive(&flight.key.profile);
                }
            }
            Event::Changed(changed) => {
                if changed.profiles.is_some() {
                    self.uses.edited_at = now.boot;
                }
                self.changed(changed);
            }
            Event::Loaded { result: Ok(contents), .. } => self.loaded(contents),
            Event::Loaded { profile, result: Err(_) } => self.flights.unused(profile),
            _ => {}
        }
    }

    fn loaded(&mut self, contents: &Contents) {
        for (_, token) in &contents.tokens {
            self.tokens.reread(token);
        }
        if let Some(unread) = &contents.unread {
            self.unread.insert(unread.answer, unread.key.clone());
        }
    }

    fn reported(&mut self, report: &Report) {
        if report.status == 429 {
            let whose = report.member.as_ref().unwrap_or(&report.profile);
            self.uses.rests(self.now.boot, whose, report.retry_after.unwrap_or_default());
        }
    }

    fn saved(&mut self, save: SaveId, well: bool) {
        if let Some(attempt) = self.rotations.saved(save, well) {
            // Nothing was sent.
            self.flights.land(attempt);
        }
        if let Some(text) = self.writing.remove(&save) {
            self.tokens.written(self.now, &text, well);
        }
    }

    fn classified(&mut self, attempt: AttemptId, outcome: &Outcome) {
        let read = self.reading.remove(&attempt);
        match outcome {
            Outcome::Failed(trouble) => {
                let key = self.flights.get(attempt).map(|flight| flight.key.clone()).or(read);
                if let (Some(_), Some(key)) = (&trouble.successor, key) {
                    self.rotations.obtained(&key.profile);
                }
                if trouble.cause != Cause::InvalidGrant {
                    self.rotations.ends(attempt);
                }
                self.flights.failed(self.now, attempt, &self.profiles, trouble);
            }
            Outcome::Tokens(obtained) => {
                let rotated = self.rotations.is_at_stake(attempt) || read.is_some();
                self.rotations.ends(attempt);
                let token = &obtained.token;
                let sent = self.flights.get(attempt).and_then(|flight| flight.sent);
                let key = self.flights.get(attempt).map(|flight| flight.key.clone()).or(read);
                let is_forgotten = self.flights.get(attempt).is_some_and(|it| it.is_forgotten)
                    || self.forgotten.remove(&attempt);
                let times = (token.issued_at, token.expires_at);
                let is_short = key.as_ref().is_some_and(|key| lacks(token, key));
                match is_short {
                    true => self.flights.fell_short(self.now, attempt, &self.profiles),
                    false => {
                        self.flights.succeeded(self.now, attempt, &self.profiles, times);
                    }
                }
                let Some(key) = key else { return };
                if rotated && self.has_keys {
                    self.rotations.obtained(&key.profile);
                }
                self.tokens.issued(self.now, sent.unwrap_or(self.now), token, rotated);
                if sent.is_none() {
                    self.tokens.reread_of(token, rotated);
                }
                if is_forgotten {
                    self.tokens.forgotten(token.access_token.expose());
                }
                if is_short {
                    self.tokens.refused(token.access_token.expose());
                }
            }
        }
    }

    fn spends(&self, name: &ProfileName) -> bool {
        self.profiles.get(name).is_some_and(|profile| presents(&profile.source))
    }

    fn changed(&mut self, changed: &Changed) {
        if let Some(profiles) = &changed.profiles {
            let old = std::mem::replace(&mut self.profiles, profiles.clone());
            for (name, profile) in &old {
                // A change that says nothing about tokens keeps them.
                if self.profiles.get(name) != Some(profile) {
                    self.forgive(name);
                    self.flights.forget_keys(name);
                }
            }
        }
        for name in &changed.entries {
            self.forgive(name);
        }
        for name in &changed.forget {
            self.forgive(name);
            self.flights.forget_keys(name);
            self.flights.forget_tokens(name);
            self.tokens.forget(name);
            let read = self.reading.iter().filter(|(_, key)| key.profile == *name);
            self.forgotten.extend(read.map(|(attempt, _)| *attempt));
        }
        if changed.vault.is_some() {
            self.has_keys = true;
        }
        if matches!(changed.vault, Some(VaultChange::Made(_))) {
            let names: Vec<ProfileName> = self.profiles.keys().cloned().collect();
            for name in names {
                self.forgive(&name);
                self.flights.forget_keys(&name);
            }
            self.flights.disown();
            self.rotations.forget();
            self.unread.clear();
            self.reading.clear();
        }
    }

    fn forgive(&mut self, name: &ProfileName) {
        self.flights.forgive(name);
        self.uses.forgive(name);
    }

    /// A person insists: no rest holds.
    pub(super) fn forced(&mut self, name: &ProfileName) {
        self.flights.forgive(name);
    }

    /// Judges what the core wants done about the event.
    pub(super) fn effects(&mut self, core: &Core, effects: &[Effect]) {
        let opened = core.lock_state() == "unlocked";
        let serves = opened || self.open && !self.locking;
        self.sealed_now = false;
        if opened && !self.open {
            self.callers.opened(self.now);
        }
        let alarms = effects.iter().filter_map(|effect| match effect {
            Effect::Alarm { profile, .. } => Some(profile.clone()),
            _ => None,
        });
        self.alarmed.extend(alarms);
        for effect in effects {
            self.effect(serves, effect);
        }
        self.watcher.agrees(core);
        if !opened && self.open {
            self.flights.excuse_silence();
        }
        self.open = opened;
    }

    fn effect(&mut self, serves: bool, effect: &Effect) {
        match effect {
            Effect::Seal => {
                assert!(!self.rotations.is_under_way(), "sealed with a refresh token on the road");
                self.has_keys = false;
                self.sealed_now = true;
            }
            Effect::Load { .. } => self.needs_keys("read"),
            Effect::SaveIntent { save, attempt, key, tries } => {
                self.needs_keys("written");
                let profile = self.profiles.get(&key.profile).expect("a profile that is there");
                assert!(presents(&profile.source), "an intent without a refresh token");
                self.begins(*attempt, key);
                self.flights.is_try(*attempt, *tries);
                self.rotations.intends(*save, *attempt, &key.profile);
            }
            Effect::AskSubject { request, profile } => {
                let profiles = &self.profiles;
                let waits = self.callers.get(*request).expect("somebody who waits");
                self.subjects.asked(profiles, self.uses.edited_at, (*request, waits), profile);
            }
            Effect::Send { attempt, key, credential, subject } => {
                self.needs_keys("read for a request");
                if !self.flights.is_begun(*attempt) {
                    assert!(!self.spends(&key.profile), "a refresh token is sent unannounced");
                    self.begins(*attempt, key);
                } else {
                    self.rotations.sends(*attempt);
                }
                self.flights.sent(self.now, *attempt, *credential);
                self.presented(*attempt, key, *credential, subject.as_ref());
            }
            Effect::SaveAnswer { save, attempt, .. } => {
                self.needs_keys("written");
                self.rotations.keeps_answer(*save, *attempt);
            }
            Effect::Classify { attempt, answer } => {
                self.needs_keys("read");
                self.answers.remove(answer);
                if let Some(key) = self.unread.remove(answer) {
                    self.reading.insert(*attempt, key);
                } else {
                    self.rotations.classifies(*attempt);
                }
            }
            Effect::SaveTokens { save, key, obtained, .. } => {
                self.needs_keys("written");
                if let Some(token) = &obtained.token {
                    self.tokens.see(token);
                    self.writing.insert(*save, token.access_token.expose().to_owned());
                }
                if obtained.refresh.is_some() {
                    self.rotations.keeps_tokens(*save, &key.profile);
                }
            }
            Effect::DropToken { token, .. } => {
                self.needs_keys("written");
                self.tokens.see(token);
                self.tokens.refused(token.access_token.expose());
            }
            Effect::Withdraw { attempt, .. } => {
                self.needs_keys("written");
                // It may be withdrawn before anything was sent.
                self.rotations.ends(*attempt);
                self.flights.land(*attempt);
            }
            Effect::Bury { .. } => self.needs_keys("written"),
            Effect::Discard { answer } => {
                self.unread.remove(answer);
                if let Some(attempt) = self.answers.remove(answer) {
                    assert!(!self.rotations.is_at_stake(attempt), "a successor is thrown away");
                    self.flights.land(attempt);
                }
            }
            Effect::Reply { request, reply } => {
                self.flights.told(*request);
                self.replied(serves, *request, reply);
            }
            Effect::SaveSchedule(schedule) => self.scheduled(schedule),
            Effect::AskPassphrase { request, .. } => {
                assert!(self.is_waiting(*request), "nobody waits as {request:?}");
            }
            Effect::Admitted { request } => {
                if let Some(alone) = self.callers.admitted(*request) {
                    assert!(!self.flights.is_flying(alone), "{alone} is not left alone");
                }
            }
            Effect::Tell(happening) => self.watcher.hears(happening),
            Effect::Progress { .. } | Effect::Unlock { .. } | Effect::Alarm { .. } => {}
        }
    }

    fn needs_keys(&self, what: &str) {
        assert!(self.has_keys, "a sealed vault is {what}");
    }

    fn begins(&mut self, attempt: AttemptId, key: &TokenKey) {
        let profile = self.profiles.get(&key.profile).expect("a request for a profile that is not");
        assert!(matches!(profile.source, Source::Provider(_)), "there is nobody to ask for {key}");
        assert!(!self.callers.is_held(&key.profile), "{key} is asked for during a change");
        let may = self.subjects.may_begin(&self.profiles, &self.callers, key)
            || self.callers.is_promised(self.uses.edited_at);
        assert!(may, "{key} is asked for although nobody is there to bring what it takes");
        self.flights.begins(self.now, attempt, key, profile);
    }

    /// What is exchanged is the right one, alive, and used once.
    fn presented(
        &mut self,
        attempt: AttemptId,
        key: &TokenKey,
        credential: Credential,
        subject: Option<&Secret>,
    ) {
        let profile = &self.profiles[&key.profile];
        let text = subject.map(Secret::expose);
        match (profile.subject.as_deref(), text) {
            (None, None) => {}
            (Some(Subject::Caller), Some(text)) => {
                self.subjects.presented(&key.profile, credential, text);
            }
            (Some(Subject::Profile(name)), Some(text)) => {
                let begun = self.flights.get(attempt).expect("it was begun").begun;
                let revision = self.profiles[name].revision;
                let of = TokenKey::plain(name.clone());
                assert!(text.starts_with(&format!("{of}|{revision}|")), "{text} for {key}");
                self.tokens.presented(begun, text);
            }
            (subject, _) => panic!("{key} is asked for with {text:?} in place of {subject:?}"),
        }
    }

    fn replied(&mut self, serves: bool, request: RequestId, reply: &Reply) {
        let Some(waiting) = self.callers.answered(request) else { return };
        match reply {
            Reply::Token(served) => {
                assert!(serves, "a token is served by a sealed vault");
                self.served(&waiting, served);
            }
            Reply::Failed(failure) => {
                assert_ne!(failure.kind, Kind::Internal, "{failure:?}");
                is_its_own(&waiting, failure);
            }
            Reply::Said(_) => {
                assert!(waiting.get.is_none(), "talk in place of a token");
                // What was not taken note of binds nobody.
                if let Some(report) = &waiting.report {
                    self.reported(report);
                }
            }
        }
    }

    fn served(&mut self, waiting: &Waiting, served: &Served) {
        let get = waiting.get.as_ref().expect("a token for a request that is no get");
        let asked = &self.profiles[&get.key.profile];
        let whose = match (pool_of(asked), &served.member) {
            (None, None) => &get.key.profile,
            // Whoever waited for a member has it, whatever became of the pool meanwhile.
            (None, Some(member)) => member,
            (Some(pool), member)
                if member.as_ref().is_some_and(|it| !pool.members.contains(it)) =>
            {
                member.as_ref().expect("just looked at")
            }
            (Some(pool), member) => {
                let member = member.as_ref().expect("a pool names its member");
                let name = &get.key.profile;
                let uses = (get.uses, get.best_effort);
                self.uses.handed_out(self.now.boot, name, pool, member, uses, waiting.asked_at);
                let key = TokenKey { profile: member.clone(), ..get.key.clone() };
                self.flights.used(self.now, &key);
                member
            }
        };
        let out = HandOut {
            get,
            asked_at: waiting.asked_at,
            served,
            profile: &self.profiles[whose],
            is_alarmed: self.alarmed.contains(whose) && self.rotations.has_failed(whose),
        };
        self.tokens.handed_out(self.now, &out);
    }

    fn scheduled(&self, schedule: &Schedule) {
        let mut keys: BTreeMap<&ProfileName, usize> = BTreeMap::new();
        for key in &schedule.keys {
            *keys.entry(&key.key.profile).or_default() += 1;
        }
        for (name, keys) in keys {
            // A key that is waited for makes no room, and what is too many goes when the next one comes.
            let room = KEYS_PER_PROFILE_MAX + self.callers.waiting_max;
            assert!(keys <= room, "{keys} keys are kept for {name}");
        }
    }

    /// Judges the state that the step left behind. Nobody but the core may hold what it handed out by now.
    pub(super) fn settled(&mut self, core: &Core) {
        let due = core.poll_timeout();
        if self.ticked {
            let later = due.is_none_or(|due| due > self.now.boot);
            assert!(later, "a tick is due right after a tick");
        }
        self.callers.are_remembered(self.now, due);
        if self.sealed_now {
            self.tokens.are_wiped();
        }
        if self.ticked && self.open {
            self.flights.are_not_silent(self.now, &self.profiles);
        }
    }
}

/// Whether a token came without a scope that its key names.
fn lacks(token: &Token, key: &TokenKey) -> bool {
    let granted = token.scope.as_deref();
    granted.is_some_and(|granted| key.scope.iter().any(|it| !granted.split(' ').any(|is| is == it)))
}

/// Nobody is told of a scope that somebody else has asked for.
fn is_its_own(waiting: &Waiting, failure: &Failure) {
    let asked = |key: &TokenKey| {
        let plain = TokenKey { profile: ProfileName::parse("any").unwrap(), ..key.clone() };
        plain.to_string().split_once(' ').map(|(_, asked)| asked.to_owned())
    };
    let own = waiting.key.as_ref().and_then(asked);
    if let Some(refused) = failure.message.strip_prefix(REFUSED_FOR) {
        let refused = refused.split_once(' ').map(|(_, asked)| asked.to_owned());
        assert_eq!(refused, own, "the scope of somebody else");
    }
    if failure.kind == Kind::ScopeMissing {
        let missing = failure.message.split('`').nth(1).expect("the name of a scope");
        assert!(own.is_some_and(|own| own.contains(missing)), "{missing} was asked for by another");
    }
}
