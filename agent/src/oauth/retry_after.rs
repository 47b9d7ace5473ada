//! How long a provider asks to be left alone (RFC 9110 section 10.2.3).
//!
//! Anything that is neither whole seconds nor an HTTP-date counts as not having been said.

use std::time::{Duration, UNIX_EPOCH};

use tokctl_proto::WallMs;

/// A provider that asks for more is asked again after an hour: a wrong number must not silence a
/// profile.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// The wait from `now` on. A date in the past is no wait.
pub fn parse(now: WallMs, text: &str) -> Option<Duration> {
    let text = text.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds are still a number, and a large one.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        WallMs::default().plus(date).since(now)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_read_and_capped() {
        // Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110 section 5.6.7.
        let now = WallMs::from_unix_s(784_111_777);
        for (text, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("3600", Some(3600)),
            ("3601", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("Mon, 07 Nov 1994 08:49:37 GMT", Some(3600)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(parse(now, text).map(|wait| wait.as_secs()), seconds, "{text}");
        }
    }
}
