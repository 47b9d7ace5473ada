//! Times as the person at this machine tells them.

use std::time::{SystemTime, UNIX_EPOCH};

use tz::{DateTime, TimeZone};

/// The wall clock, in whole Unix seconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// The zone of TZ, or else of this machine; UTC where neither says.
pub(crate) fn zone() -> TimeZone {
    let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
    let zone = match named {
        Some(name) => TimeZone::from_posix_tz(&name),
        None => TimeZone::local(),
    };
    zone.unwrap_or_else(|_| TimeZone::utc())
}

/// Unix milliseconds as `2026-11-21 05:07:23`; a time that no calendar has stays a number.
pub(crate) fn shown(at_ms: i64, zone: &TimeZone) -> String {
    match DateTime::from_timespec(at_ms.div_euclid(1000), 0, zone.as_ref()) {
        Ok(at) => format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            at.year(),
            at.month(),
            at.month_day(),
            at.hour(),
            at.minute(),
            at.second()
        ),
        Err(_) => at_ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local() {
        let berlin = TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (at_ms, zone, text) in [
            (1_795_237_643_999, &TimeZone::utc(), "2026-11-21 05:07:23"),
            (1_795_237_643_999, &berlin, "2026-11-21 06:07:23"),
            (1_785_000_000_000, &berlin, "2026-07-25 19:20:00"),
            (0, &TimeZone::utc(), "1970-01-01 00:00:00"),
            (-1, &TimeZone::utc(), "1969-12-31 23:59:59"),
        ] {
            assert_eq!(shown(at_ms, zone), text);
        }
    }
}
