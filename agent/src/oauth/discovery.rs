//! A provider's metadata (RFC 8414, OpenID Connect Discovery 1.0): where it is and what it says.
//!
//! A document counts only when its `issuer` is the profile's, code point by code point (RFC 8414
//! section 3.3), and when its token endpoint is a URL a secret may travel to. Nothing here fetches;
//! the document is not signed, so TLS to the issuer is what it rests on. `jwks_uri` and the rest
//! are not read.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use thiserror::Error;
use tokctl_core::{Class, Trouble};
use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind, ProfileName};
use url::Url;

use crate::oauth::origin::{self, Origin};

/// Documents are a few KiB; this is room for the most talkative.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

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
    /// `token_endpoint_auth_methods_supported`; empty when the document does not say.
    pub auth_methods: Vec<String>,
    /// Where secrets of this provider's profiles may be sent.
    pub origins: BTreeSet<Origin>,
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
    let written = text(&fields, "token_endpoint").ok_or(MetadataError::NoTokenEndpoint)?;
    let token_endpoint = endpoint(written, allow_http_loopback)
        .ok_or_else(|| MetadataError::UnfitTokenEndpoint(written.to_owned()))?;
    let origins = PINNED_ENDPOINTS
        .iter()
        .filter_map(|name| endpoint(text(&fields, name)?, allow_http_loopback))
        .filter_map(|url| Origin::of(&url))
        .collect();
    let auth_methods = match fields.get("token_endpoint_auth_methods_supported") {
        Some(Value::Array(methods)) => {
            methods.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    Ok(Metadata { token_endpoint, auth_methods, origins })
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    fields.get(name).and_then(Value::as_str)
}

/// A URL that a secret may be sent to: private on its way, no fragment (RFC 6749 section 3.2), and
/// no user or password, which would become an Authorization header of their own.
fn endpoint(written: &str, allow_http_loopback: bool) -> Option<Url> {
    let url = Url::parse(written).ok()?;
    let fits = origin::is_private(&url, allow_http_loopback)
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    fits.then_some(url)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_well_known_places_of_an_issuer() {
        for (issuer, appended, inserted) in [
            (
                "https://op.example",
                "https://op.example/.well-known/openid-configuration",
                "https://op.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://op.example/",
                "https://op.example/.well-known/openid-configuration",
                "https://op.example/.well-known/oauth-authorization-server",
            ),
            (
                "https://op.example:8443/tenant/1",
                "https://op.example:8443/tenant/1/.well-known/openid-configuration",
                "https://op.example:8443/.well-known/oauth-authorization-server/tenant/1",
            ),
            (
                "https://op.example/tenant/?x=1",
                "https://op.example/tenant/.well-known/openid-configuration",
                "https://op.example/.well-known/oauth-authorization-server/tenant",
            ),
            (
                "http://127.0.0.1:9400",
                "http://127.0.0.1:9400/.well-known/openid-configuration",
                "http://127.0.0.1:9400/.well-known/oauth-authorization-server",
            ),
        ] {
            let places = well_known(&Url::parse(issuer).unwrap());
            assert_eq!(places.each_ref().map(Url::as_str), [appended, inserted], "{issuer}");
        }
    }

    fn document(issuer: &str, token_endpoint: &str) -> Vec<u8> {
        json!({ "issuer": issuer, "token_endpoint": token_endpoint }).to_string().into_bytes()
    }

    #[test]
    fn the_issuer_is_compared_code_point_by_code_point() {
        for (named, fits) in [
            ("https://op.example", true),
            ("https://op.example/", false),
            ("https://OP.example", false),
            ("https://op.example:443", false),
            ("https://op.example.evil", false),
            ("http://op.example", false),
        ] {
            let parsed =
                parse("https://op.example", false, &document(named, "https://op.example/t"));
            let expected = if fits { None } else { Some(MetadataError::OtherIssuer(named.into())) };
            assert_eq!(parsed.err(), expected, "{named}");
        }
    }

    #[test]
    fn a_slash_too_many_has_a_hint_and_an_impostor_has_none() {
        let profile = ProfileName::parse("acme").unwrap();
        let at = Url::parse("https://op.example/.well-known/openid-configuration").unwrap();
        for (named, hint) in [
            ("https://op.example/", Some("run `tokctl set acme issuer=https://op.example/`")),
            ("https://evil.example", None),
        ] {
            let error = MetadataError::OtherIssuer(named.into());
            let trouble = error.trouble(&profile, "https://op.example", &at);
            assert_eq!(trouble.class, Class::Permanent);
            assert_eq!(trouble.failure.hint.as_deref(), hint);
            assert_eq!(
                trouble.failure.message,
                format!("the metadata at {at} is of another issuer, `{named}`")
            );
        }
    }

    #[test]
    fn secrets_go_only_where_they_are_private() {
        for (token_endpoint, without_flag, with_flag) in [
            ("https://op.example/token", true, true),
            ("https://elsewhere.example/token?tenant=1", true, true),
            ("http://127.0.0.1:9400/token", false, true),
            ("http://op.example/token", false, false),
            ("http://169.254.169.254/token", false, false),
            ("https://op.example/token#x", false, false),
            ("https://user@op.example/token", false, false),
            ("https://:pw@op.example/token", false, false),
            ("file:///etc/passwd", false, false),
            ("/token", false, false),
            ("", false, false),
        ] {
            for (flag, fits) in [(false, without_flag), (true, with_flag)] {
                let parsed = parse("https://i", flag, &document("https://i", token_endpoint));
                match parsed {
                    Ok(metadata) => {
                        assert!(fits, "{token_endpoint}");
                        assert_eq!(metadata.token_endpoint.as_str(), token_endpoint);
                    }
                    Err(error) => {
                        assert!(!fits, "{token_endpoint}");
                        assert!(!error.may_be_elsewhere());
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_metadata_is_named() {
        let too_large = vec![b' '; DOCUMENT_BYTES_MAX + 1];
        for (document, error) in [
            (&b"<html>"[..], MetadataError::NotJson),
            (b"", MetadataError::NotJson),
            (b"[]", MetadataError::NotJson),
            (b"\xff", MetadataError::NotJson),
            (b"{}", MetadataError::NoIssuer),
            (br#"{"issuer":1}"#, MetadataError::NoIssuer),
            (br#"{"issuer":"https://i"}"#, MetadataError::NoTokenEndpoint),
            (&too_large, MetadataError::TooLarge),
        ] {
            assert_eq!(parse("https://i", false, document), Err(error));
        }
    }

    #[test]
    fn every_endpoint_that_takes_a_secret_is_pinned() {
        let document = json!({
            "issuer": "https://i",
            "token_endpoint": "https://i/token",
            "revocation_endpoint": "https://r.example/revoke",
            "introspection_endpoint": "http://plain.example/introspect",
            "device_authorization_endpoint": 7,
            "authorization_endpoint": "https://login.example/",
            "jwks_uri": "file:///etc/passwd",
            "token_endpoint_auth_methods_supported": ["client_secret_post", 3, "none"],
        });
        let metadata = parse("https://i", false, document.to_string().as_bytes()).unwrap();
        let origins: Vec<_> = metadata.origins.iter().map(Origin::as_str).collect();
        assert_eq!(origins, ["https://i:443", "https://r.example:443"]);
        assert_eq!(metadata.auth_methods, ["client_secret_post", "none"]);
    }

    proptest! {
        #[test]
        fn no_document_makes_the_parser_panic(document in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ignored = parse("https://i", true, &document);
        }
    }
}
