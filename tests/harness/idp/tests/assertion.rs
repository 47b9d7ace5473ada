//! Clients that sign in with a JWT of theirs (RFC 7523 section 2.2).

use super::*;
use crate::keys::{Algorithm, hs256};

fn claims(idp: &Idp, client: &str, jti: &str) -> Value {
    json!({
        "iss": client, "sub": client, "aud": idp.issuer(), "jti": jti,
        "iat": now_s(), "exp": now_s() + 60,
    })
}

fn ask(idp: &Idp, assertion: &str) -> (u16, Value) {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    post(idp.token_endpoint(), &form)
}

#[test]
fn every_algorithm_signs_in() {
    let idp = Idp::start();
    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let key = Key::generate(algorithm);
        let client = idp.register_key(key.public_jwk());
        let good = key.sign(&key.header(), &claims(&idp, &client.id, "1"));
        let (status, answer) = ask(&idp, &good);
        assert_eq!(status, 200, "{algorithm:?}: {answer}");
        assert_eq!(ask(&idp, &good).1["error"], "invalid_client", "used twice");
        let request = idp.token_requests().pop().unwrap();
        assert_eq!(request["params"]["client_assertion"], good);
    }
}

#[test]
fn a_shared_secret_signs_in_too() {
    let idp = Idp::start();
    let client = idp
        .register(&json!({ "machine": true, "token_endpoint_auth_method": "client_secret_jwt" }));
    let header = json!({ "alg": "HS256" });
    let good = hs256(client.secret.as_bytes(), &header, &claims(&idp, &client.id, "1"));
    assert_eq!(ask(&idp, &good).0, 200);
    let bad = hs256(b"another", &header, &claims(&idp, &client.id, "2"));
    assert_eq!(ask(&idp, &bad).0, 401);
}
