//! A pool's members are used in turn, never more often than they stand, and not while an API refuses them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokctl_core::{Pool, Profile, Source};
use tokctl_proto::{BootMs, ProfileName};

#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Per pool and member, oldest first: when, and how many.
    booked: BTreeMap<(ProfileName, ProfileName), VecDeque<(BootMs, u32)>>,
    /// Who was handed out last, per pool.
    last: BTreeMap<ProfileName, ProfileName>,
    /// An API said that it wants to be left alone until then: per pool and member, or for the profile itself.
    resting: BTreeMap<ProfileName, Rest>,
    /// Set by a scenario in which every member is healthy: then each hand-out is the next one's turn.
    pub(super) strictly_in_turn: bool,
    /// When a person last wrote other limits, perhaps.
    pub(super) edited_at: BootMs,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    since: BootMs,
    until: BootMs,
}

impl Uses {
    /// A token of a pool was handed out, to somebody who takes it whatever the API may say.
    pub(super) fn handed_out(
        &mut self,
        now: BootMs,
        name: &ProfileName,
        pool: &Pool,
        member: &ProfileName,
        (uses, whatever): (u32, bool),
        asked_at: BootMs,
    ) {
        assert!(pool.members.contains(member), "{member} is not of {name}");
        if let Some(rest) = self.resting.get(member) {
            // Whoever waited for its token when the API said so has it.
            assert!(
                whatever || rest.until <= now || asked_at <= rest.since,
                "{member} is handed out {:?} before it may",
                rest.until.since(now)
            );
        }
        if self.strictly_in_turn
            && let Some(last) = self.last.get(name)
        {
            let at = pool.members.iter().position(|member| member == last).unwrap();
            let next = &pool.members[(at + 1) % pool.members.len()];
            assert_eq!(member, next, "it was not its turn");
        }
        self.last.insert(name.clone(), member.clone());
        // Who takes what it can get may use a member that is spent.
        let Some(rate) = pool.rate.filter(|_| !whatever) else { return };
        let booked = self.booked.entry((name.clone(), member.clone())).or_default();
        booked.push_back((now, uses));
        while booked.front().is_some_and(|(at, _)| at.plus(rate.period) <= now) {
            booked.pop_front();
        }
        let sum: u32 = booked.iter().map(|(_, uses)| uses).sum();
        // Whoever was let in by the limit of before an edit has what it was promised.
        let is_promised = asked_at <= self.edited_at;
        assert!(
            sum <= rate.uses || is_promised,
            "{member} is used {sum} times in {:?}",
            rate.period
        );
    }

    /// An API told this profile to slow down.
    pub(super) fn rests(&mut self, now: BootMs, name: &ProfileName, asked: Duration) {
        let until = now.plus(asked);
        let rest = self.resting.entry(name.clone()).or_default();
        *rest = Rest { since: now, until: rest.until.max(until) };
    }

    /// A person changed something about it.
    pub(super) fn forgive(&mut self, name: &ProfileName) {
        self.resting.remove(name);
        self.last.remove(name);
        self.booked.retain(|(pool, _), _| pool != name);
    }

    /// Another agent knows what the schedule told it: of one that was killed, perhaps nothing.
    pub(super) fn restarted(&mut self, knows_all: bool) {
        self.last.clear();
        if !knows_all {
            self.resting.clear();
            self.booked.clear();
        }
    }
}

/// The pool that a profile is.
pub(super) fn pool_of(profile: &Profile) -> Option<&Pool> {
    match &profile.source {
        Source::Pool(pool) => Some(pool),
        Source::Stored | Source::Provider(_) => None,
    }
}
