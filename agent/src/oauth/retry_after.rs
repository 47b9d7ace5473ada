//! How long a provider asks to be left alone (RFC 9110 section 10.2.3).
//!
//! Anything that is neither whole seconds nor an HTTP-date counts as not having been said.

use std::time::Duration;

use tokctl_proto::WallMs;

use crate::oauth::message::HttpReply;
use crate::oauth::provider_clock;

/// A provider that asks for more is asked again after an hour: a wrong number must not silence a
/// profile.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// The wait from `now` on that a reply asks for. It counts from when the reply came, which for one of
/// before a crash is a while ago, and a date is read on the clock of whoever wrote it.
pub fn of(now: WallMs, reply: &HttpReply) -> Option<Duration> {
    let written_at = provider_clock::date(reply).unwrap_or(reply.received_at);
    let asked = parse(written_at, reply.retry_after.as_deref()?)?;
    Some(reply.received_at.plus(asked).since(now).min(asked))
}

/// The wait from `now` on. A date in the past is no wait.
fn parse(now: WallMs, text: &str) -> Option<Duration> {
    let text = text.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds are still a number, and a large one.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        provider_clock::parse(text)?.since(now)
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

    #[test]
    fn the_wait_counts_from_the_reply_on_the_providers_own_clock() {
        // The date of RFC 9110 section 5.6.7, and a minute after it.
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:37 GMT");
        let date_s = 784_111_777;
        for (said, date, received_s, now_s, seconds) in [
            ("60", None, 1000, 1000, Some(60)),
            ("60", None, 1000, 1020, Some(40)),
            ("60", None, 1000, 1060, Some(0)),
            ("60", None, 1000, 9999, Some(0)),
            // A wall clock that was set back since does not make it longer.
            ("60", None, 1000, 0, Some(60)),
            // Ours is far from theirs, and their word is about theirs.
            (later, Some(date), 1000, 1000, Some(60)),
            (later, Some(date), 1000, 1020, Some(40)),
            (later, None, date_s, date_s, Some(60)),
            (later, Some("soon"), date_s, date_s, Some(60)),
            (date, Some(later), 1000, 1000, Some(0)),
            ("soon", Some(date), 1000, 1000, None),
        ] {
            let reply = HttpReply {
                status: 503,
                content_type: None,
                retry_after: Some(said.into()),
                date: date.map(str::to_owned),
                sent_at: WallMs::default(),
                received_at: WallMs::from_unix_s(received_s),
                body: Default::default(),
            };
            let wait = of(WallMs::from_unix_s(now_s), &reply);
            assert_eq!(wait.map(|wait| wait.as_secs()), seconds, "{said} {date:?} {now_s}");
        }
    }
}
