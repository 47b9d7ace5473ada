//! How long a login is still waited for: one line that is drawn over every second, where that can be
//! done, else one line once.

use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokctl_client::proto::time::Spoken;

use super::can_draw;
use crate::output::Output;

const PERIOD: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Countdown {
    /// Unix seconds.
    ends_at: i64,
    next: Instant,
    can_draw: bool,
    is_drawn: bool,
}

impl Countdown {
    pub(super) fn start(ends_at: i64, output: &Output) -> Self {
        let can_draw = can_draw() && !output.quiet;
        let mut countdown = Self { ends_at, next: Instant::now(), can_draw, is_drawn: false };
        match can_draw {
            true => countdown.draw(),
            false => output.talk(&line(left(ends_at))),
        }
        countdown
    }

    /// When it is to be drawn again.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    pub(super) fn draw(&mut self) {
        self.next = Instant::now() + PERIOD;
        if self.can_draw {
            self.is_drawn = true;
            write(&format!("\r{}\x1b[K", line(left(self.ends_at))));
        }
    }

    /// Takes the line away, for whatever comes in its place.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            write("\r\x1b[K");
        }
    }
}

/// A stderr that is gone is no reason to fail.
fn write(text: &str) {
    let _gone = io::stderr().write_all(text.as_bytes());
}

fn left(ends_at: i64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let end = Duration::from_secs(u64::try_from(ends_at).unwrap_or_default());
    end.saturating_sub(Duration::from_secs(now.as_secs()))
}

fn line(left: Duration) -> String {
    format!("waiting for the login, {} left", Spoken(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said_and_never_less_than_nothing() {
        for (left, said) in [(598, "9m 58s"), (60, "1m"), (1, "1s"), (0, "0s")] {
            assert_eq!(
                line(Duration::from_secs(left)),
                format!("waiting for the login, {said} left")
            );
        }
        assert_eq!(left(0), Duration::ZERO);
        assert_eq!(left(-1), Duration::ZERO);
    }
}
