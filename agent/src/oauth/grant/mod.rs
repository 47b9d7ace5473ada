//! One file per grant: each turns what is known into the one request that asks for a token, or into the token itself.

pub mod authorization_code;
pub mod aws_credentials;
pub mod aws_web_identity;
pub mod client_credentials;
pub mod command;
pub mod device_code;
pub mod github_app;
pub mod impersonation;
pub mod jwt_bearer;
pub mod refresh_token;
pub mod self_signed_jwt;
pub mod steps;
pub mod token_exchange;
pub(super) mod token_request;

use std::collections::BTreeMap;

use tokctl_core::{Class, Trouble};
use tokctl_proto::{Failure, Kind, ProfileName, Secret, TokenKey, WallMs};
use url::Url;

use crate::config::{Client, ClientAuth, Grant, Jwt};
use crate::oauth::client_auth::{self, Holds, PRIVATE_KEY};
use crate::oauth::discovery::Metadata;
use crate::oauth::jose::{KeyError, PrivateKey};
use crate::oauth::message::HttpRequest;

/// A token endpoint and how the client proves itself there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// May hold a query, which is kept (RFC 6749 section 3.2).
    pub token_endpoint: Url,
    pub auth: ClientAuth,
    /// Whom an assertion is for: the issuer, or the token endpoint where none is named.
    pub audience: String,
}

impl Endpoint {
    /// The endpoint that the profile itself names.
    pub fn configured(token_endpoint: Url, client: &Client) -> Self {
        let auth = client.client_auth.unwrap_or(default_auth(client));
        Self { audience: token_endpoint.to_string(), token_endpoint, auth }
    }

    /// The endpoint that the issuer's metadata names.
    pub fn discovered(
        profile: &ProfileName,
        issuer: &str,
        metadata: &Metadata,
        client: &Client,
        holds: Holds,
    ) -> Result<Self, Failure> {
        let configured =
            client.client_auth.or(client.client_id.is_empty().then_some(ClientAuth::None));
        let auth = client_auth::choose(profile, configured, &metadata.auth_methods, holds)?;
        let token_endpoint = metadata.token_endpoint.clone();
        Ok(Self { token_endpoint, auth, audience: issuer.to_owned() })
    }
}

impl Endpoint {
    /// Where tokens are renewed: elsewhere, if the profile says so.
    pub fn of_refreshes(self, client: &Client) -> Self {
        match &client.endpoints.refresh {
            Some(refresh) => Self { token_endpoint: refresh.clone(), ..self },
            None => self,
        }
    }
}

/// A client without an id has nothing to prove itself by.
fn default_auth(client: &Client) -> ClientAuth {
    match client.client_id.is_empty() {
        true => ClientAuth::None,
        false => ClientAuth::Basic,
    }
}

/// What a request is made of besides settings.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    pub secrets: &'a BTreeMap<String, Secret>,
    /// Somebody else's token that is presented.
    pub subject: Option<&'a Secret>,
    pub now: WallMs,
    /// Random, and of this request alone.
    pub unique: [u8; 16],
}

#[cfg(test)]
impl<'a> Held<'a> {
    /// Secrets alone, at the beginning of time.
    pub(in crate::oauth) fn only(secrets: &'a BTreeMap<String, Secret>) -> Self {
        Self { secrets, subject: None, now: WallMs(0), unique: [0; 16] }
    }
}

/// The request to a token endpoint that a grant makes; those who present a refresh token are given one.
pub fn request(
    grant: &Grant,
    client: &Client,
    endpoint: &Endpoint,
    key: &TokenKey,
    held: Held<'_>,
    presented: Option<&Secret>,
) -> Result<HttpRequest, Failure> {
    match (grant, presented) {
        (grant, Some(presented)) if grant.is_login() => {
            refresh_token::renewal(client, endpoint, key, held, presented)
        }
        (grant, Some(presented)) if grant.has_refresh_token() => {
            refresh_token::request(client, endpoint, key, held, presented)
        }
        (Grant::JwtBearer(_), _) => jwt_bearer::request(client, endpoint, key, held),
        (Grant::TokenExchange(_), _) => token_exchange::request(client, endpoint, key, held),
        _ => client_credentials::request(client, endpoint, key, held),
    }
}

/// The private key of an entry, for these settings.
pub(in crate::oauth) fn private_key(
    profile: &ProfileName,
    grant: &str,
    secrets: &BTreeMap<String, Secret>,
    settings: &Jwt,
) -> Result<PrivateKey, Failure> {
    let text = secrets.get(PRIVATE_KEY).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| client_auth::secret_required(profile, grant, PRIVATE_KEY))?;
    PrivateKey::read(text, settings.alg, settings.key_encoding)
        .map_err(|error| unfit_key(profile, grant, PRIVATE_KEY, &error))
}

/// The failure of a profile whose stored key of this name cannot be used.
pub fn unfit_key(profile: &ProfileName, grant: &str, name: &str, error: &KeyError) -> Failure {
    let hint = match error {
        KeyError::WrongAlgorithm(..) => format!("run `tokctl set {profile} alg=\u{2026}`"),
        _ => client_auth::set_secret(profile, grant, name),
    };
    let kind = match error {
        KeyError::WrongAlgorithm(..) => Kind::ConfigInvalid,
        _ => Kind::SecretRequired,
    };
    Failure::new(kind, format!("the {} {error}", name.replace('_', " "))).of(profile).hint(hint)
}

/// A request that could not even be made.
pub fn refused(failure: Failure) -> Trouble {
    let class = match failure.kind {
        Kind::SecretRequired | Kind::LoginRequired | Kind::SubjectRequired => Class::LoginRequired,
        _ => Class::Permanent,
    };
    Trouble::new(class, failure)
}
