//! Two clocks and how durations are written.
//!
//! Expiry is wall time, since it outlives the process; delays are boot time (CLOCK_BOOTTIME), since they
//! outlive suspend. The types keep the two apart. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::escape::shown;

/// Milliseconds since the Unix epoch on the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallMs(pub i64);

/// Milliseconds since boot, suspend included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootMs(pub u64);

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub wall: WallMs,
    pub boot: BootMs,
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl WallMs {
    pub fn from_unix_s(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds, rounded down: a time is never shown later than it is.
    pub fn unix_s(self) -> i64 {
        self.0.div_euclid(1000)
    }

    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl BootMs {
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_ms(duration)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Now {
    /// When, on the boot clock, the wall clock will show `wall` if nobody touches it.
    pub fn boot_at(self, wall: WallMs) -> BootMs {
        self.boot.plus(wall.since(self.wall))
    }
}

/// A text that is no duration.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DurationError {
    /// Not written as `90`, `90s`, `5m`, `8h` or `7d`.
    #[error("`{}` is not a duration: write 90, 90s, 5m, 8h or 7d", shown(.0))]
    Form(String),
    #[error("`{0}` is longer than ten years (3650d), the maximum")]
    TooLong(String),
}

/// Longest duration that is taken: ten years, the clamp of every provider's lifetime too.
pub const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Reads `90`, `90s`, `5m`, `8h` or `7d`, at most ten years.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let (digits, unit_s) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        Some((at, 'd')) => (&text[..at], 86_400),
        _ => (text, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationError::Form(text.to_owned()));
    }
    let seconds = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit_s));
    match seconds.map(Duration::from_secs) {
        Some(duration) if duration <= DURATION_MAX => Ok(duration),
        _ => Err(DurationError::TooLong(text.to_owned())),
    }
}

/// A duration as a person reads it: the two largest units, `4m 10s`, and `0s` below a second.
#[derive(Clone, Copy, Debug)]
pub struct Spoken(pub Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.as_secs();
        match s {
            0..60 => write!(f, "{s}s"),
            60..3600 if s.is_multiple_of(60) => write!(f, "{}m", s / 60),
            60..3600 => write!(f, "{}m {}s", s / 60, s % 60),
            3600..86_400 if s % 3600 < 60 => write!(f, "{}h", s / 3600),
            3600..86_400 => write!(f, "{}h {}m", s / 3600, s % 3600 / 60),
            _ if s % 86_400 < 3600 => write!(f, "{}d", s / 86_400),
            _ => write!(f, "{}d {}h", s / 86_400, s % 86_400 / 3600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_documented() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("90", Some(90)),
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("8h", Some(28_800)),
            ("7d", Some(604_800)),
            ("3650d", Some(315_360_000)),
            ("3651d", None),
            ("", None),
            ("m", None),
            ("-1", None),
            ("+1", None),
            ("1.5h", None),
            ("5 m", None),
            ("5µ", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse_duration(text).ok().map(|d| d.as_secs()), seconds, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_told_the_maximum() {
        for (text, said) in [
            ("8000d", "`8000d` is longer than ten years (3650d), the maximum"),
            (
                "99999999999999999999",
                "`99999999999999999999` is longer than ten years (3650d), the maximum",
            ),
            ("8000y", "`8000y` is not a duration: write 90, 90s, 5m, 8h or 7d"),
        ] {
            assert_eq!(parse_duration(text).unwrap_err().to_string(), said);
        }
    }

    #[test]
    fn durations_are_spoken_in_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m 1s"),
            (3600, "1h"),
            (3660, "1h 1m"),
            (86_400, "1d"),
            (90_000, "1d 1h"),
        ] {
            assert_eq!(Spoken(Duration::from_secs(seconds)).to_string(), text);
        }
    }

    #[test]
    fn the_wall_is_shown_rounded_down() {
        for (ms, s) in [(1999, 1), (2000, 2), (-1, -1)] {
            assert_eq!(WallMs(ms).unix_s(), s);
        }
    }

    #[test]
    fn a_wall_time_in_the_past_is_due_now_on_the_boot_clock() {
        let now = Now { wall: WallMs(10_000), boot: BootMs(500) };
        for (wall, boot) in [(9_000, 500), (10_000, 500), (10_001, 501)] {
            assert_eq!(now.boot_at(WallMs(wall)), BootMs(boot));
        }
    }
}
