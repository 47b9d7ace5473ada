//! A request about a token that the provider has issued: to revoke it (RFC 7009 section 2.1) or to be told of
//! it (RFC 7662 section 2.1). The two are alike: the token, a hint at its kind, and the client proved as at the
//! token endpoint.
//!
//! The token is a secret as the client's are, so it goes into the body and nowhere else.

use tokctl_proto::{Failure, ProfileName, Secret};
use url::Url;

use crate::config::Client;
use crate::oauth::client_auth::{self, Identity};
use crate::oauth::form::Parameters;
use crate::oauth::grant::{Endpoint, Held, token_request};
use crate::oauth::message::HttpRequest;

/// Which of a profile's tokens is meant. Refresh tokens come first: a provider that revokes one ends what was
/// issued with it too (RFC 7009 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenKind {
    Refresh,
    Access,
}

impl TokenKind {
    /// The value of `token_type_hint`.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Refresh => "refresh_token",
            Self::Access => "access_token",
        }
    }

    /// The kind of that hint.
    pub fn of_hint(hint: &str) -> Option<Self> {
        [Self::Refresh, Self::Access].into_iter().find(|kind| kind.hint() == hint)
    }

    /// In words for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refresh => "refresh token",
            Self::Access => "access token",
        }
    }
}

/// Who asks, and with what it proves itself.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    pub profile: &'a ProfileName,
    /// As in config.toml: it decides which secret `set-secret` stores when none is named.
    pub grant: &'a str,
    pub client: &'a Client,
    /// How it proves itself, which is as at the token endpoint.
    pub endpoint: &'a Endpoint,
    pub held: Held<'a>,
}

impl Asker<'_> {
    /// What to type when the client's secret is not the one.
    pub(super) fn set_client_secret(&self) -> String {
        let name = client_auth::proof_name(Some(self.endpoint.auth));
        client_auth::set_secret(self.profile, self.grant, name)
    }
}

/// The request about one token, `at` where the provider takes such.
pub(super) fn request(
    asker: &Asker<'_>,
    at: &Url,
    kind: TokenKind,
    token: &Secret,
) -> Result<HttpRequest, Failure> {
    let Asker { profile, grant, client, endpoint, held } = *asker;
    let mut parameters = Parameters::default();
    let identity = Identity::at(endpoint, profile, grant, client);
    let authorization = client_auth::prove(identity, held, &mut parameters)?;
    parameters.set("token", token.clone());
    parameters.set_text("token_type_hint", kind.hint());
    parameters.rename(&client.quirks.rename);

    let body = client.body.elsewhere();
    let mut request = token_request::carry(at.clone(), authorization, &parameters, body);
    token_request::further_headers(&mut request, client, profile, grant, held.secrets)?;
    Ok(request)
}
