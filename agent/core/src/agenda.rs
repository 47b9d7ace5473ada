//! When something is due by itself, so that nobody has to look at every lane to know.
//!
//! Each lane stands in the agenda with the time of what it will do next. A step works out anew only the lanes
//! that it touched. Since expiry is judged by the wall and the agenda is kept on the boot clock, all of it is
//! worked out anew when the two have parted.

use std::collections::BTreeSet;
use std::time::Duration;

use tokctl_proto::{BootMs, Now, TokenKey};

use crate::core::Core;
use crate::key::Saving;
use crate::lane::{Lane, LaneId, Retry};

/// The clocks part by less than this unless somebody sets one of them: they are read one after the other, and
/// the wall clock is slewed.
const DRIFT_MAX: Duration = Duration::from_millis(50);
/// The driver naps for half a minute at most: whoever was not told of the time for longer has slept.
const SLEPT_MIN: Duration = Duration::from_secs(60);
/// Renewals that were slept through are spread over this time for each of them,
const SPREAD_EACH: Duration = Duration::from_millis(50);
/// and over no more than this together.
const SPREAD_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Agenda {
    lanes: BTreeSet<(BootMs, LaneId)>,
    /// When the clocks were last seen side by side.
    as_of: Now,
    /// What is due first, of everything.
    next: Option<BootMs>,
}

impl Agenda {
    /// The lanes that are due. They stay until they have been worked out anew.
    pub(crate) fn take_due(&self, now: BootMs) -> Vec<LaneId> {
        self.lanes.iter().take_while(|(at, _)| *at <= now).map(|(_, lane)| lane.clone()).collect()
    }

    fn put(&mut self, id: &LaneId, lane: &mut Lane, due: Option<BootMs>) {
        if lane.due == due {
            return;
        }
        self.remove(id, lane.due);
        lane.due = due;
        if let Some(at) = due {
            self.lanes.insert((at, id.clone()));
        }
    }

    pub(crate) fn remove(&mut self, id: &LaneId, due: Option<BootMs>) {
        if let Some(at) = due {
            self.lanes.remove(&(at, id.clone()));
        }
    }

    /// Whether the wall clock has run on with the boot clock since.
    fn holds_at(&self, now: Now) -> bool {
        let expected = self.as_of.wall.plus(now.boot.since(self.as_of.boot));
        now.wall.since(expected).max(expected.since(now.wall)) <= DRIFT_MAX
    }
}

impl Core {
    /// When `Event::Tick` is due, worked out anew from the wall as of the last event; `None` when nothing
    /// will ever be due by itself. It may be early, never late.
    pub fn poll_timeout(&self) -> Option<BootMs> {
        self.agenda.next
    }

    /// Something was done to the lane of a key.
    pub(crate) fn touch_key(&mut self, key: &TokenKey) {
        let Some(profile) = self.profiles.get(&key.profile) else { return };
        let key = match self.keys.get_key_value(key) {
            Some((shared, _)) => shared.clone(),
            None => key.clone().into(),
        };
        let lane = LaneId::of(&profile.source, &key);
        self.touched.insert(lane);
    }

    pub(crate) fn touch(&mut self, lane: &LaneId) {
        self.touched.insert(lane.clone());
    }

    /// The last thing in each step.
    pub(crate) fn settle_agenda(&mut self) {
        if !self.agenda.holds_at(self.now) {
            self.touched = self.lanes.keys().cloned().collect();
            self.agenda.as_of = self.now;
        }
        for id in std::mem::take(&mut self.touched) {
            let due = self.lanes.get(&id).and_then(|lane| self.lane_due(&id, lane));
            if let Some(lane) = self.lanes.get_mut(&id) {
                self.agenda.put(&id, lane, due);
            }
        }
        let lane = self.agenda.lanes.first().map(|(at, _)| *at);
        self.agenda.next = lane
            .into_iter()
            .chain(self.waiters.next_deadline())
            .chain(self.parked.next_due())
            .chain(self.traffic.next_due())
            .chain(self.schedule_due)
            .min();
    }

    /// When this lane has something to do by itself.
    pub(crate) fn lane_due(&self, id: &LaneId, lane: &Lane) -> Option<BootMs> {
        if !self.lock.is_writable() {
            return None;
        }
        if let Some(unsaved) = &lane.unsaved {
            return match unsaved.state {
                Retry::At(at) => Some(at),
                Retry::UnderWay(_) => None,
            };
        }
        let saves = self.keys_in(id).filter_map(|key| match self.keys.get(key)?.saving {
            Saving::Failed { retry_at, .. } => Some(retry_at),
            _ => None,
        });
        self.request_due(id, lane).into_iter().chain(saves).min()
    }

    /// When this lane wants to ask its provider.
    fn request_due(&self, id: &LaneId, lane: &Lane) -> Option<BootMs> {
        let is_idle = lane.in_flight.is_none() && lane.queued.is_none() && self.lock.is_open();
        if !is_idle
            || self.is_stopping
            || self.holds.holds(id.profile())
            || self.is_loading(id.profile())
        {
            return None;
        }
        if let Some(next_at) = self.subjects.pending(id) {
            return next_at.and_then(|at| self.next_asked_at(id, at));
        }
        let asked = self.keys_in(id).filter_map(|key| match self.turn_of(key) {
            Some(_) => self.asking_due(id, key, lane),
            None => self.renewal_due(id, key, lane),
        });
        asked.chain(self.keep_alive_due(id, lane)).min()
    }

    /// Whoever was away for long finds much that should have been done. It is spread, so that those who wait
    /// now are not behind it.
    pub(crate) fn notice_sleep(&mut self, before: Now) {
        let slept = self.now.boot.since(before.boot);
        if slept < SLEPT_MIN || before.boot == BootMs::default() {
            return;
        }
        let late = self.agenda.take_due(self.now.boot);
        let most = u32::try_from(late.len()).unwrap_or(u32::MAX);
        let spread = SPREAD_EACH.saturating_mul(most.saturating_sub(1)).min(SPREAD_MAX);
        let spread_ms = u64::try_from(spread.as_millis()).unwrap_or(0);
        for id in late {
            let keys: Vec<_> = self.keys_in(&id).cloned().collect();
            for key in keys {
                let at = self.now.boot.plus(Duration::from_millis(self.rng.between(0, spread_ms)));
                if let Some(state) = self.keys.get_mut(&key) {
                    state.spread_until = at;
                }
            }
            self.touch(&id);
        }
    }
}
