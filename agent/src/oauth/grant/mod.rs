//! One file per grant: each turns what is known into the one request that asks for a token.

pub mod authorization_code;
pub mod client_credentials;
pub mod device_code;
pub mod refresh_token;
mod token_request;

use tokctl_proto::{Failure, ProfileName};
use url::Url;

use crate::config::ClientAuth;
use crate::oauth::client_auth;
use crate::oauth::discovery::Metadata;

/// A token endpoint and how the client proves itself there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// May hold a query, which is kept (RFC 6749 section 3.2).
    pub token_endpoint: Url,
    pub auth: ClientAuth,
}

impl Endpoint {
    /// The endpoint that the profile itself names.
    pub fn configured(token_endpoint: Url, configured: Option<ClientAuth>) -> Self {
        Self { token_endpoint, auth: configured.unwrap_or(ClientAuth::Basic) }
    }

    /// The endpoint that the issuer's metadata names.
    pub fn discovered(
        profile: &ProfileName,
        metadata: &Metadata,
        configured: Option<ClientAuth>,
    ) -> Result<Self, Failure> {
        let auth = client_auth::choose(profile, configured, &metadata.auth_methods)?;
        Ok(Self { token_endpoint: metadata.token_endpoint.clone(), auth })
    }
}
