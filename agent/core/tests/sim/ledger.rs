//! What became of every refresh token that was spent: it is presented again at most once, and only where its
//! successor was lost on the way; and a successor that arrived is never lost.
//!
//! This is written from the provider's and the disk's point of view, not from the core's.

use std::collections::BTreeMap;

use tokctl_core::Rotation;
use tokctl_proto::ProfileName;

use super::family::Family;

/// How far the answer that spent a refresh token has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    OnItsWay,
    /// The agent has it, and a crash would take it away.
    InMemory,
    OnDisk,
    Lost,
}

#[derive(Debug)]
struct Spent {
    token: String,
    by: ProfileName,
    successor: String,
    answer: Answer,
    /// How often it was presented again, and how often it may be.
    again: u32,
    allowed: u32,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By their families: in each the one that was spent last, and those that might come again.
    spent: BTreeMap<u64, Vec<Spent>>,
    /// How often a loss could not be helped.
    pub(super) lost: u64,
}

impl Ledger {
    /// The provider has taken a token and given another.
    pub(super) fn spends(&mut self, by: &ProfileName, token: &str, successor: &str) {
        let family = self.spent.entry(Family::of(token)).or_default();
        assert!(family.iter().all(|spent| spent.token != token), "a token is spent twice");
        // The one before it has done its work.
        family.retain(|spent| spent.successor != token);
        family.push(Spent {
            token: token.to_owned(),
            by: by.clone(),
            successor: successor.to_owned(),
            answer: Answer::OnItsWay,
            again: 0,
            allowed: 1,
        });
    }

    /// A token that was spent before has been presented again.
    pub(super) fn presented_again(&mut self, token: &str, rotation: Rotation) {
        let mut family = self.spent.get_mut(&Family::of(token)).into_iter().flatten();
        let Some(spent) = family.find(|spent| spent.token == token) else {
            panic!("a refresh token is presented that was spent long ago");
        };
        spent.again += 1;
        if rotation != Rotation::Strict {
            return;
        }
        assert_eq!(spent.answer, Answer::Lost, "a spent refresh token is presented again");
        assert!(spent.again <= spent.allowed, "it is presented again {} times", spent.again);
    }

    /// A person wants it tried whatever may come of it.
    pub(super) fn person_insists(&mut self, by: &ProfileName) {
        for spent in self.spent.values_mut().flatten().filter(|spent| spent.by == *by) {
            spent.allowed = spent.allowed.saturating_add(1);
        }
    }

    pub(super) fn arrives(&mut self, successor: &str) {
        self.set(successor, |answer| (answer == Answer::OnItsWay).then_some(Answer::InMemory));
    }

    /// The successor is on the disk, as a token or in an answer that nobody has read yet.
    pub(super) fn is_on_disk(&mut self, successor: &str) {
        self.set(successor, |_| Some(Answer::OnDisk));
    }

    /// The answer with it will never come, or has come too late.
    pub(super) fn is_lost(&mut self, successor: &str) {
        self.lost += 1;
        self.set(successor, |answer| (answer != Answer::OnDisk).then_some(Answer::Lost));
    }

    fn set(&mut self, successor: &str, to: impl Fn(Answer) -> Option<Answer>) {
        // Of a grace family two tokens may have the same one.
        let family = self.spent.get_mut(&Family::of(successor)).into_iter().flatten();
        for spent in family.filter(|spent| spent.successor == successor) {
            spent.answer = to(spent.answer).unwrap_or(spent.answer);
        }
    }

    /// The agent died: what it had in memory is lost. Returns the successors that are.
    pub(super) fn crashes(&mut self) -> Vec<(ProfileName, String)> {
        let mut lost = Vec::new();
        for spent in self.spent.values_mut().flatten() {
            if matches!(spent.answer, Answer::OnItsWay | Answer::InMemory) {
                spent.answer = Answer::Lost;
                self.lost += 1;
                lost.push((spent.by.clone(), spent.successor.clone()));
            }
        }
        lost
    }

    /// Whether a crash now could be excused for the loss of this token.
    pub(super) fn is_excused(&self, successor: &str) -> bool {
        let family = self.spent.get(&Family::of(successor)).into_iter().flatten();
        let mut ways = family.filter(|spent| spent.successor == successor);
        ways.any(|spent| spent.answer != Answer::OnDisk)
    }

    /// Another vault is in the place of the one all this was in. A request that was sent from that one may arrive
    /// yet.
    pub(super) fn forget(&mut self, by: &ProfileName) {
        for spent in self.spent.values_mut().flatten().filter(|spent| spent.by == *by) {
            spent.answer = Answer::Lost;
            spent.allowed = u32::MAX;
        }
    }
}
