//! What an edit of the configuration, a new secret or another vault leaves standing.

use std::collections::{BTreeMap, BTreeSet};

use tokctl_proto::ProfileName;

use crate::core::{Core, Worth};
use crate::effect::{Effect, Reply};
use crate::event::Changed;
use crate::key::Key;
use crate::lane::LaneId;
use crate::profile::{Lanes, Profile, Source};

impl Core {
    pub(crate) fn changed(&mut self, changed: Changed) {
        if let Some(profiles) = changed.profiles {
            self.reconfigure(profiles);
        }
        for name in changed.entries {
            self.entry_changed(&name);
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
        }
        self.resume_all();
    }

    /// Takes a new configuration over: what changed starts afresh, what stayed keeps its tokens.
    fn reconfigure(&mut self, profiles: BTreeMap<ProfileName, Profile>) {
        let old = std::mem::replace(&mut self.profiles, profiles);
        let names: BTreeSet<ProfileName> = old
            .iter()
            .filter(|(name, profile)| self.profiles.get(*name) != Some(profile))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &names {
            self.drop_profile_state(name);
        }
        for request in self.waiters.all() {
            let gone = self
                .waiters
                .get(request)
                .filter(|waiter| !self.profiles.contains_key(&waiter.key.profile))
                .map(|waiter| waiter.key.profile.clone());
            if let Some(name) = gone {
                self.waiters.remove(request);
                let failure = self.no_such_profile(&name);
                self.fail(request, failure);
            }
        }
        self.touch_schedule();
    }

    /// Forgets a profile's tokens and failures. Attempts that are under way still hold their lane until
    /// they are answered, and callers still wait.
    pub(crate) fn drop_profile_state(&mut self, name: &ProfileName) {
        self.entries.remove(name);
        let is_there = self.profiles.contains_key(name);
        self.keys.retain(|key, state| {
            if key.profile == *name {
                let (obtained, last_used) = (state.obtained, state.last_used);
                *state = Key { obtained, last_used, ..Key::default() };
            }
            is_there || key.profile != *name
        });
        self.forgive(name);
        self.sweep_lanes(name);
    }

    /// Drops the lanes of a profile that have neither a key nor anything to remember.
    pub(crate) fn sweep_lanes(&mut self, name: &ProfileName) {
        let source = self.profiles.get(name).map(|profile| profile.source);
        self.lanes.retain(|id, lane| {
            let kept = match (id, source) {
                (LaneId::Key(key), Some(Source::Provider(Lanes::PerKey))) => {
                    self.keys.contains_key(key)
                }
                (LaneId::Profile(_), Some(Source::Provider(Lanes::Shared))) => true,
                _ => false,
            };
            let rests = lane.in_flight.is_some() || lane.not_before > self.now.boot;
            kept || rests || id.profile() != name
        });
    }

    fn forgive(&mut self, name: &ProfileName) {
        for (id, lane) in &mut self.lanes {
            if id.profile() == name {
                lane.forgive();
            }
        }
    }

    /// An entry was written from outside the core: past failures say nothing about it, and a key that it
    /// stores may be another.
    fn entry_changed(&mut self, name: &ProfileName) {
        self.entries.remove(name);
        self.forgive(name);
        let sent = self.attempts.values_mut().filter(|attempt| attempt.key.profile == *name);
        for attempt in sent.filter(|attempt| attempt.worth == Worth::Everything) {
            attempt.worth = Worth::Token;
        }
        let stored =
            self.profiles.get(name).is_some_and(|profile| profile.source == Source::Stored);
        for (_, state) in self.keys.iter_mut().filter(|(key, _)| stored && key.profile == *name) {
            state.token = None;
            state.times = None;
        }
    }
}
