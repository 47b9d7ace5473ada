//! The one place where a test waits for something it cannot be told about.

use std::time::{Duration, Instant};

/// How long anything may take before a test calls it broken. Generous, since a busy machine with two cores
/// runs the whole suite at once; a test that passes never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Short enough not to be noticed, long enough not to keep a core busy.
const PARK: Duration = Duration::from_millis(5);

/// Waits until `condition` holds and returns what it found. Panics after [`PATIENCE`], naming `what`.
#[track_caller]
pub fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, condition)
        .unwrap_or_else(|| panic!("it never happened within {PATIENCE:?} that {what}"))
}

/// Waits until `condition` holds, at most so long.
pub fn within<T>(patience: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = condition() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::park_timeout(PARK);
    }
}
