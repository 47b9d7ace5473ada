//! Authorization requests that are pushed (RFC 9126): where the provider wants it, where it only can, and where it
//! cannot.

use serde_json::{Value, json};
use tokctl_tests::Home;
use tokctl_tests::http::Call;
use tokctl_tests::idp::{Client, Idp, Settings};
use tokctl_tests::keys::{Algorithm, Key};
use tokctl_tests::login::{Address, Login};

const PUSHED: &str = "pushed_authorization_request";

/// Adds a profile that people log in with, and what its client proves itself by.
#[track_caller]
fn with_profile(idp: &Idp, client: &Client, auth: &str, secret: Option<(&str, &str)>) -> Home {
    let home = Home::new().init_bare();
    home.tokctl(["add", "acme", "--grant", "authorization_code", "--client-id", &client.id])
        .args(["--issuer", idp.issuer(), "--client-auth", auth, "--scope", "openid api"])
        .run()
        .ok();
    if let Some((name, text)) = secret {
        let file = home.secret_file(name, text);
        home.tokctl(["set-secret", "acme", "--name", name, "--secret-file"]).arg(file).run().ok();
    }
    home
}

/// Goes through a login, and gives the address that the person was sent to.
#[track_caller]
fn log_in(home: &Home, idp: &Idp) -> Address {
    let login = Login::start(home, "acme", &["--browser"]);
    let address = login.address();
    Call::get(&idp.authorize(&address.0)).send().unwrap();
    login.finish().ok();
    assert_eq!(idp.call_api(&home.get("acme")).0, 200);
    address
}

/// The names of the parameters in an address, in order.
fn names(address: &Address) -> Vec<&str> {
    let query = address.0.split_once('?').map_or("", |(_, query)| query);
    let mut names: Vec<&str> = query.split('&').filter_map(|it| it.split('=').next()).collect();
    names.sort_unstable();
    names
}

/// The one request that was pushed.
#[track_caller]
fn pushed(idp: &Idp) -> Value {
    match &idp.requests_at(PUSHED)[..] {
        [request] => request.clone(),
        requests => panic!("one request is pushed: {requests:?}"),
    }
}

#[test]
fn where_it_is_required_the_browser_carries_a_reference_and_nothing_else() {
    let idp = Idp::start_with(&Settings { par_required: true, ..Settings::default() });
    let home = with_profile(&idp, &idp.client("par"), "none", None);
    let address = log_in(&home, &idp);
    assert_eq!(names(&address), ["client_id", "request_uri"], "{address:?}");
    let request = pushed(&idp);
    assert_eq!((&request["client"], &request["status"]), (&json!("par"), &json!(201)));
    let params = &request["params"];
    assert_eq!(params["code_challenge_method"], "S256", "{params}");
    for name in ["state", "nonce", "redirect_uri", "scope", "response_type", "code_challenge"] {
        assert!(params[name].as_str().is_some_and(|value| !value.is_empty()), "{name}: {params}");
    }
}

#[test]
fn where_it_is_offered_it_is_used_as_well() {
    let idp = Idp::start();
    let home = with_profile(&idp, &idp.client("native"), "none", None);
    let address = log_in(&home, &idp);
    assert_eq!(names(&address), ["client_id", "request_uri"], "{address:?}");
    assert_eq!(pushed(&idp)["client"], "native");
}

#[test]
fn a_client_proves_itself_when_it_pushes() {
    let idp = Idp::start();
    let web = idp.client("web");
    let home = with_profile(&idp, &web, "basic", Some(("client_secret", &web.secret)));
    log_in(&home, &idp);
    let request = pushed(&idp);
    assert_eq!((&request["basic"], &request["client"]), (&json!(true), &json!(web.id)));
    home.tokctl(["set-secret", "acme", "--secret-file"])
        .arg(home.secret_file("wrong", "wrong"))
        .run()
        .ok();
    home.tokctl(["login", "acme", "--browser"]).run().fails(6, &["acme", "invalid_client"]);
}

#[test]
fn each_request_of_a_login_has_an_assertion_of_its_own() {
    let idp = Idp::start();
    let key = Key::generate(Algorithm::ES256);
    let client = idp.register(&json!({
        "token_endpoint_auth_method": "private_key_jwt",
        "require_pushed_authorization_requests": true,
        "jwks": { "keys": [key.public_jwk()] },
    }));
    let secret = Some(("private_key", key.pem()));
    let home = with_profile(&idp, &client, "private_key_jwt", secret);
    log_in(&home, &idp);
    let requests = [pushed(&idp), idp.token_requests().remove(0)];
    let [push, exchange] = requests.map(|request| {
        assert_eq!(request["client"], json!(client.id), "{request}");
        let assertion = request["params"]["client_assertion"].as_str().unwrap_or_default();
        let claims = key.verify(assertion).unwrap();
        assert_eq!(claims["aud"], idp.issuer());
        claims["jti"].clone()
    });
    assert_ne!(push, exchange);
}

#[test]
fn where_it_is_not_offered_the_address_says_it_all() {
    let idp = Idp::start_with(&Settings { without: vec!["par"], ..Settings::default() });
    let home = with_profile(&idp, &idp.client("native"), "none", None);
    let address = log_in(&home, &idp);
    for (name, value) in
        [("client_id", "native"), ("response_type", "code"), ("code_challenge_method", "S256")]
    {
        assert_eq!(address.parameter(name), value);
    }
    assert!(!names(&address).contains(&"request_uri"), "{address:?}");
    assert_eq!(idp.requests_at(PUSHED).len(), 0);
}

#[test]
fn a_provider_that_requires_what_it_does_not_offer_is_told_of() {
    let settings = Settings { par_required: true, without: vec!["par"], ..Settings::default() };
    let idp = Idp::start_with(&settings);
    let home = with_profile(&idp, &idp.client("native"), "none", None);
    home.tokctl(["login", "acme", "--browser"]).run().fails(
        10,
        &["pushed_authorization_request_endpoint", "tokctl set acme pushed_authorization_request"],
    );
}
