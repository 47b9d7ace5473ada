//! Keys that are of another kind than is said, or none, and clocks that are wrong when something is signed.

use std::fs;
use std::path::Path;

use serde_json::json;
use tokctl_tests::keys::{self, Algorithm, Key};
use tokctl_tests::provider::Answer;
use tokctl_tests::{Home, Provider, api};

use super::{fails_clearly, get, home_with_good, json as answer};

/// A file that openssl has made; no key in them is anybody's.
fn sample(name: &str) -> String {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/src/oauth/jose/key/samples");
    fs::read_to_string(samples.join(name)).unwrap()
}

#[track_caller]
fn store(home: &Home, profile: &str, key: &str) {
    let file = home.secret_file("key", key);
    home.tokctl(["set-secret", profile, "--name", "private_key", "--secret-file"])
        .arg(file)
        .run()
        .ok();
}

#[track_caller]
fn add(home: &Home, provider: &Provider, profile: &str, alg: &str) -> String {
    let path = format!("/{profile}/token");
    home.tokctl(["add", profile, "--grant", "client_credentials", "--client-id", "c1"])
        .args(["--client-auth", "private_key_jwt", "--token-endpoint", &provider.url(&path)])
        .args(["--alg", alg])
        .run()
        .ok();
    path
}

#[test]
fn a_key_that_does_not_fit_is_said_to_be_what_it_is() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    let (rsa, curve) = (Key::rsa(), Key::generate(Algorithm::ES256));
    let public = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n";
    let edwards = Key::generate(Algorithm::EdDSA);
    let fits = |alg: &str| match alg {
        "ES256" => curve.pem().to_owned(),
        "EdDSA" => edwards.pem().to_owned(),
        _ => rsa.pem().to_owned(),
    };
    for (at, (alg, key, code, words)) in [
        ("ES256", rsa.pem().to_owned(), 10, "is an RSA key, which cannot sign ES256"),
        ("RS256", curve.pem().to_owned(), 10, "is a P-256 key, which cannot sign RS256"),
        ("PS256", curve.pem().to_owned(), 10, "is a P-256 key, which cannot sign PS256"),
        ("EdDSA", rsa.pem().to_owned(), 10, "is an RSA key, which cannot sign EdDSA"),
        ("ES256", sample("p384_pkcs8.pem"), 5, "the private key"),
        ("ES256", sample("p256_pkcs8_encrypted.pem"), 5, "encrypted"),
        ("ES256", sample("p256_sec1_encrypted.pem"), 5, "encrypted"),
        ("ES256", sample("certificate.pem"), 5, "the private key"),
        ("ES256", public.to_owned(), 5, "the private key"),
        ("ES256", curve.public_jwk().to_string(), 5, "the private key"),
        ("RS256", sample("rsa_1024_pkcs1.pem"), 5, "1024"),
        ("RS256", sample("rsa_1024_pkcs8.pem"), 5, "1024"),
        ("ES256", "hunter2\u{1b}[2J".to_owned(), 5, "neither PEM nor a JWK"),
        ("ES256", "-----BEGIN PRIVATE KEY-----".repeat(1_000), 5, "the private key"),
        ("ES256", format!("{{\"kty\":{}", "[".repeat(10_000)), 5, "the private key"),
    ]
    .into_iter()
    .enumerate()
    {
        let profile = format!("p{at}");
        let path = add(&home, &provider, &profile, alg);
        store(&home, &profile, &key);
        let case = format!("{alg} {key:.40}");
        fails_clearly(&case, &get(&home, &profile).run(), code, &[words, "tokctl set"]);
        // Whoever stores the right one has a token.
        let token = json!({ "access_token": "t1", "expires_in": 600 });
        provider.serve(&path, answer(&token));
        store(&home, &profile, &fits(alg));
        assert_eq!(home.get(&profile), "t1", "{case}");
    }
    let sent = provider.token_requests();
    assert!(sent.iter().all(|request| request.param("client_assertion").is_some()));
    assert_eq!(sent.len(), 15, "one each, with the right key");
}

#[test]
fn an_assertion_is_made_by_the_clock_of_whoever_reads_it() {
    let (home, _good) = home_with_good();
    for (at, (words, off_s)) in [("1 hour", 3600), ("1 hour ago", -3600)].into_iter().enumerate() {
        // What is known of a clock is known of a provider, not of a profile.
        let provider = Provider::start();
        let profile = format!("p{at}");
        let path = add(&home, &provider, &profile, "ES256");
        store(&home, &profile, Key::generate(Algorithm::ES256).pem());
        let refused = json!({ "error": "invalid_client", "error_description": "assertion is not valid yet\u{1b}[2J" });
        let date = api::date(words);
        let headers = [("content-type", "application/json"), ("date", date.as_str())];
        provider.serve(&path, Answer::canned(401, &headers, &refused.to_string()));
        let output = get(&home, &profile).run();
        fails_clearly(words, &output, 6, &["invalid_client", "clock"]);
        // What is asked for next is dated as the provider would.
        let token = json!({ "access_token": "t1", "expires_in": 600 });
        provider.serve(&path, Answer::canned(200, &headers, &token.to_string()));
        home.tokctl(["refresh", &profile]).run().ok();
        let requests = provider.token_requests();
        let dated = |at: usize| {
            let own: Vec<_> = requests.iter().filter(|request| request.path == path).collect();
            let (_, claims) = keys::parts(own[at].param("client_assertion").unwrap()).unwrap();
            claims["iat"].as_i64().unwrap()
        };
        let moved = dated(1) - dated(0);
        assert!((moved - off_s).abs() < 120, "moved by {moved} s in place of {off_s}");
    }
}
