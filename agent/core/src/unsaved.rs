//! A rotation that the vault did not take. It is served from memory and the write is tried again; until that
//! succeeds nothing more is presented, the vault is not sealed, and the entry is not given another name or another
//! secret: the successor exists nowhere else.

use std::sync::Arc;

use tokctl_proto::time::Spoken;
use tokctl_proto::{Failure, Kind, ProfileName, TokenKey};

use crate::backoff;
use crate::core::{Core, Saved};
use crate::effect::{Effect, Kept};
use crate::event::{AttemptId, SaveId};
use crate::lane::{LaneId, Retry, Unsaved};

impl Core {
    /// The vault would not take a rotation. Until it does, it is served from memory and nothing more is asked.
    pub(crate) fn keep_unsaved(
        &mut self,
        lane: &LaneId,
        key: &Arc<TokenKey>,
        attempt: AttemptId,
        kept: Kept,
        failure: Failure,
    ) {
        let wait = backoff::delay(1, &mut self.rng);
        let state = Retry::At(self.now.boot.plus(wait));
        let text = format!(
            "the renewed refresh token is in memory alone: {}; trying again in {}",
            failure.message,
            Spoken(wait)
        );
        self.alarm(&key.profile, text);
        let (key, why) = (Arc::clone(key), failure.message);
        let unsaved = Unsaved { attempt, key, kept, failures: 1, why, state };
        self.lanes.entry(lane.clone()).or_default().unsaved = Some(Box::new(unsaved));
    }

    /// Tries again to write a rotation when it is time.
    pub(crate) fn retry_rotation(&mut self, id: &LaneId) {
        let now = self.now.boot;
        let unsaved = self.lanes.get(id).and_then(|lane| lane.unsaved.as_ref());
        let Some(unsaved) = unsaved.filter(|it| matches!(it.state, Retry::At(at) if at <= now))
        else {
            return;
        };
        let (attempt, key) = (unsaved.attempt, unsaved.key.as_ref().clone());
        let obtained = unsaved.kept.clone();
        let save = self.next_save(Saved::Unsaved(id.clone()));
        if let Some(unsaved) = self.lanes.get_mut(id).and_then(|lane| lane.unsaved.as_mut()) {
            unsaved.state = Retry::UnderWay(save);
        }
        self.effects.push(Effect::SaveTokens { save, attempt, key, obtained });
    }

    pub(crate) fn saved_at_last(&mut self, id: &LaneId, save: SaveId, result: Result<(), Failure>) {
        let Some(lane) = self.lanes.get_mut(id) else { return };
        let Some(unsaved) = &mut lane.unsaved else { return };
        if unsaved.state != Retry::UnderWay(save) {
            return;
        }
        match result {
            Ok(()) => {
                lane.unsaved = None;
                let profile = id.profile().clone();
                // Whoever read it meanwhile saw a rotation that had not ended.
                if self.refresh_mut(&profile).is_some_and(|token| token.tries > 0) {
                    self.outdate(&profile);
                }
                self.alarm(&profile, "the renewed refresh token is saved");
                self.admit_next(&profile);
                self.pump(id);
            }
            Err(failure) => {
                unsaved.failures = unsaved.failures.saturating_add(1);
                unsaved.why = failure.message;
                let wait = backoff::delay(unsaved.failures, &mut self.rng);
                unsaved.state = Retry::At(self.now.boot.plus(wait));
                self.refuse_changes(id.profile());
                self.touch(id);
            }
        }
        self.seal_if_quiet();
    }

    /// The last chance for what the vault did not take.
    pub(crate) fn save_once_more(&mut self) {
        let unsaved = self.lanes.iter().filter(|(_, lane)| lane.unsaved.is_some());
        for id in unsaved.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.save_now(&id);
        }
    }

    /// Tries at once to write a rotation that the vault did not take, unless that is being tried.
    pub(crate) fn save_now(&mut self, id: &LaneId) {
        if !self.lock.is_writable() {
            return;
        }
        let unsaved = self.lanes.get_mut(id).and_then(|lane| lane.unsaved.as_mut());
        if let Some(unsaved) = unsaved.filter(|what| matches!(what.state, Retry::At(_))) {
            unsaved.state = Retry::At(self.now.boot);
            self.retry_rotation(id);
        }
    }

    /// Why what a lane holds in memory alone must not be given up, if it holds something.
    pub(crate) fn unsaved_failure(&self, id: &LaneId) -> Option<Failure> {
        let unsaved = self.lanes.get(id)?.unsaved.as_ref()?;
        let message = format!("a renewed refresh token is in memory alone: {}", unsaved.why);
        let hint =
            "it would be lost: make room for it first; it is saved as soon as that is possible";
        Some(Failure::new(Kind::Machine, message).of(id.profile()).hint(hint))
    }

    /// The lane whose last rotation is in memory alone, where that is more than a token: it would be lost.
    pub(crate) fn unsaved_lane(&self, profile: &ProfileName) -> Option<LaneId> {
        self.lanes_of(profile).into_iter().find(|id| {
            let unsaved = self.lanes.get(id).and_then(|lane| lane.unsaved.as_ref());
            unsaved.is_some_and(|unsaved| {
                let refreshed = unsaved.kept.refresh.as_ref();
                refreshed.is_some_and(|refreshed| refreshed.successor.is_some())
                    || unsaved.kept.promote
            })
        })
    }
}
