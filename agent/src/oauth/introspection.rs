//! Token introspection (RFC 7662): the request, and what its reply says.
//!
//! Only `active` is believed, and only where it is a boolean (section 2.2). The rest is for a person to look at. It tells
//! who somebody is and what they may do, so it is a secret here and never goes into a log. It is no
//! substitute for a token's expiry: nothing is decided by it.

use serde_json::{Map, Value};
use tokctl_core::{Cause, Class, Reached, Trouble};
use tokctl_proto::{Failure, Kind, Secret, WallMs};
use url::Url;
use zeroize::Zeroize as _;

use crate::oauth::about_token::{self, Asker, TokenKind};
use crate::oauth::message::{HttpReply, HttpRequest};
use crate::oauth::reply::{self, Said};
use crate::oauth::{origin, retry_after};

/// Room for every claim that a token may have, and beside the claims of the token itself it fits into one frame
/// of the wire.
const ANSWER_BYTES_MAX: usize = 12 * 1024;

/// What a provider says of a token.
#[derive(Debug)]
pub struct Introspected {
    pub active: bool,
    /// The answer as one JSON object without the token itself; `None` where it is larger than is shown.
    pub answer: Option<Secret>,
}

/// The request that asks about an access token.
pub fn request(asker: &Asker<'_>, endpoint: &Url, token: &Secret) -> Result<HttpRequest, Failure> {
    about_token::request(asker, endpoint, TokenKind::Access, token)
}

/// Reads the reply to such a request. `sent` are the secrets that it held.
pub fn read(
    now: WallMs,
    asker: &Asker<'_>,
    endpoint: &Url,
    reply: &HttpReply,
    sent: &[Secret],
) -> Result<Introspected, Trouble> {
    let answer = match reply.status {
        200..=299 => answer(&reply.body, sent),
        _ => None,
    };
    answer.ok_or_else(|| {
        let said = reply::said(&reply.body, sent);
        let trouble = trouble(now, asker, endpoint, reply, said.as_ref());
        Trouble {
            failure: trouble.failure.clone().of(asker.profile),
            ..trouble.reached(Reached::Answered(reply.status))
        }
    })
}

fn answer(body: &[u8], sent: &[Secret]) -> Option<Introspected> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let active = fields.get("active").and_then(Value::as_bool);
    fields.values_mut().for_each(|value| redact(value, sent));
    let answer = serde_json::to_string(&fields).map(Secret::new);
    fields.values_mut().for_each(wipe);
    let answer = answer.ok().filter(|answer| answer.expose().len() <= ANSWER_BYTES_MAX);
    Some(Introspected { active: active?, answer })
}

/// Takes the secrets of the request out of every text: some providers repeat the token.
fn redact(value: &mut Value, sent: &[Secret]) {
    match value {
        Value::String(text) => *text = reply::redact(sent, std::mem::take(text)),
        Value::Array(values) => values.iter_mut().for_each(|value| redact(value, sent)),
        Value::Object(fields) => fields.values_mut().for_each(|value| redact(value, sent)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn trouble(
    now: WallMs,
    asker: &Asker<'_>,
    endpoint: &Url,
    reply: &HttpReply,
    said: Option<&Said>,
) -> Trouble {
    let status = reply.status;
    let reason = match said {
        Some(said) => format!("HTTP {status}, {}", said.reason),
        None => format!("HTTP {status}"),
    };
    let at = origin::without_query(endpoint);
    let refused = |message: String| Failure::new(Kind::ProviderRefused, message);
    let permanent = |failure| Trouble::new(Class::Permanent, failure);
    let is_client = said.and_then(|said| said.code.as_deref()) == Some("invalid_client");
    match status {
        408 | 425 | 429 | 500.. => {
            let kind = match status {
                429 => Kind::RateLimited,
                _ => Kind::ProviderFailed,
            };
            let message =
                format!("the provider does not answer what it knows of the token ({reason})");
            let retry_after = retry_after::of(now, reply);
            let trouble = Trouble::new(Class::Retry, Failure::new(kind, message));
            Trouble { retry_after, ..trouble.because(Cause::Provider) }
        }
        200..=299 => permanent(Failure::new(
            Kind::ProviderFailed,
            format!("the answer of {at} does not say whether the token is active ({reason})"),
        )),
        300..=399 => permanent(Failure::new(
            Kind::ProviderFailed,
            format!("{at} answered with a redirect ({reason}), which is never followed"),
        )),
        _ if is_client || status == 401 => {
            let failure = refused(format!("the provider refused the client ({reason})"));
            permanent(failure.hint(asker.set_client_secret())).because(Cause::InvalidClient)
        }
        404 | 405 | 410 => {
            permanent(refused(format!("there is no introspection endpoint at {at} ({reason})")))
        }
        _ => permanent(refused(format!("the provider refused to tell of the token ({reason})"))),
    }
}

#[cfg(test)]
mod tests;
