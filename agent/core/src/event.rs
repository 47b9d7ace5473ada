//! What the core is told.

use std::collections::BTreeMap;
use std::time::Duration;

use tokctl_proto::{Failure, ProfileName, Secret, TokenKey, WallMs};

use crate::outcome::{Outcome, Trouble};
use crate::profile::Profile;
use crate::refresh_token::RefreshToken;
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
    /// A new token is wanted, whatever there is.
    Refresh(Refresh),
    /// An API has said something about a token.
    Report(Report),
    /// A request that needs an open vault and nothing else of the core.
    Admit {
        request: RequestId,
        interactive: bool,
        /// While it is carried out, and from when it is admitted, no request to the provider of this
        /// profile is under way.
        alone: Option<ProfileName>,
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
    /// The answer to `Effect::AskSubject`: what the client has brought, or why it has nothing.
    Subject {
        request: RequestId,
        subject: Result<Secret, Failure>,
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
        result: Result<Contents, Failure>,
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
    /// A write is on the disk, or is not: then the entry is as it was.
    Saved {
        save: SaveId,
        result: Result<(), Failure>,
    },
    /// What `Effect::Bury` found.
    Buried {
        attempt: AttemptId,
        result: Result<Burial, Failure>,
    },

    /// Configuration or vault are not what they were.
    Changed(Changed),
    /// What this profile presents is another token than it was, by itself: somebody keeps it fresh.
    SubjectChanged {
        profile: ProfileName,
    },
    /// A login of this profile, which is no business of the core's, has begun or ended. What it brought is in the
    /// entry: `Changed` says so before it ends.
    Login {
        profile: ProfileName,
        state: LoginState,
    },
    /// The agent is going down. It may go when `Core::is_quiet`.
    Stop,
}

#[derive(Debug)]
pub enum LoginState {
    Began,
    /// With the end of its token, where it has one.
    Ended(Result<Option<WallMs>, Failure>),
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
    /// Its identity is kept elsewhere; whoever opens it brings it along, and nobody is asked for it.
    Given,
}

/// What an entry holds, without its secrets; nothing where there is no entry.
#[derive(Debug, Default)]
pub struct Contents {
    pub tokens: Vec<(TokenKey, Token)>,
    pub refresh: Option<RefreshToken>,
    /// An answer that was saved before a crash and never read.
    pub unread: Option<Unread>,
    /// A client secret lies beside the present one, to be tried when that is refused.
    pub has_next: bool,
    /// When secrets of the profile end, by their names.
    pub expiring: Vec<(String, WallMs)>,
}

/// An answer of an earlier run.
#[derive(Clone, Debug)]
pub struct Unread {
    pub answer: AnswerId,
    pub key: TokenKey,
    /// The profile's revision when it was asked for.
    pub revision: u64,
}

/// What became of a refresh token that the provider refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Burial {
    /// The entry holds the one that was refused: it is marked as dead, and kept.
    Dead,
    /// The entry holds another by now.
    Superseded,
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
    /// Uses to book against a rate limit, at least 1.
    pub uses: u32,
    /// How long to wait for a free slot or the end of a cool-down.
    pub wait: Duration,
}

/// A caller wants a new token to be obtained, and not to have it.
#[derive(Clone, Debug)]
pub struct Refresh {
    pub request: RequestId,
    pub key: TokenKey,
    pub timeout: Duration,
    pub interactive: bool,
}

/// What an API said to a token.
#[derive(Clone, Debug)]
pub struct Report {
    pub request: RequestId,
    pub profile: ProfileName,
    pub member: Option<ProfileName>,
    pub status: u16,
    pub retry_after: Option<Duration>,
    /// SHA-256 of the token.
    pub digest: Option<[u8; 32]>,
}

/// What a change of configuration or vault amounts to. What is `None` or empty stays as it was.
#[derive(Debug, Default)]
pub struct Changed {
    /// Whose request it was, and what it is told.
    pub reply: Option<(RequestId, Result<String, Failure>)>,
    pub profiles: Option<BTreeMap<ProfileName, Profile>>,
    /// Entries that were written from outside the core: past failures say nothing about them.
    pub entries: Vec<ProfileName>,
    /// Profiles whose tokens are gone: none is served any more.
    pub forget: Vec<ProfileName>,
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
