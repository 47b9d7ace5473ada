//! Tokens that are of use only to who has a key: by DPoP (RFC 9449) or a client certificate (RFC 8705).

use super::*;
use crate::ca::Leaf;
use crate::keys::Algorithm;

struct Proof<'a> {
    method: &'a str,
    url: &'a str,
    jti: &'a str,
    nonce: Option<&'a str>,
    token: Option<&'a str>,
}

impl Proof<'_> {
    fn signed(&self, key: &Key) -> String {
        let header = json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": key.public_jwk() });
        let mut claims =
            json!({ "htm": self.method, "htu": self.url, "jti": self.jti, "iat": now_s() });
        if let Some(nonce) = self.nonce {
            claims["nonce"] = nonce.into();
        }
        if let Some(token) = self.token {
            claims["ath"] = digest(token.as_bytes()).into();
        }
        key.sign(&header, &claims)
    }
}

#[test]
fn a_token_of_a_key_is_taken_with_its_proof_alone() {
    let (idp, key) = (Idp::start(), Key::generate(Algorithm::ES256));
    idp.require_dpop_nonce(true);
    let client = idp.register(&json!({
        "machine": true, "token_endpoint_auth_method": "client_secret_post",
        "dpop_bound_access_tokens": true,
    }));
    let ask = |jti: &str, nonce: Option<&str>| {
        let url = idp.token_endpoint();
        let proof = Proof { method: "POST", url, jti, nonce, token: None };
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &client.id),
            ("client_secret", &client.secret),
        ];
        Call::post(url).header("dpop", &proof.signed(&key)).form(&form).send().unwrap()
    };
    let refused = ask("1", None);
    assert_eq!(refused.json().unwrap().1["error"], "use_dpop_nonce");
    let answer = ask("2", refused.header("dpop-nonce")).json().unwrap().1;
    assert_eq!(answer["token_type"], "DPoP", "{answer}");

    let token = text(&answer, "access_token");
    assert_eq!(idp.call_api(token).0, 401, "without a proof");
    let call = |key: &Key, jti: &str, nonce: Option<&str>| {
        let proof = Proof { method: "GET", url: idp.api(), jti, nonce, token: Some(token) };
        Call::get(idp.api())
            .header("authorization", &format!("DPoP {token}"))
            .header("dpop", &proof.signed(key))
            .send()
            .unwrap()
    };
    let answer = call(&key, "3", None);
    assert_eq!((answer.status, &answer.json().unwrap().1["bound_to"]), (200, &json!("key")));
    assert_eq!(call(&key, "3", None).status, 401, "the same proof again");
    assert_eq!(call(&Key::generate(Algorithm::ES256), "4", None).status, 401, "another key");
    idp.require_api_dpop_nonce(true);
    let refused = call(&key, "5", None);
    assert!(refused.header("www-authenticate").unwrap().contains("use_dpop_nonce"));
    assert_eq!(call(&key, "6", refused.header("dpop-nonce")).status, 200);
}

/// Over TLS, with client certificates at endpoints of their own.
fn with_mtls(ca: &PrivateCa) -> Idp {
    Idp::start_with(&Settings {
        tls: Some(ca.leaf(&["127.0.0.1"]).unwrap()),
        client_ca: Some(ca.file()),
        ..Settings::default()
    })
}

#[test]
fn a_certificate_signs_in_and_binds_the_token() {
    let ca = PrivateCa::new().unwrap();
    let idp = with_mtls(&ca);
    let (issued, own) = (ca.client("robot").unwrap(), ca.self_signed_client("loner").unwrap());
    let alias = idp.metadata()["mtls_endpoint_aliases"]["token_endpoint"].clone();
    let pem = std::fs::read_to_string(&own.certificate).unwrap();
    for (leaf, other, metadata) in [
        (
            &issued,
            &own,
            json!({
                "token_endpoint_auth_method": "tls_client_auth",
                "tls_client_auth_subject_dn": "CN=robot",
            }),
        ),
        (
            &issued,
            &own,
            json!({
                "token_endpoint_auth_method": "tls_client_auth",
                "tls_client_auth_san_dns": "robot",
            }),
        ),
        (
            &own,
            &issued,
            json!({
                "token_endpoint_auth_method": "self_signed_tls_client_auth",
                "certificate": pem,
            }),
        ),
    ] {
        let mut metadata = metadata;
        metadata["machine"] = true.into();
        metadata["tls_client_certificate_bound_access_tokens"] = true.into();
        let client = idp.register(&metadata);
        let form = [("grant_type", "client_credentials"), ("client_id", &client.id)];
        let ask = |url: &str, leaf: &Leaf| {
            Call::post(url).identity(leaf).form(&form).send().unwrap().json().unwrap()
        };
        assert_eq!(ask(idp.token_endpoint(), leaf).0, 401, "not asked for a certificate there");
        assert_eq!(ask(alias.as_str().unwrap(), other).0, 401, "{metadata}");
        let (status, answer) = ask(alias.as_str().unwrap(), leaf);
        assert_eq!(status, 200, "{metadata}: {answer}");
        let bearer = format!("Bearer {}", text(&answer, "access_token"));
        let call = |leaf: &Leaf| {
            let call = Call::get(idp.mtls_api()).header("authorization", &bearer);
            call.identity(leaf).send().unwrap().json().unwrap()
        };
        assert_eq!(call(leaf).1["bound_to"], "certificate");
        assert_eq!(call(other).0, 401, "{metadata}");
    }
}
