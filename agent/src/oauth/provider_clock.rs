//! How far a provider's clock is from ours, by the Date of its answer (RFC 9110 section 6.6.1).
//!
//! It serves to read the times that the provider writes and to write those that it reads, never to
//! set anything here: a lifetime in seconds needs no clock but our own.

use std::time::UNIX_EPOCH;

use tokctl_proto::WallMs;
use tokctl_proto::time::DURATION_MAX;

use crate::oauth::message::HttpReply;

/// A smaller difference is transit, or the second that a Date is cut to, and is left alone.
const AHEAD_S_IGNORED: u64 = 60;

/// When the provider says it answered.
pub fn date(reply: &HttpReply) -> Option<WallMs> {
    parse(reply.date.as_deref()?)
}

/// Reads an HTTP-date.
pub(super) fn parse(text: &str) -> Option<WallMs> {
    let date = httpdate::parse_http_date(text.trim()).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(WallMs::default().plus(date))
}

/// How many seconds the provider's clock is ahead of ours; negative when it is behind. The answer
/// was made at some time between sending and receiving: the middle is wrong by half of that at most.
/// A clock that is ten years off is no clock.
pub fn ahead_s(reply: &HttpReply) -> Option<i64> {
    let (sent_at, received_at) = (i128::from(reply.sent_at.0), i128::from(reply.received_at.0));
    let middle_ms = (sent_at + received_at.max(sent_at)) / 2;
    // A Date is cut to the second, so the middle is too.
    let middle_s = i64::try_from(middle_ms.div_euclid(1000)).ok()?;
    let ahead_s = date(reply)?.unix_s().checked_sub(middle_s)?;
    (ahead_s.unsigned_abs() <= DURATION_MAX.as_secs()).then_some(ahead_s)
}

/// A provider whose clock is further off than this is not followed: what is signed for it would be
/// good for whoever has it in days to come.
const AHEAD_S_FOLLOWED: u64 = 24 * 3600;

/// A time on our clock as the provider's shows it.
pub fn on_their_clock(ours: WallMs, ahead_s: Option<i64>) -> WallMs {
    match ahead_s {
        Some(ahead_s)
            if (AHEAD_S_IGNORED + 1..=AHEAD_S_FOLLOWED).contains(&ahead_s.unsigned_abs()) =>
        {
            WallMs(ours.0.saturating_add(ahead_s.saturating_mul(1000)))
        }
        _ => ours,
    }
}

/// Whether such a difference is one of clocks.
pub fn is_off(ahead_s: i64) -> bool {
    ahead_s.unsigned_abs() > AHEAD_S_IGNORED
}

/// A time on the provider's clock as ours shows it.
pub fn on_our_clock(written: WallMs, ahead_s: Option<i64>) -> WallMs {
    match ahead_s {
        Some(ahead_s) if is_off(ahead_s) => {
            WallMs(written.0.saturating_sub(ahead_s.saturating_mul(1000)))
        }
        _ => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The date of RFC 9110 section 5.6.7.
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const DATE_MS: i64 = 784_111_777_000;

    fn ahead(date: Option<&str>, sent_ms: i64, received_ms: i64) -> Option<i64> {
        ahead_s(&HttpReply {
            status: 200,
            content_type: None,
            retry_after: None,
            date: date.map(str::to_owned),
            sent_at: WallMs(sent_ms),
            received_at: WallMs(received_ms),
            body: Default::default(),
        })
    }

    #[test]
    fn the_difference_is_measured_from_the_middle_of_the_exchange() {
        let ten_years_ms = 315_360_000_000;
        for (sent, received, expected) in [
            (0, 0, Some(0)),
            (999, 999, Some(0)),
            (1000, 1000, Some(-1)),
            (-1, -1, Some(1)),
            (-2_000, 2_000, Some(0)),
            (-10_000, 11_999, Some(0)),
            (-3_600_000, -3_600_000, Some(3_600)),
            (3_600_000, 3_600_999, Some(-3_600)),
            // The wall was set back under way.
            (5_500, 0, Some(-5)),
            (-ten_years_ms, -ten_years_ms, Some(315_360_000)),
            (-ten_years_ms - 1, -ten_years_ms - 1, None),
            (ten_years_ms + 999, ten_years_ms + 999, Some(-315_360_000)),
            (ten_years_ms + 1_000, ten_years_ms + 1_000, None),
        ] {
            let made = ahead(Some(DATE), DATE_MS + sent, DATE_MS + received);
            assert_eq!(made, expected, "{sent} {received}");
        }
        assert_eq!(ahead(Some(DATE), i64::MIN, i64::MIN), None);
    }

    #[test]
    fn what_is_no_date_says_nothing() {
        for date in [None, Some(""), Some("soon"), Some("784111777"), Some("Sun, 06 Nov 1994")] {
            assert_eq!(ahead(date, DATE_MS, DATE_MS), None, "{date:?}");
        }
        assert_eq!(
            ahead(Some(" Sunday, 06-Nov-94 08:49:37 GMT "), DATE_MS, DATE_MS + 999),
            Some(0)
        );
    }

    #[test]
    fn what_is_written_for_a_provider_is_written_on_its_clock() {
        let day_s = 24 * 3600;
        for (ahead_s, shift_s) in [
            (None, 0),
            (Some(60), 0),
            (Some(61), 61),
            (Some(-60), 0),
            (Some(-61), -61),
            (Some(day_s), day_s),
            (Some(day_s + 1), 0),
            (Some(-day_s - 1), 0),
        ] {
            let theirs = on_their_clock(WallMs(1_000_000), ahead_s);
            assert_eq!(theirs, WallMs(1_000_000 + shift_s * 1000), "{ahead_s:?}");
        }
        assert_eq!(on_their_clock(WallMs(i64::MAX), Some(100)), WallMs(i64::MAX));
    }

    #[test]
    fn a_minute_is_no_difference() {
        for (ahead_s, shift_s) in
            [(None, 0), (Some(60), 0), (Some(61), 61), (Some(-60), 0), (Some(-61), -61)]
        {
            let ours = on_our_clock(WallMs(1_000_000), ahead_s);
            assert_eq!(ours, WallMs(1_000_000 - shift_s * 1000), "{ahead_s:?}");
        }
        assert_eq!(on_our_clock(WallMs(i64::MAX), Some(-100)), WallMs(i64::MAX));
    }
}
