//! Keys that the agent makes: what is printed of one is all that its provider needs.

use serde_json::{Value, json};
use tokctl_tests::http::Call;
use tokctl_tests::idp::Idp;
use tokctl_tests::keys::parts;
use tokctl_tests::login::Login;
use tokctl_tests::{Home, Run};

fn add(home: &Home, idp: &Idp, grant: &str, algorithm: &str) -> Run {
    home.tokctl(["add", "acme", "--grant", grant, "--client-id", "mine", "--scope", "api"]).args([
        "--issuer",
        idp.issuer(),
        "--generate-key",
        algorithm,
    ])
}

/// Registers a public key for the client.
#[track_caller]
fn register(idp: &Idp, jwk: &Value, further: Value) {
    assert!(jwk.get("d").is_none(), "{jwk}");
    let mut metadata = further;
    metadata["client_id"] = "mine".into();
    metadata["token_endpoint_auth_method"] = "private_key_jwt".into();
    metadata["jwks"] = json!({ "keys": [jwk] });
    idp.register(&metadata);
}

#[test]
fn what_is_printed_of_a_key_proves_its_client() {
    for algorithm in ["ES256", "EdDSA", "RS256", "PS256"] {
        let (home, idp) = (Home::new().init_bare(), Idp::start());
        // With `--check` too: nobody could know the key yet.
        let made = add(&home, &idp, "client_credentials", algorithm).arg("--check").run();
        let jwk = made.fails(0, &["no token was asked for", "register this public key"]).json();
        assert_eq!((&jwk["alg"], &jwk["use"]), (&json!(algorithm), &json!("sig")));
        assert!(idp.token_requests().is_empty());
        register(&idp, &jwk, json!({ "machine": true }));
        assert_eq!(idp.call_api(&home.get("acme")).0, 200, "{algorithm}");
        let [request] = &idp.token_requests()[..] else { panic!("one request") };
        let assertion = request["params"]["client_assertion"].as_str().unwrap();
        assert_eq!(parts(assertion).unwrap().0["kid"], jwk["kid"]);
    }
}

#[test]
fn a_person_logs_in_at_a_client_with_a_key_that_was_made() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let made = add(&home, &idp, "authorization_code", "ES256")
        .args(["--scope", "openid offline_access", "--json"])
        .run();
    let made = made.fails(0, &["then run `tokctl login acme`"]).json();
    assert!(made["pem"].as_str().unwrap().starts_with("-----BEGIN PUBLIC KEY-----"), "{made}");
    register(&idp, &made["public_key"], json!({}));
    let login = Login::start(&home, "acme", &["--browser"]);
    let address = login.address();
    let back = idp.authorize(&address.0);
    Call::get(&back).send().unwrap();
    login.finish().ok();
    assert_eq!(idp.call_api(&home.get("acme")).0, 200);
    home.tokctl(["refresh", "acme"]).run().ok();
    assert_eq!(idp.call_api(&home.get("acme")).0, 200);
}

#[test]
fn a_key_is_never_replaced_by_the_way() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let first = add(&home, &idp, "client_credentials", "ES256").run().json();
    let again = || add(&home, &idp, "client_credentials", "ES256");
    assert_eq!(again().run().fails(2, &["--replace"]).stdout, "");
    let config = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), "").unwrap();
    let refused = again().run().fails(2, &["the vault has a private key", "--replace"]);
    assert_eq!(refused.stdout, "");
    // The key of before is still there, and is used.
    std::fs::write(home.config(), config).unwrap();
    register(&idp, &first, json!({ "machine": true }));
    home.get("acme");
    let second = again().arg("--replace").run().json();
    assert_ne!(first["kid"], second["kid"]);
    home.tokctl(["get", "acme"]).run().fails(6, &["invalid_client"]);
    register(&idp, &second, json!({ "machine": true }));
    home.tokctl(["refresh", "acme"]).run().ok();
    assert_eq!(idp.call_api(&home.get("acme")).0, 200);
}
