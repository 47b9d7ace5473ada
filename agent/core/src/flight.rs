//! One attempt, from the first write to the last. Where a refresh token is presented each step is on the disk
//! before the next is taken: intent, request, raw answer, what the answer held. Else there are two steps: the
//! request and the reading of its answer.

use std::sync::Arc;

use tokctl_proto::{Failure, Kind, Now, ProfileName, Secret, TokenKey};

use crate::core::{Core, Saved};
use crate::effect::{Credential, Effect, Kept};
use crate::entry::Entry;
use crate::event::{AnswerId, AttemptId, SaveId, Unread};
use crate::lane::{Lane, LaneId};
use crate::outcome::{Class, Obtained, Outcome, Reached, Trouble};
use crate::profile::{Lanes, Source};

mod failure;
mod success;

/// The names of the client's secrets in an entry.
const CLIENT_SECRET: &str = "client_secret";
pub(crate) const NEXT_CLIENT_SECRET: &str = "client_secret.next";

/// A request to a provider that is under way.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) key: Arc<TokenKey>,
    pub(crate) lane: LaneId,
    /// Where it went.
    origin: Arc<str>,
    /// Whether it takes a place on the road there, until it lands.
    on_road: bool,
    begun: Now,
    /// The profile's revision when it was sent.
    revision: u64,
    /// Whether a refresh token is presented, and how often it was by then without an answer on the disk.
    tries: Option<u32>,
    credential: Credential,
    /// What it presents, until it is sent or cannot be sent again.
    subject: Option<Secret>,
    pub(crate) worth: Worth,
    step: Step,
}

/// How far an attempt has come.
#[derive(Debug)]
enum Step {
    Intending,
    Sent,
    SavingAnswer(AnswerId),
    Classifying,
    Saving(Box<Landing>),
    Burying(Box<Trouble>),
}

/// What is done when the last write of a rotation is on the disk.
#[derive(Debug)]
struct Landing {
    kept: Kept,
    obtained: Result<Obtained, Trouble>,
}

/// What the answer to an attempt is still good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    Everything,
    /// Entry or settings are others since it was sent: a failure is theirs.
    Token,
    /// Nobody may have the token: it was sent for somebody who has logged out.
    Refresh,
    /// Another vault has taken the place of the one it was sent from.
    Nothing,
}

impl Flight {
    /// Whether something is under way that must not be cut short.
    pub(crate) fn is_rotation(&self) -> bool {
        self.tries.is_some()
    }

    /// What is presented now. It is kept for a second try with another client secret, and for nothing else.
    fn subject_to_send(&mut self, has_next: bool) -> Option<Secret> {
        match has_next && self.credential == Credential::Present {
            true => self.subject.clone(),
            false => self.subject.take(),
        }
    }
}

impl Core {
    /// Begins an attempt that may take its place on the road.
    pub(crate) fn begin(
        &mut self,
        id: &LaneId,
        key: &Arc<TokenKey>,
        lanes: Lanes,
        origin: Arc<str>,
    ) {
        let tries = (lanes == Lanes::Shared).then(|| {
            let token = self.facts(&key.profile).and_then(|facts| facts.refresh.as_ref());
            token.map_or(0, |token| token.tries).saturating_add(1)
        });
        let revision = self.profiles.get(&key.profile).map_or(0, |profile| profile.revision);
        let subject = self.take_subject(id);
        let flight = Flight {
            key: Arc::clone(key),
            lane: id.clone(),
            origin,
            on_road: true,
            begun: self.now,
            revision,
            tries,
            credential: Credential::Present,
            subject,
            worth: Worth::Everything,
            step: Step::Intending,
        };
        self.take_off(flight);
    }

    /// Takes the first step of an attempt.
    fn take_off(&mut self, mut flight: Flight) {
        let attempt = AttemptId(self.next_id());
        let (key, credential) = (flight.key.as_ref().clone(), flight.credential);
        let has_next = self.facts(&key.profile).is_some_and(|facts| facts.has_next);
        self.lanes.entry(flight.lane.clone()).or_default().in_flight = Some(attempt);
        match flight.tries {
            Some(tries) => {
                let save = self.next_save(Saved::Intent(attempt));
                self.effects.push(Effect::SaveIntent { save, attempt, key, tries });
            }
            None => {
                flight.step = Step::Sent;
                let subject = flight.subject_to_send(has_next);
                self.effects.push(Effect::Send { attempt, key, credential, subject });
            }
        }
        self.flights.insert(attempt, flight);
    }

    /// Goes on with an answer that an earlier run saved and did not come to read.
    pub(crate) fn read_on(&mut self, source: &Source, unread: Unread) {
        let key = self.shared(unread.key);
        let lane = LaneId::of(source, &key);
        // An answer that lies there while what it held is in memory alone has been read.
        let is_free = |lane: &Lane| lane.in_flight.is_none() && lane.unsaved.is_none();
        let is_free = self.lanes.get(&lane).is_none_or(is_free);
        if *source != Source::Provider(Lanes::Shared) || !is_free {
            self.effects.push(Effect::Discard { answer: unread.answer });
            return;
        }
        let attempt = AttemptId(self.next_id());
        let origin = self.profiles.get(&key.profile).map(|profile| Arc::clone(&profile.origin));
        let tries = self.facts(&key.profile).and_then(|facts| Some(facts.refresh.as_ref()?.tries));
        let flight = Flight {
            key,
            lane: lane.clone(),
            origin: origin.unwrap_or_default(),
            on_road: false,
            begun: self.now,
            revision: unread.revision,
            tries: Some(tries.unwrap_or_default()),
            credential: Credential::Present,
            subject: None,
            worth: Worth::Everything,
            step: Step::Classifying,
        };
        self.lanes.entry(lane).or_default().in_flight = Some(attempt);
        self.flights.insert(attempt, flight);
        self.effects.push(Effect::Classify { attempt, answer: unread.answer });
    }

    pub(crate) fn saved(&mut self, save: SaveId, result: Result<(), Failure>) {
        match self.saves.remove(&save) {
            Some(Saved::Intent(attempt)) => self.intended(attempt, result),
            Some(Saved::Answer(attempt)) => self.saved_answer(attempt, result),
            Some(Saved::Rotation(attempt)) => self.saved_rotation(attempt, result),
            Some(Saved::Unsaved(lane)) => self.saved_at_last(&lane, save, result),
            Some(Saved::Token { key, promote }) => {
                // Not before: while the entry is as it was, the present one is refused once more.
                if promote && result.is_ok() {
                    self.promoted(&key.profile);
                }
                self.saved_token(&key, save, result);
            }
            None => {}
        }
    }

    /// The disk has taken the intent, so it takes what will follow: now the request may go.
    fn intended(&mut self, attempt: AttemptId, result: Result<(), Failure>) {
        let Some(flight) = self.flights.get_mut(&attempt) else { return };
        let profile = flight.key.profile.clone();
        let revision = flight.revision;
        if let Err(failure) = result {
            let class = match failure.kind {
                Kind::SecretRequired | Kind::LoginRequired => Class::LoginRequired,
                _ => Class::Retry,
            };
            let trouble = Trouble::new(class, failure.of(&profile));
            self.fall(attempt, trouble);
            return;
        }
        let is_current =
            self.profiles.get(&profile).is_some_and(|known| known.revision == revision);
        let worth = flight.worth;
        let facts = self.entries.get(&profile).and_then(Entry::facts);
        let has_next = facts.is_some_and(|facts| facts.has_next);
        // Sealed, stopped or changed before anything was sent: nothing has happened.
        if !self.lock.is_open() || self.is_stopping || !is_current || worth != Worth::Everything {
            self.withdraw(attempt);
            self.land(attempt);
            return;
        }
        let (key, credential) = (flight.key.as_ref().clone(), flight.credential);
        let tries = flight.tries.unwrap_or_default();
        let subject = flight.subject_to_send(has_next);
        // The profile that it is of may have been changed or logged out of while the intent was written.
        let Some(subject) = self.subject_again(&profile, subject) else {
            self.withdraw(attempt);
            self.land(attempt);
            return;
        };
        if let Some(flight) = self.flights.get_mut(&attempt) {
            flight.step = Step::Sent;
        }
        self.set_tries(&profile, worth, tries);
        self.effects.push(Effect::Send { attempt, key, credential, subject });
    }

    pub(crate) fn answered(&mut self, attempt: AttemptId, result: Result<AnswerId, Trouble>) {
        let open = self.lock.is_open();
        match (result, self.flights.get_mut(&attempt)) {
            (Ok(answer), None) => self.effects.push(Effect::Discard { answer }),
            (Ok(answer), Some(flight)) if flight.worth == Worth::Nothing => {
                self.effects.push(Effect::Discard { answer });
                self.land(attempt);
            }
            (Ok(answer), Some(flight)) if flight.is_rotation() => {
                flight.step = Step::SavingAnswer(answer);
                let save = self.next_save(Saved::Answer(attempt));
                self.effects.push(Effect::SaveAnswer { save, attempt, answer });
            }
            (Ok(answer), Some(flight)) if open => {
                flight.step = Step::Classifying;
                self.effects.push(Effect::Classify { attempt, answer });
            }
            // Nobody may read it in a sealed vault.
            (Ok(answer), Some(_)) => {
                self.effects.push(Effect::Discard { answer });
                self.land(attempt);
            }
            (Err(_), None) => {}
            (Err(trouble), Some(flight)) => {
                if flight.is_rotation() && trouble.reached == Reached::Nobody {
                    self.withdraw(attempt);
                }
                self.fall(attempt, trouble);
            }
        }
    }

    fn saved_answer(&mut self, attempt: AttemptId, result: Result<(), Failure>) {
        let Some(flight) = self.flights.get_mut(&attempt) else { return };
        let Step::SavingAnswer(answer) = flight.step else { return };
        flight.step = Step::Classifying;
        let profile = flight.key.profile.clone();
        // What it holds may yet be saved, and is served from memory in any case.
        if let Err(failure) = result {
            self.alarm(
                &profile,
                format!("the provider's answer cannot be saved: {}", failure.message),
            );
        }
        self.effects.push(Effect::Classify { attempt, answer });
    }

    pub(crate) fn classified(&mut self, attempt: AttemptId, outcome: Outcome) {
        let Some(flight) = self.flights.get(&attempt) else { return };
        let (is_rotation, worth) = (flight.is_rotation(), flight.worth);
        if worth == Worth::Nothing {
            self.land(attempt);
            return;
        }
        let missing = match &outcome {
            Outcome::Tokens(obtained) => self.is_missing(&flight.key, obtained),
            Outcome::Failed(_) => None,
        };
        match (outcome, missing) {
            (Outcome::Tokens(obtained), Some(trouble)) if is_rotation => {
                self.rotated_in_vain(attempt, obtained, trouble);
            }
            (Outcome::Tokens(_), Some(trouble)) => self.fall(attempt, trouble),
            (Outcome::Tokens(obtained), None) if is_rotation => self.rotated(attempt, obtained),
            (Outcome::Tokens(obtained), None) => self.obtained(attempt, obtained),
            (Outcome::Failed(trouble), _) => self.came_to_nothing(attempt, trouble),
        }
    }

    /// Whether the token that an attempt was for is still the one that the profile's settings describe.
    fn is_wanted_still(&self, flight: &Flight) -> bool {
        let current = self.profiles.get(&flight.key.profile).map(|profile| profile.revision);
        let is_for_somebody = matches!(flight.worth, Worth::Everything | Worth::Token);
        current == Some(flight.revision) && is_for_somebody
    }

    /// Ends an attempt: its lane is free, and whoever waited for that goes on.
    pub(crate) fn land(&mut self, attempt: AttemptId) {
        let Some(flight) = self.flights.remove(&attempt) else { return };
        if flight.on_road {
            self.traffic.leave(&flight.origin);
        }
        // Whoever was told of its end may have begun the next already.
        let lane = self.lanes.get_mut(&flight.lane);
        if let Some(lane) = lane.filter(|lane| lane.in_flight == Some(attempt)) {
            lane.in_flight = None;
        }
        if flight.is_rotation() && matches!(flight.worth, Worth::Token | Worth::Refresh) {
            // The entry was read while this was under way, and says so: it is read again.
            self.outdate(&flight.key.profile);
        }
        self.sweep_lanes(&flight.key.profile);
        self.admit_next(&flight.key.profile);
        self.pump(&flight.lane);
        if flight.on_road {
            self.pump_queue(&flight.origin);
        }
        self.seal_if_quiet();
    }

    /// What was intended spent nothing.
    fn withdraw(&mut self, attempt: AttemptId) {
        let Some(flight) = self.flights.get(&attempt) else { return };
        let tries = flight.tries.unwrap_or_default().saturating_sub(1);
        let (profile, worth) = (flight.key.profile.clone(), flight.worth);
        self.set_tries(&profile, worth, tries);
        self.effects.push(Effect::Withdraw { attempt, profile, tries });
    }

    /// Keeps in step with the disk, unless another token is there by now.
    fn set_tries(&mut self, profile: &ProfileName, worth: Worth, tries: u32) {
        if let Some(token) = self.refresh_mut(profile).filter(|_| worth == Worth::Everything) {
            token.tries = tries;
        }
    }

    pub(crate) fn flight(&self, attempt: AttemptId) -> Option<(&Arc<TokenKey>, &Arc<str>, Now)> {
        self.flights.get(&attempt).map(|flight| (&flight.key, &flight.origin, flight.begun))
    }
}
