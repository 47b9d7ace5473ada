//! A client proved by an assertion under the secret that it shares (RFC 7523 section 2.2, RFC 7518 section 3.2).

use serde_json::json;
use tokctl_tests::Home;
use tokctl_tests::idp::Idp;
use tokctl_tests::keys::parts;

const LONG: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn the_secret_signs_and_is_never_sent() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    let method = "client_secret_jwt";
    let client = idp.register(
        &json!({ "machine": true, "token_endpoint_auth_method": method, "client_secret": LONG }),
    );
    home.add("acme", &client.id, LONG)
        .args(["--issuer", idp.issuer(), "--scope", "api", "--client-auth", method])
        .run()
        .ok();
    let (status, body) = idp.call_api(&home.get("acme"));
    assert_eq!((status, body["client_id"].as_str()), (200, Some(client.id.as_str())), "{body}");
    let [request] = &idp.token_requests()[..] else { panic!("one request") };
    assert_eq!(request["basic"], false);
    assert!(request["params"].get("client_secret").is_none(), "{request}");
    let assertion = request["params"]["client_assertion"].as_str().unwrap();
    assert_eq!(parts(assertion).unwrap().0["alg"], "HS256");
}

#[test]
fn a_secret_that_is_too_short_to_sign_is_named_before_anything_is_sent() {
    let (home, idp) = (Home::new().init_bare(), Idp::start());
    home.add("acme", "cc", &LONG[1..])
        .args(["--issuer", idp.issuer(), "--client-auth", "client_secret_jwt"])
        .run()
        .ok();
    home.tokctl(["get", "acme"]).run().fails(
        5,
        &["the client secret has 31 bytes, and HS256 needs 32", "run `tokctl set-secret acme`"],
    );
    assert_eq!(idp.token_requests().len(), 0);
}
