//! The driver's nap, on the boot clock: it ends in time after a suspend, and it ends once.
//!
//! tokio's own timers run on the monotonic clock, which stands still while a laptop sleeps, and reach a
//! deadline half a minute away in several wake-ups.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokctl_proto::BootMs;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Longest nap: a step of the wall clock is noticed this late at most.
pub(super) const NAP_MAX: Duration = Duration::from_secs(30);

pub(super) struct Nap {
    timer: AsyncFd<Timer>,
    /// When the timer goes off, unless it has.
    armed: Option<BootMs>,
}

/// nix's timer, for tokio to watch.
struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Nap {
    #[expect(
        deprecated,
        reason = "what takes its place is unsafe; the descriptor is the timer's own and stays open"
    )]
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = Timer(TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?);
        Ok(Self { timer: AsyncFd::with_interest(timer, Interest::READABLE)?, armed: None })
    }

    /// Sees to it that the nap is over by `due`, and by the longest nap from now. A timer that goes off
    /// earlier is left alone, so that an answer from memory costs no system call here.
    pub(super) fn end_by(&mut self, now: BootMs, due: Option<BootMs>) -> io::Result<()> {
        let latest = now.plus(NAP_MAX);
        let end = due.map_or(latest, |due| due.min(latest));
        if self.armed.is_some_and(|armed| armed <= end) {
            return Ok(());
        }
        // A timer set to nothing is off; one that is due already goes off at once.
        let at = TimeSpec::from_duration(Duration::from_millis(end.0.max(1)));
        let Timer(timer) = self.timer.get_ref();
        timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
        self.armed = Some(end);
        Ok(())
    }

    /// Waits for the end of the nap. Safe to cancel.
    pub(super) async fn over(&mut self) {
        // An error can only be that of a closed reactor: the runtime is going down, and so is the driver.
        if let Ok(mut ready) = self.timer.readable().await {
            ready.clear_ready();
            // Reading takes the expiry back; a timer that was set anew meanwhile has none, and would block.
            let _not_yet = self.timer.get_ref().0.wait();
        }
        self.armed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[tokio::test]
    async fn a_nap_that_is_due_is_over_at_once_and_again() {
        let mut nap = Nap::new().unwrap();
        for _ in 0..3 {
            let now = clock::now().boot;
            nap.end_by(now, Some(now)).unwrap();
            nap.over().await;
        }
        nap.end_by(clock::now().boot, Some(BootMs(0))).unwrap();
        nap.over().await;
    }

    #[tokio::test]
    async fn an_earlier_deadline_shortens_the_nap_and_a_later_one_leaves_it() {
        let mut nap = Nap::new().unwrap();
        let now = clock::now().boot;
        let second = now.plus(Duration::from_secs(1));
        nap.end_by(now, None).unwrap();
        assert_eq!(nap.armed, Some(now.plus(NAP_MAX)));
        nap.end_by(now, Some(second)).unwrap();
        assert_eq!(nap.armed, Some(second));
        nap.end_by(now, Some(now.plus(Duration::from_secs(9)))).unwrap();
        assert_eq!(nap.armed, Some(second));
    }
}
