//! How an agent ends, and what the next one finds.

use super::entry::successor;
use super::vault::Work;
use super::world::{Coming, World};

impl World {
    /// The agent is killed between two instructions.
    pub(super) fn crash(&mut self) {
        self.crashes += 1;
        self.schedule_is_last = false;
        self.fuse = None;
        self.note("             killed");
        // The write that is under way is whole or not at all, and the others never begin.
        let under_way = self.pending.iter().find_map(|(at, coming)| match coming {
            Coming::Worked(_) => Some(*at),
            _ => None,
        });
        if let Some(at) = under_way
            && let Some(Coming::Worked(work)) = self.pending.remove(&at)
            && is_write(&work)
            && self.dice.chance(50)
        {
            self.work(work);
        }
        self.die();
    }

    /// The vault's thread does all it was given, and nobody hears of it.
    pub(super) fn finish_vault(&mut self) {
        let jobs: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, coming)| matches!(coming, Coming::Worked(_)))
            .map(|(at, _)| *at)
            .collect();
        for at in jobs {
            if let Some(Coming::Worked(work)) = self.pending.remove(&at)
                && is_write(&work)
            {
                self.work(work);
            }
        }
    }

    /// Whatever was on the lines is lost or arrives without anybody to answer to, and another agent starts.
    pub(super) fn die(&mut self) {
        for coming in std::mem::take(&mut self.pending).into_values() {
            match coming {
                Coming::Arrives(_, request, _) if self.dice.chance(50) => {
                    let outcome = self.commit(&request);
                    self.lose(&request.key.profile, &outcome);
                }
                Coming::Answer(attempt, outcome) => {
                    if let Some(flight) = self.checker.flights.get(attempt) {
                        let name = flight.key.profile.clone();
                        if successor(&outcome).is_some_and(|it| self.ledger.is_excused(&it)) {
                            self.lose(&name, &outcome);
                        }
                    }
                }
                _ => {}
            }
        }
        for (name, successor) in self.ledger.crashes() {
            if let Some(provider) = self.providers.get_mut(&name) {
                provider.family(&successor).is_broken = true;
            }
        }
        self.nothing_is_lost();
        self.reborn();
    }

    /// Each entry can go on from what the disk has, unless the loss cannot be helped.
    pub(super) fn nothing_is_lost(&mut self) {
        for (name, entry) in &self.vault.entries {
            let Some(refresh) = &entry.refresh else { continue };
            let Some(provider) = self.providers.get_mut(name) else { continue };
            let family = provider.family(&refresh.token);
            if family.is_broken || family.is_revoked {
                continue;
            }
            let current = family.current();
            assert!(refresh.holds(&current), "{current} is lost: {refresh:?}");
            assert!(!refresh.is_dead, "{current} is given up, and it works");
        }
    }
}

fn is_write(work: &Work) -> bool {
    !matches!(
        work,
        Work::Unlock(_) | Work::Seal | Work::Load(_) | Work::Fetch { .. } | Work::Admin(_)
    )
}
