//! Token revocation (RFC 7009): the request, and what its reply means.
//!
//! A reply means one of three things. The token is worth nothing: also where the provider has never heard of it
//! (section 2.2). Nobody knows: then it is taken to be alive and asked about again (section 2.2.1). Or the
//! provider will not do it, now or later.

use tokctl_core::{Cause, Class, Reached, Trouble};
use tokctl_proto::{Failure, Kind, Secret, WallMs};
use url::Url;

use crate::oauth::about_token::{self, Asker, TokenKind};
use crate::oauth::message::{HttpReply, HttpRequest};
use crate::oauth::reply::{self, Said};
use crate::oauth::{origin, retry_after};

/// What section 2.2 wants answered with 200 and some answer with an error: the token is worth nothing already.
/// Google says `invalid_token` with 400, Slack `token_revoked` with 200.
const GONE: &[&str] = &["invalid_token", "invalid_grant", "token_expired", "token_revoked"];
/// Errors that pass by themselves, whatever the status (RFC 6749 section 4.1.2.1, RFC 8628 section 3.5).
const BUSY: &[&str] = &["temporarily_unavailable", "server_error", "slow_down", "ratelimited"];
/// Section 2.2.1.
const UNSUPPORTED: &str = "unsupported_token_type";
/// The client is not who it says (RFC 6749 section 5.2; the second is GitHub's).
const CLIENT: &[&str] = &["invalid_client", "incorrect_client_credentials"];

/// What became of a token that was to be revoked.
#[derive(Clone, Debug)]
pub enum Revocation {
    /// It is worth nothing any more.
    Done,
    /// The provider does not revoke tokens of this kind.
    Unsupported,
    /// With [`Class::Retry`] it is taken to be alive, and to be revoked later.
    Failed(Trouble),
}

/// The request that revokes a token.
pub fn request(
    asker: &Asker<'_>,
    endpoint: &Url,
    kind: TokenKind,
    token: &Secret,
) -> Result<HttpRequest, Failure> {
    about_token::request(asker, endpoint, kind, token)
}

/// What a reply to such a request means. `sent` are the secrets that the request held: a provider may repeat
/// one in what it says of a refusal.
pub fn judge(
    now: WallMs,
    asker: &Asker<'_>,
    endpoint: &Url,
    kind: TokenKind,
    reply: &HttpReply,
    sent: &[Secret],
) -> Revocation {
    let said = reply::said(&reply.body, sent);
    let code = said.as_ref().and_then(|said| said.code.as_deref()).unwrap_or_default();
    let status = reply.status;
    let is_overloaded = matches!(status, 408 | 425 | 429 | 500..);
    match status {
        // A server that is failing is not believed about the token either.
        _ if is_overloaded || BUSY.contains(&code) => {}
        _ if GONE.contains(&code) => return Revocation::Done,
        // A refresh token that cannot be revoked is a refusal: support of those is not left to anybody.
        _ if code == UNSUPPORTED && kind == TokenKind::Access => return Revocation::Unsupported,
        // The body has nothing to say then (section 2.2), unless it is an error all the same.
        200..=299 if said.is_none() => return Revocation::Done,
        _ => {}
    }
    let trouble = match is_overloaded || BUSY.contains(&code) {
        true => later(now, reply, said.as_ref()),
        false => refused(asker, endpoint, status, said.as_ref()),
    };
    Revocation::Failed(Trouble {
        failure: trouble.failure.clone().of(asker.profile),
        ..trouble.reached(Reached::Answered(status))
    })
}

/// A failure that goes away by itself, not before what Retry-After says.
fn later(now: WallMs, reply: &HttpReply, said: Option<&Said>) -> Trouble {
    let reason = reason(reply.status, said);
    let (kind, message) = match reply.status {
        429 => (Kind::RateLimited, format!("the provider said to slow down ({reason})")),
        _ => (Kind::ProviderFailed, format!("the provider has a failure of its own ({reason})")),
    };
    let retry_after = retry_after::of(now, reply);
    let failure = Failure::new(kind, message);
    let failure = match retry_after {
        Some(wait) => failure.retry_at(now.plus(wait)),
        None => failure,
    };
    Trouble { retry_after, ..Trouble::new(Class::Retry, failure).because(Cause::Provider) }
}

fn refused(asker: &Asker<'_>, endpoint: &Url, status: u16, said: Option<&Said>) -> Trouble {
    let at = origin::without_query(endpoint);
    let refused = |message: String| Failure::new(Kind::ProviderRefused, message);
    let permanent = |failure| Trouble::new(Class::Permanent, failure);
    let reason = reason(status, said);
    let is_client = match said.and_then(|said| said.code.as_deref()) {
        Some(code) => CLIENT.contains(&code),
        // RFC 6749 section 5.2: the status of invalid_client.
        None => status == 401,
    };
    match status {
        _ if is_client => {
            let failure = refused(format!("the provider refused the client ({reason})"));
            permanent(failure.hint(asker.set_client_secret())).because(Cause::InvalidClient)
        }
        300..=399 => permanent(Failure::new(
            Kind::ProviderFailed,
            format!(
                "the revocation endpoint {at} answered with a redirect (HTTP {status}), which is \
                 never followed"
            ),
        )),
        404 | 405 | 410 if said.is_none() => {
            let failure = refused(format!("there is no revocation endpoint at {at} ({reason})"));
            let profile = asker.profile;
            permanent(
                failure.hint(format!("run `tokctl set {profile} revocation_endpoint=\u{2026}`")),
            )
        }
        _ => permanent(refused(format!("the provider refused to revoke the token ({reason})"))),
    }
}

fn reason(status: u16, said: Option<&Said>) -> String {
    match said {
        Some(said) => format!("HTTP {status}, {}", said.reason),
        None => format!("HTTP {status}"),
    }
}

#[cfg(test)]
mod tests;
