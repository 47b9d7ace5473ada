//! The device code grant (RFC 8628): how a login on another device begins, and when the provider is
//! asked how far it has come.
//!
//! What a provider says of intervals and lifetimes is kept within bounds: a person is waiting, and
//! the provider of others is not to be flooded on the word of one. Nothing here sends or waits.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};
use tokctl_proto::{Failure, Kind, ProfileName, Secret, TokenKey};
use url::Url;

use crate::config::{Body, Client};
use crate::oauth::client_auth::{self, Identity};
use crate::oauth::form::Parameters;
use crate::oauth::grant::token_request::{self, Ask};
use crate::oauth::grant::{Endpoint, Held};
use crate::oauth::message::{HttpReply, HttpRequest};
use crate::oauth::origin;

const GRANT: &str = "device_code";
/// RFC 8628 section 3.4.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Where the provider names none (RFC 8628 section 3.2), or one of no time at all.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(5);
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// A provider that wants to be asked less often than this is waited for no longer: a person who has
/// just logged in looks at the terminal.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// What `slow_down` adds for good (RFC 8628 section 3.5).
const SLOWER_BY: Duration = Duration::from_secs(5);
/// Nobody leaves a code on a screen for longer.
const LIFETIME_MAX: Duration = Duration::from_secs(3600);
/// Where the provider names none, which it must (RFC 8628 section 3.2).
const LIFETIME_DEFAULT: Duration = Duration::from_secs(600);
/// Longer than any page that a person is sent to, and short enough for the wire.
const URL_BYTES_MAX: usize = 2048;
/// Codes are for typing (RFC 8628 section 6.1).
const USER_CODE_CHARS_MAX: usize = 64;

/// A login that has begun at the provider.
#[derive(Debug)]
pub struct Begun {
    pub device_code: Secret,
    /// For the person to type, safe to show.
    pub user_code: String,
    /// Where to type it.
    pub verification_uri: Url,
    /// The same with the code in it.
    pub verification_uri_complete: Option<Url>,
    pub lifetime: Duration,
    pub interval: Duration,
}

/// The request that begins a login, `at` where the provider takes such (RFC 8628 section 3.1).
pub fn begin(
    client: &Client,
    at: &Url,
    endpoint: &Endpoint,
    profile: &ProfileName,
    scope: &BTreeSet<String>,
    held: Held<'_>,
) -> Result<HttpRequest, Failure> {
    let mut parameters = Parameters::default();
    for (name, value) in &client.login.params {
        parameters.set_text(name, value);
    }
    token_request::ask_for(&mut parameters, client, scope, &client.audience, &client.resource);
    // Not only where it is all that tells who asks: GitHub and Google want it beside a secret.
    parameters.set_text("client_id", &client.client_id);
    let identity = Identity::at(endpoint, profile, GRANT, client);
    let authorization = client_auth::prove(identity, held, &mut parameters)?;
    parameters.rename(&client.quirks.rename);
    // JSON is a quirk of token endpoints.
    Ok(token_request::carry(at.clone(), authorization, &parameters, Body::Form))
}

/// Reads how a login begins (RFC 8628 section 3.2).
pub fn read_begun(
    profile: &ProfileName,
    allow_http_loopback: bool,
    reply: &HttpReply,
) -> Result<Begun, Failure> {
    let fields: Map<String, Value> = serde_json::from_slice(&reply.body)
        .map_err(|_| failed(profile, "answered with something that begins no login"))?;
    let text =
        |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let device_code = text("device_code")
        .map(|code| Secret::new(code.to_owned()))
        .ok_or_else(|| failed(profile, "began a login without a device_code"))?;
    let user_code = text("user_code")
        .filter(|code| code.chars().count() <= USER_CODE_CHARS_MAX)
        .map(tokctl_proto::escape::shown)
        .ok_or_else(|| failed(profile, "began a login without a user_code"))?;
    // As Google called it before there was an RFC.
    let written = text("verification_uri").or_else(|| text("verification_url"));
    let written =
        written.ok_or_else(|| failed(profile, "began a login without a verification_uri"))?;
    if written.len() > URL_BYTES_MAX {
        let limit = URL_BYTES_MAX / 1024;
        return Err(failed(
            profile,
            &format!("sends people to an address of more than {limit} KiB"),
        ));
    }
    let verification_uri = place(written, allow_http_loopback).ok_or_else(|| {
        let shown = tokctl_proto::escape::shown(written);
        failed(profile, &format!("sends people to `{shown}`, which is not https"))
    })?;
    let complete = text("verification_uri_complete").or_else(|| text("verification_url_complete"));
    let lifetime = fields.get("expires_in").and_then(seconds).filter(|life| !life.is_zero());
    Ok(Begun {
        device_code,
        user_code,
        verification_uri,
        verification_uri_complete: complete.and_then(|text| place(text, allow_http_loopback)),
        lifetime: lifetime.unwrap_or(LIFETIME_DEFAULT).min(LIFETIME_MAX),
        interval: interval(fields.get("interval").and_then(seconds)),
    })
}

/// A page that a person is sent to: what it shows is typed into by somebody who trusts it. As text
/// it is ASCII, since a URL's host is (RFC 3492) and the rest is percent-encoded.
fn place(written: &str, allow_http_loopback: bool) -> Option<Url> {
    let url = Url::parse(written).ok()?;
    let fits = origin::is_private(&url, allow_http_loopback)
        && url.as_str().len() <= URL_BYTES_MAX
        && url.username().is_empty()
        && url.password().is_none()
        && url.as_str().is_ascii();
    fits.then_some(url)
}

/// A number, or text that is one, as some write it.
fn seconds(written: &Value) -> Option<Duration> {
    let seconds = match written {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

fn interval(written: Option<Duration>) -> Duration {
    let written = written.filter(|interval| !interval.is_zero());
    written.unwrap_or(INTERVAL_DEFAULT).clamp(INTERVAL_MIN, INTERVAL_MAX)
}

fn failed(profile: &ProfileName, what: &str) -> Failure {
    Failure::new(Kind::ProviderFailed, format!("the provider {what}")).of(profile)
}

/// The request that asks how far the login has come, and for the tokens at its end (RFC 8628
/// section 3.4).
pub fn token_request(
    client: &Client,
    endpoint: &Endpoint,
    key: &TokenKey,
    held: Held<'_>,
    device_code: &Secret,
) -> Result<HttpRequest, Failure> {
    let client_id = Secret::new(client.client_id.clone());
    let presented = [("device_code", device_code), ("client_id", &client_id)];
    let ask = Ask { grant: GRANT, grant_type: GRANT_TYPE, presented: &presented, is_agreed: true };
    token_request::make(&ask, client, endpoint, key, held)
}

/// What an answer says of the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The person has not finished.
    Pending,
    /// The same, and we ask too often.
    SlowDown,
    /// The person said no.
    Denied,
    /// They took too long.
    Expired,
    /// Tokens, or a refusal of another kind.
    Other,
}

impl Word {
    /// What an error's code means (RFC 8628 section 3.5).
    pub fn of(code: Option<&str>) -> Self {
        match code {
            Some("authorization_pending") => Self::Pending,
            Some("slow_down") => Self::SlowDown,
            // The second one is Auth0's and Okta's in older versions of theirs.
            Some("access_denied" | "authorization_declined") => Self::Denied,
            Some("expired_token" | "code_expired") => Self::Expired,
            _ => Self::Other,
        }
    }
}

/// When the provider is asked next.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    interval: Duration,
    /// Attempts in a row that brought no answer.
    troubles: u32,
}

impl Pace {
    pub fn new(begun: &Begun) -> Self {
        Self { interval: begun.interval, troubles: 0 }
    }

    /// How long to wait before asking.
    pub fn wait(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.troubles.min(16));
        self.interval.saturating_mul(doubled).min(INTERVAL_MAX.max(self.interval))
    }

    /// An answer came.
    pub fn answered(&mut self) {
        self.troubles = 0;
    }

    /// The provider wants to be asked less often, and may say how often (GitHub does).
    pub fn slow_down(&mut self, reply: &HttpReply) {
        let fields: Map<String, Value> = serde_json::from_slice(&reply.body).unwrap_or_default();
        let told = fields.get("interval").and_then(seconds).map(|told| told.min(INTERVAL_MAX));
        self.interval = (self.interval + SLOWER_BY).max(told.unwrap_or_default());
        self.troubles = 0;
    }

    /// No answer came, so less is asked until one does (RFC 8628 section 3.5).
    pub fn trouble(&mut self) {
        self.troubles += 1;
    }
}

#[cfg(test)]
mod tests;
