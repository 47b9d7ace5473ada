//! What is read of a provider's metadata, and what is not believed.

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
        let parsed = parse("https://op.example", false, &document(named, "https://op.example/t"));
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
        (&format!("https://op.example/{}", "t".repeat(2029)), true, true),
        (&format!("https://op.example/{}", "t".repeat(2030)), false, false),
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

#[test]
fn every_endpoint_is_read_and_one_that_nothing_may_be_sent_to_is_named() {
    let document = json!({
        "issuer": "https://i",
        "token_endpoint": "https://i/token",
        "authorization_endpoint": "https://i/auth?tenant=1",
        "device_authorization_endpoint": "https://i/device",
        "pushed_authorization_request_endpoint": "https://i/par",
        "revocation_endpoint": "http://i/revoke",
        "jwks_uri": "file:///etc/passwd",
        "require_pushed_authorization_requests": true,
        "authorization_response_iss_parameter_supported": "true",
        "id_token_signing_alg_values_supported": ["RS256", 7, "ES256"],
        "code_challenge_methods_supported": ["S256"],
        "mtls_endpoint_aliases": {
            "token_endpoint": "https://mtls.i/token",
            "revocation_endpoint": "https://mtls.i/revoke",
            "introspection_endpoint": "http://mtls.i/introspect",
        },
    });
    let metadata = parse("https://i", false, document.to_string().as_bytes()).unwrap();
    let url = |text: &str| Some(Url::parse(text).unwrap());
    assert_eq!(
        metadata.endpoints,
        Endpoints {
            authorization: url("https://i/auth?tenant=1"),
            device_authorization: url("https://i/device"),
            pushed_authorization_request: url("https://i/par"),
            ..Endpoints::default()
        }
    );
    let endpoints = Endpoints { revocation: url("https://mtls.i/revoke"), ..Endpoints::default() };
    let token_endpoint = url("https://mtls.i/token");
    assert_eq!(metadata.mtls, MtlsAliases { token_endpoint, endpoints });
    assert_eq!((metadata.requires_pushed_requests, metadata.names_itself), (true, false));
    assert_eq!(metadata.id_token_algs, ["RS256", "ES256"]);
    assert_eq!(metadata.code_challenge_methods, ["S256"]);
    assert_eq!(metadata.jwks_uri, None);
    for (name, why) in [
        (
            "jwks_uri",
            "the provider's metadata says of its jwks_uri `file:///etc/passwd`, to which nothing may be sent",
        ),
        ("introspection_endpoint", "the provider's metadata names no introspection_endpoint"),
    ] {
        assert_eq!(metadata.without(name), why);
    }
}

#[test]
fn whoever_shows_a_certificate_goes_by_the_aliases() {
    let document = json!({
        "issuer": "https://i", "token_endpoint": "https://i/token",
        "revocation_endpoint": "https://i/revoke", "introspection_endpoint": "https://i/inspect",
        "mtls_endpoint_aliases": {
            "token_endpoint": "https://mtls.i/token", "revocation_endpoint": "https://mtls.i/revoke",
        },
    });
    let without = json!({ "issuer": "https://i", "token_endpoint": "https://i/token" });
    let parsed =
        |document: &Value| parse("https://i", false, document.to_string().as_bytes()).unwrap();
    let seen = |metadata: Metadata| {
        let endpoints = metadata.endpoints;
        let urls = [Some(metadata.token_endpoint), endpoints.revocation, endpoints.introspection];
        let origins: Vec<_> = metadata.origins.iter().map(|at| at.as_str().to_owned()).collect();
        (urls.map(|url| url.map(String::from).unwrap_or_default()), origins.join(" "))
    };
    for (metadata, urls, origins) in [
        (
            parsed(&document),
            ["https://i/token", "https://i/revoke", "https://i/inspect"],
            "https://i:443",
        ),
        (
            parsed(&document).over_mtls(),
            ["https://mtls.i/token", "https://mtls.i/revoke", "https://i/inspect"],
            "https://i:443 https://mtls.i:443",
        ),
        (parsed(&without).over_mtls(), ["https://i/token", "", ""], "https://i:443"),
    ] {
        assert_eq!(seen(metadata), (urls.map(str::to_owned), origins.to_owned()));
    }
}

#[test]
fn an_issuer_in_the_world_does_not_lead_inside() {
    let (world, inside, link) = ("https://op.example", "https://10.0.0.1", "https://169.254.1.1");
    for (issuer, jwks_uri, flag, read) in [
        (world, "https://op.example/jwks", false, true),
        (world, "https://other.example/jwks", false, true),
        (world, "https://10.0.0.2/jwks", false, false),
        (world, "https://127.0.0.1/jwks", false, false),
        (world, "https://127.0.0.1/jwks", true, true),
        (world, "https://localhost/jwks", false, false),
        (world, "https://[::1]/jwks", false, false),
        (world, "https://169.254.169.254/jwks", false, false),
        (world, "http://169.254.169.254/jwks", true, false),
        (inside, "https://10.0.0.2/jwks", false, true),
        (inside, "https://op.example/jwks", false, true),
        (inside, "https://169.254.169.254/jwks", false, false),
        (link, "https://169.254.169.254/jwks", false, true),
    ] {
        let document = json!({
            "issuer": issuer,
            "token_endpoint": "https://op.example/token",
            "jwks_uri": jwks_uri,
        });
        let metadata = parse(issuer, flag, document.to_string().as_bytes()).unwrap();
        assert_eq!(metadata.jwks_uri.is_some(), read, "{issuer} {jwks_uri} {flag}");
    }
}

proptest! {
    #[test]
    fn no_document_makes_the_parser_panic(document in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ignored = parse("https://i", true, &document);
    }
}
