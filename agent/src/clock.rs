//! The only reader of clocks.

use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use tokctl_proto::{BootMs, Now, WallMs};

/// Reads the wall clock and the boot clock, which runs on through suspend.
pub fn now() -> Now {
    let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    };
    let boot =
        clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has had CLOCK_BOOTTIME since 2.6.39");
    let ms = boot.tv_sec() * 1000 + boot.tv_nsec() / 1_000_000;
    Now { wall: WallMs(wall), boot: BootMs(u64::try_from(ms).unwrap_or(0)) }
}
