//! Callers that wait for a token. A waiter belongs to a key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::{BootMs, ProfileName, TokenKey};

use crate::event::RequestId;

/// What a caller wants of a token.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    pub(crate) min_valid: Option<Duration>,
    pub(crate) best_effort: bool,
    /// The number of tokens the key had obtained when a new one was demanded.
    pub(crate) newer_than: Option<u64>,
}

impl Need {
    /// Whether less than the wanted validity will do, if it must.
    pub(crate) fn is_content(&self) -> bool {
        self.min_valid.is_none() || self.best_effort
    }
}

/// What a caller is told in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Token,
    /// The token of a member of this pool; so many uses of it are booked.
    FromPool {
        pool: ProfileName,
        uses: u32,
        wait_until: BootMs,
        /// Members that have not been tried.
        others: usize,
    },
    /// That there is a new token. A person asks, so what was held back for a person's word is done.
    Renewal,
}

#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) key: Arc<TokenKey>,
    pub(crate) wants: Wants,
    pub(crate) need: Need,
    pub(crate) deadline: BootMs,
    /// Failed attempts it has sat through.
    pub(crate) attempts: u32,
}

/// All waiters. The three maps always hold the same requests.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    by_request: BTreeMap<RequestId, Waiter>,
    by_key: BTreeMap<Arc<TokenKey>, BTreeSet<RequestId>>,
    by_deadline: BTreeSet<(BootMs, RequestId)>,
}

impl Waiters {
    pub(crate) fn insert(&mut self, request: RequestId, waiter: Waiter) {
        self.by_deadline.insert((waiter.deadline, request));
        self.by_key.entry(waiter.key.clone()).or_default().insert(request);
        self.by_request.insert(request, waiter);
    }

    pub(crate) fn remove(&mut self, request: RequestId) -> Option<Waiter> {
        let waiter = self.by_request.remove(&request)?;
        self.by_deadline.remove(&(waiter.deadline, request));
        if let Some(requests) = self.by_key.get_mut(&waiter.key) {
            requests.remove(&request);
            if requests.is_empty() {
                self.by_key.remove(&waiter.key);
            }
        }
        Some(waiter)
    }

    pub(crate) fn get(&self, request: RequestId) -> Option<&Waiter> {
        self.by_request.get(&request)
    }

    /// The requests that wait for `key`, oldest first.
    pub(crate) fn of(&self, key: &TokenKey) -> Vec<RequestId> {
        self.by_key.get(key).into_iter().flatten().copied().collect()
    }

    /// Uses that callers of a pool will make of a member, as soon as it has a token.
    pub(crate) fn uses_of(&self, name: &ProfileName, member: &ProfileName) -> u32 {
        let keys = self.by_key.range::<TokenKey, _>(TokenKey::plain(member.clone())..);
        keys.take_while(|(key, _)| key.profile == *member)
            .flat_map(|(_, requests)| requests)
            .map(|request| match self.by_request.get(request).map(|waiter| &waiter.wants) {
                Some(Wants::FromPool { pool, uses, .. }) if pool == name => *uses,
                _ => 0,
            })
            .fold(0, u32::saturating_add)
    }

    /// The request that has waited longest for `key`.
    pub(crate) fn oldest_of(&self, key: &TokenKey) -> Option<RequestId> {
        self.by_key.get(key)?.first().copied()
    }

    /// Whether a person asks for a key, whatever it may cost.
    pub(crate) fn is_forced(&self, key: &TokenKey) -> bool {
        let of_key = self.by_key.get(key).into_iter().flatten();
        of_key
            .filter_map(|request| self.by_request.get(request))
            .any(|waiter| waiter.wants == Wants::Renewal)
    }

    /// All requests that wait, oldest first.
    pub(crate) fn all(&self) -> Vec<RequestId> {
        self.by_request.keys().copied().collect()
    }

    pub(crate) fn count_attempt(&mut self, key: &TokenKey) {
        for request in self.of(key) {
            if let Some(waiter) = self.by_request.get_mut(&request) {
                waiter.attempts += 1;
            }
        }
    }

    /// The request whose deadline is due, if there is one.
    pub(crate) fn overdue(&self, now: BootMs) -> Option<RequestId> {
        self.by_deadline.first().filter(|(deadline, _)| *deadline <= now).map(|&(_, id)| id)
    }

    pub(crate) fn next_deadline(&self) -> Option<BootMs> {
        self.by_deadline.first().map(|&(deadline, _)| deadline)
    }
}
