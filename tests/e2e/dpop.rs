//! Tokens that are bound to a key (RFC 9449): asked for, shown with a proof, renewed, with and without nonces.

use serde_json::{Value, json};
use tokctl_tests::Home;
use tokctl_tests::http::{Call, Reply};
use tokctl_tests::idp::Idp;
use tokctl_tests::keys::{Algorithm, Key, parts};
use tokctl_tests::login::Login;

/// The profile `acme` of a machine, whose tokens are bound.
#[track_caller]
pub(super) fn machine(home: &Home, idp: &Idp) {
    machine_as("acme", home, idp);
}

#[track_caller]
fn machine_as(profile: &str, home: &Home, idp: &Idp) {
    let key = Key::generate(Algorithm::ES256);
    let client = idp.register(&json!({
        "machine": true,
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [key.public_jwk()] },
        "dpop_bound_access_tokens": true,
    }));
    home.tokctl(["add", profile, "--grant", "client_credentials", "--client-id", &client.id])
        .args(["--issuer", idp.issuer(), "--scope", "api", "--dpop", "--client-auth"])
        .arg("private_key_jwt")
        .run()
        .ok();
    let file = home.secret_file("key", key.pem());
    home.tokctl(["set-secret", profile, "--name", "private_key", "--secret-file"])
        .arg(file)
        .run()
        .ok();
}

/// The two header lines for one call of the API.
#[track_caller]
fn headers(home: &Home, idp: &Idp, options: &[&str]) -> [String; 2] {
    let printed = home
        .tokctl(["get", "acme", "--dpop", "--method", "GET", "--url", idp.api()])
        .args(options)
        .run()
        .ok();
    let lines: Vec<String> = printed.lines().map(str::to_owned).collect();
    lines.try_into().unwrap_or_else(|lines| panic!("two lines: {lines:?}"))
}

#[track_caller]
fn call(idp: &Idp, headers: &[String; 2]) -> Reply {
    let call = headers.iter().fold(Call::get(idp.api()), |call, line| {
        let (name, value) = line.split_once(": ").unwrap();
        call.header(name, value)
    });
    call.send().unwrap()
}

#[track_caller]
fn json(reply: &Reply) -> Value {
    reply.json().unwrap().1
}

#[test]
fn a_bound_token_is_good_with_its_proof_alone_and_each_proof_once() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    machine(&home, &idp);
    let headers = headers(&home, &idp, &[]);
    let reply = call(&idp, &headers);
    assert_eq!((reply.status, json(&reply)["bound_to"].as_str()), (200, Some("key")));
    assert_eq!(call(&idp, &headers).status, 401, "a proof was taken twice");
    let token = headers[0].strip_prefix("Authorization: DPoP ").unwrap();
    assert_eq!(idp.call_api(token).0, 401);

    home.tokctl(["get", "acme"])
        .run()
        .fails(2, &["bound to a key", "tokctl get acme --dpop --method GET --url URL"]);
    // One token, and no key in what was printed.
    assert_eq!(idp.token_requests().len(), 1);
    let (header, _) = parts(headers[1].strip_prefix("DPoP: ").unwrap()).unwrap();
    assert!(header["jwk"].get("d").is_none(), "{header}");
}

#[test]
fn the_key_is_the_same_after_a_restart() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    machine(&home, &idp);
    let jwk = |headers: &[String; 2]| {
        parts(headers[1].strip_prefix("DPoP: ").unwrap()).unwrap().0["jwk"].clone()
    };
    let before = headers(&home, &idp, &[]);
    home.stop_agent();
    let after = headers(&home, &idp, &[]);
    assert_eq!((jwk(&before), &before[0]), (jwk(&after), &after[0]));
    assert_eq!(call(&idp, &after).status, 200);
    assert_eq!(idp.token_requests().len(), 1);
}

#[test]
fn nonces_are_answered_at_the_provider_and_passed_on_for_the_api() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    idp.require_dpop_nonce(true);
    machine(&home, &idp);
    let first = headers(&home, &idp, &[]);
    let statuses: Vec<_> =
        idp.token_requests().iter().map(|request| request["status"].clone()).collect();
    assert_eq!(statuses, [400, 200]);
    assert_eq!(call(&idp, &first).status, 200);
    // From then on the nonce is known.
    machine_as("other", &home, &idp);
    home.tokctl(["get", "other", "--dpop", "--method", "GET", "--url", idp.api()]).run().ok();
    assert_eq!(idp.token_requests().len(), 3);

    idp.require_api_dpop_nonce(true);
    let refused = call(&idp, &headers(&home, &idp, &[]));
    let nonce = refused.header("dpop-nonce").unwrap().to_owned();
    assert_eq!(call(&idp, &headers(&home, &idp, &["--nonce", &nonce])).status, 200);
}

#[test]
fn a_public_clients_refresh_token_is_renewed_with_the_key_of_its_login() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    idp.require_dpop_nonce(true);
    home.tokctl(["add", "acme", "--grant", "authorization_code", "--client-id"])
        .args([idp.client("dpop").id.as_str(), "--issuer", idp.issuer(), "--dpop"])
        .args(["--client-auth", "none", "--scope", "openid offline_access api"])
        .run()
        .ok();
    let login = Login::start(&home, "acme", &["--browser"]);
    let address = login.address();
    let back = idp.authorize(&address.0);
    Call::get(&back).send().unwrap();
    login.finish().ok();
    let reply = call(&idp, &headers(&home, &idp, &[]));
    assert_eq!((reply.status, json(&reply)["bound_to"].as_str()), (200, Some("key")));
    for _ in 0..2 {
        let reply = call(&idp, &headers(&home, &idp, &["--refresh"]));
        assert_eq!((reply.status, json(&reply)["bound_to"].as_str()), (200, Some("key")));
    }
}

#[test]
fn curl_proves_its_one_request_and_takes_the_nonce_that_is_asked_for() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    machine(&home, &idp);
    let curl = |words: &[&str]| home.tokctl(["curl", "acme", "-sS"]).args(words).arg(idp.api());
    assert_eq!(curl(&[]).run().json()["bound_to"], "key");
    idp.require_api_dpop_nonce(true);
    assert_eq!(curl(&[]).run().json()["bound_to"], "key");
    curl(&["-L"]).run().fails(125, &["bound to a key"]);
    // One proof is for one request.
    curl(&[idp.api()]).run().fails(125, &["bound to a key"]);
}

#[test]
fn a_probe_proves_its_one_request_and_takes_the_nonce_that_is_asked_for() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    machine(&home, &idp);
    let verdict =
        || home.tokctl(["probe", "acme", "--json", idp.api()]).run().json()["verdict"].clone();
    assert_eq!(verdict(), "the token works here");
    idp.require_api_dpop_nonce(true);
    assert_eq!(verdict(), "the token works here");
}
