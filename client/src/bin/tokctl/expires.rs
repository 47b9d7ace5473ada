//! When a secret ends, as it is typed: `2027-01-31`, `2027-01-31T18:00:00Z` or `90d`.

use std::time::Duration;

use tokctl_client::proto::time::parse_duration;
use tz::UtcDateTime;

use crate::exit::Stop;
use crate::local_time;

/// The end of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expires {
    /// Unix seconds.
    At(i64),
    /// From now.
    In(Duration),
}

impl Expires {
    /// Reads what was typed. A date is its beginning in UTC, since a warning may come early and not late.
    pub(crate) fn parse(typed: &str) -> Result<Self, String> {
        // A number without a unit is as likely a year as it is seconds.
        if typed.ends_with(['s', 'm', 'h', 'd']) {
            return parse_duration(typed).map(Self::In).map_err(|error| error.to_string());
        }
        time(typed).map(Self::At).ok_or_else(|| {
            "write a date as 2027-01-31, a time as 2027-01-31T18:00:00Z, or a duration as 90d"
                .to_owned()
        })
    }

    /// Unix seconds. What has ended already was mistyped.
    pub(crate) fn unix_s(self) -> Result<i64, Stop> {
        let now = local_time::now();
        match self {
            Self::In(left) => {
                Ok(now.saturating_add(i64::try_from(left.as_secs()).unwrap_or(i64::MAX)))
            }
            Self::At(at) if at > now => Ok(at),
            Self::At(_) => Err(Stop::usage("the secret cannot expire in the past")),
        }
    }
}

/// Reads a date, or a time of RFC 3339 in UTC without a fraction.
fn time(typed: &str) -> Option<i64> {
    let (date, time) = match typed.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (typed, "00:00:00"),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let byte = |number: u32| u8::try_from(number).ok();
    let at = UtcDateTime::new(
        i32::try_from(year).ok()?,
        byte(month)?,
        byte(day)?,
        byte(hour)?,
        byte(minute)?,
        byte(second)?,
        0,
    );
    at.ok().map(|at| at.unix_time())
}

/// Three numbers of that many digits each.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[u32; 3]> {
    let mut parts = text.split(between);
    let mut found = [0; 3];
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_date_a_time_or_a_duration() {
        let days = |count: u64| Expires::In(Duration::from_secs(count * 86_400));
        for (typed, read) in [
            ("2027-01-31", Some(Expires::At(1_801_353_600))),
            ("2028-02-29", Some(Expires::At(1_835_395_200))),
            ("2027-01-31T18:00:00Z", Some(Expires::At(1_801_418_400))),
            ("90d", Some(days(90))),
            ("24h", Some(days(1))),
            ("2027", None),
            ("90", None),
            ("2027-02-29", None),
            ("2027-13-01", None),
            ("2027-1-31", None),
            ("2027-01-31-1", None),
            ("+027-01-31", None),
            ("2027-01-31T24:00:00Z", None),
            ("2027-01-31T18:00Z", None),
            ("2027-01-31T18:00:00", None),
            ("2027-01-31T18:00:00+01:00", None),
            ("31.01.2027", None),
            ("soon", None),
            ("d", None),
            ("", None),
        ] {
            assert_eq!(Expires::parse(typed).ok(), read, "{typed}");
        }
    }

    #[test]
    fn what_has_ended_is_a_mistake() {
        let now = local_time::now();
        assert!(Expires::At(now - 1).unix_s().is_err());
        assert_eq!(Expires::At(now + 1000).unix_s().ok(), Some(now + 1000));
        assert!(Expires::In(Duration::from_secs(1000)).unix_s().unwrap() >= now + 1000);
    }
}
