//! When a token expires, from what providers write and from what they forget.
//!
//! A lifetime counts from when the request was sent. One of nothing means "it has no end" at some providers and "it
//! is over" at others; a profile that assumes a lifetime says which. The token's own `exp`, where it is a JWT, can
//! only make it shorter; it is a hint that is read without being trusted (RFC 8725 does not apply:
//! nothing is decided on it but when to renew). Nobody's word is taken for more than ten years.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokctl_proto::time::{DURATION_MAX, parse_duration};
use tokctl_proto::{Secret, WallMs};
use zeroize::Zeroizing;

use crate::oauth::provider_clock::on_our_clock;

/// A longer segment is not a JWT that anybody issues (RFC 8725 sets no limit).
const SEGMENT_BYTES_MAX: usize = 16 * 1024;

/// The earlier of `expires_in` and the token's `exp`; what the profile assumes stands for an `expires_in` that is not
/// there. Without any of them `None`: nobody knows. The provider's clock wrote `exp`.
pub(super) fn expires_at(
    sent_at: WallMs,
    clock_ahead_s: Option<i64>,
    expires_in: Option<&Value>,
    assume_ttl: Option<Duration>,
    access_token: &Secret,
) -> Option<WallMs> {
    let says_something = |lifetime: &Duration| !lifetime.is_zero() || assume_ttl.is_none();
    let granted = expires_in.and_then(lifetime).filter(says_something);
    let granted = granted.map(|lifetime| sent_at.plus(lifetime));
    let assumed = || assume_ttl.map(|ttl| sent_at.plus(ttl));
    let hinted = || {
        let exp = on_our_clock(jwt_exp(access_token.expose())?, clock_ahead_s);
        Some(exp.clamp(sent_at, sent_at.plus(DURATION_MAX)))
    };
    match granted.or_else(assumed) {
        Some(end) => Some(hinted().map_or(end, |hinted| hinted.min(end))),
        None => hinted(),
    }
}

/// Seconds as a number or as text, clamped to 0 and ten years: a negative lifetime is over. Text may name its unit,
/// as in `1h` or `2 days`. What is neither counts as not having been said.
pub(super) fn lifetime(written: &Value) -> Option<Duration> {
    let Some(seconds) = seconds(written) else { return with_unit(written.as_str()?.trim()) };
    let seconds = seconds.clamp(0.0, DURATION_MAX.as_secs_f64());
    Some(Duration::from_secs_f64(seconds))
}

/// A whole number and the unit behind it, in the ways of the `ms` package of npm, which many a provider is made with.
fn with_unit(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim_start().to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        _ => return None,
    };
    parse_duration(&format!("{number}{unit}")).ok()
}

/// A time in seconds since the epoch, on the provider's clock.
pub(super) fn time(written: &Value) -> Option<WallMs> {
    seconds(written).map(wall)
}

/// A number, or text that is one.
fn seconds(written: &Value) -> Option<f64> {
    let seconds = match written {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (!seconds.is_nan()).then_some(seconds)
}

/// The cast saturates, and what it makes is clamped by the caller.
fn wall(seconds: f64) -> WallMs {
    WallMs((seconds * 1000.0) as i64)
}

/// `exp` (RFC 7519 section 4.1.4) of what may be a JWT.
fn jwt_exp(token: &str) -> Option<WallMs> {
    let mut segments = token.split('.');
    let (_header, payload, _signature) = (segments.next()?, segments.next()?, segments.next()?);
    if segments.next().is_some() || payload.len() > SEGMENT_BYTES_MAX {
        return None;
    }
    let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?);
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: f64,
    }
    serde_json::from_slice::<Claims>(&claims).ok().map(|claims| wall(claims.exp))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SENT_S: i64 = 1_000_000;
    const TEN_YEARS_S: i64 = 315_360_000;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn after_s(expires_in: Option<&Value>, assume_s: Option<u64>, token: &str) -> Option<i64> {
        by_clock(None, expires_in, assume_s, token)
    }

    fn by_clock(
        ahead_s: Option<i64>,
        expires_in: Option<&Value>,
        assume_s: Option<u64>,
        token: &str,
    ) -> Option<i64> {
        let token = Secret::new(token.to_owned());
        let assumed = assume_s.map(Duration::from_secs);
        expires_at(WallMs::from_unix_s(SENT_S), ahead_s, expires_in, assumed, &token)
            .map(|at| at.unix_s() - SENT_S)
    }

    #[test]
    fn an_exp_is_read_on_the_clock_that_wrote_it() {
        let hour = json!(3600);
        for (ahead_s, exp_s, expires_in, seconds) in [
            (None, 3600, None, 3600),
            // Half a minute is transit, not a wrong clock.
            (Some(60), 3600, None, 3600),
            (Some(-60), 3600, None, 3600),
            (Some(61), 3661, None, 3600),
            (Some(-61), 3539, None, 3600),
            // Two hours ahead: their exp would let a dead token live.
            (Some(7200), 7200 + 3600, None, 3600),
            (Some(7200), 7200 + 1800, Some(&hour), 1800),
            (Some(7200), 7200 + 5400, Some(&hour), 3600),
            // Two hours behind: their exp would kill a token at birth.
            (Some(-7200), -7200 + 3600, None, 3600),
            (Some(-7200), -7200 + 3600, Some(&hour), 3600),
            (Some(-7200), -7200 - 1, Some(&hour), 0),
        ] {
            let token = jwt(&format!("{{\"exp\":{}}}", SENT_S + exp_s));
            let made = by_clock(ahead_s, expires_in, None, &token);
            assert_eq!(made, Some(seconds), "{ahead_s:?} {exp_s} {expires_in:?}");
        }
        // What counts in seconds asks no clock.
        for ahead_s in [7200, -7200] {
            assert_eq!(by_clock(Some(ahead_s), Some(&hour), None, "opaque"), Some(3600));
            assert_eq!(by_clock(Some(ahead_s), None, Some(300), "opaque"), Some(300));
        }
    }

    #[test]
    fn every_way_to_write_a_lifetime_is_read() {
        for (written, seconds) in [
            (json!(3600), Some(3600)),
            (json!("3600"), Some(3600)),
            (json!(" 3600 "), Some(3600)),
            (json!(3599.9), Some(3599)),
            (json!("3600.0"), Some(3600)),
            (json!(1), Some(1)),
            (json!(0), Some(0)),
            (json!("0"), Some(0)),
            (json!(-1), Some(0)),
            (json!("-1"), Some(0)),
            (json!(TEN_YEARS_S), Some(TEN_YEARS_S)),
            (json!(TEN_YEARS_S + 1), Some(TEN_YEARS_S)),
            (json!(u64::MAX), Some(TEN_YEARS_S)),
            (json!(1e30), Some(TEN_YEARS_S)),
            (json!("1e30"), Some(TEN_YEARS_S)),
            (json!("inf"), Some(TEN_YEARS_S)),
            (json!("1h"), Some(3600)),
            (json!("1 hour"), Some(3600)),
            (json!("2 Days"), Some(172_800)),
            (json!("90 secs"), Some(90)),
            (json!("15 minutes"), Some(900)),
            (json!("1 fortnight"), None),
            (json!("hour"), None),
            (json!("99999999999999999999 days"), None),
            (json!("NaN"), None),
            (json!(""), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!(true), None),
            (json!([3600]), None),
        ] {
            assert_eq!(after_s(Some(&written), None, "opaque"), seconds, "{written}");
        }
    }

    #[test]
    fn without_a_lifetime_the_profile_and_the_token_say_or_nobody_knows() {
        let token = jwt(&format!("{{\"exp\":{}}}", SENT_S + 60));
        for (expires_in, assume_s, token, seconds) in [
            (None, None, "opaque", None),
            (None, Some(300), "opaque", Some(300)),
            // Salesforce: no lifetime, and tokens that end before anybody would assume it.
            (None, Some(59), token.as_str(), Some(59)),
            (None, Some(300), token.as_str(), Some(60)),
            (Some(json!(0)), Some(300), token.as_str(), Some(60)),
            (None, None, token.as_str(), Some(60)),
            (Some(json!(59)), Some(300), token.as_str(), Some(59)),
            (Some(json!(61)), Some(300), token.as_str(), Some(60)),
        ] {
            assert_eq!(after_s(expires_in.as_ref(), assume_s, token), seconds);
        }
    }

    #[test]
    fn an_exp_is_a_hint_and_nothing_more() {
        for (claims, seconds) in [
            ("{\"exp\":1000060}".to_owned(), Some(60)),
            ("{\"exp\":1000060.5}".to_owned(), Some(60)),
            ("{\"exp\":1}".to_owned(), Some(0)),
            ("{\"exp\":-1e300}".to_owned(), Some(0)),
            ("{\"exp\":1e300}".to_owned(), Some(TEN_YEARS_S)),
            ("{\"exp\":\"1000060\"}".to_owned(), None),
            ("{}".to_owned(), None),
            ("not json".to_owned(), None),
            (format!("{{\"exp\":1000060,\"x\":\"{}\"}}", "x".repeat(SEGMENT_BYTES_MAX)), None),
        ] {
            assert_eq!(after_s(None, None, &jwt(&claims)), seconds);
        }
        for token in ["", ".", "..", "a.b.c", "a.b.c.d", "....", "e30.e30=.x"] {
            assert_eq!(after_s(None, None, token), None, "{token}");
        }
    }
}
