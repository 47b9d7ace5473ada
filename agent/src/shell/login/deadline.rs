//! When a login has taken too long. A timer of the runtime stands still while a laptop sleeps, so the
//! boot clock is looked at as well: nobody comes back the next morning to a login that goes on.

use std::time::Duration;

use tokctl_proto::{BootMs, WallMs};
use tokio::time::{Instant, sleep};

use crate::clock;

/// The boot clock is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The end of a login's time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    instant: Instant,
    boot: BootMs,
    /// For people.
    pub(super) wall: WallMs,
}

impl Deadline {
    pub(super) fn after(time: Duration) -> Self {
        let now = clock::now();
        Self {
            instant: Instant::now() + time,
            boot: now.boot.plus(time),
            wall: now.wall.plus(time),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.instant || clock::now().boot >= self.boot
    }

    /// Waits until it is over.
    pub(super) async fn passed(&self) {
        while !self.is_over() {
            sleep(LOOK_EVERY.min(self.instant.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// Waits for so long, or until it is over, which is then true.
    pub(super) async fn passed_within(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.passed()).await.is_ok() || self.is_over()
    }
}
