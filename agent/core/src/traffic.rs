//! How many requests are on the road: four to one provider, and so many to all of them. The rest queue, callers
//! first. A provider that is down is asked by one profile at a time, on behalf of all of its profiles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::{BootMs, Failure};

use crate::backoff;
use crate::core::Core;
use crate::lane::{LaneId, Turn};
use crate::outcome::{Class, Trouble};
use crate::rng::Rng;
use crate::verdict::News;

/// Requests to one provider at a time. A wake-up with hundreds of profiles is no attack.
pub const IN_FLIGHT_PER_ORIGIN_MAX: u32 = 4;
/// Requests at a time altogether: each takes a socket and the memory of a TLS session.
pub const IN_FLIGHT_MAX: u32 = 32;
/// Failures of its own in a row after which a provider counts as down: fewer may be one bad server of many.
pub const FAILURES_UNTIL_DOWN: u32 = 3;

#[derive(Debug, Default)]
pub(crate) struct Traffic {
    in_flight: u32,
    origins: BTreeMap<Arc<str>, Origin>,
    /// Lanes whose provider has room while there is none altogether.
    queue: BTreeSet<(Turn, LaneId)>,
    /// When providers that are down are asked again.
    wakes: BTreeSet<(BootMs, Arc<str>)>,
}

#[derive(Debug, Default)]
pub(crate) struct Origin {
    in_flight: u32,
    /// Of its own, in a row, whichever profile saw them.
    pub(crate) failures: u32,
    pub(crate) not_before: BootMs,
    pub(crate) trouble: Option<Box<Trouble>>,
    queue: BTreeSet<(Turn, LaneId)>,
}

impl Origin {
    fn has_room(&self, now: BootMs) -> bool {
        let most = if self.failures >= FAILURES_UNTIL_DOWN { 1 } else { IN_FLIGHT_PER_ORIGIN_MAX };
        self.in_flight < most && self.not_before <= now
    }
}

impl Traffic {
    pub(crate) fn next_due(&self) -> Option<BootMs> {
        self.wakes.first().map(|(at, _)| *at)
    }

    pub(crate) fn origin(&self, origin: &str) -> Option<&Origin> {
        self.origins.get(origin)
    }

    pub(crate) fn origins(&self) -> impl Iterator<Item = (&Arc<str>, &Origin)> {
        self.origins.iter()
    }

    /// Lets a request of this lane pass, or puts it into a queue.
    pub(crate) fn let_pass(
        &mut self,
        now: BootMs,
        origin: &Arc<str>,
        turn: Turn,
        lane: &LaneId,
    ) -> bool {
        let is_known = !origin.is_empty();
        if is_known && !self.origins.entry(Arc::clone(origin)).or_default().has_room(now) {
            let place = (turn, lane.clone());
            self.origins.entry(Arc::clone(origin)).or_default().queue.insert(place);
            return false;
        }
        if self.in_flight >= IN_FLIGHT_MAX {
            self.queue.insert((turn, lane.clone()));
            return false;
        }
        self.in_flight += 1;
        if is_known {
            self.origins.entry(Arc::clone(origin)).or_default().in_flight += 1;
        }
        true
    }

    /// Whether a request to this provider could go now.
    pub(crate) fn has_room(&self, now: BootMs, origin: &str) -> bool {
        let there = self.origins.get(origin).is_none_or(|state| state.has_room(now));
        there && self.in_flight < IN_FLIGHT_MAX
    }

    pub(crate) fn leave(&mut self, origin: &Arc<str>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(state) = self.origins.get_mut(origin) {
            state.in_flight = state.in_flight.saturating_sub(1);
        }
        self.tidy(origin);
    }

    /// Nothing is remembered of a provider that is well and has nothing to do.
    fn tidy(&mut self, origin: &Arc<str>) {
        let is_idle = |it: &Origin| it.in_flight == 0 && it.failures == 0 && it.queue.is_empty();
        if self.origins.get(origin).is_some_and(is_idle) {
            self.origins.remove(origin);
        }
    }

    pub(crate) fn take_out(&mut self, origin: &str, turn: Turn, lane: &LaneId) {
        let place = (turn, lane.clone());
        if let Some(state) = self.origins.get_mut(origin) {
            state.queue.remove(&place);
        }
        self.queue.remove(&place);
    }

    /// The next lane that may go, of this provider's queue or of the common one.
    fn next(&mut self, now: BootMs, origin: &Arc<str>) -> Option<LaneId> {
        if self.in_flight >= IN_FLIGHT_MAX {
            return None;
        }
        if let Some(state) = self.origins.get_mut(origin)
            && state.has_room(now)
            && let Some((_, lane)) = state.queue.pop_first()
        {
            return Some(lane);
        }
        self.queue.pop_first().map(|(_, lane)| lane)
    }

    /// The lanes in a provider's queue that somebody waits for.
    fn callers(&self, origin: &str) -> Vec<LaneId> {
        let queue = self.origins.get(origin).into_iter().flat_map(|state| &state.queue);
        let callers = queue.take_while(|(turn, _)| matches!(turn, Turn::Caller(_)));
        callers.map(|(_, lane)| lane.clone()).collect()
    }

    /// The provider could not be reached or had a failure of its own.
    pub(crate) fn blame(
        &mut self,
        now: BootMs,
        origin: &Arc<str>,
        trouble: &Trouble,
        rng: &mut Rng,
    ) {
        if origin.is_empty() {
            return;
        }
        let state = self.origins.entry(Arc::clone(origin)).or_default();
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES_UNTIL_DOWN {
            return;
        }
        let wait = backoff::delay(state.failures - FAILURES_UNTIL_DOWN + 1, rng)
            .max(trouble.retry_after.unwrap_or_default());
        state.trouble = Some(Box::new(trouble.clone()));
        self.rest(origin, now.plus(wait));
    }

    fn rest(&mut self, origin: &Arc<str>, until: BootMs) {
        let Some(state) = self.origins.get_mut(origin) else { return };
        self.wakes.remove(&(state.not_before, Arc::clone(origin)));
        state.not_before = until;
        self.wakes.insert((until, Arc::clone(origin)));
    }

    /// The provider answered for itself: it is there.
    pub(crate) fn praise(&mut self, origin: &Arc<str>) {
        let Some(state) = self.origins.get_mut(origin) else { return };
        self.wakes.remove(&(state.not_before, Arc::clone(origin)));
        state.failures = 0;
        state.trouble = None;
        state.not_before = BootMs::default();
        self.tidy(origin);
    }

    /// Takes over what the last run knew of a provider.
    pub(crate) fn restore(&mut self, origin: &str, failures: u32, until: BootMs, failure: Failure) {
        let origin: Arc<str> = origin.into();
        let trouble = Some(Box::new(Trouble::new(Class::Retry, failure)));
        self.origins.insert(Arc::clone(&origin), Origin { failures, trouble, ..Origin::default() });
        self.rest(&origin, until);
    }
}

impl Core {
    /// Takes a lane out of the queue that it stands in.
    pub(crate) fn leave_queue(&mut self, id: &LaneId) {
        let queued = self.lanes.get_mut(id).and_then(|lane| lane.queued.take());
        let Some((turn, origin)) = queued else { return };
        self.traffic.take_out(&origin, turn, id);
    }

    /// Lets those go for whom there is room now.
    pub(crate) fn pump_queue(&mut self, origin: &Arc<str>) {
        while let Some(lane) = self.traffic.next(self.now.boot, origin) {
            if let Some(state) = self.lanes.get_mut(&lane) {
                state.queued = None;
            }
            self.pump(&lane);
        }
    }

    /// Asks the providers again that were down for long enough.
    pub(crate) fn pump_origins(&mut self) {
        while self.traffic.next_due().is_some_and(|at| at <= self.now.boot) {
            let Some((_, origin)) = self.traffic.wakes.pop_first() else { return };
            self.pump_queue(&origin);
        }
    }

    /// A provider was found down: callers that stand in its queue are told if it will be for long.
    pub(crate) fn blame(&mut self, origin: &Arc<str>, trouble: &Trouble) {
        self.traffic.blame(self.now.boot, origin, trouble, &mut self.rng);
        for id in self.traffic.callers(origin) {
            let keys: Vec<_> = self.keys_in(&id).cloned().collect();
            for key in keys {
                self.settle(&key, News::None);
            }
        }
    }

    /// Until when the provider of a profile is left alone, and why.
    pub(crate) fn origin_rest(&self, origin: &str) -> Option<(BootMs, &Trouble)> {
        let state = self.traffic.origin(origin).filter(|state| state.not_before > self.now.boot)?;
        Some((state.not_before, state.trouble.as_deref()?))
    }

    /// How long ahead of now something on the boot clock lies.
    pub(crate) fn until(&self, at: BootMs) -> Duration {
        at.since(self.now.boot)
    }
}
