//! Whether the vault is open, and who waits for it to be opened.
//!
//! SEALED: no keys in memory, nothing renewed, served or written. Opening means decrypting the identity,
//! one attempt at a time; one right passphrase serves all who wait, a wrong one only its giver.

use std::collections::{BTreeMap, VecDeque};

use tokctl_proto::{Failure, Kind, ProfileName, Secret};

use crate::core::{Core, Worth};
use crate::effect::{Effect, Reply};
use crate::event::{Get, RequestId, Vault, VaultChange};
use crate::key::Saving;

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is known yet: the first event has not come.
    Unknown,
    Absent,
    Sealed(Vault),
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
}

#[derive(Debug)]
enum What {
    Get(Get),
    Admit,
    Unlock,
}

impl Lock {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Unknown,
            attempt: None,
            queue: VecDeque::new(),
            parked: BTreeMap::new(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether there is no vault to open.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.state, State::Unknown | State::Absent)
    }

    pub(crate) fn found(&mut self, vault: Vault) {
        self.state = match vault {
            Vault::Absent => State::Absent,
            Vault::Bare | Vault::Passphrase => State::Sealed(vault),
        };
    }

    /// Drops a request; false when it was not parked. An attempt of its own runs on for the others.
    pub(crate) fn remove(&mut self, request: RequestId) -> bool {
        self.queue.retain(|(by, _)| *by != Some(request));
        self.parked.remove(&request).is_some()
    }

    /// Takes every parked request out.
    pub(crate) fn drain(&mut self) -> Vec<RequestId> {
        self.queue.clear();
        std::mem::take(&mut self.parked).into_keys().collect()
    }
}

impl Core {
    /// `none`, `sealed` or `unlocked`, as `agent status` says it.
    pub fn lock_state(&self) -> &'static str {
        match self.lock.state {
            State::Unknown | State::Absent => "none",
            State::Sealed(_) => "sealed",
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

    pub(crate) fn admit(&mut self, request: RequestId, interactive: bool) {
        match self.lock.is_open() {
            true => self.effects.push(Effect::Admitted { request }),
            false => self.park(request, What::Admit, interactive),
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
            (State::Sealed(_), Some(passphrase)) => {
                self.wait(request, What::Unlock, false);
                self.start_unlock(Some(request), Some(passphrase));
            }
            (State::Sealed(Vault::Bare), None) => {
                self.wait(request, What::Unlock, false);
                self.start_unlock(Some(request), None);
            }
            _ => self.park(request, What::Unlock, interactive),
        }
    }

    /// Makes a request wait for the vault, or tells it why that is no use.
    fn park(&mut self, request: RequestId, what: What, interactive: bool) {
        match self.lock.state {
            State::Sealed(Vault::Passphrase) if interactive => {
                self.wait(request, what, true);
                self.ask(request, false);
            }
            State::Sealed(_) if self.lock.attempt.is_some() => self.wait(request, what, false),
            State::Sealed(vault) => self.fail(request, sealed(vault)),
            State::Unknown | State::Absent | State::Open(_) => self.fail(request, no_vault()),
        }
    }

    fn wait(&mut self, request: RequestId, what: What, interactive: bool) {
        let parked = Parked { what, interactive, asked: false, wrong: 0 };
        self.lock.parked.insert(request, parked);
    }

    fn ask(&mut self, request: RequestId, again: bool) {
        if let Some(parked) = self.lock.parked.get_mut(&request) {
            parked.asked = true;
            self.effects.push(Effect::AskPassphrase { request, again });
        }
    }

    pub(crate) fn passphrase(&mut self, request: RequestId, passphrase: Secret) {
        if self.lock.parked.contains_key(&request) {
            self.start_unlock(Some(request), Some(passphrase));
        }
    }

    pub(crate) fn start_unlock(&mut self, by: Option<RequestId>, passphrase: Option<Secret>) {
        match self.lock.attempt {
            None => {
                self.lock.attempt = Some(by);
                self.effects.push(Effect::Unlock { passphrase });
            }
            Some(_) => self.lock.queue.push_back((by, passphrase)),
        }
    }

    pub(crate) fn unlocked(&mut self, result: Result<(), Failure>) {
        let Some(by) = self.lock.attempt.take() else { return };
        match result {
            Ok(()) => match self.lock.state {
                State::Sealed(vault) => self.open(vault),
                // It was opened or replaced in another way in the meantime.
                State::Unknown | State::Absent | State::Open(_) => {}
            },
            Err(failure) => self.refused(by, &failure),
        }
        if let (None, Some((by, passphrase))) = (self.lock.attempt, self.lock.queue.pop_front()) {
            self.lock.attempt = Some(by);
            self.effects.push(Effect::Unlock { passphrase });
        }
    }

    /// The vault is open: everybody who waited goes on.
    fn open(&mut self, vault: Vault) {
        self.lock.state = State::Open(vault);
        self.lock.queue.clear();
        for (request, parked) in std::mem::take(&mut self.lock.parked) {
            match parked.what {
                What::Get(get) => {
                    self.get(get);
                }
                What::Admit => self.effects.push(Effect::Admitted { request }),
                What::Unlock => {
                    let reply = Reply::Said("the vault is open".to_owned());
                    self.effects.push(Effect::Reply { request, reply });
                }
            }
        }
        self.resume_all();
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
        let State::Sealed(vault) = self.lock.state else { return };
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
        let said = match self.lock.state {
            State::Unknown | State::Absent => {
                self.fail(request, no_vault());
                return;
            }
            State::Sealed(_) => "the vault is sealed already",
            State::Open(vault) => {
                self.lock.state = State::Sealed(vault);
                self.wipe();
                self.effects.push(Effect::Seal);
                for waiting in self.waiters.all() {
                    self.waiters.remove(waiting);
                    self.fail(waiting, sealed(vault));
                }
                "sealed: keys and tokens are out of memory; nothing is renewed or served until \
                 `tokctl unlock`"
            }
        };
        self.effects.push(Effect::Reply { request, reply: Reply::Said(said.to_owned()) });
    }

    fn wipe(&mut self) {
        self.entries.clear();
        for key in self.keys.values_mut() {
            key.token = None;
            key.saving = Saving::Saved;
        }
    }

    /// Nothing that is known came from this vault.
    fn forget_entries(&mut self) {
        let names: Vec<ProfileName> = self.profiles.keys().cloned().collect();
        for name in &names {
            self.drop_profile_state(name);
        }
        for attempt in self.attempts.values_mut() {
            attempt.worth = Worth::Nothing;
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
        _ => "run `tokctl unlock`; without a terminal `tokctl unlock --passphrase-file FILE`",
    };
    Failure::new(Kind::VaultSealed, "the vault is sealed").hint(hint)
}
