//! A lane: requests that must follow one another. One is in flight at a time.

use tokctl_proto::{BootMs, ProfileName, TokenKey};

use crate::event::AttemptId;
use crate::outcome::{Class, Trouble};
use crate::profile::{Lanes, Source};

/// What a lane is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LaneId {
    Key(TokenKey),
    Profile(ProfileName),
}

impl LaneId {
    pub(crate) fn of(source: Source, key: &TokenKey) -> Self {
        match source {
            Source::Provider(Lanes::Shared) => Self::Profile(key.profile.clone()),
            Source::Provider(Lanes::PerKey) | Source::Stored => Self::Key(key.clone()),
        }
    }

    pub(crate) fn profile(&self) -> &ProfileName {
        match self {
            Self::Key(key) => &key.profile,
            Self::Profile(profile) => profile,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub(crate) in_flight: Option<AttemptId>,
    /// No request before this: spacing after a success, backoff after a failure.
    pub(crate) not_before: BootMs,
    /// The last attempt's failure, until one succeeds or something changes.
    pub(crate) trouble: Option<Trouble>,
    /// In a row.
    pub(crate) failures: u32,
}

impl Lane {
    /// Whether nothing but a change by a person helps.
    pub(crate) fn is_blocked(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.class != Class::Retry)
    }

    /// Forgets what went wrong: something has changed.
    pub(crate) fn forgive(&mut self) {
        *self = Self { in_flight: self.in_flight, ..Self::default() };
    }
}
