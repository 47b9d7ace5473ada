//! Pools: profiles whose tokens are handed out in turn, each as often as its API stands it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::time::Spoken;
use tokctl_proto::{BootMs, Failure, Kind, ProfileName, TokenKey, WallMs};

use crate::core::Core;
use crate::effect::Effect;
use crate::event::{Get, RequestId};
use crate::lane::LaneId;
use crate::profile::{Pool, Rate};
use crate::waiters::{Need, Waiter, Wants};

/// Uses within this share of a period are booked as one: a limit of thousands an hour needs no list of thousands.
const BOOKED_TOGETHER: u32 = 100;

/// Whose turn it is in a pool, and what its members were used for.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    next: usize,
    pub(crate) uses: BTreeMap<ProfileName, Uses>,
}

/// The uses of a member that still count, oldest first. In no period of the rate's length are there more than
/// the rate allows.
#[derive(Debug, Default)]
pub(crate) struct Uses(pub(crate) VecDeque<(BootMs, u32)>);

impl Uses {
    fn count(&self, now: BootMs, rate: Rate) -> u32 {
        let counts = self.0.iter().filter(|(at, _)| at.plus(rate.period) > now);
        counts.map(|(_, uses)| *uses).fold(0, u32::saturating_add)
    }

    /// When so many more uses are allowed: now, or later. Those who still wait for a token of this member
    /// will use it at a time that nobody knows: it counts from now on.
    fn free_at(&self, now: BootMs, rate: Rate, uses: u32, waiting: u32) -> BootMs {
        let mut left = self.count(now, rate).saturating_add(waiting);
        let mut at = now;
        for (booked, many) in self.0.iter().filter(|(at, _)| at.plus(rate.period) > now) {
            if left.saturating_add(uses) <= rate.uses {
                break;
            }
            left = left.saturating_sub(*many);
            at = booked.plus(rate.period);
        }
        match left.saturating_add(uses) <= rate.uses {
            true => at,
            false => now.plus(rate.period),
        }
    }

    fn book(&mut self, now: BootMs, rate: Rate, uses: u32) {
        while self.0.front().is_some_and(|(at, _)| at.plus(rate.period) <= now) {
            self.0.pop_front();
        }
        let width =
            u64::try_from((rate.period / BOOKED_TOGETHER).as_millis()).unwrap_or(u64::MAX).max(1);
        match self.0.back_mut() {
            // Counted from the later one: never too many, perhaps a little late.
            Some((at, many)) if at.0 / width == now.0 / width => {
                (*at, *many) = (now, many.saturating_add(uses));
            }
            _ => self.0.push_back((now, uses)),
        }
    }
}

/// How a member stands.
#[derive(Debug)]
pub(crate) enum Standing {
    Free,
    /// Spent or cooling down until then.
    Spent(BootMs),
    /// Its token was refused, and another is being obtained.
    Renewing,
    /// It has no token, and there is a reason.
    Failing(Failure),
}

impl Core {
    /// Hands out the next member that is well.
    pub(crate) fn get_from_pool(&mut self, get: Get, pool: &Arc<Pool>) {
        if let Some(rate) = pool.rate.filter(|rate| get.uses > rate.uses) {
            let message =
                format!("{} uses at once are more than the limit of {}", get.uses, rate.uses);
            self.fail(get.request, Failure::new(Kind::Usage, message).of(&get.key.profile));
            return;
        }
        match self.choose(&get.key.profile, pool, get.uses, get.best_effort) {
            Ok(at) => self.hand_out(get, pool, at, pool.members.len() - 1),
            Err((until, failure)) => self.wait_for_slot(get, until, failure),
        }
    }

    /// The member whose turn it is, else until when there is none and why.
    fn choose(
        &self,
        name: &ProfileName,
        pool: &Pool,
        uses: u32,
        best_effort: bool,
    ) -> Result<usize, (Option<BootMs>, Failure)> {
        let next = self.turns.get(name).map_or(0, |turns| turns.next);
        let count = pool.members.len();
        let order: Vec<usize> = (0..count).map(|step| (next + step) % count).collect();
        let standings: Vec<(usize, Standing)> =
            order.iter().map(|&at| (at, self.standing(name, pool, at, uses))).collect();
        let first = |of: fn(&Standing) -> bool| {
            standings.iter().find(|(_, standing)| of(standing)).map(|(at, _)| *at)
        };
        let free = first(|standing| matches!(standing, Standing::Free));
        let chosen = free.or_else(|| first(|standing| matches!(standing, Standing::Renewing)));
        if let Some(at) = chosen {
            return Ok(at);
        }
        let spent = standings.iter().filter_map(|(at, standing)| match standing {
            Standing::Spent(until) => Some((*until, *at)),
            _ => None,
        });
        match spent.min() {
            Some((_, at)) if best_effort => Ok(at),
            Some((until, _)) => {
                let free = Spoken(self.until(until));
                let message = format!("every member of the pool is spent; one is free in {free}");
                let failure = Failure::new(Kind::RateLimited, message)
                    .of(name)
                    .hint("wait for the next free slot with `--wait`");
                Err((Some(until), failure))
            }
            None => {
                let why = standings.into_iter().find_map(|(at, standing)| match standing {
                    Standing::Failing(failure) => Some((at, failure)),
                    _ => None,
                });
                Err((None, no_member(name, pool, why)))
            }
        }
    }

    /// How a member of a pool stands for so many uses.
    pub(crate) fn standing(
        &self,
        name: &ProfileName,
        pool: &Pool,
        at: usize,
        uses: u32,
    ) -> Standing {
        let Some(member) = pool.members.get(at) else {
            return Standing::Failing(Failure::new(Kind::Internal, "there is no such member"));
        };
        let Some(profile) = self.profiles.get(member) else {
            return Standing::Failing(self.no_such_profile(member));
        };
        let now = self.now.boot;
        let booked = self.turns.get(name).and_then(|turns| turns.uses.get(member));
        let none = Uses::default();
        let free_at = pool.rate.map_or(now, |rate| {
            let waiting = self.waiters.uses_of(name, member);
            booked.unwrap_or(&none).free_at(now, rate, uses, waiting)
        });
        let until = free_at.max(self.cooling_until(member).unwrap_or_default());
        if until > now {
            return Standing::Spent(until);
        }
        if self.books.get(member).is_some_and(|book| book.refused_at.is_some()) {
            let failure = Failure::new(Kind::SecretRequired, "an API refused the stored key");
            return Standing::Failing(
                failure.of(member).hint(format!("run `tokctl set-secret {member}`")),
            );
        }
        let key = self.shared(TokenKey::plain(member.clone()));
        let state = self.keys.get(&key);
        if state.is_some_and(|state| state.live(self.now).is_some()) {
            return Standing::Free;
        }
        let lane = self.lanes.get(&LaneId::of(&profile.source, &key));
        let rests = lane.is_some_and(|lane| lane.trouble.is_some() && lane.not_before > now)
            || self.origin_rest(&profile.origin).is_some();
        match self.trouble_of(&key).filter(|_| rests) {
            Some(failure) => Standing::Failing(failure),
            None if state.is_some_and(|state| state.is_wanted) => Standing::Renewing,
            None => Standing::Free,
        }
    }

    /// `others`: members that may still be tried for this caller.
    fn hand_out(&mut self, get: Get, pool: &Arc<Pool>, at: usize, others: usize) {
        let Some(member) = pool.members.get(at).cloned() else { return };
        let name = get.key.profile.clone();
        let now = self.now.boot;
        let turns = self.turns.entry(name.clone()).or_default();
        turns.next = (at + 1) % pool.members.len();
        let deadline = now.plus(get.timeout);
        let (uses, wait_until) = (get.uses, now.plus(get.wait));
        let wants = Wants::FromPool { pool: name, uses, wait_until, others };
        let need =
            Need { min_valid: get.min_valid, best_effort: get.best_effort, newer_than: None };
        let key = TokenKey { profile: member, ..get.key };
        self.join(get.request, key, need, get.refresh, deadline, wants);
    }

    fn wait_for_slot(&mut self, get: Get, until: Option<BootMs>, failure: Failure) {
        let wait = until.map(|until| self.until(until));
        match (until, wait) {
            (Some(until), Some(wait)) if wait <= get.wait => {
                let spoken = Spoken(wait);
                let text =
                    format!("{}: every member is spent; waiting for {spoken}", get.key.profile);
                self.effects.push(Effect::Progress { request: get.request, text });
                self.parked.insert(self.now.boot, until, get);
            }
            (_, Some(wait)) => {
                let failure = failure.retry_at(self.now.wall.plus(wait));
                self.fail(get.request, failure);
            }
            (_, None) => self.fail(get.request, failure),
        }
    }

    /// A member's token is handed out: from now on its uses count.
    pub(crate) fn book_use(&mut self, name: &ProfileName, member: &ProfileName, uses: u32) {
        let rate = match self.profiles.get(name).map(|profile| &profile.source) {
            Some(crate::profile::Source::Pool(pool)) => pool.rate,
            _ => None,
        };
        let Some(rate) = rate else { return };
        let turns = self.turns.entry(name.clone()).or_default();
        turns.uses.entry(member.clone()).or_default().book(self.now.boot, rate, uses);
        self.touch_schedule();
    }

    /// A member had no token after all: the next one has its chance, as long as there is one that is well.
    pub(crate) fn try_another(
        &mut self,
        request: RequestId,
        waiter: Waiter,
        name: &ProfileName,
        failure: Failure,
    ) {
        let pool = self.profiles.get(name).and_then(|profile| match &profile.source {
            crate::profile::Source::Pool(pool) => Some(Arc::clone(pool)),
            _ => None,
        });
        let (uses, wait_until, others) = match waiter.wants {
            Wants::FromPool { uses, wait_until, others, .. } => (uses, wait_until, others),
            Wants::Token | Wants::Renewal => (1, BootMs::default(), 0),
        };
        // Each is asked once: what one of them refuses, all of them may.
        let pool = pool.filter(|_| others > 0);
        let at = pool.as_ref().and_then(|pool| self.choose(name, pool, uses, false).ok());
        match (pool, at) {
            (Some(pool), Some(at)) if pool.members.get(at) != Some(&waiter.key.profile) => {
                let get = Get {
                    request,
                    key: TokenKey { profile: name.clone(), ..waiter.key.as_ref().clone() },
                    min_valid: waiter.need.min_valid,
                    best_effort: waiter.need.best_effort,
                    refresh: waiter.need.newer_than.is_some(),
                    timeout: self.until(waiter.deadline),
                    interactive: false,
                    uses,
                    wait: self.until(wait_until),
                };
                self.hand_out(get, &pool, at, others - 1);
            }
            _ => self.fail(request, failure),
        }
    }

    /// Uses that are left to a member now.
    pub(crate) fn uses_left(
        &self,
        name: &ProfileName,
        pool: &Pool,
        member: &ProfileName,
    ) -> Option<u32> {
        let rate = pool.rate?;
        let booked = self.turns.get(name).and_then(|turns| turns.uses.get(member));
        let waiting = self.waiters.uses_of(name, member);
        Some(
            rate.uses
                .saturating_sub(waiting)
                .saturating_sub(booked.map_or(0, |uses| uses.count(self.now.boot, rate))),
        )
    }

    /// The uses that still count, for the next run: whose, until when, how many.
    pub(crate) fn uses_to_keep(
        &self,
        name: &ProfileName,
        pool: &Pool,
    ) -> Vec<(ProfileName, WallMs, u32)> {
        let (Some(rate), Some(turns)) = (pool.rate, self.turns.get(name)) else {
            return Vec::new();
        };
        let kept = turns.uses.iter().flat_map(|(member, uses)| {
            uses.0.iter().filter_map(|(at, many)| {
                let left = at.plus(rate.period).since(self.now.boot);
                (left > Duration::ZERO).then(|| (member.clone(), self.now.wall.plus(left), *many))
            })
        });
        kept.collect()
    }

    /// Takes over the uses of the last run.
    pub(crate) fn restore_uses(
        &mut self,
        name: &ProfileName,
        uses: Vec<(ProfileName, WallMs, u32)>,
    ) {
        let Some(crate::profile::Source::Pool(pool)) =
            self.profiles.get(name).map(|profile| &profile.source)
        else {
            return;
        };
        let Some(rate) = pool.rate else { return };
        let (now, wall) = (self.now.boot, self.now.wall);
        let turns = self.turns.entry(name.clone()).or_default();
        for (member, until, many) in uses {
            // A clock that was wrong when this was written must not bar the member for longer than a period.
            let age = rate.period.saturating_sub(until.since(wall).min(rate.period));
            // The boot clock may not reach so far back: then it counts from its beginning.
            let at =
                BootMs(now.0.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)));
            turns.uses.entry(member).or_default().0.push_back((at, many));
        }
        for uses in turns.uses.values_mut() {
            uses.0.make_contiguous().sort_by_key(|(at, _)| *at);
        }
    }
}

fn no_member(name: &ProfileName, pool: &Pool, why: Option<(usize, Failure)>) -> Failure {
    match why {
        Some((at, failure)) => {
            let member = pool.members.get(at).map_or("", ProfileName::as_str);
            let message =
                format!("no member of the pool has a token; {member}: {}", failure.message);
            Failure { message, profile: Some(name.clone()), ..failure }
        }
        None => Failure::new(Kind::Internal, "the pool has no members").of(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { uses: 3, period: Duration::from_secs(60) };

    #[test]
    fn a_slot_is_free_when_the_oldest_use_leaves_the_window() {
        let mut uses = Uses::default();
        for at in [0, 10_000, 20_000] {
            assert_eq!(uses.free_at(BootMs(at), RATE, 1, 0), BootMs(at));
            uses.book(BootMs(at), RATE, 1);
        }
        for (now, many, free_at) in [
            (20_000, 1, 60_000),
            (20_000, 2, 70_000),
            (20_000, 3, 80_000),
            (59_999, 1, 60_000),
            (60_000, 1, 60_000),
            (60_001, 1, 60_001),
            (60_001, 2, 70_000),
        ] {
            assert_eq!(uses.free_at(BootMs(now), RATE, many, 0), BootMs(free_at), "{now} {many}");
        }
    }

    #[test]
    fn those_who_wait_for_a_token_have_their_slot() {
        let mut uses = Uses::default();
        uses.book(BootMs(0), RATE, 1);
        for (now, waiting, free_at) in
            [(0, 1, 0), (10_000, 2, 60_000), (60_001, 2, 60_001), (60_001, 3, 120_001)]
        {
            assert_eq!(uses.free_at(BootMs(now), RATE, 1, waiting), BootMs(free_at), "{now}");
        }
    }

    #[test]
    fn uses_at_the_same_moment_are_booked_together_and_all_count() {
        let mut uses = Uses::default();
        for at in [0, 1, 599] {
            uses.book(BootMs(at), RATE, 1);
        }
        assert_eq!((uses.0.len(), uses.count(BootMs(599), RATE)), (1, 3));
        assert_eq!(uses.free_at(BootMs(599), RATE, 1, 0), BootMs(60_599));
    }

    #[test]
    fn a_steady_stream_below_the_rate_never_waits() {
        let (mut uses, rate) =
            (Uses::default(), Rate { uses: 120, period: Duration::from_secs(60) });
        for at in (0..600_000).step_by(506) {
            assert_eq!(uses.free_at(BootMs(at), rate, 1, 0), BootMs(at));
            uses.book(BootMs(at), rate, 1);
        }
        assert!(uses.0.len() <= 101, "{}", uses.0.len());
    }
}
