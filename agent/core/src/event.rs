//! What the core is told.

use std::collections::BTreeMap;
use std::time::Duration;

use tokctl_proto::{Failure, ProfileName, Secret, TokenKey};

use crate::outcome::{Outcome, Trouble};
use crate::profile::Profile;
use crate::schedule::Schedule;
use crate::token::Token;

/// A client's request, for as long as it is unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One attempt to obtain a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

/// The shell's handle on a provider's raw answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnswerId(pub u64);

/// One write to the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SaveId(pub u64);

#[derive(Debug)]
pub enum Event {
    /// The first event, once.
    Start(Start),
    /// Time has passed.
    Tick,

    // From clients.
    Get(Get),
    /// A request that needs an open vault and nothing else of the core.
    Admit {
        request: RequestId,
        interactive: bool,
    },
    /// Without a passphrase, the client is asked for one if it is interactive.
    Unlock {
        request: RequestId,
        passphrase: Option<Secret>,
        interactive: bool,
    },
    /// The answer to `Effect::AskPassphrase`.
    Passphrase {
        request: RequestId,
        passphrase: Secret,
    },
    Lock {
        request: RequestId,
    },
    /// The client wants no answer any more but is still there.
    Cancel {
        request: RequestId,
    },
    /// The client is gone.
    Gone {
        request: RequestId,
    },

    // Acknowledgements of effects.
    Unlocked(Result<(), Failure>),
    Loaded {
        profile: ProfileName,
        /// Every token in the entry; none where there is no entry.
        result: Result<Vec<(TokenKey, Token)>, Failure>,
    },
    Answered {
        attempt: AttemptId,
        /// `Err` when there is no answer to classify.
        result: Result<AnswerId, Trouble>,
    },
    Classified {
        attempt: AttemptId,
        outcome: Outcome,
    },
    Saved {
        save: SaveId,
        result: Result<(), Failure>,
    },

    /// Configuration or vault are not what they were.
    Changed(Changed),
    /// The agent is going down.
    Stop,
}

/// What the agent finds when it starts.
#[derive(Debug)]
pub struct Start {
    pub vault: Vault,
    pub profiles: BTreeMap<ProfileName, Profile>,
    /// `None` when the file was missing or unreadable.
    pub schedule: Option<Schedule>,
}

/// What is known of the vault without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vault {
    Absent,
    /// Its identity lies there bare; it opens by itself.
    Bare,
    /// Its identity is under a passphrase.
    Passphrase,
}

/// A caller wants a token.
#[derive(Clone, Debug)]
pub struct Get {
    pub request: RequestId,
    pub key: TokenKey,
    /// `None`: the default of the time rules.
    pub min_valid: Option<Duration>,
    pub best_effort: bool,
    pub refresh: bool,
    /// The whole wait.
    pub timeout: Duration,
    pub interactive: bool,
}

/// What a change of configuration or vault amounts to. What is `None` or empty stays as it was.
#[derive(Debug, Default)]
pub struct Changed {
    /// Whose request it was, and what it is told.
    pub reply: Option<(RequestId, Result<String, Failure>)>,
    pub profiles: Option<BTreeMap<ProfileName, Profile>>,
    /// Entries that were written from outside the core: past failures say nothing about them.
    pub entries: Vec<ProfileName>,
    pub vault: Option<VaultChange>,
}

/// What a request did to the vault's identity. The vault is open afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultChange {
    /// A new vault, perhaps in the place of another: no entry of before is in it.
    Made(Vault),
    /// The same identity under another lock.
    Rewrapped(Vault),
}
