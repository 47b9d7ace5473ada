//! Callers that wait for a time: a free slot of a pool, the end of a cool-down. They ask again when it comes.

use std::collections::BTreeMap;

use tokctl_proto::BootMs;

use crate::event::{Get, RequestId};

#[derive(Debug, Default)]
pub(crate) struct Parked {
    /// With the time until which they are ready to wait.
    by_time: BTreeMap<(BootMs, RequestId), (BootMs, Get)>,
    times: BTreeMap<RequestId, BootMs>,
}

impl Parked {
    pub(crate) fn insert(&mut self, now: BootMs, until: BootMs, get: Get) {
        self.times.insert(get.request, until);
        self.by_time.insert((until, get.request), (now.plus(get.wait), get));
    }

    pub(crate) fn remove(&mut self, request: RequestId) -> bool {
        let at = self.times.remove(&request);
        at.and_then(|at| self.by_time.remove(&(at, request))).is_some()
    }

    pub(crate) fn take_due(&mut self, now: BootMs) -> Option<Get> {
        let (&(at, request), _) = self.by_time.first_key_value()?;
        if at > now {
            return None;
        }
        self.times.remove(&request);
        let (ready_until, get) = self.by_time.remove(&(at, request))?;
        Some(Get { wait: ready_until.since(now), ..get })
    }

    pub(crate) fn next_due(&self) -> Option<BootMs> {
        self.by_time.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Takes everybody out.
    pub(crate) fn drain(&mut self) -> Vec<RequestId> {
        self.by_time.clear();
        std::mem::take(&mut self.times).into_keys().collect()
    }

    /// Takes everybody out, to ask again at once.
    pub(crate) fn take_all(&mut self, now: BootMs) -> Vec<Get> {
        self.times.clear();
        let all = std::mem::take(&mut self.by_time).into_values();
        all.map(|(ready_until, get)| Get { wait: ready_until.since(now), ..get }).collect()
    }
}
