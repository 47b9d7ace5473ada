//! Plain HTTP through each way to a token that the provider knows, so that what fails in a story is tokctl.

mod assertion;
mod bound;
mod device;
mod login;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::ca::PrivateCa;
use crate::keys::Key;

/// The verifier of RFC 7636 appendix B, and its challenge.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1:4000/cb";

fn authorization_url(idp: &Idp, client: &str, scope: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(authorization_params(client, scope))
        .finish();
    format!("{}?{query}", idp.metadata()["authorization_endpoint"].as_str().unwrap())
}

fn authorization_params<'a>(client: &'a str, scope: &'a str) -> [(&'static str, &'a str); 8] {
    [
        ("client_id", client),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("scope", scope),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

/// A parameter of a redirect.
fn param(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn code_form<'a>(client: &'a str, code: &'a str) -> [(&'static str, &'a str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ]
}

fn post(url: &str, params: &[(&str, &str)]) -> (u16, Value) {
    Call::post(url).form(params).send().unwrap().json().unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn digest(data: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(data))
}

#[test]
fn the_provider_says_where_it_is_and_whom_it_knows() {
    let idp = Idp::start();
    assert!(idp.issuer().starts_with("http://127.0.0.1:"), "{idp:?}");
    assert_eq!(idp.client("basic").id, "cc");
    assert!(idp.client("reserved").secret.contains("+r%e t&="));
    assert_eq!(idp.token_requests(), Vec::<Value>::new());
    assert_eq!(idp.call_api("no-such-token").0, 401);
}

#[test]
fn a_minted_refresh_token_begins_a_family() {
    let idp = Idp::start();
    let minted = idp.mint("rt");
    assert!(!minted.refresh_token.is_empty());
    let untouched = Family { refreshes: 0, rotations: 0, revoked: false, committed_ns: None };
    assert_eq!(idp.family(&minted.family), untouched);
    assert_eq!(idp.families("rt"), [untouched]);
    assert_eq!(idp.families("rt-none"), []);
}

#[test]
fn the_provider_speaks_tls_with_a_certificate_of_ours() {
    let ca = PrivateCa::new().unwrap();
    let leaf = ca.leaf(&["127.0.0.1", "localhost"]).unwrap();
    let idp = Idp::start_with(&Settings {
        tls: Some(leaf),
        host: Some("localhost".into()),
        ..Settings::default()
    });
    assert!(idp.issuer().starts_with("https://localhost:"), "{idp:?}");
    assert_eq!(idp.metadata()["issuer"], idp.issuer());
    assert_eq!(idp.token_requests(), Vec::<Value>::new());
}

#[test]
fn the_metadata_offers_what_the_settings_leave() {
    let all = Idp::start();
    let few = Idp::start_with(&Settings {
        without: vec!["par", "device", "revocation", "introspection"],
        ..Settings::default()
    });
    let required = Idp::start_with(&Settings { par_required: true, ..Settings::default() });
    for (feature, name) in [
        ("par", "pushed_authorization_request_endpoint"),
        ("device", "device_authorization_endpoint"),
        ("revocation", "revocation_endpoint"),
        ("introspection", "introspection_endpoint"),
    ] {
        assert!(all.metadata()[name].is_string(), "{feature}");
        assert!(few.metadata()[name].is_null(), "{feature}");
    }
    assert_eq!(required.metadata()["require_pushed_authorization_requests"], true);
}
