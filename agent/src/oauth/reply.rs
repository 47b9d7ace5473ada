//! What a token endpoint's reply means: a token, or whose fault it is and what to do next.
//!
//! Providers deviate from RFC 6749 section 5 more often than not, so the shape is read tolerantly
//! (`fields`) and the meaning strictly: an error is looked for first, whatever the status; a token
//! must be visible ASCII (appendix A.12) and of a type that a bearer can use (section 7.1). The
//! reply is never shown: it may hold a token.

mod acting;
mod clock;
mod extra;
mod fields;
mod lifetime;
mod redact;
mod refusal;
mod shape;
mod status;
mod successor;

pub(in crate::oauth) use redact::without as redact;
pub use refusal::{Said, said};

use std::time::Duration;

use tokctl_core::{Cause, Class, Obtained, Outcome, Reached, Token, Trouble};
use tokctl_proto::escape::shown;
use tokctl_proto::token::{is_scope, is_token};
use tokctl_proto::{Failure, Kind, Secret, TokenKey, WallMs};
use url::Url;

use crate::config::{ClientAuth, Grant, ResponseShape};
use crate::oauth::grant::{aws_web_identity, steps};
use crate::oauth::message::HttpReply;
use crate::oauth::reply::fields::Fields;
use crate::oauth::reply::refusal::Refusal;
pub(in crate::oauth) use crate::oauth::reply::shape::rfc3339;
use crate::oauth::{client_auth, provider_clock};

/// Half as much again as the largest JWT we have met. With [`extra::EXTRA_BYTES_MAX`] it fits into
/// one frame of the wire.
const ACCESS_TOKEN_BYTES_MAX: usize = 24 * 1024;
/// A longer list of scopes is left out rather than making the token too large for the wire.
const SCOPE_BYTES_MAX: usize = 4 * 1024;
/// Types that only the holder of a key, or nobody, can use: RFC 9200 section 5.8.4.3, RFC 8693
/// section 2.2.1 and the MAC draft that RFC 6749 section 7.1 names.
const UNUSABLE_TYPES: &[&str] = &["pop", "mac", "n_a"];
/// The type of a token that is bound to a key (RFC 9449 section 5).
pub const BOUND_TYPE: &str = "DPoP";
/// A longer token type is no type, and is read as if it were absent.
const TOKEN_TYPE_BYTES_MAX: usize = 64;

/// What a reply answers.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub key: &'a TokenKey,
    pub grant: &'a Grant,
    /// Who was asked: the token endpoint, or what stands for it.
    pub endpoint: &'a Url,
    /// Secrets that the request held: a provider may repeat one in what it says of a refusal.
    pub sent: &'a [Secret],
    pub purpose: Purpose,
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A token, for nothing but the client itself or what it signs.
    Token,
    /// A token for a refresh token.
    Refresh,
    /// The first tokens, for the code of a login.
    Login,
    /// A token that is presented at once for another one.
    Intermediate,
    /// No token: something else at the endpoint that is called this.
    Other(&'static str),
}

impl Purpose {
    /// What is asked for without a person.
    pub fn of(grant: &Grant) -> Self {
        match grant.has_refresh_token() {
            true => Self::Refresh,
            false => Self::Token,
        }
    }
}

impl Asked<'_> {
    /// Whether a refresh token may come back. A client that presented nothing has no use for one
    /// (RFC 6749 section 4.4.3).
    fn takes_refresh_token(&self) -> bool {
        matches!(self.purpose, Purpose::Refresh | Purpose::Login)
    }

    fn endpoint_name(&self) -> &'static str {
        match self.purpose {
            Purpose::Other(name) => name,
            Purpose::Token | Purpose::Refresh | Purpose::Login | Purpose::Intermediate => {
                "token endpoint"
            }
        }
    }

    /// Of a refusal that does not say what is wrong: where a caller has chosen something, that may be it, and
    /// those who chose nothing or something else are not to suffer from it.
    fn perhaps_key(&self) -> Cause {
        let Self { key, .. } = self;
        match key.scope.is_empty() && key.audience.is_empty() && key.resource.is_empty() {
            true => Cause::Other,
            false => Cause::Key,
        }
    }

    /// Where the reply holds what.
    fn shape(&self) -> &ResponseShape {
        match self.grant {
            Grant::Steps(steps) => &steps.response,
            Grant::GithubApp(_) => &shape::GITHUB_APP,
            Grant::TokenExchange(_) if self.acts_as().is_some() => &shape::IMPERSONATED,
            grant => grant.client().map_or(&shape::STANDARD, |client| &client.quirks.response),
        }
    }

    /// The service account that is acted as, where the reply is to that.
    fn acts_as(&self) -> Option<&str> {
        match self.grant {
            Grant::TokenExchange(client) if self.purpose == Purpose::Token => {
                client.exchange.impersonate.as_deref()
            }
            _ => None,
        }
    }

    /// What to do where the request is right, and the role trusts somebody else.
    fn set_trust(&self, code: Option<&str>) -> Option<String> {
        let is_untrusted =
            matches!(self.grant, Grant::AwsWebIdentity(_)) && code == Some("AccessDenied");
        is_untrusted.then(|| {
            "compare `iss`, `aud` and `sub` of the subject with the trust policy of the role"
                .to_owned()
        })
    }

    /// What the reply holds, where it has it.
    fn fields(&self, reply: &HttpReply) -> Option<Fields> {
        match self.grant {
            Grant::AwsWebIdentity(_) => {
                Fields::read(aws_web_identity::token_reply(reply)?.expose().as_bytes())
            }
            _ => shape::read(self.shape(), &reply.body),
        }
    }

    /// The lifetime of a token whose reply names none.
    fn assume_ttl(&self) -> Option<Duration> {
        match self.grant {
            Grant::Steps(steps) => steps.assume_ttl,
            Grant::Command(program) => program.assume_ttl,
            grant => grant.client()?.assume_ttl,
        }
    }

    fn is_federated(&self) -> bool {
        self.grant.client().is_some_and(|it| it.client_auth == Some(ClientAuth::Federated))
    }

    /// What a refused client is about. What proved a federated one is gone: the next brings another.
    fn client_refused(&self) -> Cause {
        match self.is_federated() {
            true => Cause::Other,
            false => Cause::InvalidClient,
        }
    }

    /// What to type when what was sent as proof is not the one.
    fn set_client_secret(&self) -> Option<String> {
        if self.is_federated() {
            let hint = "compare `iss`, `sub` and `aud` of the subject with the federated credential \
                that the provider has of the client";
            return Some(hint.to_owned());
        }
        let name = match self.grant {
            Grant::Steps(login) => return steps::set_secrets(&self.key.profile, login),
            Grant::GithubApp(_) => client_auth::PRIVATE_KEY,
            // Its assertion is all that it shows.
            Grant::JwtBearer(client) if client.client_auth == Some(ClientAuth::None) => {
                client_auth::PRIVATE_KEY
            }
            grant => client_auth::proof_name(grant.client().and_then(|client| client.client_auth)),
        };
        Some(client_auth::set_secret(&self.key.profile, self.grant.name(), name))
    }

    /// What to type when what was presented is not the one.
    fn set_presented(&self) -> Option<String> {
        match self.grant {
            Grant::JwtBearer(_) => {
                let (profile, grant) = (&self.key.profile, self.grant.name());
                Some(client_auth::set_secret(profile, grant, client_auth::PRIVATE_KEY))
            }
            _ => self.set_client_secret(),
        }
    }
}

/// Classifies a reply; `now` is when it is read, which may be after a crash.
pub fn classify(now: WallMs, asked: &Asked<'_>, reply: &HttpReply) -> Outcome {
    let clock_ahead_s = provider_clock::ahead_s(reply);
    let fields = asked.fields(reply);
    let mut fields = fields
        .map(|fields| shape::put_in_place(fields, asked.shape(), reply.sent_at, clock_ahead_s));
    let refusal = fields.as_ref().and_then(refusal::find).map(|it| it.without(asked.sent));
    let successor = match (reply.status, fields.as_mut()) {
        // What comes with a refusal by status is an echo of the request.
        (200..=299, Some(fields)) if asked.takes_refresh_token() => {
            successor::take(fields, reply, clock_ahead_s)
        }
        _ => None,
    };
    let made = match trouble(now, asked, reply, refusal.as_ref(), fields.as_ref()) {
        Some(trouble) => Err(clock::named(trouble, asked, clock_ahead_s)),
        None => token(asked, reply, clock_ahead_s, fields.as_mut()),
    };
    match made {
        Ok(token) => {
            let status = reply.status;
            Outcome::Tokens(Obtained { token, successor, clock_ahead_s, status })
        }
        Err(trouble) => {
            // What was refused has no successor, whatever stands beside the refusal.
            let successor = successor.filter(|_| trouble.cause != Cause::InvalidGrant);
            Outcome::Failed(Trouble {
                failure: trouble.failure.of(&asked.key.profile),
                reached: Reached::Answered(reply.status),
                successor: successor.map(Box::new),
                ..trouble
            })
        }
    }
}

/// Why a reply is none of a success, whatever a success would hold; `None` where it is one.
pub fn refused(now: WallMs, asked: &Asked<'_>, reply: &HttpReply) -> Option<Trouble> {
    let fields = Fields::read(&reply.body);
    let refusal = fields.as_ref().and_then(refusal::find).map(|it| it.without(asked.sent));
    let trouble = trouble(now, asked, reply, refusal.as_ref(), fields.as_ref())?;
    let failure = trouble.failure.of(&asked.key.profile);
    Some(Trouble { failure, reached: Reached::Answered(reply.status), ..trouble })
}

/// The id_token of a reply (OpenID Connect Core section 3.1.3.3).
pub fn id_token(reply: &HttpReply) -> Option<Secret> {
    Fields::read(&reply.body)?.take_secret("id_token")
}

fn trouble(
    now: WallMs,
    asked: &Asked<'_>,
    reply: &HttpReply,
    refusal: Option<&Refusal>,
    fields: Option<&Fields>,
) -> Option<Trouble> {
    if let Some(account) = asked.acts_as() {
        return acting::trouble(now, asked, account, reply, refusal);
    }
    Some(match (reply.status, refusal) {
        (408 | 429 | 500..=599, refusal) => status::overloaded(now, reply, refusal),
        (300..=399, _) => status::redirect(asked, reply.status),
        (_, Some(refusal)) => refusal.trouble(now, asked, reply),
        (200..=299, None) => return None,
        (_, None) => status::refused(asked, reply.status, fields),
    })
}

/// Reads a successful reply (RFC 6749 section 5.1).
fn token(
    asked: &Asked<'_>,
    reply: &HttpReply,
    clock_ahead_s: Option<i64>,
    fields: Option<&mut Fields>,
) -> Result<Token, Trouble> {
    let Some(fields) = fields else { return Err(status::no_token_reply(reply)) };
    // Slack puts a user's token one level down.
    let mut nested = match fields.text("access_token") {
        Some(_) => None,
        None => fields.take_object("authed_user"),
    };
    let holder = nested.as_mut().unwrap_or(&mut *fields);
    let Some(access_token) = holder.take_secret("access_token") else {
        return Err(status::no_access_token(reply, holder));
    };
    if !is_token(access_token.expose()) {
        return Err(unusable(
            "an access token with characters that no token may have (RFC 6749 appendix A.12)",
        ));
    }
    if access_token.expose().len() > ACCESS_TOKEN_BYTES_MAX {
        let limit = ACCESS_TOKEN_BYTES_MAX / 1024;
        return Err(unusable(&format!("an access token of more than {limit} KiB")));
    }
    let token_type = token_type(asked, holder.text("token_type"))?;
    let expires_at = lifetime::expires_at(
        reply.sent_at,
        clock_ahead_s,
        holder.get("expires_in"),
        asked.assume_ttl(),
        &access_token,
    );
    let scope = holder.get("scope").and_then(granted_scope);
    Ok(Token {
        access_token,
        token_type,
        issued_at: reply.sent_at,
        expires_at,
        scope,
        extra: extra::of(fields),
        // Known to whoever sent the request.
        revision: 0,
    })
}

/// The type as the provider wrote it; `Bearer` where it wrote none or no word at all, as some do. A token that was to
/// be bound to a key has the type that says so (RFC 9449 section 5), and no other token has.
fn token_type(asked: &Asked<'_>, written: Option<&str>) -> Result<String, Trouble> {
    let profile = &asked.key.profile;
    let is_to_be_bound = asked.grant.client().is_some_and(|client| client.dpop);
    let is_bound = written.is_some_and(|text| text.trim().eq_ignore_ascii_case(BOUND_TYPE));
    match (is_to_be_bound, is_bound) {
        (true, true) => return Ok(BOUND_TYPE.to_owned()),
        (true, false) => {
            let hint = format!("run `tokctl set {profile} dpop=` if any token will do");
            return Err(hinted(
                unusable("a token that is not bound to the key, as `dpop` wants it"),
                hint,
            ));
        }
        (false, true) => {
            let hint = format!("run `tokctl set {profile} dpop=true`");
            return Err(hinted(unusable("a token that is bound to a key (DPoP)"), hint));
        }
        (false, false) => {}
    }
    let is_type = |text: &&str| {
        (1..=TOKEN_TYPE_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    };
    match written.map(str::trim).filter(is_type) {
        None => Ok("Bearer".to_owned()),
        Some(text) if UNUSABLE_TYPES.contains(&text.to_ascii_lowercase().as_str()) => {
            Err(unusable(&format!(
                "a token of type `{}`, which tokctl cannot use (RFC 6749 section 7.1)",
                shown(text)
            )))
        }
        Some(text) => Ok(text.to_owned()),
    }
}

/// The granted scope, space-delimited: from text that is delimited by spaces or commas, or from an
/// array.
fn granted_scope(value: &serde_json::Value) -> Option<String> {
    let scopes: Vec<&str> = match value {
        serde_json::Value::String(text) => text.split([' ', ',']).collect(),
        serde_json::Value::Array(values) => {
            values.iter().filter_map(|value| value.as_str()).collect()
        }
        _ => return None,
    };
    let joined = scopes.into_iter().filter(|scope| is_scope(scope)).collect::<Vec<_>>().join(" ");
    (1..=SCOPE_BYTES_MAX).contains(&joined.len()).then_some(joined)
}

fn unusable(what: &str) -> Trouble {
    Trouble::new(
        Class::Permanent,
        Failure::new(Kind::ProviderFailed, format!("the provider sent {what}")),
    )
}

fn hinted(mut trouble: Trouble, hint: String) -> Trouble {
    trouble.failure.hint = Some(hint);
    trouble
}

#[cfg(test)]
mod tests;
