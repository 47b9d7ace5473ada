//! When a provider is asked, and what its answer changes.

use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::{BootMs, Failure, ProfileName, TokenKey};

use crate::backoff;
use crate::core::{Attempt, Core, Entry, Worth};
use crate::effect::Effect;
use crate::event::{AnswerId, AttemptId, SaveId};
use crate::key::{Key, Saving};
use crate::lane::{Lane, LaneId};
use crate::outcome::{Class, Outcome, Trouble};
use crate::policy;
use crate::profile::{Lanes, Source};
use crate::token::Token;
use crate::verdict::News;

/// How far ahead of the wall clock a token in the vault may have been issued: clocks are corrected a little
/// all the time.
const CLOCK_ERROR_MAX: Duration = Duration::from_secs(30);

impl Core {
    /// Asks the provider if something in the lane needs it and nothing speaks against it.
    pub(crate) fn pump(&mut self, id: &LaneId) {
        let Some(profile) = self.profiles.get(id.profile()) else { return };
        let (source, revision) = (profile.source, profile.revision);
        if !self.lock.is_open() || source == Source::Stored {
            return;
        }
        if self.keys_in(id).next().is_none() {
            return;
        }
        let lane = self.lanes.entry(id.clone()).or_default();
        if lane.in_flight.is_some() || lane.not_before > self.now.boot {
            return;
        }
        let Some(key) = self.next_in(id) else { return };
        if self.entries.get(&key.profile) != Some(&Entry::Loaded) {
            self.load(&key.profile);
            return;
        }
        let attempt = AttemptId(self.next_id());
        if let Some(lane) = self.lanes.get_mut(id) {
            lane.in_flight = Some(attempt);
        }
        let sent = Attempt {
            key: key.clone(),
            lane: id.clone(),
            sent_at: self.now.boot,
            revision,
            worth: Worth::Everything,
        };
        self.attempts.insert(attempt, sent);
        self.effects.push(Effect::Send { attempt, key });
    }

    /// The key in this lane that needs the provider most: the one somebody has waited for longest, else
    /// the one that is due for renewal.
    fn next_in(&self, id: &LaneId) -> Option<TokenKey> {
        let awaited = self.keys_in(id).filter_map(|key| Some((self.waiters.oldest_of(key)?, key)));
        let longest = awaited.min_by_key(|(request, _)| *request).map(|(_, key)| key);
        longest
            .or_else(|| {
                self.keys_in(id)
                    .filter_map(|key| Some((self.renewal_due(id, key)?, key)))
                    .filter(|(due, _)| *due <= self.now.boot)
                    .min()
                    .map(|(_, key)| key)
            })
            .cloned()
    }

    /// The keys that a provider is asked for in this lane: none in a lane that an edit of the settings
    /// left behind.
    fn keys_in<'a>(&'a self, id: &'a LaneId) -> impl Iterator<Item = &'a TokenKey> {
        let source = self.profiles.get(id.profile()).map(|profile| profile.source);
        let keys = match (id, source) {
            (LaneId::Key(key), Some(Source::Provider(Lanes::PerKey))) => {
                Some(self.keys.range(key..=key))
            }
            (LaneId::Profile(name), Some(Source::Provider(Lanes::Shared))) => {
                Some(self.keys.range(TokenKey::plain(name.clone())..))
            }
            _ => None,
        };
        keys.into_iter()
            .flatten()
            .map(|(key, _)| key)
            .take_while(|key| key.profile == *id.profile())
    }

    /// When a key is to be renewed ahead of need, if it is.
    fn renewal_due(&self, id: &LaneId, key: &TokenKey) -> Option<BootMs> {
        let lane = self.lanes.get(id);
        if !self.lock.is_open() || lane.is_some_and(Lane::is_blocked) {
            return None;
        }
        let lanes = match id {
            LaneId::Key(_) => Lanes::PerKey,
            LaneId::Profile(_) => Lanes::Shared,
        };
        let at = self.keys.get(key)?.renew_at(self.now, lanes)?;
        let not_before = lane.map_or(BootMs::default(), |lane| lane.not_before);
        Some(at.max(not_before))
    }

    /// When this lane has something to do by itself.
    pub(crate) fn lane_due(&self, id: &LaneId, lane: &Lane) -> Option<BootMs> {
        let idle = lane.in_flight.is_none() && self.lock.is_open();
        let loading = self.entries.get(id.profile()) == Some(&Entry::Loading);
        if !idle || loading {
            return None;
        }
        self.keys_in(id)
            .filter_map(|key| match self.waiters.oldest_of(key) {
                Some(_) => Some(lane.not_before.max(self.now.boot)),
                None => self.renewal_due(id, key),
            })
            .min()
    }

    pub(crate) fn load(&mut self, name: &ProfileName) {
        if !self.entries.contains_key(name) {
            self.entries.insert(name.clone(), Entry::Loading);
            self.effects.push(Effect::Load { profile: name.clone() });
        }
    }

    /// After the first answer, entries nobody has asked for are read, so that `status` and renewals know
    /// of them, but not a moment earlier.
    pub(crate) fn rebuild_once(&mut self) {
        if std::mem::take(&mut self.rebuild) {
            let names: Vec<ProfileName> = self.profiles.keys().cloned().collect();
            for name in names {
                self.load(&name);
            }
        }
    }

    pub(crate) fn loaded(
        &mut self,
        name: ProfileName,
        result: Result<Vec<(TokenKey, Token)>, Failure>,
    ) {
        // Sealed or changed in the meantime: what was read is not what is there now.
        if self.entries.get(&name) != Some(&Entry::Loading) || !self.lock.is_open() {
            return;
        }
        let Some(profile) = self.profiles.get(&name) else {
            self.entries.remove(&name);
            return;
        };
        let (source, revision) = (profile.source, profile.revision);
        match result {
            Ok(tokens) => {
                self.entries.insert(name.clone(), Entry::Loaded);
                for (key, token) in tokens {
                    if key.profile == name && token.revision == revision {
                        self.found(source, key, token);
                    }
                }
                self.resume(&name);
            }
            Err(failure) => {
                self.entries.remove(&name);
                for key in self.keys_of(&name) {
                    for request in self.waiters.of(&key) {
                        self.waiters.remove(request);
                        self.fail(request, failure.clone().of(&name));
                    }
                    // Without its entry the key cannot be renewed: it is asked for again, not retried.
                    if let Some(state) = self.keys.get_mut(&key) {
                        state.last_used = None;
                    }
                }
            }
        }
    }

    /// Takes a token that the vault holds, unless a newer one is here.
    fn found(&mut self, source: Source, key: TokenKey, token: Token) {
        // The clock was ahead when it was issued or is behind now: nobody can tell how old it is.
        if token.issued_at > self.now.wall.plus(CLOCK_ERROR_MAX) {
            return;
        }
        let newest = self.keys.get(&key).and_then(|state| state.token.as_ref());
        if newest.is_some_and(|newest| newest.issued_at >= token.issued_at) {
            return;
        }
        if !self.keys.contains_key(&key) {
            self.make_room(&key.profile);
        }
        if source != Source::Stored {
            self.lanes.entry(LaneId::of(source, &key)).or_default();
        }
        let used = token.issued_at;
        self.adopt(&key, Arc::new(token), Duration::ZERO, Saving::Saved);
        if let Some(state) = self.keys.get_mut(&key) {
            state.last_used.get_or_insert(used);
        }
    }

    pub(crate) fn keys_of(&self, name: &ProfileName) -> Vec<TokenKey> {
        self.held(name).map(|(key, _)| key.clone()).collect()
    }

    /// The keys of a profile and what is known of them.
    pub(crate) fn held(&self, name: &ProfileName) -> impl Iterator<Item = (&TokenKey, &Key)> {
        self.keys
            .range(TokenKey::plain(name.clone())..)
            .take_while(move |(key, _)| key.profile == *name)
    }

    /// Goes on with a profile after its entry, its settings or its secret changed.
    pub(crate) fn resume(&mut self, name: &ProfileName) {
        let Some(source) = self.profiles.get(name).map(|profile| profile.source) else { return };
        for key in self.keys_of(name) {
            if self.entries.get(name) == Some(&Entry::Loaded) {
                self.settle(&key, News::None);
            } else if self.waiters.oldest_of(&key).is_some() {
                self.load(name);
            }
            self.pump(&LaneId::of(source, &key));
        }
    }

    pub(crate) fn resume_all(&mut self) {
        let names: Vec<ProfileName> = self.profiles.keys().cloned().collect();
        for name in names {
            self.resume(&name);
        }
    }

    pub(crate) fn answered(&mut self, attempt: AttemptId, result: Result<AnswerId, Trouble>) {
        match result {
            Ok(answer) if self.lock.is_open() && self.attempts.contains_key(&attempt) => {
                self.effects.push(Effect::Classify { attempt, answer });
            }
            // Nobody may read it in a sealed vault.
            Ok(answer) => {
                self.land(attempt);
                self.effects.push(Effect::Discard { answer });
            }
            Err(trouble) => self.classified(attempt, Outcome::Failed(trouble)),
        }
    }

    pub(crate) fn classified(&mut self, attempt: AttemptId, outcome: Outcome) {
        let Some(Attempt { key, lane, sent_at, revision, worth }) = self.land(attempt) else {
            return;
        };
        let current = self.profiles.get(&key.profile).map(|profile| profile.revision);
        // Otherwise it answers a question that nobody asks any more. Nothing is lost with it, since no
        // refresh token was spent.
        if current == Some(revision) {
            match (outcome, worth) {
                (Outcome::Tokens(token), Worth::Everything | Worth::Token)
                    if token.revision == revision && self.lock.is_open() =>
                {
                    let age = self.now.boot.since(sent_at);
                    self.succeeded(&lane, &key, token, age);
                }
                // A provider that wants to be left alone wants it of a sealed agent too.
                (Outcome::Failed(trouble), Worth::Everything) => self.failed(&lane, trouble),
                _ => {}
            }
        }
        self.sweep_lanes(&key.profile);
        self.pump(&lane);
    }

    /// Ends an attempt: its lane is free.
    fn land(&mut self, attempt: AttemptId) -> Option<Attempt> {
        let attempt = self.attempts.remove(&attempt)?;
        if let Some(lane) = self.lanes.get_mut(&attempt.lane) {
            lane.in_flight = None;
        }
        Some(attempt)
    }

    fn succeeded(&mut self, id: &LaneId, key: &TokenKey, token: Token, age: Duration) {
        let lifetime = token.expires_at.map(|end| end.since(token.issued_at));
        let not_before = self.now.boot.plus(policy::spacing(lifetime));
        if let Some(lane) = self.lanes.get_mut(id) {
            *lane = Lane { not_before, ..Lane::default() };
        }
        let token = Arc::new(token);
        let save = self.next_save();
        if !self.keys.contains_key(key) {
            self.make_room(&key.profile);
        }
        self.adopt(key, Arc::clone(&token), age, Saving::UnderWay { save, failures: 0 });
        if let Some(state) = self.keys.get_mut(key) {
            state.obtained += 1;
            state.young_until = not_before;
            // A token that was asked for was used when it was asked for.
            state.last_used.get_or_insert(self.now.wall);
            let dead = state.live(self.now).is_none();
            if let Some(times) = state.times.as_mut().filter(|_| dead) {
                times.lead = None;
            }
        }
        self.settle(key, News::Token);
        // It came without a refresh token, so nothing is lost if this fails: answered first, saved after.
        self.effects.push(Effect::SaveToken { save, key: key.clone(), token });
    }

    fn failed(&mut self, id: &LaneId, trouble: Trouble) {
        let Some(lane) = self.lanes.get_mut(id) else { return };
        lane.failures = lane.failures.saturating_add(1);
        let backoff = match trouble.class {
            Class::Retry => backoff::delay(lane.failures, &mut self.rng),
            Class::Permanent | Class::LoginRequired => policy::spacing(None),
        };
        let wait = backoff.max(trouble.retry_after.unwrap_or_default());
        lane.not_before = self.now.boot.plus(wait);
        let retrying = trouble.class == Class::Retry;
        let text = trouble.failure.message.clone();
        lane.trouble = Some(trouble);
        // All that wait in this lane sat through it: the provider treats them alike.
        let keys: Vec<TokenKey> = self.keys_in(id).cloned().collect();
        for key in &keys {
            self.waiters.count_attempt(key);
            self.settle(key, News::None);
            if retrying {
                for request in self.waiters.of(key) {
                    let wait = tokctl_proto::time::Spoken(wait);
                    let text = format!("{}: {text}; trying again in {wait}", key.profile);
                    self.effects.push(Effect::Progress { request, text });
                }
            }
        }
        self.touch_schedule();
    }

    pub(crate) fn saved(&mut self, save: SaveId, result: Result<(), Failure>) {
        let state = self.keys.values_mut().find(
            |state| matches!(state.saving, Saving::UnderWay { save: under_way, .. } if under_way == save),
        );
        // A newer token may have taken its place; its own write follows.
        let Some(state) = state else { return };
        let Saving::UnderWay { failures, .. } = state.saving else { return };
        state.saving = match result {
            Ok(()) => Saving::Saved,
            Err(_) => {
                let failures = failures.saturating_add(1);
                let retry_at = self.now.boot.plus(backoff::delay(failures, &mut self.rng));
                Saving::Failed { failures, retry_at }
            }
        };
    }

    /// Tries again to write what the vault would not take.
    pub(crate) fn retry_saves(&mut self) {
        if !self.lock.is_open() {
            return;
        }
        let due: Vec<TokenKey> = self
            .keys
            .iter()
            .filter(|(_, state)| {
                matches!(state.saving, Saving::Failed { retry_at, .. } if retry_at <= self.now.boot)
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            let save = self.next_save();
            let Some(state) = self.keys.get_mut(&key) else { continue };
            let Saving::Failed { failures, .. } = state.saving else { continue };
            match state.token.clone() {
                Some(token) => {
                    state.saving = Saving::UnderWay { save, failures };
                    self.effects.push(Effect::SaveToken { save, key, token });
                }
                None => state.saving = Saving::Saved,
            }
        }
    }
}
