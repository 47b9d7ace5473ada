//! A provider's metadata (RFC 8414, OpenID Connect Discovery 1.0): where it is and what it says.
//!
//! A document counts only when its `issuer` is the profile's, code point by code point (RFC 8414
//! section 3.3), and when its token endpoint is a URL a secret may travel to. Of the other
//! endpoints each counts if it is such a URL; one that is not is as good as not there, and is named
//! when somebody needs it. None may lead from an issuer out in the world to addresses that only this
//! machine or its network can reach. Nothing here fetches; the document is not signed, so TLS to the
//! issuer is what it rests on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use thiserror::Error;
use tokctl_core::{Class, Trouble};
use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind, ProfileName};
use url::Url;

use crate::config::Endpoints;
use crate::oauth::origin::{self, Origin, Reach};

/// Documents are a few KiB; this is room for the most talkative.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// Longer than any endpoint, and short enough for a browser, whose address holds a request behind it.
const ENDPOINT_BYTES_MAX: usize = 2048;

/// The endpoints that a client's secret is sent to, so whose origins an entry is pinned to.
const PINNED_ENDPOINTS: &[&str] = &[
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
];

/// What a provider says about itself, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub token_endpoint: Url,
    /// Those beside it.
    pub endpoints: Endpoints,
    /// Where the keys are that id_tokens are signed with.
    pub jwks_uri: Option<Url>,
    /// In place of the others for a client that shows a certificate (RFC 8705 section 5).
    pub mtls: MtlsAliases,
    /// `token_endpoint_auth_methods_supported`; empty when the document does not say.
    pub auth_methods: Vec<String>,
    /// The provider takes no request of a login that was not left with it before (RFC 9126 section 5).
    pub requires_pushed_requests: bool,
    /// Its answers to a login name it (RFC 9207 section 3).
    pub names_itself: bool,
    /// `id_token_signing_alg_values_supported`; empty when the document does not say.
    pub id_token_algs: Vec<String>,
    /// `code_challenge_methods_supported` (RFC 8414 section 2), likewise.
    pub code_challenge_methods: Vec<String>,
    /// Where secrets of this provider's profiles may be sent.
    pub origins: BTreeSet<Origin>,
    /// Endpoints that the document names and that nothing is sent to, by the names they have there.
    unfit: BTreeMap<&'static str, String>,
}

/// RFC 8705 section 5.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MtlsAliases {
    pub token_endpoint: Option<Url>,
    pub endpoints: Endpoints,
}

impl Metadata {
    /// As a client sees it that shows a certificate: it goes by the aliases, as far as there are any
    /// (RFC 8705 section 5).
    pub fn over_mtls(mut self) -> Self {
        let MtlsAliases { token_endpoint, endpoints } = std::mem::take(&mut self.mtls);
        let aliases = token_endpoint.iter().chain(endpoints.of_client());
        self.origins.extend(aliases.filter_map(Origin::of));
        self.token_endpoint = token_endpoint.unwrap_or(self.token_endpoint);
        self.endpoints = endpoints.or(&self.endpoints);
        self
    }

    /// Why there is no endpoint that the document would call `name`.
    pub fn without(&self, name: &str) -> String {
        match self.unfit.get(name) {
            Some(written) => format!(
                "the provider's metadata says of its {name} `{}`, to which nothing may be sent",
                shown(written)
            ),
            None => format!("the provider's metadata names no {name}"),
        }
    }
}

/// The document cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MetadataError {
    #[error("is larger than {} KiB", DOCUMENT_BYTES_MAX / 1024)]
    TooLarge,
    #[error("is not a JSON object")]
    NotJson,
    #[error("names no issuer")]
    NoIssuer,
    #[error("is of another issuer, `{}`", shown(.0))]
    OtherIssuer(String),
    #[error("names no token_endpoint")]
    NoTokenEndpoint,
    #[error("names a token_endpoint that no secret may be sent to, `{}`", shown(.0))]
    UnfitTokenEndpoint(String),
}

impl MetadataError {
    /// Whether another well-known place may hold a better document. Not when the issuer is another:
    /// then the issuer is misspelt or somebody impersonates it (RFC 8414 section 6.2).
    pub fn may_be_elsewhere(&self) -> bool {
        !matches!(self, Self::OtherIssuer(_) | Self::UnfitTokenEndpoint(_))
    }

    /// What to tell the callers of a profile whose issuer's document, found at `at`, this is.
    pub fn trouble(&self, profile: &ProfileName, issuer: &str, at: &Url) -> Trouble {
        let at = origin::without_query(at);
        let kind = match self {
            Self::OtherIssuer(_) => Kind::ConfigInvalid,
            _ => Kind::ProviderFailed,
        };
        let mut failure = Failure::new(kind, format!("the metadata at {at} {self}")).of(profile);
        if let Self::OtherIssuer(named) = self
            && named.trim_end_matches('/') == issuer.trim_end_matches('/')
        {
            failure = failure.hint(format!("run `tokctl set {profile} issuer={}`", shown(named)));
        }
        Trouble::new(Class::Permanent, failure)
    }
}

/// Where an issuer's metadata can be, in the order to try: OpenID Connect Discovery 1.0 section 4
/// appends to the issuer, RFC 8414 section 3 inserts between host and path. Both drop the slash at
/// the end first.
pub fn well_known(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().strip_suffix('/').unwrap_or(issuer.path()).to_owned();
    let with_path = |path: &str| {
        let mut url = issuer.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.set_path(path);
        url
    };
    [
        with_path(&format!("{path}/.well-known/openid-configuration")),
        with_path(&format!("/.well-known/oauth-authorization-server{path}")),
    ]
}

/// Reads a document of the issuer `issuer`, exactly as the profile spells it.
pub fn parse(
    issuer: &str,
    allow_http_loopback: bool,
    document: &[u8],
) -> Result<Metadata, MetadataError> {
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(MetadataError::TooLarge);
    }
    let fields: Map<String, Value> =
        serde_json::from_slice(document).map_err(|_| MetadataError::NotJson)?;
    let named = text(&fields, "issuer").ok_or(MetadataError::NoIssuer)?;
    if named != issuer {
        return Err(MetadataError::OtherIssuer(named.to_owned()));
    }
    let mut reader = Reader { issuer, allow_http_loopback, unfit: BTreeMap::new() };
    let written = text(&fields, "token_endpoint").ok_or(MetadataError::NoTokenEndpoint)?;
    let token_endpoint = reader
        .endpoint(&fields, "token_endpoint")
        .ok_or_else(|| MetadataError::UnfitTokenEndpoint(written.to_owned()))?;
    let endpoints = reader.endpoints(&fields);
    let origins = PINNED_ENDPOINTS
        .iter()
        .filter_map(|name| reader.endpoint(&fields, name))
        .filter_map(|url| Origin::of(&url))
        .collect();
    let mtls = match fields.get("mtls_endpoint_aliases") {
        Some(Value::Object(aliases)) => {
            // What is wrong with one of them is not wrong with the endpoint it stands for.
            let mut reader = Reader { unfit: BTreeMap::new(), ..reader };
            MtlsAliases {
                token_endpoint: reader.endpoint(aliases, "token_endpoint"),
                endpoints: reader.endpoints(aliases),
            }
        }
        _ => MtlsAliases::default(),
    };
    Ok(Metadata {
        token_endpoint,
        endpoints,
        jwks_uri: reader.endpoint(&fields, "jwks_uri"),
        mtls,
        auth_methods: texts(&fields, "token_endpoint_auth_methods_supported"),
        requires_pushed_requests: is_true(&fields, "require_pushed_authorization_requests"),
        names_itself: is_true(&fields, "authorization_response_iss_parameter_supported"),
        id_token_algs: texts(&fields, "id_token_signing_alg_values_supported"),
        code_challenge_methods: texts(&fields, "code_challenge_methods_supported"),
        origins,
        unfit: reader.unfit,
    })
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}

fn texts(fields: &Map<String, Value>, name: &str) -> Vec<String> {
    match fields.get(name) {
        Some(Value::Array(values)) => {
            values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn is_true(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name) == Some(&Value::Bool(true))
}

/// Reads endpoints, and notes those that nothing is sent to.
struct Reader<'a> {
    issuer: &'a str,
    allow_http_loopback: bool,
    unfit: BTreeMap<&'static str, String>,
}

impl Reader<'_> {
    fn endpoints(&mut self, fields: &Map<String, Value>) -> Endpoints {
        Endpoints {
            authorization: self.endpoint(fields, "authorization_endpoint"),
            device_authorization: self.endpoint(fields, "device_authorization_endpoint"),
            pushed_authorization_request: self
                .endpoint(fields, "pushed_authorization_request_endpoint"),
            revocation: self.endpoint(fields, "revocation_endpoint"),
            introspection: self.endpoint(fields, "introspection_endpoint"),
            refresh: None,
        }
    }

    /// A URL that a secret may be sent to: of a length that URLs have, private on its way, not further in than the
    /// issuer, no fragment (RFC 6749 section 3.2), and no user or password, which would become an Authorization
    /// header of their own.
    fn endpoint(&mut self, fields: &Map<String, Value>, name: &'static str) -> Option<Url> {
        let written = text(fields, name)?;
        let url = Url::parse(written).ok().filter(|url| {
            url.as_str().len() <= ENDPOINT_BYTES_MAX
                && origin::is_private(url, self.allow_http_loopback)
                && self.is_in_reach(url)
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        if url.is_none() {
            self.unfit.insert(name, written.to_owned());
        }
        url
    }

    /// An issuer out in the world has no business with the addresses of this machine and its network,
    /// and nobody but a neighbour has with link-local ones, where clouds keep their credentials.
    fn is_in_reach(&self, url: &Url) -> bool {
        let is_allowed = self.allow_http_loopback && origin::is_loopback(url);
        let of_issuer = Url::parse(self.issuer).map_or(Reach::World, |issuer| Reach::of(&issuer));
        is_allowed || Reach::of(url) <= of_issuer
    }
}

#[cfg(test)]
mod tests;
