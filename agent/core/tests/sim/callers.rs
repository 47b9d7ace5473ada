//! Every request is answered once, in time, and nobody who has left is.

use std::collections::{BTreeMap, BTreeSet};

use tokctl_core::{Event, Get, Report, RequestId};
use tokctl_proto::{BootMs, Now, ProfileName, TokenKey};

/// A request that has not been answered.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) get: Option<Get>,
    /// What it wants a token of.
    pub(super) key: Option<TokenKey>,
    pub(super) report: Option<Report>,
    pub(super) asked_at: BootMs,
    /// From when the vault was open.
    deadline: Option<BootMs>,
    /// The whole wait, where there is one.
    timeout: Option<std::time::Duration>,
}

#[derive(Debug, Default)]
pub(super) struct Callers {
    waiting: BTreeMap<RequestId, Waiting>,
    deadlines: BTreeSet<(BootMs, RequestId)>,
    gone: BTreeSet<RequestId>,
    /// Passed on to be carried out: they are answered even when their client has gone.
    admitted: BTreeSet<RequestId>,
    /// Changes that want no request of their profile under way.
    alone: BTreeMap<RequestId, ProfileName>,
    /// The most that ever waited at a time.
    pub(super) waiting_max: usize,
}

impl Callers {
    pub(super) fn waiting(&self) -> Vec<RequestId> {
        self.waiting.keys().copied().collect()
    }

    pub(super) fn get(&self, request: RequestId) -> Option<&Waiting> {
        self.waiting.get(&request)
    }

    /// The keys that somebody waits for.
    pub(super) fn keys(&self) -> impl Iterator<Item = &TokenKey> {
        self.waiting.values().filter_map(|waiting| waiting.key.as_ref())
    }

    /// Whether somebody waits since then or before who may have been given a member of a pool that was edited since.
    pub(super) fn is_promised(&self, edited_at: BootMs) -> bool {
        self.waiting.values().any(|waiting| waiting.asked_at <= edited_at)
    }

    pub(super) fn is_waiting(&self, request: RequestId) -> bool {
        self.waiting.contains_key(&request)
    }

    pub(super) fn event(&mut self, now: Now, open: bool, event: &Event) {
        let (request, get, timeout) = match event {
            Event::Get(get) => {
                (get.request, Some(get.clone()), Some(get.timeout.saturating_add(get.wait)))
            }
            Event::Refresh(refresh) => (refresh.request, None, Some(refresh.timeout)),
            Event::Report(report) => (report.request, None, None),
            Event::Admit { request, alone, .. } => {
                self.alone.extend(alone.clone().map(|alone| (*request, alone)));
                (*request, None, None)
            }
            Event::Unlock { request, .. } | Event::Lock { request } => (*request, None, None),
            Event::Gone { request } => {
                self.remove(*request);
                self.gone.insert(*request);
                return;
            }
            Event::Changed(changed) => {
                if let Some((request, _)) = &changed.reply {
                    self.alone.remove(request);
                }
                return;
            }
            _ => return,
        };
        let deadline = timeout.filter(|_| open).map(|timeout| now.boot.plus(timeout));
        let key = match event {
            Event::Get(get) => Some(get.key.clone()),
            Event::Refresh(refresh) => Some(refresh.key.clone()),
            _ => None,
        };
        let report = match event {
            Event::Report(report) => Some(report.clone()),
            _ => None,
        };
        let waiting = Waiting { get, key, report, asked_at: now.boot, deadline, timeout };
        assert!(self.waiting.insert(request, waiting).is_none(), "{request:?} is used twice");
        self.deadlines.extend(deadline.map(|deadline| (deadline, request)));
        self.waiting_max = self.waiting_max.max(self.waiting.len());
    }

    fn remove(&mut self, request: RequestId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&request)?;
        if let Some(deadline) = waiting.deadline {
            self.deadlines.remove(&(deadline, request));
        }
        Some(waiting)
    }

    /// The vault has been opened: whoever waited for that waits for a token from now on.
    pub(super) fn opened(&mut self, now: Now) {
        for (request, waiting) in &mut self.waiting {
            if let (None, Some(timeout)) = (waiting.deadline, waiting.timeout) {
                let deadline = now.boot.plus(timeout);
                waiting.deadline = Some(deadline);
                self.deadlines.insert((deadline, *request));
            }
        }
    }

    /// The machine was suspended: whoever waits for a slot finds it late, and has its time for a token then.
    pub(super) fn slept(&mut self, now: Now) {
        for (request, waiting) in &mut self.waiting {
            let is_patient = waiting.get.as_ref().is_some_and(|get| !get.wait.is_zero());
            if let (true, Some(deadline), Some(timeout)) =
                (is_patient, waiting.deadline, waiting.timeout)
            {
                self.deadlines.remove(&(deadline, *request));
                let deadline = deadline.max(now.boot.plus(timeout));
                waiting.deadline = Some(deadline);
                self.deadlines.insert((deadline, *request));
            }
        }
    }

    pub(super) fn admitted(&mut self, request: RequestId) -> Option<&ProfileName> {
        assert!(self.is_waiting(request), "nobody waits as {request:?}");
        assert!(self.admitted.insert(request), "{request:?} is admitted twice");
        self.alone.get(&request)
    }

    /// Whether a change that wants to be alone with this profile is being carried out.
    pub(super) fn is_held(&self, profile: &ProfileName) -> bool {
        self.alone
            .iter()
            .any(|(request, alone)| alone == profile && self.admitted.contains(request))
    }

    /// Takes an answer. `None`: nobody hears it any more.
    pub(super) fn answered(&mut self, request: RequestId) -> Option<Waiting> {
        let late = self.admitted.contains(&request) && self.gone.contains(&request);
        if late {
            return None;
        }
        assert!(!self.gone.contains(&request), "{request:?} is gone and gets an answer");
        let waiting = self.remove(request);
        Some(waiting.unwrap_or_else(|| panic!("{request:?} is answered unasked or twice")))
    }

    /// Whether the next look at the clock comes in time for all who wait.
    pub(super) fn are_remembered(&self, now: Now, due: Option<BootMs>) {
        if let Some((deadline, request)) = self.deadlines.first() {
            assert!(
                due.is_some_and(|due| due <= now.boot.max(*deadline)),
                "{request:?} will be forgotten"
            );
        }
    }
}
