//! A token that is bound to a key (RFC 9449), from its request to its proof, with a scripted provider.

use serde_json::Value;

use super::*;
use crate::oauth::jose::jws::Parsed;
use crate::shell::http::scripted::{Answer, Scripted};

const BOUND: &str = r#"{"access_token":"bound-1","token_type":"DPoP","expires_in":3600}"#;

/// A public client whose tokens are bound.
fn profile(port: u16) -> String {
    format!(
        "[profiles.bound]\ngrant = \"client_credentials\"\nclient_id = \"cc\"\nclient_auth = \"none\"\n\
         token_endpoint = \"http://127.0.0.1:{port}/token\"\nallow_http_loopback = true\ndpop = true\n"
    )
}

fn get3(profile: &str, proof: &str) -> String {
    format!(r#"{{"get3":{{"profile":"{profile}"{proof}}}}}"#)
}

/// The header and the claims of a proof.
fn read(proof: &str) -> (Value, Value) {
    let header = crate::oauth::jose::from_base64url(proof.split('.').next().unwrap()).unwrap();
    let claims = Value::Object(Parsed::read(proof).unwrap().claims);
    (serde_json::from_slice(&header).unwrap(), claims)
}

#[tokio::test]
async fn a_bound_token_comes_with_a_proof_for_its_request_or_not_at_all() {
    let server = Scripted::start(vec![Answer::json(BOUND)]);
    let mut running = running().with_key().await;
    running.configure(&profile(server.port));
    let dpop = r#","dpop":{"method":"GET","url":"https://api.example/v1?q=1#f","nonce":"n-1"}"#;
    let row = running.line(&get3("bound", dpop)).row().await;
    let token = &row["done"]["token3"];
    assert_eq!(
        (token["access_token"].as_str(), token["token_type"].as_str(), token["header"].as_str()),
        (Some("bound-1"), Some("DPoP"), Some("Authorization: DPoP {token}"))
    );
    let (header, claims) = read(token["dpop"].as_str().unwrap());
    assert_eq!(header["typ"], "dpop+jwt");
    assert_eq!(
        (&claims["htm"], &claims["htu"], &claims["nonce"]),
        (&"GET".into(), &"https://api.example/v1".into(), &"n-1".into())
    );
    assert!(claims["ath"].is_string());

    // The token was asked for with a proof by the very same key, which is on the disk.
    let request = server.request();
    let asked = request.lines().find_map(|line| line.strip_prefix("dpop: ")).unwrap();
    assert_eq!(read(asked).0["jwk"], header["jwk"]);
    assert!(header["jwk"].get("d").is_none());

    let get = r#"{"get":{"profile":"bound"}}"#;
    for line in [get, r#"{"get2":{"profile":"bound"}}"#, &get3("bound", "")] {
        assert_eq!(running.line(line).end().await, "sender_constrained", "{line}");
    }
    let mut refused = running.line(get);
    let error = &refused.row().await["error"];
    assert_eq!(
        error["hint"],
        "run `tokctl get bound --dpop --method GET --url URL` for the one request that it is for"
    );
    server.assert_idle();
}

#[tokio::test]
async fn a_token_that_anybody_can_use_comes_without_a_proof() {
    let mut running = running().with_key().await;
    let dpop = r#","dpop":{"method":"GET","url":"https://api.example/"}"#;
    let row = running.line(&get3("acme", dpop)).row().await;
    let token = &row["done"]["token3"];
    assert_eq!((token["access_token"].as_str(), &token["dpop"]), (Some("k3y"), &Value::Null));
    assert_eq!(token["header"], "Authorization: Bearer {token}");
}

#[tokio::test]
async fn what_is_no_request_gets_no_proof() {
    for dpop in [
        r#"{"method":"","url":"https://api.example/"}"#,
        r#"{"method":"get","url":"https://api.example/"}"#,
        r#"{"method":"GET /","url":"https://api.example/"}"#,
        r#"{"method":"GET","url":"api.example"}"#,
        r#"{"method":"GET","url":"file:///etc/passwd"}"#,
        r#"{"method":"GET","url":"https://api.example/","nonce":"a b"}"#,
    ] {
        let line = get3("acme", &format!(r#","dpop":{dpop}"#));
        let request: request::Request<'_> = codec::decode_line(line.as_bytes()).unwrap();
        let refused = Command::parse(RequestId(1), request).unwrap_err();
        assert_eq!(refused.kind, tokctl_proto::Kind::Usage, "{dpop}");
    }
}
