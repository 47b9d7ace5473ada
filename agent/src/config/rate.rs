//! `60/min`: how many uses of a token in how much time.

use std::time::Duration;

use tokctl_core::Rate;
use tokctl_proto::time::parse_duration;

use super::error::Broken;

/// No API is that generous, and a counter of it stays small.
const USES_MAX: u32 = 1_000_000;
const PERIOD_MIN: Duration = Duration::from_secs(1);
/// Longer periods are quotas, which no agent can keep count of through every restart.
const PERIOD_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Words for one of each, as rate limits are written.
const PERIODS: &[(&str, u64)] = &[
    ("s", 1),
    ("sec", 1),
    ("second", 1),
    ("m", 60),
    ("min", 60),
    ("minute", 60),
    ("h", 3600),
    ("hour", 3600),
    ("d", 24 * 3600),
    ("day", 24 * 3600),
];

pub(super) fn rate(text: &str) -> Result<Rate, Broken> {
    let form = || {
        Broken::new("must be a number of uses, a slash and a time")
            .hint("as in `10/s`, `60/min`, `5000/h` or `100/5m`")
    };
    let (uses, period) = text.split_once('/').ok_or_else(form)?;
    let (uses, period) = (uses.trim(), period.trim());
    if uses.is_empty() || !uses.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(form());
    }
    let uses = uses.parse().ok().filter(|uses| (1..=USES_MAX).contains(uses));
    let uses = uses.ok_or_else(|| Broken::new(format!("must allow 1 to {USES_MAX} uses")))?;
    let named = PERIODS.iter().find(|(name, _)| *name == period);
    let period = match named {
        Some((_, seconds)) => Duration::from_secs(*seconds),
        None => parse_duration(period).map_err(|_| form())?,
    };
    if !(PERIOD_MIN..=PERIOD_MAX).contains(&period) {
        return Err(Broken::new("must be for a time from 1s to 7d"));
    }
    Ok(Rate { uses, period })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_providers_write_it() {
        for (text, read) in [
            ("60/min", Some((60, 60))),
            ("60/m", Some((60, 60))),
            ("60/minute", Some((60, 60))),
            ("10/s", Some((10, 1))),
            ("10/second", Some((10, 1))),
            ("5000/h", Some((5000, 3600))),
            ("5000/hour", Some((5000, 3600))),
            ("1000/d", Some((1000, 86_400))),
            ("1000/day", Some((1000, 86_400))),
            ("100/5m", Some((100, 300))),
            ("100/90", Some((100, 90))),
            ("100 / 5m", Some((100, 300))),
            ("1/s", Some((1, 1))),
            ("1000000/s", Some((1_000_000, 1))),
            ("1/7d", Some((1, 604_800))),
            ("0/s", None),
            ("1000001/s", None),
            ("99999999999999999999/s", None),
            ("1/0", None),
            ("1/8d", None),
            ("1/week", None),
            ("1/", None),
            ("/s", None),
            ("60", None),
            ("60/min/s", None),
            ("-1/s", None),
            ("+1/s", None),
            ("1.5/s", None),
            ("60/MIN", None),
        ] {
            let made = rate(text).ok().map(|rate| (rate.uses, rate.period.as_secs()));
            assert_eq!(made, read, "{text}");
        }
    }
}
