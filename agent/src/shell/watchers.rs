//! Clients that want to know what happens to tokens.
//!
//! A watcher is a request that is answered by what happens from then on and has no end of its own: its client cancels
//! it or goes, or the agent does. Nobody waits for one: what a client does not take is kept for it up to a limit, and
//! then it is told no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokctl_core::{Happening, RequestId};
use tokctl_proto::response::{self, Item};
use tokctl_proto::{Failure, Kind, ProfileName, WallMs};

use super::live::Live;
use super::reply::ReplyTo;
use crate::config::Grant;

/// So many events wait for a client that does not read. A burst of renewals after a night's sleep is smaller, with as
/// many profiles as people have; a kilobyte each.
const EVENTS_WAITING_MAX: usize = 1024;

/// The requests under way.
#[derive(Debug, Default)]
pub(super) struct Watchers(BTreeMap<RequestId, Watcher>);

#[derive(Debug)]
struct Watcher {
    reply: ReplyTo,
    /// Whose tokens; none: everybody's, and the vault.
    profiles: BTreeSet<ProfileName>,
    /// Held once by each event that its connection has not written.
    waiting: Arc<()>,
}

impl Watchers {
    /// Tells what happens from now on.
    pub(super) fn begin(
        &mut self,
        request: RequestId,
        profiles: BTreeSet<ProfileName>,
        reply: ReplyTo,
    ) {
        // Whoever reads this knows that nothing is missed any more.
        reply.progress("watching", false);
        self.0.insert(request, Watcher { reply, profiles, waiting: Arc::default() });
    }

    /// The client is gone, or has turned to something else.
    pub(super) fn leave(&mut self, request: RequestId) {
        if let Some(watcher) = self.0.remove(&request) {
            watcher.reply.failed(&Failure::new(Kind::Cancelled, "cancelled"));
        }
    }

    pub(super) fn is_watching(&self, request: RequestId) -> bool {
        self.0.contains_key(&request)
    }

    /// The agent goes down.
    pub(super) fn stop(&mut self) {
        for watcher in std::mem::take(&mut self.0).into_values() {
            let failure = Failure::new(Kind::NoAgent, "the agent stops");
            watcher.reply.failed(&failure.hint("watch again: that starts another"));
        }
    }

    /// Tells everybody whose business it is.
    pub(super) fn tell(&mut self, now: WallMs, happening: &Happening, live: &Live) {
        let mut slow = Vec::new();
        for (request, watcher) in &self.0 {
            match watcher.wants(happening.profile(), live) {
                true if Arc::strong_count(&watcher.waiting) > EVENTS_WAITING_MAX => {
                    slow.push(*request);
                }
                true => watcher.reply.queued(Item::Event(event(now, happening)), &watcher.waiting),
                false => {}
            }
        }
        for watcher in slow.into_iter().filter_map(|request| self.0.remove(&request)) {
            let message = format!("{EVENTS_WAITING_MAX} events were not read: no more are told");
            watcher.reply.failed(&Failure::new(Kind::Machine, message).hint("watch again"));
        }
    }
}

impl Watcher {
    /// A pool's tokens are those of its members.
    fn wants(&self, of: Option<&ProfileName>, live: &Live) -> bool {
        let Some(of) = of else { return self.profiles.is_empty() };
        let is_in_pool = |name: &ProfileName| {
            let grant = live.config.profiles.get(name).map(|profile| &profile.grant);
            matches!(grant, Some(Grant::Pool(pool)) if pool.members.contains(of))
        };
        self.profiles.is_empty()
            || self.profiles.contains(of)
            || self.profiles.iter().any(is_in_pool)
    }
}

fn event(now: WallMs, happening: &Happening) -> response::Event<'_> {
    let (scope, expires_at) = match happening {
        Happening::Renewed { key, expires_at } => (words(&key.scope), *expires_at),
        Happening::Failed { key, .. } => (words(&key.scope), None),
        Happening::LoginNeeded { .. } | Happening::Locked | Happening::Unlocked => {
            (String::new(), None)
        }
    };
    let failure = happening.failure();
    response::Event {
        at_ms: now.0,
        what: happening.name().into(),
        profile: happening.profile().map(|name| name.as_str().into()),
        scope: scope.into(),
        expires_at: expires_at.map(WallMs::unix_s),
        kind: failure.map(|failure| failure.kind.name().into()),
        message: failure.map(|failure| failure.message.as_str().into()),
        hint: failure.and_then(|failure| failure.hint.as_deref()).map(Into::into),
    }
}

fn words(scope: &BTreeSet<String>) -> String {
    scope.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::shell::reply::{Encoding, Sent};

    #[test]
    fn who_does_not_read_is_told_no_more_and_one_who_does_is() {
        let live = Live::none();
        let mut watchers = Watchers::default();
        let watcher = || {
            let (sender, receiver) = mpsc::unbounded_channel();
            (ReplyTo::new(Encoding::Binary(1), sender), receiver)
        };
        let ((slow, mut unread), (fast, mut read)) = (watcher(), watcher());
        watchers.begin(RequestId(1), BTreeSet::new(), slow);
        watchers.begin(RequestId(2), BTreeSet::new(), fast);
        let twice = 2 * EVENTS_WAITING_MAX;
        for _ in 0..twice {
            watchers.tell(WallMs(0), &Happening::Locked, &live);
            // Dropped as a connection drops what it has written.
            while let Ok(outgoing) = read.try_recv() {
                assert_eq!(outgoing.kind, Sent::More);
            }
        }
        assert!(watchers.is_watching(RequestId(2)) && !watchers.is_watching(RequestId(1)));
        let kinds: Vec<Sent> =
            std::iter::from_fn(|| unread.try_recv().ok()).map(|outgoing| outgoing.kind).collect();
        // The word that it watches comes first, and the reason last.
        assert_eq!(kinds.len(), 1 + EVENTS_WAITING_MAX + 1);
        assert_eq!(kinds.iter().filter(|kind| **kind == Sent::Last).count(), 1);
        assert_eq!(kinds.last(), Some(&Sent::Last));
    }
}
