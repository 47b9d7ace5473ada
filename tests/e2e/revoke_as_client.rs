//! Clients that have no secret to send prove themselves when they revoke too: by an assertion, or by the certificate on
//! the connection.

use std::fs;

use serde_json::{Value, json};
use tokctl_tests::Home;
use tokctl_tests::ca::PrivateCa;
use tokctl_tests::http::Call;
use tokctl_tests::idp::{Client, Idp, Settings};
use tokctl_tests::keys::{Algorithm, Key};
use tokctl_tests::login::Login;

#[track_caller]
fn add(home: &Home, idp: &Idp, client: &Client, options: &[&str], secrets: &[(&str, &str)]) {
    home.tokctl(["add", "acme", "--grant", "authorization_code", "--client-id", &client.id])
        .args(["--issuer", idp.issuer(), "--scope", "openid offline_access api"])
        .args(options)
        .run()
        .ok();
    for (name, text) in secrets {
        let file = home.secret_file(name, text);
        home.tokctl(["set-secret", "acme", "--name", name, "--secret-file"]).arg(file).run().ok();
    }
}

#[track_caller]
fn log_in(home: &Home, idp: &Idp) -> String {
    let login = Login::start(home, "acme", &["--browser"]);
    let address = login.address();
    Call::get(&idp.authorize(&address.0)).send().unwrap();
    login.finish().ok();
    let token = home.get("acme");
    assert_eq!(idp.call_api(&token).0, 200);
    token
}

/// Revokes a token, then all of another login, and gives the requests that came of it.
#[track_caller]
fn end_both_ways(home: &Home, idp: &Idp, client: &Client) -> Vec<Value> {
    for command in ["revoke", "logout"] {
        let token = log_in(home, idp);
        home.tokctl([command, "acme", "--yes"]).run().ok();
        assert_eq!(idp.call_api(&token).0, 401, "{command}");
        let family = idp.families(&client.id).pop().unwrap();
        assert!(family.revoked, "{command}: {family:?}");
        home.tokctl(["get", "acme"]).run().fails(5, &["tokctl login acme"]);
    }
    let requests = idp.requests_at("revocation");
    // One for the token, and two for what a logout ends: the refresh token and the token.
    assert!(requests.len() >= 3, "{requests:?}");
    for request in &requests {
        assert_eq!((&request["client"], &request["status"]), (&json!(client.id), &json!(200)));
        assert_eq!(request["basic"], false);
    }
    requests
}

#[test]
fn a_private_key_signs_an_assertion_for_each_revocation() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let key = Key::generate(Algorithm::ES256);
    let client = idp.register(&json!({
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [key.public_jwk()] },
    }));
    let options = ["--client-auth", "private_key_jwt"];
    add(&home, &idp, &client, &options, &[("private_key", key.pem())]);
    let mut seen = Vec::new();
    for request in end_both_ways(&home, &idp, &client) {
        let assertion = request["params"]["client_assertion"].as_str().unwrap_or_default();
        let claims = key.verify(assertion).unwrap_or_else(|error| panic!("{error}: {request}"));
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(client.id), &json!(idp.issuer())));
        assert!(!seen.contains(&claims["jti"]), "{claims}");
        seen.push(claims["jti"].clone());
    }
}

#[test]
fn a_certificate_is_shown_for_each_revocation() {
    let ca = PrivateCa::new().unwrap();
    let tls = Some(ca.leaf(&["127.0.0.1"]).unwrap());
    let idp = Idp::start_with(&Settings { tls, client_ca: Some(ca.file()), ..Settings::default() });
    let home = Home::new().init_bare();
    let client = idp.register(&json!({
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "client.example",
    }));
    let leaf = ca.client("client.example").unwrap();
    let file = ca.file();
    let options = ["--client-auth", "tls", "--ca-file", file.to_str().unwrap()];
    let [certificate, key] =
        [&leaf.certificate, &leaf.key].map(|path| fs::read_to_string(path).unwrap());
    let secrets = [("tls_certificate", certificate.as_str()), ("tls_key", key.as_str())];
    add(&home, &idp, &client, &options, &secrets);
    for request in end_both_ways(&home, &idp, &client) {
        assert_eq!(request["certificate"], true, "{request}");
    }
    let pushed = idp.requests_at("pushed_authorization_request");
    assert!(pushed.iter().all(|request| request["certificate"] == true), "{pushed:?}");
}
