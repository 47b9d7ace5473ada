//! How long a refresh token is known to the provider alone: from the provider's commit until our file with its
//! answer has taken its name. A kill in between loses it.

use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::time::{ClockId, clock_gettime};

use super::{PROFILE, Rotating};

/// A name that ends a watch; the vault takes it for a leftover of nobody's.
const LAST: &str = ".last.new";

/// Microseconds, of undisturbed refreshes.
#[derive(Clone, Debug, Default)]
pub struct Window {
    sorted_us: Vec<u64>,
}

impl Window {
    /// Refreshes so often. Both ends are read off CLOCK_MONOTONIC: the provider notes when it burns the token,
    /// and inotify tells when a name in `vault/entries` was taken.
    #[track_caller]
    pub fn measured(refreshes: usize) -> Self {
        let rotating = Rotating::start(Duration::from_secs(6 * 3600));
        rotating.home.get(PROFILE);
        let entries = rotating.home.vault().join("entries");
        let mut sorted_us: Vec<u64> =
            (0..refreshes).filter_map(|_| one(&rotating, &entries)).collect();
        sorted_us.sort_unstable();
        assert!(sorted_us.len() > refreshes / 2, "only {} could be seen", sorted_us.len());
        Self { sorted_us }
    }

    pub fn median_us(&self) -> u64 {
        self.quantile(50)
    }

    pub fn quantile(&self, percent: usize) -> u64 {
        let last = self.sorted_us.len().saturating_sub(1);
        self.sorted_us.get(last * percent / 100).copied().unwrap_or_default()
    }
}

fn one(rotating: &Rotating, entries: &std::path::Path) -> Option<u64> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC).expect("inotify");
    inotify.add_watch(entries, AddWatchFlags::IN_MOVED_TO).expect("a watch");
    let watching = std::thread::spawn(move || {
        let mut seen = Vec::new();
        loop {
            let events = inotify.read_events().expect("events");
            let now = monotonic_ns();
            if events.iter().any(|event| event.name.as_deref() == Some(LAST.as_ref())) {
                return seen;
            }
            seen.push(now);
        }
    });
    let reply = rotating.refresh();
    let outside = rotating.home.secret_file(LAST, "");
    std::fs::rename(outside, entries.join(LAST)).expect("the watch ends");
    std::fs::remove_file(entries.join(LAST)).expect("the vault is as it was");
    assert!(reply.as_ref().is_some_and(|reply| reply.token().is_some()), "{reply:?}");
    let names = watching.join().expect("the watcher");
    let committed = rotating.family().committed_ns?;
    let answered = names.into_iter().find(|&at| at > committed)?;
    Some((answered - committed) / 1_000)
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock");
    let seconds = u64::try_from(now.tv_sec()).expect("after the start");
    seconds * 1_000_000_000 + u64::try_from(now.tv_nsec()).expect("below a second")
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (median, high) = (self.median_us(), self.quantile(99));
        write!(
            f,
            "from the provider's commit to the answer's file: median {median} us, p99 {high} us \
             ({} refreshes)",
            self.sorted_us.len()
        )
    }
}
