//! Tokens for an assertion that is signed here (RFC 7523), with another library as the judge of the signature.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokctl_tests::api::{self, Reply};
use tokctl_tests::http::Message;
use tokctl_tests::jwt::Key;
use tokctl_tests::{Api, Home, Run};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A token endpoint that answers every request with the next token.
fn provider() -> Api {
    let issued = AtomicUsize::new(0);
    Api::start(move |_| {
        let token = format!("token-{}", issued.fetch_add(1, Ordering::SeqCst));
        // A refresh token is none of this grant's, and is not used.
        Reply::json(
            200,
            &json!({ "access_token": token, "expires_in": 3600, "refresh_token": "r" }),
        )
    })
}

fn parameters(request: &Message) -> BTreeMap<String, String> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}

fn add(home: &Home, api: &Api, key: &Key) -> Run {
    home.tokctl(["add", "acme", "--grant", "jwt_bearer", "--client-id", "app"])
        .args(["--token-endpoint", &api.url("/token"), "--key-file"])
        .arg(home.secret_file("key.pem", &key.private))
}

#[test]
fn every_algorithm_signs_what_another_library_verifies() {
    let home = Home::new().init_bare();
    for algorithm in ["RS256", "PS256", "ES256", "EdDSA"] {
        let (api, key) = (provider(), Key::generate(algorithm));
        let options = ["--alg", algorithm, "--kid", "k1", "--sub", "ada@acme.example"];
        add(&home, &api, &key).args(options).args(["--scope", "a b", "--replace"]).run().ok();
        assert_eq!(home.get("acme"), "token-0", "{algorithm}");

        let parameters = parameters(&api.requests()[0]);
        assert_eq!(parameters["grant_type"], GRANT_TYPE);
        assert_eq!(parameters["scope"], "a b");
        let signed = key.check(&parameters["assertion"]);
        assert_eq!(
            (&signed.header["alg"], &signed.header["kid"]),
            (&json!(algorithm), &json!("k1"))
        );
        let claims = &signed.claims;
        for (name, value) in
            [("iss", "app"), ("sub", "ada@acme.example"), ("aud", &*api.url("/token"))]
        {
            assert_eq!(claims[name], value, "{algorithm} {name}");
        }
        let life_s = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert!((1..=3600).contains(&life_s), "{claims}");
    }
}

#[test]
fn each_request_has_an_assertion_of_its_own_and_no_refresh_token() {
    let (home, api, key) = (Home::new().init_bare(), provider(), Key::generate("ES256"));
    add(&home, &api, &key).run().ok();
    home.get("acme");
    // A second agent asks anew: the first one's token is a moment old.
    home.tokctl(["get", "acme", "--scope", "other"]).run().ok();
    let requests = api.requests();
    let asked: Vec<_> = requests.iter().map(parameters).collect();
    assert_eq!(asked.len(), 2);
    let ids: Vec<Value> =
        asked.iter().map(|asked| key.check(&asked["assertion"]).claims["jti"].clone()).collect();
    assert!(ids[0].is_string() && ids[0] != ids[1], "{ids:?}");
    assert!(asked.iter().all(|asked| asked["grant_type"] == GRANT_TYPE));
}

#[test]
fn claims_take_json_and_the_scope() {
    let (home, api, key) = (Home::new().init_bare(), provider(), Key::generate("RS256"));
    add(&home, &api, &key)
        .args(["--scope", "signature", "--scope", "impersonation"])
        .args(["--claims", "scope={scope}", "--claims", "groups=[\"a\"]", "--claims", "n=1"])
        .args(["--assertion-audience", "account-d.docusign.com", "--assertion-lifetime", "1h"])
        .run()
        .ok();
    home.get("acme");
    let parameters = parameters(&api.requests()[0]);
    assert!(!parameters.contains_key("scope"), "{parameters:?}");
    let claims = key.check(&parameters["assertion"]).claims;
    assert_eq!(claims["scope"], "impersonation signature");
    assert_eq!((&claims["groups"], &claims["n"]), (&json!(["a"]), &json!(1)));
    assert_eq!(claims["aud"], "account-d.docusign.com");
}

#[test]
fn the_file_of_a_service_account_is_all_it_takes() {
    let (home, api, key) = (Home::new().init_bare(), provider(), Key::generate("RS256"));
    let file = json!({
        "type": "service_account", "project_id": "p", "private_key_id": "k1",
        "private_key": key.private, "client_email": "ci@p.iam.gserviceaccount.com",
        "client_id": "117", "token_uri": api.url("/token"),
    });
    let file = home.secret_file("account.json", &file.to_string());
    let said = home
        .tokctl(["add", "ci", "--scope", "https://www.googleapis.com/auth/devstorage.read_only"])
        .args(["--allow-http-loopback", "--from-json"])
        .arg(&file)
        .run()
        .exits(0);
    assert!(!said.stderr.contains("no private key"), "{said:?}");
    let leftover = format!("{} still holds the private key", file.display());
    assert!(said.stderr.contains(&leftover), "{said:?}");
    assert_eq!(home.get("ci"), "token-0");

    let signed = key.check(&parameters(&api.requests()[0])["assertion"]);
    assert_eq!(signed.header["kid"], "k1");
    for (name, value) in [
        ("iss", json!("ci@p.iam.gserviceaccount.com")),
        ("aud", json!(api.url("/token"))),
        ("scope", json!("https://www.googleapis.com/auth/devstorage.read_only")),
    ] {
        assert_eq!(signed.claims[name], value, "{name}");
    }
    let config = std::fs::read_to_string(home.config()).unwrap();
    assert!(!config.contains("PRIVATE KEY"), "{config}");
}

#[test]
fn a_file_without_a_key_adds_nothing() {
    let home = Home::new().init_bare();
    for (text, said) in [
        (r#"{"type":"authorized_user","refresh_token":"hunter2"}"#, "tokctl import google"),
        ("-----BEGIN PRIVATE KEY-----\nhunter2\n", "--key-file"),
        (r#"{"type":"service_account","private_key":"hunter2"}"#, "client_email"),
    ] {
        let file = home.secret_file("account.json", text);
        let output = home.tokctl(["add", "ci", "--from-json"]).arg(&file).run().fails(2, &[said]);
        assert!(!output.stderr.contains("hunter2"), "{output:?}");
    }
    assert_eq!(home.profiles(), Vec::<String>::new());
}

#[test]
fn a_refused_assertion_asks_for_the_key_and_another_key_mends_it() {
    let refused =
        json!({ "error": "invalid_grant", "error_description": "Invalid JWT Signature." });
    let good = Key::generate("ES256");
    let judge = good.clone();
    // The provider knows one key alone.
    let api = Api::start(move |request| {
        let assertion = &parameters(request)["assertion"];
        match std::panic::catch_unwind(|| judge.check(assertion)) {
            Ok(_) => Reply::json(200, &json!({ "access_token": "tok", "expires_in": 60 })),
            Err(_) => Reply::json(400, &refused),
        }
    });
    let home = Home::new().init_bare();
    add(&home, &api, &Key::generate("ES256")).run().ok();
    home.tokctl(["get", "acme"])
        .run()
        .fails(5, &["invalid_grant: \"Invalid JWT Signature.\"", "run `tokctl set-secret acme`\n"]);
    let file = home.secret_file("good.pem", &good.private);
    home.tokctl(["set-secret", "acme", "--key-file"]).arg(file).run().ok();
    assert_eq!(home.get("acme"), "tok");
}

#[test]
fn a_key_that_is_missing_or_cannot_sign_is_said_before_anybody_is_asked() {
    let (home, api) = (Home::new().init_bare(), provider());
    let endpoint = api.url("/token");
    let bare = ["add", "acme", "--grant", "jwt_bearer", "--client-id", "app", "--token-endpoint"];
    home.tokctl(bare).arg(&endpoint).run().fails(0, &["no private key is stored"]);
    home.tokctl(["get", "acme"]).run().fails(5, &["private_key", "tokctl set-secret acme"]);

    add(&home, &api, &Key::generate("ES256")).args(["--alg", "RS256", "--replace"]).run().ok();
    home.tokctl(["get", "acme"]).run().fails(10, &["cannot sign RS256", "alg="]);

    let noise = home.secret_file("noise", "no key at all");
    home.tokctl(["set-secret", "acme", "--key-file"]).arg(noise).run().ok();
    let output = home.tokctl(["get", "acme"]).run().fails(5, &["neither PEM nor a JWK"]);
    assert!(!output.stderr.contains("no key at all"), "{output:?}");
    assert_eq!(api.requests().len(), 0);
}

#[test]
fn a_key_does_not_follow_its_profile_to_another_host() {
    let (home, api, thief) = (Home::new().init_bare(), provider(), provider());
    add(&home, &api, &Key::generate("ES256")).run().ok();
    let endpoint = format!("token_endpoint={}", thief.url("/token"));
    home.tokctl(["set", "acme", &endpoint]).run().ok();
    home.tokctl(["get", "acme"]).run().fails(10, &["tokctl set-secret acme"]);
    assert_eq!(thief.requests().len(), 0);
}

#[test]
fn a_clock_that_is_off_is_named_where_an_assertion_is_refused() {
    let refused =
        json!({ "error": "invalid_grant", "error_description": "Token not in timeframe" });
    let api = Api::start(move |_| Reply::json(400, &refused).with("date", api::date("2 days")));
    let home = Home::new().init_bare();
    add(&home, &api, &Key::generate("ES256")).run().ok();
    home.tokctl(["get", "acme"]).run().fails(5, &["the clock of this machine is 2d behind"]);
}
