//! Whether the vault is open, and who waits for it to be opened.
//!
//! SEALED: no keys in memory, nothing renewed, served or written. A vault is sealed when no refresh token is on
//! the way any more: until then it serves nothing and still writes. Opening means decrypting the identity,
//! one attempt at a time; one right passphrase serves all who wait, a wrong one only its giver.

use std::collections::{BTreeMap, VecDeque};

use tokctl_proto::{Failure, Kind, ProfileName, Secret};

use crate::core::{Core, Rebuild};
use crate::effect::{Effect, Reply};
use crate::event::{Get, Refresh, RequestId, Vault, VaultChange};
use crate::flight::{Flight, Worth};
use crate::happening::Happening;
use crate::key::Saving;
use crate::profile::Source;
use crate::subject::Subjects;

/// Wrong passphrases that one asked client may type.
const TRIES_MAX: u32 = 3;

/// The vault's door. A request is parked at most once; the attempt under way is not in the queue.
#[derive(Debug)]
pub(crate) struct Lock {
    state: State,
    /// The attempt under way, and whose it is.
    attempt: Option<Attempt>,
    queue: VecDeque<(Attempt, Option<Secret>)>,
    parked: BTreeMap<RequestId, Parked>,
    /// Who is told when the vault is sealed.
    sealers: Vec<RequestId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is known yet: the first event has not come.
    Unknown,
    Absent,
    Sealed(Vault),
    /// Nothing is served, and what is under way is still written.
    Sealing(Vault),
    Open(Vault),
}

/// Whose attempt it is; `None` when the agent opens a bare vault at its start.
type Attempt = Option<RequestId>;

/// A request that needs the vault open.
#[derive(Debug)]
struct Parked {
    what: What,
    interactive: bool,
    /// Whether it was asked for the passphrase, and how many wrong ones came.
    asked: bool,
    wrong: u32,
    /// The last question has not been answered.
    is_typing: bool,
}

#[derive(Debug)]
enum What {
    Get(Get),
    Refresh(Refresh),
    Admit(Option<ProfileName>),
    Unlock,
}

impl Lock {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Unknown,
            attempt: None,
            queue: VecDeque::new(),
            parked: BTreeMap::new(),
            sealers: Vec::new(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether the keys are there, so that what was begun can be written.
    pub(crate) fn is_writable(&self) -> bool {
        matches!(self.state, State::Open(_) | State::Sealing(_))
    }

    /// Whether there is no vault to open.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.state, State::Unknown | State::Absent)
    }

    pub(crate) fn found(&mut self, vault: Vault) {
        self.state = match vault {
            Vault::Absent => State::Absent,
            Vault::Bare | Vault::Passphrase | Vault::Given => State::Sealed(vault),
        };
    }

    /// Drops a request; false when it was not parked. An attempt of its own runs on for the others.
    pub(crate) fn remove(&mut self, request: RequestId) -> bool {
        self.queue.retain(|(by, _)| *by != Some(request));
        let sealers = self.sealers.len();
        self.sealers.retain(|sealer| *sealer != request);
        self.parked.remove(&request).is_some() | (self.sealers.len() < sealers)
    }

    /// Takes every parked request out.
    pub(crate) fn drain(&mut self) -> Vec<RequestId> {
        self.queue.clear();
        let sealers = std::mem::take(&mut self.sealers);
        std::mem::take(&mut self.parked).into_keys().chain(sealers).collect()
    }
}

impl Core {
    /// `none`, `sealed`, `sealing` or `unlocked`, as `agent status` says it.
    pub fn lock_state(&self) -> &'static str {
        match self.lock.state {
            State::Unknown | State::Absent => "none",
            State::Sealed(_) => "sealed",
            State::Sealing(_) => "sealing",
            State::Open(_) => "unlocked",
        }
    }

    pub(crate) fn get_locked(&mut self, get: Get) {
        // Before a passphrase is asked for: a name that is not there needs none.
        if self.lock.state != State::Absent && !self.profiles.contains_key(&get.key.profile) {
            let failure = self.no_such_profile(&get.key.profile);
            self.fail(get.request, failure);
            return;
        }
        let (request, interactive) = (get.request, get.interactive);
        self.park(request, What::Get(get), interactive);
    }

    pub(crate) fn refresh_locked(&mut self, refresh: Refresh) {
        if self.lock.state != State::Absent && !self.profiles.contains_key(&refresh.key.profile) {
            let failure = self.no_such_profile(&refresh.key.profile);
            self.fail(refresh.request, failure);
            return;
        }
        let (request, interactive) = (refresh.request, refresh.interactive);
        self.park(request, What::Refresh(refresh), interactive);
    }

    /// A script that reports is not asked for a passphrase.
    pub(crate) fn report_locked(&mut self, request: RequestId) {
        let failure = match self.lock.state {
            State::Sealed(vault) | State::Sealing(vault) => sealed(vault),
            State::Unknown | State::Absent | State::Open(_) => no_vault(),
        };
        self.fail(request, failure);
    }

    pub(crate) fn admit(
        &mut self,
        request: RequestId,
        interactive: bool,
        alone: Option<ProfileName>,
    ) {
        match self.lock.is_open() {
            true => self.admit_alone(request, alone),
            false => self.park(request, What::Admit(alone), interactive),
        }
    }

    pub(crate) fn unlock(
        &mut self,
        request: RequestId,
        passphrase: Option<Secret>,
        interactive: bool,
    ) {
        if self.lock.is_open() {
            let reply = Reply::Said("the vault is open already".to_owned());
            self.effects.push(Effect::Reply { request, reply });
            return;
        }
        match (self.lock.state, passphrase) {
            (State::Sealed(_) | State::Sealing(_), Some(passphrase)) => {
                self.wait(request, What::Unlock, false);
                self.start_unlock(Some(request), Some(passphrase));
            }
            (State::Sealed(Vault::Bare) | State::Sealing(Vault::Bare), None) => {
                self.wait(request, What::Unlock, false);
                self.start_unlock(Some(request), None);
            }
            _ => self.park(request, What::Unlock, interactive),
        }
    }

    /// Makes a request wait for the vault, or tells it why that is no use.
    fn park(&mut self, request: RequestId, what: What, interactive: bool) {
        match self.lock.state {
            State::Sealed(Vault::Passphrase) | State::Sealing(Vault::Passphrase) if interactive => {
                self.wait(request, what, true);
                self.ask(request, false);
            }
            State::Sealed(_) if self.lock.attempt.is_some() => self.wait(request, what, false),
            State::Sealed(vault) | State::Sealing(vault) => self.fail(request, sealed(vault)),
            State::Unknown | State::Absent | State::Open(_) => self.fail(request, no_vault()),
        }
    }

    fn wait(&mut self, request: RequestId, what: What, interactive: bool) {
        let parked = Parked { what, interactive, asked: false, wrong: 0, is_typing: false };
        self.lock.parked.insert(request, parked);
    }

    fn ask(&mut self, request: RequestId, again: bool) {
        if let Some(parked) = self.lock.parked.get_mut(&request) {
            parked.asked = true;
            parked.is_typing = true;
            self.effects.push(Effect::AskPassphrase { request, again });
        }
    }

    pub(crate) fn passphrase(&mut self, request: RequestId, passphrase: Secret) {
        if let Some(parked) = self.lock.parked.get_mut(&request) {
            parked.is_typing = false;
            self.start_unlock(Some(request), Some(passphrase));
        }
    }

    pub(crate) fn start_unlock(&mut self, by: Option<RequestId>, passphrase: Option<Secret>) {
        let is_sealing = matches!(self.lock.state, State::Sealing(_));
        match self.lock.attempt {
            // What is being sealed is sealed first: whoever asks for it has the last word.
            None if !is_sealing => {
                self.lock.attempt = Some(by);
                self.effects.push(Effect::Unlock { passphrase });
            }
            _ => self.lock.queue.push_back((by, passphrase)),
        }
    }

    pub(crate) fn unlocked(&mut self, result: Result<(), Failure>) {
        let Some(by) = self.lock.attempt.take() else { return };
        match result {
            Ok(()) => match self.lock.state {
                State::Sealed(vault) => self.open(vault),
                // It was opened or replaced in another way in the meantime.
                State::Unknown | State::Absent | State::Open(_) | State::Sealing(_) => {}
            },
            Err(failure) => self.refused(by, &failure),
        }
        self.next_unlock();
    }

    fn next_unlock(&mut self) {
        if self.lock.attempt.is_some() {
            return;
        }
        if let Some((by, passphrase)) = self.lock.queue.pop_front() {
            self.lock.attempt = Some(by);
            self.effects.push(Effect::Unlock { passphrase });
        }
    }

    /// The vault is open: everybody who waited goes on.
    fn open(&mut self, vault: Vault) {
        // One that was not sealed after all has been open all the time.
        if matches!(self.lock.state, State::Unknown | State::Absent | State::Sealed(_)) {
            self.happened(Happening::Unlocked);
        }
        self.lock.state = State::Open(vault);
        for request in std::mem::take(&mut self.lock.sealers) {
            let message = "the vault was opened again before it was sealed";
            self.fail(request, Failure::new(Kind::Cancelled, message));
        }
        self.lock.queue.clear();
        for (request, parked) in std::mem::take(&mut self.lock.parked) {
            if parked.is_typing && self.may_ask_for_subject(&parked.what) {
                // Nothing tells its answer to the one question from its answer to the other, and a passphrase must
                // not be sent to a provider.
                let what = "the question for the passphrase was still open";
                let failure = Failure::new(Kind::SubjectRequired, what).hint("run it once more");
                self.fail(request, failure);
                continue;
            }
            match parked.what {
                What::Get(get) => self.get(get),
                What::Refresh(refresh) => self.refresh(refresh),
                What::Admit(alone) => self.admit_alone(request, alone),
                What::Unlock => {
                    let reply = Reply::Said("the vault is open".to_owned());
                    self.effects.push(Effect::Reply { request, reply });
                }
            }
        }
        self.wake_all();
    }

    /// Whether a request may find its client asked for something of its environment.
    fn may_ask_for_subject(&self, what: &What) -> bool {
        let name = match what {
            What::Get(get) => &get.key.profile,
            What::Refresh(refresh) => &refresh.key.profile,
            What::Admit(_) | What::Unlock => return false,
        };
        let members = match self.profiles.get(name).map(|profile| &profile.source) {
            Some(Source::Pool(pool)) => pool.members.as_slice(),
            _ => std::slice::from_ref(name),
        };
        members.iter().any(|name| self.needs_caller(name))
    }

    fn refused(&mut self, by: Attempt, failure: &Failure) {
        if let Some(request) = by {
            let again = match self.lock.parked.get_mut(&request) {
                Some(parked) if failure.kind == Kind::WrongPassphrase => {
                    parked.wrong += 1;
                    parked.asked && parked.wrong < TRIES_MAX
                }
                _ => false,
            };
            if again {
                self.ask(request, true);
            } else if self.lock.parked.remove(&request).is_some() {
                self.fail(request, failure.clone());
            }
        }
        // Those who only waited for this attempt cannot wait for a person.
        let idle = self.lock.queue.is_empty();
        let (State::Sealed(vault) | State::Sealing(vault)) = self.lock.state else { return };
        let waiting: Vec<RequestId> = self.lock.parked.keys().copied().collect();
        for request in waiting {
            let Some(parked) = self.lock.parked.get(&request) else { continue };
            match parked.interactive {
                true => {}
                false if idle => {
                    self.lock.parked.remove(&request);
                    let failure = match by {
                        // A vault that should open by itself did not: that is the reason to give.
                        None => failure.clone(),
                        Some(_) => sealed(vault),
                    };
                    self.fail(request, failure);
                }
                false => {}
            }
        }
    }

    /// Seals the vault: tokens leave memory, waiters are told, what is known without secrets stays.
    pub(crate) fn seal(&mut self, request: RequestId) {
        match self.lock.state {
            State::Unknown | State::Absent => self.fail(request, no_vault()),
            State::Sealed(_) => self.say(request, "the vault is sealed already"),
            State::Sealing(_) => self.lock.sealers.push(request),
            State::Open(vault) => match self.any_unsaved_failure() {
                Some(failure) => self.fail(request, failure),
                None => {
                    self.lock.state = State::Sealing(vault);
                    self.lock.sealers.push(request);
                    self.send_away(vault);
                    self.touch_all();
                    self.seal_if_quiet();
                    if self.lock.is_writable() {
                        let text = "waiting for a renewal that is under way".to_owned();
                        self.effects.push(Effect::Progress { request, text });
                    }
                }
            },
        }
    }

    /// Everybody who waits for something that a sealed vault does not give.
    fn send_away(&mut self, vault: Vault) {
        self.subjects = Subjects::default();
        let waiting = self.waiters.all();
        for request in &waiting {
            self.waiters.remove(*request);
        }
        let reports = std::mem::take(&mut self.reports).into_iter().map(|report| report.request);
        let others: Vec<RequestId> = self.parked.drain().into_iter().chain(reports).collect();
        for request in waiting.into_iter().chain(others) {
            self.fail(request, sealed(vault));
        }
        for request in self.holds.drain() {
            self.fail(request, sealed(vault));
        }
    }

    /// Goes on with sealing when nothing is under way that has to be written.
    pub(crate) fn seal_if_quiet(&mut self) {
        let State::Sealing(vault) = self.lock.state else { return };
        if let Some(failure) = self.any_unsaved_failure() {
            // To seal now would lose a refresh token that exists nowhere else.
            for request in std::mem::take(&mut self.lock.sealers) {
                self.fail(request, failure.clone());
            }
            self.open(vault);
            return;
        }
        if self.flights.values().any(Flight::is_rotation) {
            return;
        }
        self.lock.state = State::Sealed(vault);
        self.wipe();
        self.effects.push(Effect::Seal);
        self.happened(Happening::Locked);
        for request in std::mem::take(&mut self.lock.sealers) {
            self.say(
                request,
                "sealed: keys and tokens are out of memory; nothing is renewed or served until \
                 `tokctl unlock`",
            );
        }
        self.next_unlock();
    }

    /// Why the vault cannot be sealed, if it cannot.
    fn any_unsaved_failure(&self) -> Option<Failure> {
        self.lanes.keys().find_map(|id| self.unsaved_failure(id))
    }

    /// Everything is worked out anew.
    pub(crate) fn touch_all(&mut self) {
        self.touched.extend(self.lanes.keys().cloned());
    }

    fn wipe(&mut self) {
        self.entries.clear();
        // What had not been read by then is read after the next first answer.
        if self.rebuild != Rebuild::None {
            self.rebuild = Rebuild::Wanted;
        }
        for key in self.keys.values_mut() {
            key.token = None;
            key.saving = Saving::Saved;
        }
        self.saves.retain(|_, what| !matches!(what, crate::core::Saved::Token { .. }));
        self.touch_all();
    }

    /// Nothing that is known came from this vault.
    fn forget_entries(&mut self) {
        let names: Vec<ProfileName> = self.profiles.keys().cloned().collect();
        for name in &names {
            self.drop_profile_state(name);
        }
        for flight in self.flights.values_mut() {
            flight.worth = Worth::Nothing;
        }
    }

    /// A request that the shell carried out changed the vault's identity; it is open now.
    pub(crate) fn replaced_vault(&mut self, change: VaultChange) {
        match change {
            VaultChange::Made(vault) => {
                self.forget_entries();
                self.open(vault);
            }
            VaultChange::Rewrapped(vault) => match self.lock.state {
                State::Open(_) => self.lock.state = State::Open(vault),
                State::Sealing(_) => self.lock.state = State::Sealing(vault),
                State::Unknown | State::Absent | State::Sealed(_) => self.open(vault),
            },
        }
    }
}

fn no_vault() -> Failure {
    Failure::new(Kind::NoVault, "there is no vault yet").hint("run `tokctl init`")
}

fn sealed(vault: Vault) -> Failure {
    let hint = match vault {
        Vault::Bare => "run `tokctl unlock`",
        Vault::Given => "set TOKCTL_IDENTITY, or run `tokctl unlock --identity-file FILE`",
        _ => "run `tokctl unlock`; without a terminal `tokctl unlock --passphrase-file FILE`",
    };
    Failure::new(Kind::VaultSealed, "the vault is sealed").hint(hint)
}
