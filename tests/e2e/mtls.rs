//! A client proved by the certificate on its connection (RFC 8705), by one that an authority has signed and by one that
//! nobody has, at a provider that asks for certificates at its aliases alone.

use std::fs;

use serde_json::{Value, json};
use tokctl_tests::ca::{Leaf, PrivateCa};
use tokctl_tests::http::Call;
use tokctl_tests::idp::{Client, Idp, Settings};
use tokctl_tests::{Home, Run};

fn provider(ca: &PrivateCa) -> Idp {
    let leaf = ca.leaf(&["127.0.0.1"]).unwrap();
    let settings = Settings { tls: Some(leaf), client_ca: Some(ca.file()), ..Settings::default() };
    Idp::start_with(&settings)
}

/// Adds a client's profile with a certificate and its key, in one step or in two.
#[track_caller]
fn add(home: &Home, idp: &Idp, ca: &PrivateCa, client: &Client, leaf: &Leaf, at_once: bool) {
    let add = home
        .tokctl(["add", "acme", "--grant", "client_credentials", "--client-id", &client.id])
        .args(["--issuer", idp.issuer(), "--scope", "api", "--ca-file"])
        .arg(ca.file());
    match at_once {
        true => drop(with_files(add, leaf).run().ok()),
        false => {
            add.args(["--client-auth", "tls"]).run().ok();
            store(home, leaf);
        }
    }
}

fn with_files(run: Run, leaf: &Leaf) -> Run {
    run.arg("--certificate-file")
        .arg(&leaf.certificate)
        .arg("--certificate-key-file")
        .arg(&leaf.key)
}

#[track_caller]
fn store(home: &Home, leaf: &Leaf) {
    for (name, path) in [("tls_certificate", &leaf.certificate), ("tls_key", &leaf.key)] {
        let file = home.secret_file(name, &fs::read_to_string(path).unwrap());
        home.tokctl(["set-secret", "acme", "--name", name, "--secret-file"]).arg(file).run().ok();
    }
}

#[track_caller]
fn called(idp: &Idp, token: &str, shown: Option<&Leaf>) -> (u16, Value) {
    let call = Call::get(idp.mtls_api()).header("authorization", &format!("Bearer {token}"));
    let call = match shown {
        Some(leaf) => call.identity(leaf),
        None => call,
    };
    call.send().and_then(|reply| reply.json()).unwrap()
}

#[test]
fn a_certificate_proves_its_client_and_its_tokens_are_bound_to_it() {
    let ca = PrivateCa::new().unwrap();
    for (by_authority, at_once) in [(true, true), (true, false), (false, true)] {
        let (home, idp) = (Home::new().init_bare(), provider(&ca));
        let (leaf, metadata) = match by_authority {
            true => (
                ca.client("client.example").unwrap(),
                json!({
                    "token_endpoint_auth_method": "tls_client_auth",
                    "tls_client_auth_san_dns": "client.example",
                }),
            ),
            false => {
                let leaf = ca.self_signed_client("client.example").unwrap();
                let certificate = fs::read_to_string(&leaf.certificate).unwrap();
                let method = "self_signed_tls_client_auth";
                let metadata =
                    json!({ "token_endpoint_auth_method": method, "certificate": certificate });
                (leaf, metadata)
            }
        };
        let mut metadata = metadata;
        metadata["machine"] = true.into();
        metadata["tls_client_certificate_bound_access_tokens"] = true.into();
        let client = idp.register(&metadata);
        add(&home, &idp, &ca, &client, &leaf, at_once);
        let token = home.get("acme");
        let [request] = &idp.token_requests()[..] else { panic!("one request") };
        assert_eq!((&request["client"], &request["basic"]), (&json!(client.id), &json!(false)));
        assert!(!request["certificate"].is_null(), "{request}");

        let (status, body) = called(&idp, &token, Some(&leaf));
        assert_eq!((status, body["bound_to"].as_str()), (200, Some("certificate")), "{body}");
        assert_eq!(called(&idp, &token, None).0, 401);
    }
}

#[test]
fn a_client_with_a_certificate_renews_and_ends_what_it_holds() {
    let ca = PrivateCa::new().unwrap();
    let (home, idp) = (Home::new().init_bare(), provider(&ca));
    let leaf = ca.client("client.example").unwrap();
    let client = idp.register(&json!({
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "client.example",
    }));
    let minted = idp.mint(&client.id);
    let refresh_token = home.secret_file("refresh_token", &minted.refresh_token);
    let add = home
        .tokctl(["add", "acme", "--grant", "refresh_token", "--client-id", &client.id])
        .args(["--issuer", idp.issuer(), "--ca-file"])
        .arg(ca.file())
        .arg("--refresh-token-file")
        .arg(refresh_token);
    with_files(add, &leaf).run().ok();
    let token = home.get("acme");
    assert_eq!(called(&idp, &token, None).0, 200);
    home.tokctl(["logout", "acme", "--yes"]).run().ok();
    assert_eq!(called(&idp, &token, None).0, 401);
    assert!(idp.family(&minted.family).revoked);
    let shown = home.tokctl(["show", "acme", "--json"]).run().json();
    assert_eq!(shown["secrets"], json!(["tls_certificate", "tls_key"]));
    let revocations = idp.requests_at("revocation");
    assert!(!revocations.is_empty());
    for request in revocations {
        assert!(!request["certificate"].is_null(), "{request}");
    }
}

#[test]
fn a_certificate_that_could_not_be_shown_is_not_added() {
    let ca = PrivateCa::new().unwrap();
    let home = Home::new().init_bare();
    let (leaf, other) = (ca.client("client.example").unwrap(), ca.client("other").unwrap());
    let add = || {
        home.tokctl(["add", "acme", "--client-id", "cc", "--grant", "client_credentials"])
            .args(["--token-endpoint", "https://127.0.0.1:1/"])
    };
    let swapped = Leaf { key: other.key, certificate: leaf.certificate.clone() };
    let turned = Leaf { certificate: leaf.key.clone(), key: leaf.certificate.clone() };
    for (pair, words) in [
        (&swapped, ["the certificate is of another key", "--certificate-key-file"]),
        (&turned, ["`tls_certificate` is no certificate", "--certificate-file"]),
    ] {
        with_files(add(), pair).run().fails(2, &words);
    }
    add().arg("--certificate-file").arg(&leaf.certificate).run().fails(2, &["--certificate-key"]);
    assert_eq!(home.profiles(), Vec::<String>::new());
    with_files(add(), &leaf).run().ok();
    let config = fs::read_to_string(home.config()).unwrap();
    assert!(config.contains("client_auth = \"tls\""), "{config}");
}

#[test]
fn a_certificate_that_is_missing_or_wrong_says_what_to_store() {
    let ca = PrivateCa::new().unwrap();
    let (home, idp) = (Home::new().init_bare(), provider(&ca));
    let leaf = ca.client("client.example").unwrap();
    let client = idp.register(&json!({
        "machine": true,
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "client.example",
    }));
    home.tokctl(["add", "acme", "--grant", "client_credentials", "--client-id", &client.id])
        .args(["--issuer", idp.issuer(), "--scope", "api", "--client-auth", "tls", "--ca-file"])
        .arg(ca.file())
        .run()
        .ok();
    home.tokctl(["get", "acme"]).run().fails(
        5,
        &["no secret `tls_certificate` is stored", "tokctl set-secret acme --name tls_certificate"],
    );
    // A key that is another's is seen here, a name that is another's is the provider's to see.
    let other = ca.client("other.example").unwrap();
    store(&home, &Leaf { key: other.key.clone(), ..leaf });
    home.tokctl(["get", "acme"])
        .run()
        .fails(5, &["cannot use the stored certificate and its key", "--name tls_key"]);
    assert_eq!(idp.token_requests().len(), 0);
    store(&home, &other);
    home.tokctl(["get", "acme"])
        .run()
        .fails(6, &["invalid_client", "tokctl set-secret acme --name tls_certificate"]);
}
