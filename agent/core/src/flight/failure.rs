//! What an attempt changes that brought none: a refresh token that is dead, another client secret to try, a lane that
//! rests and callers who are told.

use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::time::Spoken;
use tokctl_proto::{Failure, ProfileName, TokenKey};

use super::{Landing, Step, Worth};
use crate::backoff;
use crate::core::Core;
use crate::effect::{Credential, Effect, Kept, Refreshed};
use crate::event::{AttemptId, Burial};
use crate::happening::Happening;
use crate::key::Refused;
use crate::lane::LaneId;
use crate::outcome::{Cause, Class, Reached, Trouble};
use crate::policy;
use crate::profile::{Rotation, Subject};
use crate::verdict::News;

impl Core {
    /// The provider answered, and gave no token.
    pub(super) fn came_to_nothing(&mut self, attempt: AttemptId, mut trouble: Trouble) {
        let Some(flight) = self.flights.get(&attempt) else { return };
        let is_rotation = flight.is_rotation();
        let profile = flight.key.profile.clone();
        if let Some(successor) = trouble.successor.take().filter(|_| is_rotation) {
            // Nothing to serve, but the refresh token is spent all the same. With its successor there is no doubt
            // about it.
            if trouble.cause != Cause::Key {
                trouble.cause = Cause::Other;
            }
            let refresh = Some(Refreshed { successor: Some(Arc::new(*successor)) });
            let promote = flight.credential == Credential::Next;
            let kept = Kept { token: None, refresh, promote };
            self.save_rotation(attempt, Landing { kept, obtained: Err(trouble) });
            return;
        }
        if trouble.cause == Cause::InvalidGrant && is_rotation {
            if let Some(flight) = self.flights.get_mut(&attempt) {
                flight.step = Step::Burying(Box::new(trouble));
            }
            self.effects.push(Effect::Bury { attempt, profile });
            return;
        }
        if is_rotation && !trouble.may_have_spent() {
            self.withdraw(attempt);
        }
        if trouble.cause == Cause::InvalidClient && self.try_next(attempt, &trouble) {
            return;
        }
        self.fall(attempt, trouble);
    }

    /// The client's secret was refused: tries the one that waits beside it, once.
    fn try_next(&mut self, attempt: AttemptId, trouble: &Trouble) -> bool {
        let open = self.lock.is_open() && !self.is_stopping;
        let Some(flight) = self.flights.get(&attempt) else { return false };
        let has_next = self.facts(&flight.key.profile).is_some_and(|facts| facts.has_next);
        let is_worth = flight.worth == Worth::Everything && self.is_wanted_still(flight);
        // What an earlier run was told is asked anew, with its place on the road.
        let is_worth = is_worth && flight.on_road;
        if !open || !has_next || !is_worth || flight.credential == Credential::Next {
            return false;
        }
        let subject = flight.subject.clone();
        let Some(subject) = self.subject_again(&flight.key.profile, subject) else { return false };
        self.note_failure(attempt, trouble);
        let Some(mut flight) = self.flights.remove(&attempt) else { return false };
        flight.subject = subject;
        flight.credential = Credential::Next;
        flight.step = Step::Intending;
        self.take_off(flight);
        true
    }

    pub(crate) fn buried(&mut self, attempt: AttemptId, result: Result<Burial, Failure>) {
        let Some(flight) = self.flights.get_mut(&attempt) else { return };
        let Step::Burying(trouble) = std::mem::replace(&mut flight.step, Step::Classifying) else {
            return;
        };
        let (profile, flight_tries) =
            (flight.key.profile.clone(), flight.tries.unwrap_or_default());
        match result {
            Ok(Burial::Superseded) => {
                // Somebody stored another while this one was refused: it is read and tried.
                self.outdate(&profile);
                self.land(attempt);
                self.load_if_needed(&profile);
            }
            Ok(Burial::Dead) | Err(_) => {
                let trouble = match flight_tries > 1 {
                    true => spent_before(*trouble),
                    false => *trouble,
                };
                if let Some(token) = self.refresh_mut(&profile) {
                    token.is_dead = true;
                    token.tries = 0;
                }
                self.fall(attempt, trouble);
            }
        }
    }

    pub(crate) fn load_if_needed(&mut self, profile: &ProfileName) {
        if self.lock.is_open() && self.profiles.contains_key(profile) {
            self.load(profile);
        }
    }

    /// An attempt has failed for good.
    pub(super) fn fall(&mut self, attempt: AttemptId, trouble: Trouble) {
        let Some(flight) = self.flights.get(&attempt) else { return };
        let (lane, origin) = (flight.lane.clone(), Arc::clone(&flight.origin));
        let is_news = self.is_wanted_still(flight) && flight.worth == Worth::Everything;
        // An answer of an earlier run is no answer to those who ask now, unless there is nothing left to ask with.
        let is_stale = !flight.on_road && trouble.cause != Cause::InvalidGrant;
        let (key, profile) = (Arc::clone(&flight.key), flight.key.profile.clone());
        let lost = flight.is_rotation() && trouble.may_have_spent();
        self.note_failure(attempt, &trouble);
        match (trouble.cause, trouble.reached) {
            (Cause::Provider, _) => self.blame(&origin, &trouble),
            (_, Reached::Answered(_)) => self.traffic.praise(&origin),
            _ => {}
        }
        if is_news && !is_stale {
            let strict = self.policy_of(&profile).rotation == Rotation::Strict;
            let trouble = match lost && strict {
                true => lost_answer(&profile, trouble),
                false => trouble,
            };
            // It is over, so that those who wait are judged by its failure and do not wait for it.
            if let Some(lane) = self.lanes.get_mut(&lane) {
                lane.in_flight = None;
            }
            match trouble.cause == Cause::Key && !lost {
                true => self.key_refused(&lane, &key, trouble),
                false => self.lane_failed(&lane, trouble),
            }
        }
        // It was refused for what is there no more.
        if self.lanes.get_mut(&lane).is_some_and(|lane| std::mem::take(&mut lane.is_outdated)) {
            self.subject_changed(&profile);
        }
        self.land(attempt);
        if is_stale {
            self.resume(&profile);
        }
    }

    /// Puts what a key is refused for on record with that key alone, and tells those who wait for it. Others are
    /// asked for at once: their scopes may be as good as before.
    fn key_refused(&mut self, id: &LaneId, key: &Arc<TokenKey>, trouble: Trouble) {
        self.touch(id);
        let wait = policy::spacing(None).max(trouble.retry_after.unwrap_or_default());
        let until = self.now.boot.plus(wait);
        // The provider spoke for itself, and took all else that the request held.
        if let Some(lane) = self.lanes.get_mut(id).filter(|lane| !lane.is_blocked()) {
            lane.forgive();
        }
        let failure = trouble.failure.clone();
        self.happened(Happening::Failed { key: Arc::clone(key), failure });
        if let Some(state) = self.keys.get_mut(key) {
            state.refused = Some(Box::new(Refused { failure: trouble.failure, until }));
            state.is_wanted = false;
        }
        self.settle(key, News::None);
        self.write_schedule_soon();
    }

    /// Puts a failure on record with its lane, and tells those who wait.
    pub(crate) fn lane_failed(&mut self, id: &LaneId, trouble: Trouble) {
        self.touch(id);
        let is_lost = self.is_in_doubt(id);
        // What one caller brought may be refused while what the next one brings is good.
        let subject = self.profiles.get(id.profile()).and_then(|it| it.subject.as_deref());
        let is_brought = subject == Some(&Subject::Caller) && trouble.cause == Cause::Other;
        let Some(lane) = self.lanes.get_mut(id) else { return };
        lane.failures = lane.failures.saturating_add(1);
        let backoff = match trouble.class {
            Class::Retry => backoff::delay(lane.failures, &mut self.rng),
            Class::Permanent | Class::LoginRequired if is_brought => backoff::DELAY_MIN,
            Class::Permanent | Class::LoginRequired => policy::spacing(None),
        };
        // A provider that is slow may still be at it.
        let least = if is_lost { policy::spacing(None) } else { Duration::ZERO };
        let wait = backoff.max(trouble.retry_after.unwrap_or_default()).max(least);
        // An entry that cannot be read is no reason to ask sooner than the provider wants it.
        lane.not_before = lane.not_before.max(self.now.boot.plus(wait));
        let needs_login = trouble.class == Class::LoginRequired;
        let is_for_subject = trouble.cause == Cause::Subject;
        let is_first = lane.trouble.as_ref().is_none_or(|last| last.class != trouble.class);
        let retrying = trouble.class == Class::Retry && !is_lost;
        let failure = trouble.failure.clone();
        let text = failure.message.clone();
        lane.trouble = Some(Box::new(trouble));
        let key = Arc::clone(id.key());
        self.happened(Happening::Failed { key, failure: failure.clone() });
        // Of a subject its own profile says so.
        if needs_login && is_first && !is_for_subject {
            // Said once; each caller is told by its own answer.
            self.alarm(&id.profile().clone(), text.clone());
            self.happened(Happening::LoginNeeded { profile: id.profile().clone(), failure });
        } else if is_lost && let Some(failure) = self.refuse_to_present(id, false) {
            // It is not presented a third time.
            self.happened(Happening::LoginNeeded { profile: id.profile().clone(), failure });
        }
        // All that wait in this lane sat through it: the provider treats them alike.
        let keys: Vec<Arc<TokenKey>> = self.keys_in(id).cloned().collect();
        for key in &keys {
            self.waiters.count_attempt(key);
            self.settle(key, News::None);
            if retrying {
                for request in self.waiters.of(key) {
                    let text = format!("{}: {text}; trying again in {}", key.profile, Spoken(wait));
                    self.effects.push(Effect::Progress { request, text });
                }
            }
        }
        self.write_schedule_soon();
    }
}

/// The request may have arrived, and its answer did not or is none: nobody knows whether the refresh token was
/// spent.
fn lost_answer(profile: &ProfileName, trouble: Trouble) -> Trouble {
    let what = match trouble.reached {
        Reached::Answered(_) => "cannot be used",
        Reached::Nobody | Reached::Perhaps => "was lost",
    };
    let message = format!(
        "the provider's answer {what}, and the refresh token may have been spent with it ({})",
        trouble.failure.message
    );
    let failure = Failure { message, ..trouble.failure };
    Trouble {
        failure: failure.hint(format!(
            "it is presented once more when a token is needed; `tokctl why {profile}` tells more"
        )),
        ..trouble
    }
}

/// It had been sent before, and the answer never came: the provider very likely took it then.
fn spent_before(trouble: Trouble) -> Trouble {
    let message = format!(
        "{}; the answer to an earlier renewal was lost, so it had most likely been spent",
        trouble.failure.message
    );
    Trouble { failure: Failure { message, ..trouble.failure }, ..trouble }
}
