//! What the status alone says, where the body has neither a token nor an error that is believed.

use tokctl_core::{Class, Trouble};
use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind, ProfileName, WallMs};
use url::Url;

use crate::config::{Client, Provider};
use crate::oauth::message::HttpReply;
use crate::oauth::origin;
use crate::oauth::reply::fields::Fields;
use crate::oauth::reply::refusal::Refusal;
use crate::oauth::retry_after;

/// Names of fields that are shown when none of them is a token.
const NAMES_SHOWN_MAX: usize = 8;

/// 408, 429 and 5xx. A server that is failing is not believed about the client either, so an error
/// in its body is shown and changes nothing.
pub(super) fn overloaded(now: WallMs, reply: &HttpReply, refusal: Option<&Refusal>) -> Trouble {
    let reason = match refusal {
        Some(refusal) => format!("HTTP {}, {}", reply.status, refusal.reason()),
        None => format!("HTTP {}", reply.status),
    };
    let (kind, what) = match reply.status {
        // RFC 6585 section 4.
        429 => (Kind::RateLimited, "said to slow down"),
        _ => (Kind::ProviderFailed, "has a failure of its own"),
    };
    later(now, reply, kind, format!("the provider {what} ({reason})"))
}

/// A failure that goes away by itself, not before what Retry-After says.
pub(super) fn later(now: WallMs, reply: &HttpReply, kind: Kind, message: String) -> Trouble {
    let retry_after = reply.retry_after.as_deref().and_then(|text| retry_after::parse(now, text));
    let failure = Failure::new(kind, message);
    let failure = match retry_after {
        Some(wait) => failure.retry_at(now.plus(wait)),
        None => failure,
    };
    Trouble { retry_after, ..Trouble::new(Class::Retry, failure) }
}

/// Redirects are not followed: a 307 would carry the secret to wherever it points (RFC 9700 section
/// 4.12).
pub(super) fn redirect(endpoint: &Url, status: u16) -> Trouble {
    let endpoint = origin::without_query(endpoint);
    let message = format!(
        "the token endpoint {endpoint} answered with a redirect (HTTP {status}), which is never followed"
    );
    Trouble::new(Class::Permanent, Failure::new(Kind::ProviderFailed, message))
}

/// 4xx without a word why.
pub(super) fn refused(
    profile: &ProfileName,
    client: &Client,
    endpoint: &Url,
    status: u16,
) -> Trouble {
    let refused = |what: &str| {
        Failure::new(Kind::ProviderRefused, format!("the provider refused {what} (HTTP {status})"))
    };
    let failure = match status {
        401 | 403 => refused("the client").hint(format!("run `tokctl set-secret {profile}`")),
        404 | 405 | 410 => {
            let key = match client.provider {
                Provider::Issuer { .. } => "issuer",
                Provider::TokenEndpoint(_) => "token_endpoint",
            };
            let endpoint = origin::without_query(endpoint);
            Failure::new(
                Kind::ProviderRefused,
                format!("there is no token endpoint at {endpoint} (HTTP {status})"),
            )
            .hint(format!("run `tokctl set {profile} {key}=\u{2026}`"))
        }
        // RFC 9110 section 15.5.16.
        415 => refused("the encoding of the request")
            .hint(format!("run `tokctl set {profile} body=json` or `body=form`")),
        _ => refused("the request"),
    };
    Trouble::new(Class::Permanent, failure)
}

/// A success that reads as nothing: a login page of a captive portal, a maintenance notice.
pub(super) fn no_token_reply(reply: &HttpReply) -> Trouble {
    let body = match (reply.body.is_empty(), reply.content_type.as_deref()) {
        (true, _) => "an empty body".to_owned(),
        (false, Some(content_type)) => shown(content_type),
        (false, None) => "no content type".to_owned(),
    };
    let message = format!(
        "the provider answered with something that is no token reply (HTTP {}, {body})",
        reply.status
    );
    Trouble::new(Class::Retry, Failure::new(Kind::ProviderFailed, message))
}

/// A success that reads as fields, none of which is the token. Their names are shown, never their
/// values.
pub(super) fn no_access_token(reply: &HttpReply, fields: &Fields) -> Trouble {
    let names: Vec<_> = fields.names().take(NAMES_SHOWN_MAX).collect();
    let names = if names.is_empty() { "no fields".to_owned() } else { shown(&names.join(", ")) };
    let message =
        format!("the provider's reply holds no access_token (HTTP {}, with {names})", reply.status);
    Trouble::new(Class::Retry, Failure::new(Kind::ProviderFailed, message))
}
