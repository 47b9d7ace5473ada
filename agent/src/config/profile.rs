//! What a checked config.toml says. Values of these types exist only after every rule was checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokctl_core::{Policy, Pool};
use tokctl_proto::ProfileName;
use url::Url;

/// How a token is used unless the profile says otherwise (RFC 6750 section 2.1).
pub const HEADER_DEFAULT: &str = "Authorization: Bearer {token}";

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `[agent]`'s network settings; each profile's `Network` has them worked in already.
    pub network: Network,
    pub profiles: BTreeMap<ProfileName, Profile>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: ProfileName,
    pub grant: Grant,
    /// When its tokens are renewed; nothing of it changes what a token is.
    pub policy: Policy,
    /// `NAME: VALUE` with `{token}` or `{basic}` in it.
    pub header: String,
    pub api_urls: Vec<Url>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// RFC 6749 section 4.4.
    ClientCredentials(Client),
    /// RFC 6749 section 6: a refresh token that was obtained elsewhere.
    RefreshToken(Client),
    /// Other profiles, in turn.
    Pool(Arc<Pool>),
    /// A key that is stored and handed out as it is.
    ApiKey,
}

impl Grant {
    /// The name in config.toml; `pool` where other profiles stand for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ClientCredentials(_) => "client_credentials",
            Self::RefreshToken(_) => "refresh_token",
            Self::Pool(_) => "pool",
            Self::ApiKey => "api_key",
        }
    }

    /// The client that asks a provider, where one is asked.
    pub fn client(&self) -> Option<&Client> {
        match self {
            Self::ClientCredentials(client) | Self::RefreshToken(client) => Some(client),
            Self::Pool(_) | Self::ApiKey => None,
        }
    }
}

/// A client at a provider's token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub provider: Provider,
    pub client_id: String,
    /// `None`: chosen from the metadata, basic first.
    pub client_auth: Option<ClientAuth>,
    pub scope: BTreeSet<String>,
    pub audience: BTreeSet<String>,
    /// Absolute, without fragment (RFC 8707 section 2).
    pub resource: BTreeSet<String>,
    /// Further parameters; a value may hold `{secret:NAME}`.
    pub params: BTreeMap<String, String>,
    pub body: Body,
    pub assume_ttl: Option<Duration>,
    pub network: Network,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// The issuer exactly as written: it is compared code point by code point (RFC 8414 section
    /// 3.3).
    Issuer {
        text: String,
        url: Url,
    },
    TokenEndpoint(Url),
}

/// RFC 6749 section 2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// Id and secret form-encoded, then Basic (section 2.3.1).
    Basic,
    /// Basic without the encoding, for providers that do not decode.
    BasicRaw,
    Post,
    /// `client_id` alone.
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    #[default]
    Form,
    Json,
}

/// How a provider is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    pub ca_file: Option<PathBuf>,
    pub proxy: Option<String>,
    pub no_proxy: Vec<String>,
    pub allow_http_loopback: bool,
}

#[cfg(test)]
impl Client {
    /// A client with nothing but what every client has.
    pub(crate) fn plain(token_endpoint: Url) -> Self {
        Self {
            provider: Provider::TokenEndpoint(token_endpoint),
            client_id: "cc".into(),
            client_auth: None,
            scope: BTreeSet::new(),
            audience: BTreeSet::new(),
            resource: BTreeSet::new(),
            params: BTreeMap::new(),
            body: Body::Form,
            assume_ttl: None,
            network: Network::default(),
        }
    }
}
