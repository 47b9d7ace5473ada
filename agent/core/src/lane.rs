//! Requests to a provider that must follow one another: one of a lane is in flight at a time.

use std::borrow::Borrow;
use std::sync::Arc;

use tokctl_proto::{BootMs, ProfileName, TokenKey};

use crate::effect::Kept;
use crate::event::{AttemptId, SaveId};
use crate::outcome::{Cause, Class, Trouble};
use crate::profile::{Lanes, Source};

/// What a lane is known by: the key whose requests it orders, or the plain key of the profile whose keys
/// share a refresh token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LaneId(Arc<TokenKey>);

impl Borrow<TokenKey> for LaneId {
    fn borrow(&self) -> &TokenKey {
        &self.0
    }
}

impl LaneId {
    pub(crate) fn of(source: &Source, key: &Arc<TokenKey>) -> Self {
        match source {
            Source::Provider(Lanes::Shared) if !is_plain(key) => {
                Self(Arc::new(TokenKey::plain(key.profile.clone())))
            }
            _ => Self(Arc::clone(key)),
        }
    }

    pub(crate) fn profile(&self) -> &ProfileName {
        &self.0.profile
    }

    /// The key that it has its name from.
    pub(crate) fn key(&self) -> &Arc<TokenKey> {
        &self.0
    }
}

/// Whether nothing is asked for beyond what the profile says.
pub(crate) fn is_plain(key: &TokenKey) -> bool {
    key.scope.is_empty() && key.audience.is_empty() && key.resource.is_empty()
}

#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) in_flight: Option<AttemptId>,
    /// No request before this: backoff after a failure.
    pub(crate) not_before: BootMs,
    /// The last attempt's failure, until one succeeds or something changes.
    pub(crate) trouble: Option<Box<Trouble>>,
    /// In a row.
    pub(crate) failures: u32,
    /// The subject has become another since the request in flight was begun.
    pub(crate) is_outdated: bool,
    /// What the vault did not take. Until it does, nothing more is asked for: the next rotation would leave
    /// the disk two behind.
    pub(crate) unsaved: Option<Box<Unsaved>>,
    /// Where it stands in the agenda. Written by agenda.rs alone.
    pub(crate) due: Option<BootMs>,
    /// Where it stands in a queue for its provider, and which: an edit may have given it another since.
    pub(crate) queued: Option<(Turn, Arc<str>)>,
}

/// A rotation that is in memory alone.
#[derive(Debug)]
pub(crate) struct Unsaved {
    pub(crate) attempt: AttemptId,
    pub(crate) key: Arc<TokenKey>,
    pub(crate) kept: Kept,
    pub(crate) failures: u32,
    pub(crate) why: String,
    pub(crate) state: Retry,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    At(BootMs),
    UnderWay(SaveId),
}

/// Who goes first when a provider has room for one more: callers, the longest waiting first, then renewals,
/// the most overdue first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    Caller(u64),
    Renewal(BootMs),
}

impl Lane {
    /// Whether nothing but a change by a person helps.
    pub(crate) fn is_blocked(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.class != Class::Retry)
    }

    /// Whether all that is wrong is wrong with another profile's token.
    pub(crate) fn is_for_subject(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.cause == Cause::Subject)
    }

    /// Forgets what went wrong: something has changed.
    pub(crate) fn forgive(&mut self) {
        self.not_before = BootMs::default();
        self.trouble = None;
        self.failures = 0;
        self.is_outdated = false;
    }
}
