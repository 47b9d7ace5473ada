//! What the status alone says, where the body has neither a token nor an error that is believed.

use tokctl_core::{Cause, Class, Trouble};
use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind, WallMs};

use crate::config::{Grant, Provider};
use crate::oauth::message::HttpReply;
use crate::oauth::origin;
use crate::oauth::reply::Asked;
use crate::oauth::reply::fields::Fields;
use crate::oauth::reply::redact;
use crate::oauth::reply::refusal::{Refusal, hinted};
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
    match reply.status {
        // RFC 6585 section 4.
        429 => slow_down(now, reply, &reason),
        _ => failing(now, reply, &reason),
    }
}

/// The provider has a bad day: so it has for all its profiles.
pub(super) fn failing(now: WallMs, reply: &HttpReply, reason: &str) -> Trouble {
    let message = format!("the provider has a failure of its own ({reason})");
    later(now, reply, Kind::ProviderFailed, message).because(Cause::Provider)
}

/// Somebody asked too often; whether that was this client or this profile, nobody says.
pub(super) fn slow_down(now: WallMs, reply: &HttpReply, reason: &str) -> Trouble {
    let message = format!("the provider said to slow down ({reason})");
    later(now, reply, Kind::RateLimited, message)
}

/// A failure that goes away by itself, not before what Retry-After says.
fn later(now: WallMs, reply: &HttpReply, kind: Kind, message: String) -> Trouble {
    let retry_after = retry_after::of(now, reply);
    let failure = Failure::new(kind, message);
    let failure = match retry_after {
        Some(wait) => failure.retry_at(now.plus(wait)),
        None => failure,
    };
    Trouble { retry_after, ..Trouble::new(Class::Retry, failure) }
}

/// Redirects are not followed: a 307 would carry the secret to wherever it points (RFC 9700 section
/// 4.12).
pub(super) fn redirect(asked: &Asked<'_>, status: u16) -> Trouble {
    let (name, endpoint) = (asked.endpoint_name(), origin::without_query(asked.endpoint));
    let message = format!(
        "the {name} {endpoint} answered with a redirect (HTTP {status}), which is never followed"
    );
    Trouble::new(Class::Permanent, Failure::new(Kind::ProviderFailed, message))
}

/// 4xx without a code. GitHub and others say in a `message` what they mean.
pub(super) fn refused(asked: &Asked<'_>, status: u16, fields: Option<&Fields>) -> Trouble {
    let profile = &asked.key.profile;
    let message = fields.and_then(|fields| fields.text("message"));
    let message = message.map(|text| redact::without(asked.sent, text.to_owned()));
    let reason = match message {
        Some(text) => format!("HTTP {status}: \"{}\"", shown(text.trim())),
        None => format!("HTTP {status}"),
    };
    let refused = |what: &str| {
        Failure::new(Kind::ProviderRefused, format!("the provider refused {what} ({reason})"))
    };
    let failure = match status {
        404 if let Grant::GithubApp(app) = asked.grant => {
            let id = &app.installation_id;
            let message = format!("the app has no installation {id} ({reason})");
            Failure::new(Kind::ProviderRefused, message)
                .hint(format!("run `tokctl set {profile} installation_id=\u{2026}`"))
        }
        401 | 403 => hinted(refused("the client"), asked.set_client_secret()),
        404 | 405 | 410 => {
            let name = asked.endpoint_name();
            let key = match asked.grant.client().map(|client| &client.provider) {
                Some(Provider::Issuer { .. }) => "issuer".to_owned(),
                Some(Provider::TokenEndpoint(_)) => name.replace(' ', "_"),
                None => return Trouble::new(Class::Permanent, refused("the request")),
            };
            let endpoint = origin::without_query(asked.endpoint);
            Failure::new(
                Kind::ProviderRefused,
                format!("there is no {name} at {endpoint} (HTTP {status})"),
            )
            .hint(format!("run `tokctl set {profile} {key}=\u{2026}`"))
        }
        // RFC 9110 section 15.5.16.
        415 => refused("the encoding of the request")
            .hint(format!("run `tokctl set {profile} body=json` or `body=form`")),
        _ => refused("the request"),
    };
    let trouble = Trouble::new(Class::Permanent, failure);
    match status {
        // RFC 6749 section 5.2: the status of invalid_client. A 403 is often a firewall's.
        401 => trouble.because(asked.client_refused()),
        _ => trouble,
    }
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
        .because(Cause::Unreadable)
}

/// A success that reads as fields, none of which is the token. Their names are shown, never their
/// values.
pub(super) fn no_access_token(reply: &HttpReply, fields: &Fields) -> Trouble {
    let names: Vec<_> = fields.names().take(NAMES_SHOWN_MAX).collect();
    let names = if names.is_empty() { "no fields".to_owned() } else { shown(&names.join(", ")) };
    let message =
        format!("the provider's reply holds no access_token (HTTP {}, with {names})", reply.status);
    Trouble::new(Class::Retry, Failure::new(Kind::ProviderFailed, message))
        .because(Cause::Unreadable)
}
