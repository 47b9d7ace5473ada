//! What people change: settings, secrets, refresh tokens, the vault itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokctl_core::{
    Ahead, Changed, Event, Keep, Lanes, LoginState, Policy, Pool, Profile, Rate, RequestId,
    Rotation, Source, Subject, Vault, VaultChange,
};
use tokctl_proto::{Failure, Kind, ProfileName};

use super::dice::Dice;
use super::entry::Entry;
use super::provider::Temper;
use super::vault::Work;
use super::world::{Coming, World, profile};

pub(super) const ORIGINS: [&str; 3] = ["https://one.example", "https://two.example", ""];

/// A policy that somebody might write, for a provider that rotates so.
pub(super) fn any_policy(dice: &mut Dice, rotation: Rotation) -> Policy {
    if dice.chance(50) {
        return Policy { rotation, ..Policy::DEFAULT };
    }
    let hour = Duration::from_secs(3600);
    Policy {
        refresh_ahead: *dice.pick(&[
            None,
            Some(Ahead::Percent(50)),
            Some(Ahead::Time(Duration::from_secs(300))),
        ]),
        refresh_ahead_max: *dice.pick(&[None, None, Some(Duration::from_secs(120))]),
        keep: *dice.pick(&[Keep::Always, Keep::Used, Keep::Used, Keep::OnDemand]),
        keep_idle: *dice.pick(&[None, None, Some(hour), Some(24 * hour)]),
        refresh_token_idle: *dice.pick(&[None, None, Some(24 * hour)]),
        rotation,
    }
}

impl World {
    /// Somebody changes something through the agent.
    pub(super) fn administer(&mut self, request: RequestId) -> Event {
        let reply = Some((request, Ok("done".to_owned())));
        let mut changed = Changed { reply, ..Changed::default() };
        match self.dice.below(5) {
            0 => changed.profiles = Some(self.edited_profiles()),
            1 => {
                let kind = *self.dice.pick(&[Vault::Passphrase, Vault::Bare]);
                // Sealed again by the time this is told, if that is next in the queue.
                let sealing = self
                    .pending
                    .values()
                    .any(|coming| matches!(coming, Coming::Worked(Work::Seal)));
                if !sealing {
                    self.vault.kind = kind;
                    changed.vault = Some(VaultChange::Rewrapped(kind));
                }
            }
            _ => changed.entries = self.new_secret(),
        }
        Event::Changed(changed)
    }

    /// A person brings what is missing: a key, a client secret, another login.
    pub(super) fn new_secret(&mut self) -> Vec<ProfileName> {
        let names: Vec<ProfileName> = self.providers.keys().cloned().collect();
        let name = self.dice.pick(&names).clone();
        match self.dice.below(4) {
            0 => self.set_next(&name),
            _ => self.set_all(&name),
        }
        vec![name]
    }

    fn set_next(&mut self, name: &ProfileName) {
        // Somebody announces a new client secret and stores it beside the present one.
        let next = self.next_id();
        if let Some(provider) = self.providers.get_mut(name) {
            self.vault.entries.entry(name.clone()).or_default().next = Some(next);
            if self.dice.chance(50) {
                provider.secret = next;
            }
        }
    }

    pub(super) fn set_all(&mut self, name: &ProfileName) {
        let id = self.next_id();
        let policy = self.profiles.get(name).map_or(Policy::DEFAULT, |profile| profile.policy);
        let wants_login = self.presents(name);
        let Some(provider) = self.providers.get_mut(name) else { return };
        let entry = self.vault.entries.entry(name.clone()).or_default();
        entry.has_key = true;
        entry.secret = provider.secret;
        if wants_login {
            let token = provider.log_in(&mut self.dice, policy.rotation, id);
            entry.set_refresh(token, self.now.wall);
        }
        provider.temper = Temper::Healthy;
    }

    /// A person logs in, or does not come to an end with it.
    pub(super) fn login(&mut self, name: &ProfileName, takes: Duration) {
        let profile = name.clone();
        self.step(Event::Login { profile, state: LoginState::Began });
        self.run_for(takes);
        let is_done = self.vault.open && self.dice.chance(60);
        if is_done {
            self.set_all(name);
            let (entries, forget) = (vec![name.clone()], vec![name.clone()]);
            if let Some(entry) = self.vault.entries.get_mut(name) {
                entry.tokens.clear();
            }
            self.step(Event::Changed(Changed { entries, forget, ..Changed::default() }));
        }
        let failure = Failure::new(Kind::LoginExpired, "the login was not finished in time");
        let state = LoginState::Ended(if is_done { Ok(None) } else { Err(failure) });
        self.step(Event::Login { profile: name.clone(), state });
    }

    /// A person logs out, or revokes what there is of tokens and stays.
    pub(super) fn logout(&mut self, name: &ProfileName, stays: bool) {
        if !self.vault.open {
            return;
        }
        if let Some(entry) = self.vault.entries.get_mut(name) {
            entry.tokens.clear();
            if !stays {
                entry.refresh = None;
                self.ledger.forget(name);
            }
        }
        let (entries, forget) = (vec![name.clone()], vec![name.clone()]);
        self.step(Event::Changed(Changed { entries, forget, ..Changed::default() }));
    }

    /// A person revokes a login at the provider.
    pub(super) fn revoke(&mut self, name: &ProfileName) {
        let refresh = self.vault.entries.get(name).and_then(|entry| entry.refresh.as_ref());
        if let (Some(refresh), Some(provider)) = (refresh, self.providers.get_mut(name)) {
            provider.family(&refresh.token).is_revoked = true;
        }
    }

    /// config.toml after an edit: a profile more, less or other.
    pub(super) fn edited_profiles(&mut self) -> BTreeMap<ProfileName, Profile> {
        let names: Vec<ProfileName> = self.providers.keys().cloned().collect();
        let name = self.dice.pick(&names).clone();
        let at = names.iter().position(|other| *other == name).unwrap_or(0);
        let origin: Arc<str> = ORIGINS[at % ORIGINS.len()].into();
        let old = self.profiles.get(&name);
        let rotation = old.map_or(Rotation::Strict, |old| old.policy.rotation);
        let old = old.cloned();
        let source = self.any_source(&name);
        // Where tokens come from is one of the settings that they depend on.
        let revision = match old.as_ref().is_some_and(|old| old.source != source) {
            true => 10 + self.next_id(),
            false => 1 + self.dice.below(3),
        };
        let revision = match old.is_some_and(|old| old.subject.is_some()) {
            true => 10 + self.next_id(),
            false => revision,
        };
        let (subject, subject_revision) = (self.any_subject(&source), self.next_id());
        let policy = any_policy(&mut self.dice, rotation);
        match self.profiles.get_mut(&name) {
            None => {
                // Nobody knows any more what its provider does with refresh tokens.
                self.profiles.insert(name, profile(source, revision, policy, origin));
            }
            Some(profile) => match self.dice.below(6) {
                0 => {
                    self.profiles.remove(&name);
                }
                4 => {
                    // It is one of the settings that tokens depend on.
                    profile.revision = 10 + subject_revision;
                    profile.subject = subject;
                }
                1 => *profile = super::world::profile(source, revision, policy, origin),
                2 => profile.revision = revision,
                3 => profile.policy = policy,
                _ => {}
            },
        }
        self.mend_pools();
        self.profiles.clone()
    }

    pub(super) fn any_source(&mut self, name: &ProfileName) -> Source {
        match self.dice.below(6) {
            0 => Source::Stored,
            1 => match self.any_pool(name) {
                Some(pool) => Source::Pool(Arc::new(pool)),
                None => Source::Provider(Lanes::PerKey),
            },
            2 | 3 => Source::Provider(Lanes::PerKey),
            _ => Source::Provider(Lanes::Shared),
        }
    }

    /// Whose token is presented: of nearly anybody, be it that this comes to nothing.
    pub(super) fn any_subject(&mut self, source: &Source) -> Option<Box<Subject>> {
        if !matches!(source, Source::Provider(_)) {
            return None;
        }
        let names: Vec<ProfileName> = self.profiles.keys().cloned().collect();
        let subject = match self.dice.below(6) {
            0 => Subject::Caller,
            1 | 2 if !names.is_empty() => Subject::Profile(self.dice.pick(&names).clone()),
            _ => return None,
        };
        Some(Box::new(subject))
    }

    fn any_pool(&mut self, name: &ProfileName) -> Option<Pool> {
        let members: Vec<ProfileName> = self
            .profiles
            .iter()
            .filter(|(other, profile)| *other != name && !is_pool(profile))
            .map(|(other, _)| other.clone())
            .collect();
        let period = Duration::from_secs(*self.dice.pick(&[10, 60, 3600]));
        let uses = *self.dice.pick(&[1, 3, 60]);
        let rate = self.dice.chance(70).then_some(Rate { uses, period });
        (!members.is_empty()).then_some(Pool { members, rate })
    }

    /// A pool without its members is refused before the agent hears of it.
    fn mend_pools(&mut self) {
        loop {
            let broken = self.profiles.iter().find(|(_, profile)| match &profile.source {
                Source::Pool(pool) => {
                    pool.members.iter().any(|member| self.profiles.get(member).is_none_or(is_pool))
                }
                Source::Stored | Source::Provider(_) => false,
            });
            let Some(name) = broken.map(|(name, _)| name.clone()) else { return };
            self.profiles.remove(&name);
        }
    }

    /// A new vault in the place of what was there, as `init` makes it.
    pub(super) fn init(&mut self) {
        let kind = *self.dice.pick(&[Vault::Passphrase, Vault::Bare]);
        self.vault.kind = kind;
        self.vault.open = true;
        for (name, entry) in &mut self.vault.entries {
            self.ledger.forget(name);
            *entry = Entry::default();
        }
        self.vault.presented.clear();
        let changed = Changed { vault: Some(VaultChange::Made(kind)), ..Changed::default() };
        self.step(Event::Changed(changed));
    }

    /// Whether the vault's thread has nothing to do.
    pub(super) fn vault_is_idle(&self) -> bool {
        self.vault.jobs == 0
    }
}

fn is_pool(profile: &Profile) -> bool {
    matches!(profile.source, Source::Pool(_))
}
