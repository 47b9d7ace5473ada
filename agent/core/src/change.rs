//! What an edit of the configuration, a new secret or another vault leaves standing.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokctl_proto::{Kind, ProfileName, TokenKey};

use crate::backoff;
use crate::core::Core;
use crate::effect::{Effect, Reply};
use crate::event::Changed;
use crate::flight::Worth;
use crate::key::{Key, Saving};
use crate::lane::{LaneId, is_plain};
use crate::outcome::Cause;
use crate::profile::{Lanes, Profile, Source};
use crate::waiters::Wants;

impl Core {
    pub(crate) fn changed(&mut self, changed: Changed) {
        let is_all = changed.profiles.is_some() || changed.vault.is_some();
        if let Some(profiles) = changed.profiles {
            self.reconfigure(profiles);
        }
        for name in &changed.entries {
            self.entry_changed(name);
        }
        for name in &changed.forget {
            self.forget_tokens(name);
        }
        if let Some(vault) = changed.vault {
            self.replaced_vault(vault);
        }
        if let Some((request, result)) = changed.reply {
            let reply = match result {
                Ok(said) => Reply::Said(said),
                Err(failure) => Reply::Failed(failure),
            };
            self.effects.push(Effect::Reply { request, reply });
            self.release(request);
        }
        match is_all {
            true => self.resume_all(),
            false => {
                for name in &changed.entries {
                    self.resume(name);
                }
            }
        }
        self.hear_reports();
    }

    /// Takes a new configuration over: what changed starts afresh, what stayed keeps its tokens.
    fn reconfigure(&mut self, profiles: BTreeMap<ProfileName, Profile>) {
        let old = std::mem::replace(&mut self.profiles, profiles);
        self.list_exchanges();
        for (name, before) in &old {
            match self.profiles.get(name) {
                Some(now) if is_same(now, before) => {}
                Some(now) if is_pool(now) && is_pool(before) => {}
                _ => self.drop_profile_state(name),
            }
        }
        for name in old
            .keys()
            .filter(|name| !self.profiles.contains_key(*name))
            .cloned()
            .collect::<Vec<_>>()
        {
            self.books.remove(&name);
            self.turns.remove(&name);
            self.traffic_forget(&name);
            let failure = self.no_such_profile(&name);
            self.refuse_reports(&name, &failure);
        }
        let added = self.profiles.keys().filter(|name| !old.contains_key(*name));
        for name in added.cloned().collect::<Vec<_>>() {
            self.subject_recovered(&name);
        }
        // A caller of a pool may wait for a member that is none any more; when it has one, it has it.
        for get in self.parked.take_all(self.now.boot) {
            self.get(get);
        }
        for flight in self.flights.values().map(|flight| flight.lane.clone()).collect::<Vec<_>>() {
            self.touch(&flight);
        }
        self.touch_all();
        for request in self.waiters.all() {
            let gone = self
                .waiters
                .get(request)
                .map(|waiter| match &waiter.wants {
                    Wants::FromPool { pool, .. } if !self.profiles.contains_key(pool) => pool,
                    _ => &waiter.key.profile,
                })
                .filter(|name| !self.profiles.contains_key(*name))
                .cloned();
            if let Some(name) = gone {
                self.take_waiter(request);
                let failure = self.no_such_profile(&name);
                self.fail(request, failure);
            }
        }
        self.touch_schedule();
    }

    /// Forgets a profile's tokens and failures. Attempts that are under way still hold their lane until
    /// they are answered, and callers still wait.
    pub(crate) fn drop_profile_state(&mut self, name: &ProfileName) {
        self.outdate(name);
        self.outdate_flights(name);
        self.drop_subjects(name);
        let is_there = self.profiles.contains_key(name);
        for key in self.keys_of(name) {
            match self.keys.get_mut(&key) {
                Some(state) if is_there => {
                    let (obtained, last_used) = (state.obtained, state.last_used);
                    *state = Key { obtained, last_used, ..Key::default() };
                }
                _ => {
                    self.keys.remove(&key);
                }
            }
        }
        self.forgive(name);
        self.sweep_lanes(name);
    }

    /// Nobody gets a token of this profile any more that is here, on its way or being written. What was written after
    /// the entry had been cleared is removed from it.
    fn forget_tokens(&mut self, name: &ProfileName) {
        let sent = self.flights.values_mut().filter(|flight| flight.key.profile == *name);
        for flight in sent.filter(|flight| flight.worth != Worth::Nothing) {
            flight.worth = Worth::Refresh;
        }
        let unwritten = self.held(name).filter(|(_, state)| !matches!(state.saving, Saving::Saved));
        let unwritten =
            unwritten.filter_map(|(key, state)| Some((key.as_ref().clone(), state.token.clone()?)));
        let mut dropped: Vec<_> = unwritten.collect();
        for id in self.lanes_of(name) {
            let unsaved = self.lanes.get_mut(&id).and_then(|lane| lane.unsaved.as_mut());
            if let Some(unsaved) = unsaved
                && let Some(token) = unsaved.kept.token.take()
            {
                dropped.push((unsaved.key.as_ref().clone(), token));
            }
        }
        for (key, token) in dropped {
            self.effects.push(Effect::DropToken { key, token });
        }
        self.drop_profile_state(name);
    }

    /// The lanes of a profile.
    pub(crate) fn lanes_of(&self, name: &ProfileName) -> Vec<LaneId> {
        let first = LaneId::of(&Source::Stored, &Arc::new(TokenKey::plain(name.clone())));
        let lanes = self.lanes.range(first..).map(|(id, _)| id);
        lanes.take_while(|id| id.profile() == name).cloned().collect()
    }

    /// Drops the lanes of a profile that have neither a key nor anything to remember.
    pub(crate) fn sweep_lanes(&mut self, name: &ProfileName) {
        let source = self.profiles.get(name).map(|profile| profile.source.clone());
        for id in self.lanes_of(name) {
            let is_kept = match &source {
                Some(Source::Provider(Lanes::PerKey)) => self.keys.contains_key(id.key()),
                Some(Source::Provider(Lanes::Shared)) => is_plain(id.key()),
                Some(Source::Stored | Source::Pool(_)) | None => false,
            };
            let Some(lane) = self.lanes.get(&id) else { continue };
            let is_busy = lane.in_flight.is_some() || lane.unsaved.is_some();
            if is_kept || is_busy || lane.not_before > self.now.boot {
                continue;
            }
            self.leave_queue(&id);
            if let Some(lane) = self.lanes.remove(&id) {
                self.agenda.remove(&id, lane.due);
            }
        }
    }

    fn forgive(&mut self, name: &ProfileName) {
        for key in self.keys_of(name) {
            if let Some(state) = self.keys.get_mut(&key) {
                state.refused = None;
            }
        }
        for id in self.lanes_of(name) {
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.forgive();
            }
            self.touch(&id);
        }
        self.subject_recovered(name);
    }

    /// What the subject before was refused for says nothing about this one. What the provider said of itself stands:
    /// it is down, or slows everybody down.
    pub(crate) fn subject_changed(&mut self, name: &ProfileName) {
        // Whoever writes again and again does not have the provider asked at each stroke.
        let soonest = self.now.boot.plus(backoff::DELAY_MIN);
        for id in self.lanes_of(name) {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            lane.is_outdated = lane.in_flight.is_some();
            let is_about_it = lane.trouble.as_ref().is_some_and(|trouble| {
                matches!(trouble.cause, Cause::Other | Cause::InvalidClient)
                    && trouble.failure.kind != Kind::RateLimited
                    && trouble.retry_after.is_none()
                    && !trouble.may_have_spent()
            });
            if is_about_it {
                lane.trouble = None;
                lane.not_before = lane.not_before.min(soonest);
                self.touch(&id);
            }
        }
        for key in self.keys_of(name) {
            if let Some(state) = self.keys.get_mut(&key)
                && state.refused.take().is_some()
            {
                self.touch_key(&key);
            }
        }
        self.subject_recovered(name);
        self.write_schedule_soon();
    }

    /// Takes a profile that is gone out of the queues.
    fn traffic_forget(&mut self, name: &ProfileName) {
        for id in self.lanes_of(name) {
            self.leave_queue(&id);
        }
    }

    /// What is under way was begun with another entry or other settings.
    fn outdate_flights(&mut self, name: &ProfileName) {
        let sent = self.flights.values_mut().filter(|flight| flight.key.profile == *name);
        for flight in sent.filter(|flight| flight.worth == Worth::Everything) {
            flight.worth = Worth::Token;
        }
    }

    /// An entry was written from outside the core: past failures say nothing about it, and a key that it
    /// stores may be another.
    fn entry_changed(&mut self, name: &ProfileName) {
        self.outdate(name);
        self.forgive(name);
        if let Some(book) = self.books.get_mut(name) {
            book.refused_at = None;
        }
        self.outdate_flights(name);
        let stored =
            self.profiles.get(name).is_some_and(|profile| profile.source == Source::Stored);
        for key in self.keys_of(name) {
            if let Some(state) = self.keys.get_mut(&key).filter(|_| stored) {
                state.token = None;
                state.times = None;
            }
        }
    }
}

/// Whether a profile's tokens are what they were.
fn is_same(now: &Profile, before: &Profile) -> bool {
    (&now.source, now.revision, &now.subject) == (&before.source, before.revision, &before.subject)
}

fn is_pool(profile: &Profile) -> bool {
    matches!(profile.source, Source::Pool(_))
}
