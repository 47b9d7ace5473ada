//! What an attempt changes that brought a token. A rotation is on the disk before anybody has its token; a token that
//! spent nothing is handed out first.

use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::{Failure, ProfileName, TokenKey};

use super::{CLIENT_SECRET, Landing, NEXT_CLIENT_SECRET, Step, Worth};
use crate::backoff;
use crate::core::{Core, Saved};
use crate::effect::{Credential, Effect, Kept, Refreshed};
use crate::event::{AttemptId, SaveId};
use crate::happening::Happening;
use crate::key::Saving;
use crate::lane::LaneId;
use crate::outcome::{Obtained, Trouble};
use crate::policy;
use crate::token::Token;
use crate::verdict::News;

impl Core {
    /// The provider took the refresh token: what it gave goes to the disk before anybody has it.
    pub(super) fn rotated(&mut self, attempt: AttemptId, mut obtained: Obtained) {
        let successor = obtained.successor.take().map(Arc::new);
        let Some(flight) = self.flights.get(&attempt) else { return };
        let promote = flight.credential == Credential::Next;
        let token = self.is_wanted_still(flight).then(|| Arc::new(obtained.token.clone()));
        let kept = Kept { token, refresh: Some(Refreshed { successor }), promote };
        self.save_rotation(attempt, Landing { kept, obtained: Ok(obtained) });
    }

    /// The provider took the refresh token, and gave less than its caller named.
    pub(super) fn rotated_in_vain(
        &mut self,
        attempt: AttemptId,
        obtained: Obtained,
        trouble: Trouble,
    ) {
        let Some(flight) = self.flights.get(&attempt) else { return };
        let promote = flight.credential == Credential::Next;
        let refresh = Some(Refreshed { successor: obtained.successor.map(Arc::new) });
        let kept = Kept { token: None, refresh, promote };
        self.save_rotation(attempt, Landing { kept, obtained: Err(trouble) });
    }

    pub(super) fn save_rotation(&mut self, attempt: AttemptId, landing: Landing) {
        let save = self.next_save(Saved::Rotation(attempt));
        let Some(flight) = self.flights.get_mut(&attempt) else { return };
        let (key, obtained) = (flight.key.as_ref().clone(), landing.kept.clone());
        flight.step = Step::Saving(Box::new(landing));
        self.effects.push(Effect::SaveTokens { save, attempt, key, obtained });
    }

    /// What a refresh token was spent for is on the disk, or is in memory alone.
    pub(super) fn saved_rotation(&mut self, attempt: AttemptId, result: Result<(), Failure>) {
        let Some(flight) = self.flights.get_mut(&attempt) else { return };
        let Step::Saving(landing) = std::mem::replace(&mut flight.step, Step::Classifying) else {
            return;
        };
        let Landing { mut kept, obtained } = *landing;
        let (key, lane, worth) = (Arc::clone(&flight.key), flight.lane.clone(), flight.worth);
        let (origin, age) = (Arc::clone(&flight.origin), self.now.boot.since(flight.begun.boot));
        let (was_sent, revision) = (flight.on_road, flight.revision);
        if worth == Worth::Everything {
            self.note_refreshed(&key.profile, &kept);
        }
        // It was forgotten while it was being written.
        if let Some(token) = kept.token.take_if(|_| worth == Worth::Refresh) {
            self.effects.push(Effect::DropToken { key: key.as_ref().clone(), token });
        }
        if let Err(failure) = result {
            self.keep_unsaved(&lane, &key, attempt, kept.clone(), failure);
        }
        match obtained {
            Ok(obtained) => {
                self.note_success(attempt, &obtained);
                self.traffic.praise(&origin);
                // An answer of an earlier run may hold a token that ended long ago: it answers nobody.
                let is_news = |token: &Arc<Token>| {
                    let skew = policy::skew(token.lifetime().unwrap_or_default());
                    was_sent || token.expires_at.is_none_or(|end| end.since(self.now.wall) > skew)
                };
                // The settings may have changed while it was being written.
                let current = self.profiles.get(&key.profile).map(|profile| profile.revision);
                let is_wanted = current == Some(revision) && self.lock.is_writable();
                let token = kept.token.filter(|_| is_wanted).filter(is_news);
                if let Some(token) = token {
                    self.succeeded(&lane, &key, token, age);
                }
                self.land(attempt);
            }
            Err(trouble) => self.fall(attempt, trouble),
        }
    }

    /// A token came that spent nothing: answered first, saved after.
    pub(super) fn obtained(&mut self, attempt: AttemptId, obtained: Obtained) {
        let Some(flight) = self.flights.get(&attempt) else { return };
        let (key, lane) = (Arc::clone(&flight.key), flight.lane.clone());
        let age = self.now.boot.since(flight.begun.boot);
        let promote = flight.credential == Credential::Next;
        let (origin, revision) = (Arc::clone(&flight.origin), flight.revision);
        let is_wanted = self.is_wanted_still(flight) && self.lock.is_open();
        self.traffic.praise(&origin);
        if is_wanted && obtained.token.revision == revision {
            self.note_success(attempt, &obtained);
            let token = Arc::new(obtained.token);
            self.succeeded(&lane, &key, Arc::clone(&token), age);
            let save = self.save_token(&key, token, promote);
            if let Some(state) = self.keys.get_mut(&key) {
                state.saving = Saving::UnderWay { save, failures: 0 };
            }
        }
        self.land(attempt);
    }

    pub(super) fn saved_token(
        &mut self,
        key: &Arc<TokenKey>,
        save: SaveId,
        result: Result<(), Failure>,
    ) {
        self.touch_key(key);
        let Some(state) = self.keys.get_mut(key) else { return };
        // A newer token may have taken its place; its own write follows.
        let Saving::UnderWay { save: under_way, failures } = state.saving else { return };
        if under_way != save {
            return;
        }
        state.saving = match result {
            Ok(()) => Saving::Saved,
            Err(_) => {
                let failures = failures.saturating_add(1);
                let retry_at = self.now.boot.plus(backoff::delay(failures, &mut self.rng));
                Saving::Failed { failures, retry_at }
            }
        };
    }

    fn succeeded(&mut self, id: &LaneId, key: &Arc<TokenKey>, token: Arc<Token>, age: Duration) {
        let lifetime = token.expires_at.map(|end| end.since(token.issued_at));
        let spaced_until = self.now.boot.plus(policy::spacing(lifetime));
        let insisted_until = self.now.boot.plus(backoff::DELAY_MIN).min(spaced_until);
        if let Some(lane) = self.lanes.get_mut(id) {
            lane.forgive();
        }
        if !self.keys.contains_key(key) {
            self.make_room(&key.profile);
        }
        let is_short = !self.not_granted(key, &token).is_empty();
        let expires_at = token.expires_at;
        self.happened(Happening::Renewed { key: Arc::clone(key), expires_at });
        self.adopt(key, token, age);
        if let Some(state) = self.keys.get_mut(key) {
            state.refused = None;
            state.is_short = is_short;
            state.obtained += 1;
            state.spaced_until = spaced_until;
            state.insisted_until = insisted_until;
            state.is_newest = true;
            let is_fleeting = state.live(self.now).is_none()
                || lifetime.is_some_and(|life| life < policy::RENEWED_LIFETIME_MIN);
            if let Some(times) = state.times.as_mut().filter(|_| is_fleeting) {
                times.lead = None;
            }
        }
        self.subject_recovered(&key.profile);
        self.settle(key, News::Token);
    }

    /// The client secret that waited has taken the place of the one before it, with its end.
    pub(super) fn promoted(&mut self, profile: &ProfileName) {
        let Some(facts) = self.facts_mut(profile) else { return };
        facts.has_next = false;
        facts.expiring.retain(|(name, _)| name != CLIENT_SECRET);
        for (name, _) in &mut facts.expiring {
            if name == NEXT_CLIENT_SECRET {
                *name = CLIENT_SECRET.to_owned();
            }
        }
    }

    fn note_refreshed(&mut self, profile: &ProfileName, kept: &Kept) {
        let now = self.now.wall;
        if kept.promote {
            self.promoted(profile);
        }
        let Some(token) = self.refresh_mut(profile) else { return };
        token.tries = 0;
        token.is_dead = false;
        token.used_at = Some(now);
        if let Some(successor) =
            kept.refresh.as_ref().and_then(|refresh| refresh.successor.as_ref())
        {
            token.obtained_at = now;
            token.used_at = None;
            token.expires_at = successor.expires_at;
        }
    }
}
