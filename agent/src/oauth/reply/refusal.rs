//! The error in a reply: where providers put it, and what each code means (RFC 6749 section 5.2).
//!
//! `error` counts even beside a token and at any status: GitHub and Slack answer 200. The other
//! shapes count only where there is no token, since some providers list warnings in them.

use serde_json::Value;
use tokctl_core::{Cause, Class, Trouble};
use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind, ProfileName, Secret, WallMs};

use crate::oauth::message::HttpReply;
use crate::oauth::reply::fields::Fields;
use crate::oauth::reply::{Asked, Purpose, redact, status};

/// An error as the provider wrote it; neither text has been made safe to show.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    code: Option<String>,
    /// Beside a code that is text.
    number: Option<String>,
    description: Option<String>,
}

/// What a code means, and therefore who can do what about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Client,
    Grant,
    Unauthorized,
    UnsupportedGrant,
    Request,
    Scope,
    Target,
    /// Of possession.
    Proof,
    Busy,
    SlowDown,
}

const MEANINGS: &[(&str, Meaning)] = &[
    ("invalid_client", Meaning::Client),
    ("invalid_grant", Meaning::Grant),
    ("unauthorized_client", Meaning::Unauthorized),
    ("unsupported_grant_type", Meaning::UnsupportedGrant),
    ("invalid_request", Meaning::Request),
    ("invalid_scope", Meaning::Scope),
    // RFC 8707 section 2.
    ("invalid_target", Meaning::Target),
    // RFC 9449 sections 5 and 8.
    ("invalid_dpop_proof", Meaning::Proof),
    ("use_dpop_nonce", Meaning::Proof),
    // RFC 6749 section 4.1.2.1; seen at token endpoints too.
    ("temporarily_unavailable", Meaning::Busy),
    ("server_error", Meaning::Busy),
    // RFC 8628 section 3.5.
    ("slow_down", Meaning::SlowDown),
    // GitHub's own.
    ("incorrect_client_credentials", Meaning::Client),
    ("bad_refresh_token", Meaning::Grant),
    // AWS STS's own.
    ("ExpiredTokenException", Meaning::Grant),
    ("InvalidIdentityToken", Meaning::Grant),
    ("IDPRejectedClaim", Meaning::Grant),
    ("IDPCommunicationError", Meaning::Busy),
    ("Throttling", Meaning::SlowDown),
    // Slack's own.
    ("invalid_client_id", Meaning::Client),
    ("bad_client_secret", Meaning::Client),
    ("ratelimited", Meaning::SlowDown),
];

/// The error in a reply of another endpoint than the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// As the provider wrote it: to be compared, never shown.
    pub code: Option<String>,
    /// Safe to show.
    pub reason: String,
}

/// Finds the error in such a reply, and takes these secrets out of it.
pub fn said(body: &[u8], sent: &[Secret]) -> Option<Said> {
    let refusal = find(&Fields::read(body)?)?.without(sent);
    Some(Said { reason: refusal.reason(), code: refusal.code })
}

/// Finds the error of a reply.
pub(super) fn find(fields: &Fields) -> Option<Refusal> {
    in_error(fields).or_else(|| match fields.text("access_token") {
        Some(_) => None,
        None => in_other_shapes(fields),
    })
}

fn in_error(fields: &Fields) -> Option<Refusal> {
    match fields.get("error")? {
        Value::String(code) if !code.is_empty() => Some(Refusal {
            code: Some(code.clone()),
            number: None,
            description: first_text(fields, &["error_description", "message", "error_uri"]),
        }),
        Value::Object(error) => Some(in_object(error)),
        Value::Number(number) if number.as_f64() != Some(0.0) => Some(Refusal {
            code: Some(number.to_string()),
            number: None,
            description: first_text(fields, &["error_description", "message", "errmsg"]),
        }),
        Value::Bool(true) => Some(Refusal {
            code: first_text(fields, &["error_code", "code"]),
            number: None,
            description: first_text(fields, &["error_description", "message"]),
        }),
        _ => None,
    }
}

fn in_other_shapes(fields: &Fields) -> Option<Refusal> {
    // Fitbit.
    if let Some(first) = fields.get("errors").and_then(Value::as_array).and_then(|all| all.first())
    {
        return Some(match first {
            Value::Object(error) => in_object(error),
            other => {
                Refusal { code: other.as_str().map(str::to_owned), number: None, description: None }
            }
        });
    }
    // Okta.
    if let Some(code) = first_text(fields, &["errorCode", "error_code"]) {
        let description = first_text(fields, &["errorSummary", "error_description", "message"]);
        return Some(Refusal { code: Some(code), number: None, description });
    }
    // Slack, when it forgets to say why.
    let not_ok = fields.get("ok") == Some(&Value::Bool(false));
    let description = || first_text(fields, &["message"]);
    not_ok.then(|| Refusal { code: None, number: None, description: description() })
}

/// An error that is an object: Google, Facebook and Fitbit each have their own names.
fn in_object(error: &serde_json::Map<String, Value>) -> Refusal {
    let text = |names: &[&str]| {
        names.iter().find_map(|name| error.get(*name)?.as_str()).map(str::to_owned)
    };
    let number = error.get("code").and_then(Value::as_i64).map(|code| code.to_string());
    let code = text(&["error", "errorType", "code", "type", "status"]).or_else(|| number.clone());
    let description = text(&["error_description", "message", "description", "detail"]);
    Refusal { code, number, description }
}

fn first_text(fields: &Fields, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| fields.text(name)).map(str::to_owned)
}

impl Refusal {
    /// The same without these secrets. Its text goes into logs, histories and onto terminals.
    pub(super) fn without(self, secrets: &[Secret]) -> Self {
        let redacted = |text: Option<String>| text.map(|text| redact::without(secrets, text));
        let Self { code, number, description } = self;
        Self { code: redacted(code), number, description: redacted(description) }
    }

    /// `invalid_client: "no such client"`, safe to show.
    pub(super) fn reason(&self) -> String {
        let description =
            self.description.as_deref().map(|text| format!("\"{}\"", shown(text.trim())));
        match (self.code.as_deref().map(shown), description) {
            (Some(code), Some(description)) => format!("{code}: {description}"),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => "without a reason".to_owned(),
        }
    }

    /// As the profile has it, else as everybody has it.
    fn meaning(&self, asked: &Asked<'_>) -> Option<Meaning> {
        let code = self.code.as_deref()?;
        let own = asked.grant.client().map(|client| &client.quirks.errors);
        let own = own.and_then(|own| {
            own.get(code).or_else(|| self.number.as_ref().and_then(|number| own.get(number)))
        });
        let code = own.map_or(code, String::as_str);
        MEANINGS.iter().find(|(name, _)| *name == code).map(|&(_, meaning)| meaning)
    }

    /// What to do about it. A code that nobody documents counts as the provider's last word.
    pub(super) fn trouble(&self, now: WallMs, asked: &Asked<'_>, reply: &HttpReply) -> Trouble {
        let (key, reason) = (asked.key, self.reason());
        let profile = &key.profile;
        let refused = |what: &str| {
            Failure::new(Kind::ProviderRefused, format!("the provider refused {what} ({reason})"))
        };
        let permanent = |failure| Trouble::new(Class::Permanent, failure);
        match self.meaning(asked) {
            Some(Meaning::Client) => {
                permanent(hinted(refused("the client"), asked.set_client_secret()))
                    .because(asked.client_refused())
            }
            Some(Meaning::Grant) if asked.purpose == Purpose::Refresh => {
                refresh_token_refused(profile, asked.grant.is_login(), &reason)
            }
            Some(Meaning::Grant) if asked.purpose == Purpose::Login => {
                let failure = refused("the code of the login");
                let hint = format!("run `tokctl login {profile}` again");
                Trouble::new(Class::LoginRequired, failure.hint(hint))
            }
            // Another one comes with the next request, or soon.
            Some(Meaning::Grant) if asked.grant.subject().is_some() => {
                let failure = refused("the subject token");
                let failure = Failure { kind: Kind::SubjectRequired, ..failure };
                Trouble::new(Class::Retry, failure).because(asked.perhaps_key())
            }
            // Nothing was presented but the client itself.
            Some(Meaning::Grant) => {
                let failure = Failure { kind: Kind::SecretRequired, ..refused("the grant") };
                Trouble::new(Class::LoginRequired, hinted(failure, asked.set_presented()))
            }
            Some(Meaning::Unauthorized) => {
                let client_id = asked.grant.client().map_or("", |client| &client.client_id);
                permanent(refused("this grant to the client").hint(format!(
                    "allow the grant for client `{}` at the provider",
                    shown(client_id)
                )))
            }
            Some(Meaning::UnsupportedGrant) => permanent(
                refused("the grant").hint("compare `grant` with what the provider documents"),
            ),
            Some(Meaning::Request) => {
                permanent(refused("the request").hint(format!(
                    "compare `tokctl show {profile}` with what the provider documents"
                )))
                .because(asked.perhaps_key())
            }
            // What the caller chose for this one token is not the profile's. A refresh token is good for what its login
            // was granted.
            Some(Meaning::Scope) if !key.scope.is_empty() && asked.grant.is_login() => {
                let hint = format!("run `tokctl login {profile} --scope SCOPE` to be granted it");
                permanent(refused("the scope").hint(hint)).because(Cause::Key)
            }
            Some(Meaning::Scope) if !key.scope.is_empty() => {
                permanent(refused("the scope").hint("ask for another with `--scope`"))
                    .because(Cause::Key)
            }
            Some(Meaning::Scope) => permanent(
                refused("the scope").hint(format!("run `tokctl set {profile} scope=\u{2026}`")),
            ),
            Some(Meaning::Target) if !key.audience.is_empty() || !key.resource.is_empty() => {
                let hint = "ask for another with `--audience` or `--resource`";
                permanent(refused("the audience or resource").hint(hint)).because(Cause::Key)
            }
            Some(Meaning::Target) => permanent(refused("the audience or resource").hint(format!(
                "run `tokctl set {profile} audience=\u{2026}` or `resource=\u{2026}`"
            ))),
            Some(Meaning::Proof) => {
                permanent(refused("the proof of possession (DPoP)").hint(
                    "compare `date` with a clock, and `dpop` with what the provider documents",
                ))
            }
            Some(Meaning::Busy) => status::failing(now, reply, &reason),
            Some(Meaning::SlowDown) => status::slow_down(now, reply, &reason),
            None => {
                let hint = asked.set_trust(self.code.as_deref());
                permanent(hinted(refused("the request"), hint)).because(asked.perhaps_key())
            }
        }
    }
}

/// With a hint where there is one.
pub(super) fn hinted(failure: Failure, hint: Option<String>) -> Failure {
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The end of a refresh token: expired, revoked, or replaced by one that somebody else has.
fn refresh_token_refused(profile: &ProfileName, is_login: bool, reason: &str) -> Trouble {
    let failure = Failure::new(
        Kind::LoginRequired,
        format!("the provider refused the refresh token ({reason})"),
    );
    let hint = match is_login {
        true => format!("run `tokctl login {profile}`"),
        false => format!("run `tokctl set-secret {profile} --name refresh_token`"),
    };
    Trouble::new(Class::LoginRequired, failure.hint(hint)).because(Cause::InvalidGrant)
}
