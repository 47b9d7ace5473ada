//! Replies that hold a token elsewhere than RFC 6749 section 5.1 has it: put in place before anything is read.
//!
//! Where things are is data (`response` in config.toml), since providers are many: a dotted path for each, lifetimes in
//! milliseconds, ends in place of lifetimes, a body that is the token and nothing else.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use tokctl_proto::WallMs;

use crate::config::ResponseShape;
use crate::oauth::provider_clock::on_our_clock;
use crate::oauth::reply::fields::Fields;

/// A reply of the standard's own shape.
pub(super) static STANDARD: LazyLock<ResponseShape> = LazyLock::new(ResponseShape::default);

/// GitHub's `POST /app/installations/ID/access_tokens`.
pub(super) static GITHUB_APP: LazyLock<ResponseShape> = LazyLock::new(|| {
    let paths = [("token", "token"), ("expires_at", "expires_at")];
    let owned = paths.map(|(name, path)| (name.to_owned(), path.to_owned()));
    ResponseShape(BTreeMap::from(owned))
});

/// Google's `generateAccessToken`.
pub(super) static IMPERSONATED: LazyLock<ResponseShape> = LazyLock::new(|| {
    let paths = [("token", "accessToken"), ("expires_at", "expireTime")];
    let owned = paths.map(|(name, path)| (name.to_owned(), path.to_owned()));
    ResponseShape(BTreeMap::from(owned))
});

/// The path that means all of the body.
const BODY: &str = "body";
/// From 1973 on, as milliseconds; as seconds it is the year 5138.
const MILLISECONDS_FROM: f64 = 1e11;

/// Reads a reply's fields.
pub(super) fn read(shape: &ResponseShape, body: &[u8]) -> Option<Fields> {
    match (shape.path("token"), Fields::read(body)) {
        (_, Some(fields)) => Some(fields),
        (Some(BODY), None) => whole(body),
        (_, None) => None,
    }
}

/// A body that is text, in quotes or without.
fn whole(body: &[u8]) -> Option<Fields> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let text = match serde_json::from_str::<String>(text) {
        Ok(quoted) => quoted,
        Err(_) => text.to_owned(),
    };
    let is_one = !text.is_empty() && !text.contains(char::is_whitespace) && !text.starts_with('<');
    is_one.then(|| Fields::of_token(text))
}

/// Puts what is elsewhere where the standard has it. What is not there stays missing.
pub(super) fn put_in_place(
    mut fields: Fields,
    shape: &ResponseShape,
    sent_at: WallMs,
    clock_ahead_s: Option<i64>,
) -> Fields {
    // Instagram and Threads renew a token by showing it: what comes is the next refresh token too.
    let token = shape.path("token").unwrap_or("access_token");
    if shape.path("refresh_token") == Some(token)
        && let Some(copy) = fields.at(token).cloned()
    {
        fields.put("refresh_token", copy);
    }
    for (name, standard) in [
        ("error", "error"),
        ("token", "access_token"),
        ("refresh_token", "refresh_token"),
        ("token_type", "token_type"),
        ("scope", "scope"),
        ("expires_in", "expires_in"),
    ] {
        let path = shape.path(name).filter(|path| *path != standard && *path != BODY);
        let path = path.filter(|path| name != "refresh_token" || *path != token);
        if let Some(value) = path.and_then(|path| fields.take_at(path)) {
            if name == "error" && value.as_f64() == Some(0.0) {
                continue;
            }
            // Withings has a number as the code, and says in `error` what it means.
            let words = fields.text("error").filter(|_| name == "error").map(str::to_owned);
            if let Some(words) = words.filter(|_| fields.text("error_description").is_none()) {
                fields.put("error_description", words.into());
            }
            fields.put(standard, value);
        }
    }
    let taken_in_ms = shape.path("expires_in_ms").and_then(|path| fields.take_at(path));
    if let Some(milliseconds) = taken_in_ms.as_ref().and_then(number) {
        fields.put("expires_in", (milliseconds / 1000.0).into());
    }
    let taken_in_dhm = shape.path("expires_in_dhm").and_then(|path| fields.take_at(path));
    if let Some(seconds) = taken_in_dhm.as_ref().and_then(days_hours_minutes) {
        fields.put("expires_in", seconds.into());
    }
    let taken_at = shape.path("expires_at").and_then(|path| fields.take_at(path));
    if let Some(at) = taken_at.as_ref().and_then(end) {
        let left_ms = on_our_clock(at, clock_ahead_s).0.saturating_sub(sent_at.0);
        fields.put("expires_in", (left_ms as f64 / 1000.0).into());
    }
    fields
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// `0:04:00`, as Tableau writes four hours.
fn days_hours_minutes(value: &Value) -> Option<u64> {
    let mut parts = value.as_str()?.trim().split(':').map(|part| part.parse::<u32>().ok());
    let (days, hours, minutes) = (parts.next()??, parts.next()??, parts.next()??);
    let minutes = (u64::from(days) * 24 + u64::from(hours)) * 60 + u64::from(minutes);
    parts.next().is_none().then_some(minutes * 60)
}

/// A time: Unix seconds, milliseconds, or RFC 3339.
fn end(value: &Value) -> Option<WallMs> {
    if let Some(number) = number(value) {
        let milliseconds = if number >= MILLISECONDS_FROM { number } else { number * 1000.0 };
        // The cast saturates.
        return Some(WallMs(milliseconds as i64));
    }
    rfc3339(value.as_str()?)
}

/// A time as RFC 3339 writes it.
pub(in crate::oauth) fn rfc3339(text: &str) -> Option<WallMs> {
    let at: jiff::Timestamp = text.trim().parse().ok()?;
    Some(WallMs(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SENT_AT: WallMs = WallMs(1_800_000_000_000);

    fn shape(paths: &[(&str, &str)]) -> ResponseShape {
        let owned = |(name, path): &(&str, &str)| ((*name).to_owned(), (*path).to_owned());
        ResponseShape(paths.iter().map(owned).collect())
    }

    fn placed(paths: &[(&str, &str)], body: &str) -> Option<Value> {
        let shape = shape(paths);
        let fields = read(&shape, body.as_bytes())?;
        let fields = put_in_place(fields, &shape, SENT_AT, None);
        Some(Value::Object(fields.as_map().clone()))
    }

    #[test]
    fn what_is_elsewhere_is_put_in_place() {
        for (paths, body, made) in [
            (&[][..], json!({ "access_token": "t" }), json!({ "access_token": "t" })),
            (&[("token", "jwt")], json!({ "jwt": "t" }), json!({ "access_token": "t" })),
            (
                &[("token", "data.token")],
                json!({ "data": { "token": "t", "id": 1 } }),
                json!({ "access_token": "t", "data": { "id": 1 } }),
            ),
            (
                &[("token", "tokens.0.value")],
                json!({ "tokens": [{ "value": "t" }] }),
                json!({ "access_token": "t", "tokens": [{}] }),
            ),
            (
                &[("token", "tokens.0")],
                json!({ "tokens": ["t"] }),
                json!({ "access_token": "t", "tokens": [null] }),
            ),
            (&[("token", "a.b.c")], json!({ "a": { "b": 1 } }), json!({ "a": { "b": 1 } })),
            (
                &[("error", "fault.code")],
                json!({ "fault": { "code": "no" } }),
                json!({ "error": "no", "fault": {} }),
            ),
            (
                &[("expires_in_dhm", "ttl")],
                json!({ "ttl": "1:02:03" }),
                json!({ "expires_in": 93_780 }),
            ),
            (&[("expires_in_dhm", "ttl")], json!({ "ttl": "4:00" }), json!({})),
            (&[("expires_in_dhm", "ttl")], json!({ "ttl": "a:b:c" }), json!({})),
            (&[("expires_in_ms", "ttl")], json!({ "ttl": 1500 }), json!({ "expires_in": 1.5 })),
            (&[("expires_in_ms", "ttl")], json!({ "ttl": "60000" }), json!({ "expires_in": 60.0 })),
        ] {
            assert_eq!(placed(paths, &body.to_string()), Some(made), "{paths:?}");
        }
    }

    #[test]
    fn an_end_is_read_however_it_is_written() {
        let paths = [("expires_at", "until")];
        for (until, seconds) in [
            (json!(1_800_000_060), Some(60.0)),
            (json!(1_800_000_060_500_i64), Some(60.5)),
            (json!("1800000060"), Some(60.0)),
            (json!("2027-01-15T08:01:00Z"), Some(60.0)),
            (json!("2027-01-15T10:01:00.5+02:00"), Some(60.5)),
            (json!(1_799_999_990), Some(-10.0)),
            (json!("soon"), None),
            (json!(null), None),
        ] {
            let body = json!({ "until": until }).to_string();
            let made = placed(&paths, &body).unwrap();
            assert_eq!(made.get("expires_in").and_then(Value::as_f64), seconds, "{until}");
        }
    }

    #[test]
    fn a_body_may_be_the_token() {
        let whole = [("token", "body")];
        for (body, token) in [
            ("eyJ0.e30.x", Some("eyJ0.e30.x")),
            (" eyJ0\n", Some("eyJ0")),
            ("\"eyJ0\"", Some("eyJ0")),
            ("", None),
            ("<html>", None),
            ("two words", None),
        ] {
            let made = placed(&whole, body);
            let made = made.as_ref().and_then(|made| made["access_token"].as_str());
            assert_eq!(made, token, "{body:?}");
            assert!(placed(&[], body).is_none());
        }
    }
}
