//! Each step of a rotation follows the last one's place on the disk.

use std::collections::BTreeMap;

use tokctl_core::{AttemptId, SaveId};
use tokctl_proto::ProfileName;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Intending,
    MaySend,
    OnTheRoad,
    Answered,
    /// Whatever became of the write: it was tried.
    Kept,
    Classified,
}

#[derive(Clone, Copy, Debug)]
enum Purpose {
    Intent(AttemptId),
    Answer(AttemptId),
    Tokens,
}

/// What has been asked of the vault and of the provider, per attempt.
#[derive(Debug, Default)]
pub(super) struct Rotations {
    steps: BTreeMap<AttemptId, (ProfileName, Step)>,
    saves: BTreeMap<SaveId, (ProfileName, Purpose)>,
    /// Profiles with a rotation that the vault does not have, with the failures of its writes.
    unsaved: BTreeMap<ProfileName, u32>,
}

impl Rotations {
    pub(super) fn intends(&mut self, save: SaveId, attempt: AttemptId, name: &ProfileName) {
        assert!(!self.unsaved.contains_key(name), "{name} rotates on before the last is saved");
        let others = self.steps.values().filter(|(other, _)| other == name).count();
        assert_eq!(others, 0, "{name} has two rotations at a time");
        self.steps.insert(attempt, (name.clone(), Step::Intending));
        self.saves.insert(save, (name.clone(), Purpose::Intent(attempt)));
    }

    pub(super) fn sends(&mut self, attempt: AttemptId) {
        self.go(attempt, Step::MaySend, Step::OnTheRoad);
    }

    pub(super) fn answered(&mut self, attempt: AttemptId) {
        if self.steps.contains_key(&attempt) {
            self.go(attempt, Step::OnTheRoad, Step::Answered);
        }
    }

    pub(super) fn keeps_answer(&mut self, save: SaveId, attempt: AttemptId) {
        let step = self.steps.get(&attempt).unwrap_or_else(|| panic!("{attempt:?} has no intent"));
        assert_eq!(step.1, Step::Answered, "an answer is kept that has not come");
        self.saves.insert(save, (step.0.clone(), Purpose::Answer(attempt)));
    }

    pub(super) fn classifies(&mut self, attempt: AttemptId) {
        if self.steps.contains_key(&attempt) {
            self.go(attempt, Step::Kept, Step::Classified);
        }
    }

    fn go(&mut self, attempt: AttemptId, from: Step, to: Step) {
        let (name, step) =
            self.steps.get_mut(&attempt).unwrap_or_else(|| panic!("{attempt:?} has no intent"));
        assert_eq!(*step, from, "{name}: {to:?} comes too early or twice");
        *step = to;
    }

    /// The attempt has spent something: until the vault has it, nothing more is spent.
    pub(super) fn obtained(&mut self, name: &ProfileName) {
        self.unsaved.entry(name.clone()).or_insert(0);
    }

    pub(super) fn keeps_tokens(&mut self, save: SaveId, name: &ProfileName) {
        self.saves.insert(save, (name.clone(), Purpose::Tokens));
    }

    pub(super) fn ends(&mut self, attempt: AttemptId) {
        self.steps.remove(&attempt);
    }

    /// Returns whose attempt has thereby ended before anything was sent.
    pub(super) fn saved(&mut self, save: SaveId, well: bool) -> Option<AttemptId> {
        let (name, purpose) = self.saves.remove(&save)?;
        match (purpose, well) {
            (Purpose::Intent(attempt), true) => self.go(attempt, Step::Intending, Step::MaySend),
            (Purpose::Intent(attempt), false) => {
                self.steps.remove(&attempt);
                return Some(attempt);
            }
            (Purpose::Answer(attempt), _) => self.go(attempt, Step::Answered, Step::Kept),
            (Purpose::Tokens, true) => {
                self.unsaved.remove(&name);
            }
            (Purpose::Tokens, false) => *self.unsaved.entry(name).or_insert(0) += 1,
        }
        None
    }

    /// Whether a write of this profile's last rotation has failed.
    pub(super) fn has_failed(&self, name: &ProfileName) -> bool {
        self.unsaved.get(name).is_some_and(|failures| *failures > 0)
    }

    /// Another vault is in the place of the one all this was for.
    pub(super) fn forget(&mut self) {
        self.unsaved.clear();
        self.steps.clear();
        self.saves.clear();
    }

    /// Whether this attempt may have spent something.
    pub(super) fn is_at_stake(&self, attempt: AttemptId) -> bool {
        self.steps.contains_key(&attempt)
    }

    /// Whether something would be lost now.
    pub(super) fn is_under_way(&self) -> bool {
        !self.steps.is_empty() || !self.unsaved.is_empty()
    }
}
