//! Replies, tokens, keys and addresses that somebody has made to fall over them: nothing panics, nothing takes long, and
//! what comes of them is a token that can be one, or words that a terminal can be shown.

use tokctl_proto::escape::is_hidden;
use tokctl_proto::{ProfileName, Secret, WallMs};
use url::Url;

use super::deviations::{Played, answer};
use super::grant::{authorization_code, command, device_code, steps};
use super::id_token::{self, Expected, To};
use super::jose::jws::Parsed;
use super::jose::key::certificate_thumbprint;
use super::jose::{Jwks, PrivateKey};
use super::redirect::head::Place;
use super::state::Unguessable;
use super::{claims, discovery, provider_clock, redirect, reply, retry_after, subject};
use crate::config::{Algorithm, KeyEncoding};
use crate::mutants::{floods, mutants, texts};
use crate::oauth::message::HttpReply;

const MUTANTS: usize = 1000;
const NOW: WallMs = WallMs(1_800_000_000_000);

fn acme() -> ProfileName {
    ProfileName::parse("acme").unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn is_harmless(text: &str) -> bool {
    !text.chars().any(is_hidden)
}

fn body(bytes: Vec<u8>) -> HttpReply {
    HttpReply { body: bytes.into(), ..answer(200, "") }
}

/// Bodies made of a sample, and those that are one thing over and over.
fn bodies(seed: u64, sample: &str) -> impl Iterator<Item = Vec<u8>> {
    // Deeper than anybody nests.
    let deep = ["[", "{\"a\":", "<a>"].map(|word| word.repeat(100_000).into_bytes());
    mutants(seed, sample, MUTANTS).chain(floods().map(String::into_bytes)).chain(deep)
}

const JSON: &str = r#"{"access_token":"eyJ0.e30.c2ln","token_type":"Bearer","expires_in":3600,"refresh_token":"r2","refresh_expires_in":"90","scope":"a b","id_token":"x","data":{"token":"t","ttl":"1h","list":[{"at":"2027-01-15T08:01:00Z"}]},"authed_user":{"access_token":"t"},"errors":[{"errorType":"invalid_grant","message":"m"}],"ok":true}"#;
const FORM: &str = "access_token=t&expires_in=3600&refresh_token=r2&scope=a%20b&token_type=bearer&error_description=x";
const REFUSAL: &str = r#"{"error":{"code":400,"message":"no","status":"INVALID","errors":[]},"error_description":"d","message":"m","error_uri":"https://a/"}"#;
const STS: &str = r#"<?xml version="1.0"?><AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><SessionToken>AQoD&amp;Y</SessionToken><SecretAccessKey>wJ</SecretAccessKey><Expiration>2027-01-15T09:00:00Z</Expiration><AccessKeyId>ASIA</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"#;

#[test]
fn no_reply_makes_its_reader_fall_over() {
    let elsewhere = "response = { token = \"data.token\", expires_in = \"data.ttl\", expires_at = \"data.list.0.at\", \
                     scope = \"scope.0\", refresh_token = \"data.token\", error = \"errors.0.errorType\" }\n";
    for (seed, (played, sample)) in (0..).zip([
        (Played::client(""), JSON),
        (Played::client(""), FORM),
        (Played::client(""), REFUSAL),
        (Played::refreshing(""), JSON),
        (Played::refreshing(elsewhere), JSON),
        (Played::refreshing("response = { refresh_token = \"access_token\" }"), JSON),
        (Played::client("response = { token = \"body\" }"), "eyJ0.e30.c2ln"),
        (
            Played::new(
                "grant = \"aws_web_identity\"\nrole_arn = \"arn:aws:iam::1:role/ci\"\nsubject = \"github-actions\"\n",
            ),
            STS,
        ),
    ]) {
        for bytes in bodies(seed, sample) {
            for status in [200, 400] {
                let told = played.reads(&HttpReply { status, ..body(bytes.clone()) });
                // A token and what stands beside it go as they are to whoever asked; words go to a terminal.
                let is_words = told.starts_with("Retry") || told.starts_with("Permanent");
                assert!(!is_words || is_harmless(&told), "{told:?}");
            }
        }
    }
}

#[test]
fn no_beginning_of_a_login_makes_its_reader_fall_over() {
    let begun = r#"{"device_code":"d","user_code":"WDJB","verification_uri":"https://as.example/d","verification_uri_complete":"https://as.example/d?c=1","expires_in":900,"interval":"5"}"#;
    for bytes in bodies(20, begun) {
        match device_code::read_begun(&acme(), false, &body(bytes)) {
            Ok(begun) => {
                assert!(is_harmless(&begun.user_code) && begun.user_code.len() < 1024);
                for url in [Some(begun.verification_uri), begun.verification_uri_complete] {
                    let fits = |url: Url| url.scheme() == "https" && url.as_str().is_ascii();
                    assert!(url.is_none_or(fits));
                }
                assert!(begun.interval.as_secs() >= 1 && begun.lifetime.as_secs() >= 1);
            }
            Err(failure) => assert!(is_harmless(&failure.message), "{failure:?}"),
        }
    }
    for bytes in
        bodies(21, r#"{"request_uri":"urn:ietf:params:oauth:request_uri:1","expires_in":60}"#)
    {
        drop(authorization_code::read_pushed(&acme(), &body(bytes)));
    }
    for bytes in bodies(22, REFUSAL) {
        assert!(reply::said(&bytes, &[secret("s")]).is_none_or(|said| is_harmless(&said.reason)));
    }
}

#[test]
fn no_metadata_makes_its_reader_fall_over() {
    let document = r#"{"issuer":"https://i","token_endpoint":"https://i/t","jwks_uri":"https://i/k","mtls_endpoint_aliases":{"token_endpoint":"https://m/t"},"grant_types_supported":["a"]}"#;
    let at = Url::parse("https://i/.well-known/openid-configuration").unwrap();
    for bytes in bodies(30, document) {
        if let Err(error) = discovery::parse("https://i", true, &bytes) {
            let trouble = error.trouble(&acme(), "https://i", &at);
            assert!(is_harmless(&trouble.failure.message), "{trouble:?}");
        }
    }
}

#[test]
fn nobody_comes_back_with_a_request_that_its_reader_falls_over() {
    let state = Unguessable::new([7; 32]);
    let place = Place::of(&Url::parse("http://127.0.0.1:8400/callback").unwrap());
    let query =
        format!("code=c&state={}&iss=https%3A%2F%2Fi&error=x&error_description=y", state.expose());
    let expected =
        redirect::Expected { state, issuer: Some("https://i".into()), names_itself: true };
    let head = format!(
        "GET /callback?{query} HTTP/1.1\r\nHost: 127.0.0.1:8400\r\nSec-Fetch-Mode: navigate\r\n\r\n"
    );
    for bytes in bodies(40, &head) {
        let _head = place.read(&bytes);
    }
    for text in texts(41, &query, MUTANTS).chain(floods()) {
        let query = redirect::pasted_query(&text);
        if let redirect::Judged::Answer(Err(refusal)) = redirect::judge(query, &expected) {
            assert!(is_harmless(&refusal.failure(&acme()).message), "{refusal:?}");
        }
    }
}

#[test]
fn no_key_makes_its_reader_fall_over() {
    let samples = [
        include_str!("jose/key/samples/p256_sec1.pem"),
        include_str!("jose/key/samples/ed25519_pkcs8.pem"),
        include_str!("jose/key/samples/rsa_pkcs1.pem"),
        include_str!("jose/key/samples/rsa_1024_pkcs8.pem"),
        include_str!("jose/key/samples/p256_pkcs8_encrypted.pem"),
        include_str!("jose/key/samples/certificate.pem"),
        include_str!("jose/key/samples/rsa.jwk.json"),
    ];
    for (seed, sample) in (50..).zip(samples) {
        for text in texts(seed, sample, MUTANTS).chain(floods()) {
            let text = secret(&text);
            if let Err(error) = PrivateKey::asymmetric(&text) {
                assert!(is_harmless(&error.to_string()), "{error}");
            }
            for encoding in [KeyEncoding::Text, KeyEncoding::Hex, KeyEncoding::Base64] {
                drop(PrivateKey::read(&text, Some(Algorithm::Hs256), encoding));
            }
            let _thumbprint = certificate_thumbprint(text.expose());
        }
    }
}

#[test]
fn no_signed_token_makes_its_reader_fall_over() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let set = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"1"},{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let nonce = Unguessable::new([8; 32]);
    let expected = Expected {
        issuer: "https://i",
        client_id: "c1",
        algorithm: None,
        client_secret: None,
        clock_ahead_s: 0,
        to: To::Login(&nonce),
        access_token: None,
    };
    let claims_text = r#"{"iss":"https://i","sub":"ada","aud":["c1"],"azp":"c1","iat":1800000000,"exp":1800000600,"nonce":"n","at_hash":"x"}"#;
    let keys = Jwks::parse(set.as_bytes()).unwrap();
    let checks = |token: &str, keys: &Jwks| {
        let token = secret(token);
        for refused in [
            id_token::check(NOW, &token, keys, &expected).err(),
            id_token::check_unsigned(NOW, &token, &expected).err(),
        ] {
            let said = refused.map(|refused| refused.to_string()).unwrap_or_default();
            assert!(is_harmless(&said), "{said:?}");
        }
        let _claims = (Parsed::read(token.expose()).is_ok(), claims::of(&token));
    };
    let token = |header: &[u8], claims: &[u8]| {
        format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    };
    let header = br#"{"alg":"ES256","kid":"1","typ":"JWT"}"#;
    for bytes in mutants(60, header, MUTANTS) {
        checks(&token(&bytes, claims_text.as_bytes()), &keys);
    }
    for bytes in bodies(61, claims_text) {
        checks(&token(header, &bytes), &keys);
    }
    for text in texts(62, &token(header, claims_text.as_bytes()), MUTANTS).chain(floods()) {
        checks(&text, &keys);
    }
    for bytes in bodies(63, set) {
        if let Ok(keys) = Jwks::parse(&bytes) {
            checks(&token(header, claims_text.as_bytes()), &keys);
        }
    }
}

#[test]
fn nothing_that_is_printed_or_said_beside_makes_its_reader_fall_over() {
    for (seed, sample) in (70..).zip([
        r#"{"kind":"ExecCredential","status":{"token":"t","expirationTimestamp":"2027-01-15T09:00:00Z"}}"#,
        r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","SessionToken":"t","Expiration":"2027-01-15T09:00:00Z"}"#,
        r#"{"version":1,"value":"t","expires_at":1800000060}"#,
    ]) {
        for bytes in bodies(seed, sample) {
            let _token = command::reply(NOW, &bytes);
            let _first = steps::first_reply(&acme(), &body(bytes.clone()));
            let _subject = subject::read_github_actions(&acme(), &body(bytes));
        }
    }
    for text in texts(75, "Sun, 06 Nov 1994 08:49:37 GMT", MUTANTS).chain(floods()) {
        let reply = HttpReply {
            date: Some(text.clone()),
            retry_after: Some(text.clone()),
            ..answer(429, "")
        };
        let _ahead =
            (provider_clock::ahead_s(&reply), retry_after::of(NOW, &reply), subject::read(&text));
    }
}
