//! What is asked for with a `get`, and the token that comes back.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokctl_proto::secret::{Secret, SecretStr};
use tokctl_proto::{ProfileName, request, response};
use zeroize::Zeroizing;

/// How a token should be; the default asks for the profile's plain one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetOptions {
    /// In place of the profile's; one scope each.
    pub scope: Vec<String>,
    /// In place of the profile's.
    pub audience: Vec<String>,
    /// RFC 8707; in place of the profile's.
    pub resource: Vec<String>,
    /// Least validity; absent: 60 s or a tenth of the lifetime, whichever is less.
    pub min_valid: Option<Duration>,
    /// Takes what there is even below an explicit `min_valid`.
    pub best_effort: bool,
    /// Has the agent ask the provider for a new token.
    pub refresh: bool,
    /// The whole wait; absent: 30 s.
    pub timeout: Option<Duration>,
    /// Uses that are booked against the rate limit of a pool; absent: one.
    pub uses: Option<u32>,
    /// How long to wait for a free member of a pool, or for the end of a cool-down, on top of `timeout`;
    /// absent: not at all.
    pub wait: Option<Duration>,
    /// Has the agent say which member of a pool the token is of.
    pub name_member: bool,
    /// Has the agent prove, for the one request named, that the token's key is here (RFC 9449). A token that is bound to
    /// a key comes with such a proof or not at all.
    pub dpop: Option<DpopFor>,
}

/// The HTTP request that a proof is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopFor {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Absolute; its query and fragment are left out of the proof.
    pub url: String,
    /// The newest `DPoP-Nonce` of that server, where it sent one.
    pub nonce: Option<String>,
}

impl GetOptions {
    /// Whether an agent of the first release cannot understand what is asked for.
    pub(crate) fn needs_get2(&self) -> bool {
        self.uses.is_some() || self.wait.is_some() || self.name_member
    }

    pub(crate) fn request<'a>(
        &'a self,
        profile: &'a ProfileName,
        interactive: bool,
    ) -> request::Get<'a> {
        request::Get {
            profile: profile.as_str().into(),
            scope: borrowed(&self.scope),
            audience: borrowed(&self.audience),
            resource: borrowed(&self.resource),
            min_valid_s: self
                .min_valid
                .map(|least| u32::try_from(least.as_secs()).unwrap_or(u32::MAX)),
            best_effort: self.best_effort,
            refresh: self.refresh,
            timeout_ms: self.timeout.map(whole_ms),
            interactive,
        }
    }

    pub(crate) fn request2<'a>(
        &'a self,
        profile: &'a ProfileName,
        interactive: bool,
    ) -> request::Get2<'a> {
        let request::Get {
            profile,
            scope,
            audience,
            resource,
            min_valid_s,
            best_effort,
            refresh,
            timeout_ms,
            interactive,
        } = self.request(profile, interactive);
        request::Get2 {
            profile,
            scope,
            audience,
            resource,
            min_valid_s,
            best_effort,
            refresh,
            timeout_ms,
            interactive,
            uses: self.uses,
            wait_ms: self.wait.map(whole_ms),
        }
    }
}

impl GetOptions {
    pub(crate) fn request3<'a>(
        &'a self,
        profile: &'a ProfileName,
        dpop: &'a DpopFor,
        interactive: bool,
    ) -> request::Get3<'a> {
        let request::Get2 {
            profile,
            scope,
            audience,
            resource,
            min_valid_s,
            best_effort,
            refresh,
            timeout_ms,
            interactive,
            uses,
            wait_ms,
        } = self.request2(profile, interactive);
        request::Get3 {
            profile,
            scope,
            audience,
            resource,
            min_valid_s,
            best_effort,
            refresh,
            timeout_ms,
            interactive,
            uses,
            wait_ms,
            dpop: Some(request::DpopFor {
                method: dpop.method.as_str().into(),
                url: dpop.url.as_str().into(),
                nonce: dpop.nonce.as_deref().map(Cow::Borrowed),
            }),
        }
    }
}

/// What to renew; the default is the profile's plain token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefreshOptions {
    /// In place of the profile's; one scope each.
    pub scope: Vec<String>,
    /// In place of the profile's.
    pub audience: Vec<String>,
    /// RFC 8707; in place of the profile's.
    pub resource: Vec<String>,
    /// The whole wait; absent: 30 s.
    pub timeout: Option<Duration>,
}

impl RefreshOptions {
    pub(crate) fn request<'a>(
        &'a self,
        profile: &'a ProfileName,
        interactive: bool,
    ) -> request::Refresh<'a> {
        request::Refresh {
            profile: profile.as_str().into(),
            scope: borrowed(&self.scope),
            audience: borrowed(&self.audience),
            resource: borrowed(&self.resource),
            timeout_ms: self.timeout.map(whole_ms),
            interactive,
        }
    }
}

/// What an API said to a token.
#[derive(Clone, Debug)]
pub struct Report {
    status: u16,
    retry_after: Option<Duration>,
    member: Option<ProfileName>,
    token: Option<Secret>,
    token_sha256: Option<String>,
}

impl Report {
    /// 401 for a token that is not accepted, which must be named; 403 for one that may not do this; 429 for
    /// too many uses.
    pub fn new(status: u16) -> Self {
        Self { status, retry_after: None, member: None, token: None, token_sha256: None }
    }

    /// How long the API said to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The member of a pool that it happened to.
    #[must_use]
    pub fn member(mut self, member: ProfileName) -> Self {
        self.member = Some(member);
        self
    }

    /// The token it happened to.
    #[must_use]
    pub fn token(mut self, token: Secret) -> Self {
        self.token = Some(token);
        self
    }

    /// The SHA-256 of the token it happened to, in hex.
    #[must_use]
    pub fn token_sha256(mut self, digits: impl Into<String>) -> Self {
        self.token_sha256 = Some(digits.into());
        self
    }

    pub(crate) fn request<'a>(&'a self, profile: &'a ProfileName) -> request::Report<'a> {
        let whole_s = |wait: Duration| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        request::Report {
            profile: profile.as_str().into(),
            member: self.member.as_ref().map(|member| member.as_str().into()),
            status: self.status,
            retry_after_s: self.retry_after.map(whole_s),
            token: self.token.as_ref().map(SecretStr::from),
            token_sha256: self.token_sha256.as_deref().map(Cow::Borrowed),
        }
    }
}

fn borrowed(values: &[String]) -> Vec<Cow<'_, str>> {
    values.iter().map(|value| Cow::Borrowed(&**value)).collect()
}

fn whole_ms(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)
}

/// An access token, good when the agent answered.
#[derive(Clone, Debug)]
pub struct Token {
    pub access_token: Secret,
    pub token_type: String,
    /// Unix seconds; none when it never expires or the provider does not say.
    pub expires_at: Option<i64>,
    /// Seconds that were left when the agent answered.
    pub expires_in: Option<i64>,
    /// The granted scopes where the provider named them, else those asked for, separated by spaces.
    pub scope: String,
    pub profile: String,
    /// The member of a pool whose token it is, where that was asked for.
    pub member: Option<String>,
    /// False when the provider gives no token that lives as long as was wanted.
    pub min_valid_met: bool,
    /// For a person, such as why `min_valid_met` is false.
    pub warning: Option<String>,
    /// The provider's further fields, one JSON object as text; empty when there are none.
    pub extra: Secret,
    /// The proof for the request that was named, where the token is bound to a key.
    pub dpop: Option<Secret>,
    template: String,
}

impl Token {
    /// The whole header line that carries the token, `Authorization: Bearer …` unless the profile says
    /// otherwise; empty where the token goes into the query of a URL, which [`crate::Client::usage`] tells.
    pub fn header(&self) -> Secret {
        render(&self.template, self.access_token.expose())
    }
}

impl From<response::Token<'_>> for Token {
    fn from(token: response::Token<'_>) -> Self {
        Self {
            access_token: token.access_token.to_secret(),
            token_type: token.token_type.into_owned(),
            expires_at: token.expires_at,
            expires_in: token.expires_in,
            scope: token.scope.into_owned(),
            profile: token.profile.into_owned(),
            member: None,
            min_valid_met: token.min_valid_met,
            warning: token.warning.map(Cow::into_owned),
            extra: token.extra.to_secret(),
            dpop: None,
            template: token.header.into_owned(),
        }
    }
}

impl From<response::Token2<'_>> for Token {
    fn from(token: response::Token2<'_>) -> Self {
        Self {
            access_token: token.access_token.to_secret(),
            token_type: token.token_type.into_owned(),
            expires_at: token.expires_at,
            expires_in: token.expires_in,
            scope: token.scope.into_owned(),
            profile: token.profile.into_owned(),
            member: token.member.map(Cow::into_owned),
            min_valid_met: token.min_valid_met,
            warning: token.warning.map(Cow::into_owned),
            extra: token.extra.to_secret(),
            dpop: None,
            template: token.header.into_owned(),
        }
    }
}

impl From<response::Token3<'_>> for Token {
    fn from(token: response::Token3<'_>) -> Self {
        Self {
            access_token: token.access_token.to_secret(),
            token_type: token.token_type.into_owned(),
            expires_at: token.expires_at,
            expires_in: token.expires_in,
            scope: token.scope.into_owned(),
            profile: token.profile.into_owned(),
            member: token.member.map(Cow::into_owned),
            min_valid_met: token.min_valid_met,
            warning: token.warning.map(Cow::into_owned),
            extra: token.extra.to_secret(),
            dpop: token.dpop.map(|proof| proof.to_secret()),
            template: token.header.into_owned(),
        }
    }
}

/// Puts the token where `{token}` is, and its base64 where `{basic}` is. The template is gone through once,
/// so a token that looks like a placeholder stays what it is.
fn render(template: &str, token: &str) -> Secret {
    let basic = Zeroizing::new(match template.contains("{basic}") {
        true => STANDARD.encode(token),
        false => String::new(),
    });
    let places = template.matches('{').count();
    // Room for everything at once: a string that grows leaves copies behind.
    let room = template.len() + places * token.len().max(basic.len());
    let mut line = String::with_capacity(room);
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        line.push_str(&rest[..at]);
        rest = &rest[at..];
        let (put, used) = if rest.starts_with("{token}") {
            (token, "{token}".len())
        } else if rest.starts_with("{basic}") {
            (&**basic, "{basic}".len())
        } else {
            ("{", 1)
        };
        line.push_str(put);
        rest = &rest[used..];
    }
    line.push_str(rest);
    Secret::new(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_what_the_template_says() {
        for (template, token, header) in [
            ("Authorization: Bearer {token}", "abc", "Authorization: Bearer abc"),
            ("X-Api-Key: {token}", "abc", "X-Api-Key: abc"),
            ("Authorization: Basic {basic}", "key:", "Authorization: Basic a2V5Og=="),
            ("X: {token} {basic}", "{basic}", "X: {basic} e2Jhc2ljfQ=="),
            ("X: {other} {token", "abc", "X: {other} {token"),
            ("X: fixed", "abc", "X: fixed"),
        ] {
            assert_eq!(render(template, token).expose(), header, "{template}");
        }
    }

    #[test]
    fn a_timeout_longer_than_the_wire_can_say_is_the_longest() {
        let options =
            GetOptions { timeout: Some(Duration::from_secs(u64::MAX)), ..GetOptions::default() };
        let acme = ProfileName::parse("acme").unwrap();
        assert_eq!(options.request(&acme, false).timeout_ms, Some(u32::MAX));
    }
}
