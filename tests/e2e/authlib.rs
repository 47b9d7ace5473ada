//! A second provider, Authlib's: the same promises against another reading of the standards.

use serde_json::{Value, json};
use tokctl_tests::authlib::Authlib;
use tokctl_tests::http::Call;
use tokctl_tests::keys::{Algorithm, Key};
use tokctl_tests::login::Login;
use tokctl_tests::{Home, Run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

/// Who proves itself by what it signs.
fn signing(id: &str, key: &Key) -> Value {
    json!({ "id": id, "method": "client_assertion_jwt", "jwk": key.public_jwk() })
}

fn add(home: &Home, profile: &str, server: &Authlib, grant: &str) -> Run {
    home.tokctl(["add", profile, "--grant", grant, "--issuer", server.issuer(), "--client-id"])
        .args([profile, "--scope", "read"])
}

/// Stores what the profile signs with.
fn store_key(home: &Home, profile: &str, key: &Key) {
    let file = home.secret_file(&format!("{profile}.key"), key.pem());
    home.tokctl(["set-secret", profile, "--name", "private_key", "--secret-file"])
        .arg(file)
        .run()
        .ok();
}

#[test]
fn what_a_client_signs_proves_it_whatever_the_algorithm() {
    let keys = ALGORITHMS.map(Key::generate);
    let named = || ALGORITHMS.iter().map(|it| format!("{it:?}").to_lowercase()).zip(&keys);
    let mut clients: Vec<Value> = named().map(|(id, key)| signing(&id, key)).collect();
    clients.push(json!({ "id": "shared", "method": "client_assertion_jwt", "secret": SECRET }));
    clients.push(signing("other", &Key::generate(Algorithm::ES256)));
    let (home, server) = (Home::new().init_bare(), Authlib::start(&clients));
    for (id, key) in named() {
        let alg = format!("{:?}", key.algorithm());
        add(&home, &id, &server, "client_credentials")
            .args(["--client-auth", "private_key_jwt", "--alg", &alg])
            .run()
            .ok();
        store_key(&home, &id, key);
        let (status, body) = server.call_api(&home.get(&id));
        assert_eq!((status, &body["client"]), (200, &json!(id)), "{body}");
        // An assertion is good once, so the next request has another.
        home.tokctl(["get", &id, "--scope", "write"]).run().ok();
    }
    let secret = home.secret_file("shared.secret", SECRET);
    add(&home, "shared", &server, "client_credentials")
        .args(["--client-auth", "client_secret_jwt", "--secret-file"])
        .arg(secret)
        .run()
        .ok();
    assert_eq!(server.call_api(&home.get("shared")).0, 200);
    // The judge is no rubber stamp.
    add(&home, "other", &server, "client_credentials")
        .args(["--client-auth", "private_key_jwt"])
        .run()
        .ok();
    store_key(&home, "other", &Key::generate(Algorithm::ES256));
    home.tokctl(["get", "other"]).run().fails(6, &["invalid_client", "--name private_key"]);
}

#[test]
fn what_is_signed_for_a_person_is_a_grant() {
    let keys = ALGORITHMS.map(Key::generate);
    let named = || ALGORITHMS.iter().map(|it| format!("{it:?}").to_lowercase()).zip(&keys);
    let clients: Vec<Value> = named().map(|(id, key)| signing(&id, key)).collect();
    let (home, server) = (Home::new().init_bare(), Authlib::start(&clients));
    for (id, key) in named() {
        let alg = format!("{:?}", key.algorithm());
        let file = home.secret_file("key", key.pem());
        add(&home, &id, &server, "jwt_bearer")
            .args(["--sub", "ada", "--alg", &alg, "--key-file"])
            .arg(file)
            .run()
            .ok();
        let (status, body) = server.call_api(&home.get(&id));
        assert_eq!((status, &body["user"]), (200, &json!("ada")), "{body}");
    }
}

#[test]
fn a_login_is_renewed_with_one_refresh_token_after_the_other_and_ends() {
    let client = json!({ "id": "app", "method": "none" });
    let (home, server) = (Home::new().init_bare(), Authlib::start(&[client]));
    add(&home, "app", &server, "authorization_code").args(["--client-auth", "none"]).run().ok();
    let login = Login::start(&home, "app", &["--browser"]);
    let address = login.address();
    let back = server.agree(&address.0);
    assert!(address.send(address.head(&back).as_bytes()).contains("You are logged in"));
    login.finish().ok();
    let first = home.get("app");
    let (status, body) = server.call_api(&first);
    assert_eq!((status, &body["user"], &body["scope"]), (200, &json!("ada"), &json!("read")));
    // Each renewal burns the refresh token before it. A token that came a moment ago is new enough, unless another
    // agent got it.
    let mut token = first;
    for _ in 0..2 {
        home.stop_agent();
        home.tokctl(["refresh", "app"]).run().ok();
        let next = home.get("app");
        assert_ne!(next, token);
        assert_eq!(server.call_api(&next).0, 200);
        token = next;
    }
    home.tokctl(["logout", "app", "--yes"]).run().ok();
    assert_eq!(server.call_api(&token).0, 401);
}

#[test]
fn a_bound_token_is_taken_with_a_proof_and_with_none_refused() {
    let key = Key::generate(Algorithm::ES256);
    let client = signing("bound", &key);
    let (home, server) = (Home::new().init_bare(), Authlib::start(&[client]));
    add(&home, "bound", &server, "client_credentials")
        .args(["--client-auth", "private_key_jwt", "--dpop"])
        .run()
        .ok();
    store_key(&home, "bound", &key);
    let printed = home
        .tokctl(["get", "bound", "--dpop", "--method", "GET", "--url", &server.api()])
        .run()
        .ok();
    let headers: Vec<(&str, &str)> =
        printed.lines().map(|line| line.split_once(": ").unwrap()).collect();
    let call = |headers: &[(&str, &str)]| {
        let call = headers
            .iter()
            .fold(Call::get(&server.api()), |it, (name, value)| it.header(name, value));
        call.send().unwrap().status
    };
    assert_eq!(headers.len(), 2, "{printed}");
    assert_eq!(call(&headers), 200);
    assert_eq!(call(&headers), 401, "a proof was taken twice");
    assert_ne!(call(&headers[..1]), 200);
}
