//! What a profile's plain token is doing, for `status`.

use std::time::Duration;

use tokctl_proto::{Failure, Now, ProfileName, TokenKey, WallMs};

use crate::core::Core;
use crate::key::Saving;
use crate::lane::LaneId;
use crate::profile::{Profile, Source};

#[derive(Clone, Debug)]
pub struct ProfileStatus {
    pub profile: ProfileName,
    pub state: TokenState,
    pub expires_at: Option<WallMs>,
    /// When it is renewed or tried again.
    pub next_at: Option<WallMs>,
    pub error: Option<Failure>,
    /// The newest token is in memory alone, since the vault could not be written.
    pub unsaved: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// The entry holds a key; there is nothing to renew.
    Stored,
    Valid,
    Renewing,
    /// The last attempt failed; there may still be a valid token.
    Failing,
    Expired,
    /// The vault is not open: whatever is known of a token, nobody gets it.
    Sealed,
    None,
}

impl TokenState {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Valid => "valid",
            Self::Renewing => "renewing",
            Self::Failing => "failing",
            Self::Expired => "expired",
            Self::Sealed => "sealed",
            Self::None => "none",
        }
    }
}

impl Core {
    /// The state of every profile, in order of their names. It changes nothing and needs no open vault.
    pub fn statuses(&self, now: Now) -> Vec<ProfileStatus> {
        self.profiles.iter().map(|(name, profile)| self.status(now, name, profile)).collect()
    }

    fn status(&self, now: Now, name: &ProfileName, profile: &Profile) -> ProfileStatus {
        let key = TokenKey::plain(name.clone());
        let known = self.keys.get(&key);
        let lane_id = LaneId::of(profile.source, &key);
        let lane = self.lanes.get(&lane_id);
        let trouble = lane.and_then(|lane| lane.trouble.as_ref());
        let expires_at = known.and_then(|key| key.times).and_then(|times| times.expires_at);
        let state = match known.and_then(|key| key.times) {
            _ if self.lock.is_absent() => TokenState::None,
            _ if !self.lock.is_open() => TokenState::Sealed,
            _ if profile.source == Source::Stored => TokenState::Stored,
            _ if lane.is_some_and(|lane| lane.in_flight.is_some()) => TokenState::Renewing,
            _ if trouble.is_some() => TokenState::Failing,
            None => TokenState::None,
            Some(times) if times.remaining(now) == Some(Duration::ZERO) => TokenState::Expired,
            Some(_) => TokenState::Valid,
        };
        let due = lane.and_then(|lane| self.lane_due(&lane_id, lane));
        ProfileStatus {
            profile: name.clone(),
            state,
            expires_at,
            next_at: due.map(|due| now.wall.plus(due.since(now.boot))),
            error: trouble.map(|trouble| trouble.failure.clone()),
            unsaved: self
                .held(name)
                .any(|(_, state)| matches!(state.saving, Saving::Failed { .. })),
        }
    }
}
