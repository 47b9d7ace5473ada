//! A client proved by its private key (RFC 7523 section 2.2), with the certified provider as the judge.

use serde_json::json;
use tokctl_tests::Home;
use tokctl_tests::idp::{Client, Idp};
use tokctl_tests::keys::{Algorithm, Key};

/// Adds a client's profile, with this as its private key.
#[track_caller]
fn add(home: &Home, idp: &Idp, client: &Client, key: &str, options: &[&str]) {
    add_as("acme", home, idp, client, key, options);
}

#[track_caller]
fn add_as(profile: &str, home: &Home, idp: &Idp, client: &Client, key: &str, options: &[&str]) {
    home.tokctl(["add", profile, "--grant", "client_credentials", "--client-id", &client.id])
        .args(["--issuer", idp.issuer(), "--scope", "api"])
        .args(options)
        .run()
        .ok();
    let file = home.secret_file("key", key);
    home.tokctl(["set-secret", profile, "--name", "private_key", "--secret-file"])
        .arg(file)
        .run()
        .ok();
}

#[test]
fn every_algorithm_proves_its_client_and_nothing_else_does() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let (home, idp) = (Home::new().init_bare(), Idp::start());
        let key = Key::generate(algorithm);
        let client = idp.register_key(key.public_jwk());
        let alg = format!("{algorithm:?}");
        let options = ["--client-auth", "private_key_jwt", "--alg", &alg];
        add(&home, &idp, &client, key.pem(), &options);
        let (status, body) = idp.call_api(&home.get("acme"));
        assert_eq!((status, body["client_id"].as_str()), (200, Some(client.id.as_str())), "{body}");
        let [request] = &idp.token_requests()[..] else { panic!("one request") };
        assert_eq!((&request["basic"], &request["status"]), (&json!(false), &json!(200)));
    }
}

#[test]
fn each_assertion_is_a_new_one_for_the_issuer_alone() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let key = Key::generate(Algorithm::ES256);
    let client = idp.register_key(key.public_jwk());
    // Where nobody says how, it is the way that the provider offers and the entry can do.
    let mut seen = Vec::new();
    for profile in ["one", "two"] {
        add_as(profile, &home, &idp, &client, key.pem(), &["--kid", key.kid()]);
        home.get(profile);
        let requests = idp.token_requests();
        let params = &requests.last().unwrap()["params"];
        let assertion = params["client_assertion"].as_str().unwrap_or_else(|| panic!("{params}"));
        let claims = key.verify(assertion).unwrap();
        assert_eq!(claims["aud"], idp.issuer());
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(client.id), &json!(client.id)));
        let lasts = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert!((1..=60).contains(&lasts), "{claims}");
        seen.push(claims["jti"].clone());
    }
    assert_ne!(seen[0], seen[1]);
}

#[test]
fn a_key_that_is_not_registered_is_the_providers_refusal() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let client = idp.register_key(Key::generate(Algorithm::ES256).public_jwk());
    let other = Key::generate(Algorithm::ES256);
    add(&home, &idp, &client, other.pem(), &["--client-auth", "private_key_jwt"]);
    home.tokctl(["get", "acme"])
        .run()
        .fails(6, &["invalid_client", "tokctl set-secret acme --name private_key"]);
}

#[test]
fn a_key_is_given_as_the_profile_is_added() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let key = Key::generate(Algorithm::ES256);
    let client = idp.register_key(key.public_jwk());
    home.tokctl(["add", "acme", "--grant", "client_credentials", "--client-id", &client.id])
        .args(["--issuer", idp.issuer(), "--scope", "api", "--check", "--key-file"])
        .arg(home.secret_file("key", key.pem()))
        .run()
        .ok();
    let [request] = &idp.token_requests()[..] else { panic!("one request") };
    assert_eq!((&request["basic"], &request["status"]), (&json!(false), &json!(200)));
}

#[test]
fn a_client_with_a_key_renews_and_ends_what_it_holds() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let key = Key::generate(Algorithm::ES256);
    let client = idp.register(&json!({
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [key.public_jwk()] },
    }));
    let minted = idp.mint(&client.id);
    home.add_refresh_token("acme", &client.id, &minted.refresh_token)
        .args(["--issuer", idp.issuer(), "--key-file"])
        .arg(home.secret_file("key", key.pem()))
        .run()
        .ok();
    let first = home.get("acme");
    home.tokctl(["revoke", "acme", "--yes"]).run().ok();
    assert_eq!(idp.call_api(&first).0, 401);
    let again = idp.mint(&client.id);
    let file = home.secret_file("again", &again.refresh_token);
    home.tokctl(["set-secret", "acme", "--refresh-token-file"]).arg(file).run().ok();
    let second = home.get("acme");
    assert_eq!(idp.call_api(&second).0, 200);
    home.tokctl(["logout", "acme", "--yes"]).run().ok();
    assert_eq!(idp.call_api(&second).0, 401);
    assert!(idp.family(&again.family).revoked);
    // What the client proves itself by is not what it got.
    let shown = home.tokctl(["show", "acme", "--json"]).run().json();
    assert_eq!(shown["secrets"], json!(["private_key"]));
    let revocations = idp.requests_at("revocation");
    assert!(!revocations.is_empty());
    for request in revocations {
        assert_eq!((&request["client"], &request["basic"]), (&json!(client.id), &json!(false)));
    }
}

#[test]
fn a_key_that_cannot_sign_is_named_before_anything_is_sent() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let key = Key::generate(Algorithm::ES256);
    let client = idp.register_key(key.public_jwk());
    let options = ["--client-auth", "private_key_jwt", "--alg", "RS256"];
    add(&home, &idp, &client, key.pem(), &options);
    home.tokctl(["get", "acme"]).run().fails(
        10,
        &["the private key is a P-256 key, which cannot sign RS256", "tokctl set acme alg="],
    );
    let hunter = home.secret_file("key", "hunter2");
    home.tokctl(["set-secret", "acme", "--name", "private_key", "--secret-file"])
        .arg(hunter)
        .run()
        .ok();
    home.tokctl(["set", "acme", "alg="]).run().ok();
    home.tokctl(["get", "acme"])
        .run()
        .fails(5, &["the private key is neither PEM nor a JWK", "tokctl set-secret acme --name"]);
    assert_eq!(idp.token_requests().len(), 0);
}
