//! A client in any language: one line of JSON each way.

use tokctl_proto::response::Response;
use tokctl_tests::wire::Raw;
use tokctl_tests::{Home, Provider};

#[test]
fn a_line_of_json_gets_a_token() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let mut raw = Raw::connect(&home.socket());
    // As `printf … | socat` does: all is written and the write side closed before the answer is there.
    raw.line(r#"{"get":{"profile":"acme"}}"#).half_close();
    let answer = raw.answer_line().unwrap();
    let token = answer["done"]["token"]["access_token"].as_str();
    assert_eq!(token, Some(home.get("acme").as_str()), "{answer}");
    // And it is of the same type as a binary answer.
    let text = answer.to_string();
    let response: Response<'_> = serde_json::from_str(&text).unwrap();
    assert!(matches!(response, Response::Done(_)));
}

#[test]
fn one_connection_takes_many_requests() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let mut raw = Raw::connect(&home.socket());
    for _ in 0..3 {
        let answer = raw.line(r#"{"get":{"profile":"acme"}}"#).answer_line().unwrap();
        assert!(answer["done"]["token"]["access_token"].is_string(), "{answer}");
        let answer = raw.line(r#"{"get":{"profile":"acne"}}"#).answer_line().unwrap();
        assert_eq!(answer["error"]["kind"], "no_such_profile", "{answer}");
    }
}

#[test]
fn a_key_that_no_request_has_is_an_error() {
    let home = Home::new().init_bare();
    let answer = Raw::connect(&home.socket())
        .line(r#"{"get":{"profile":"acme","min_ttl":3}}"#)
        .answer_line()
        .unwrap();
    assert_eq!(answer["error"]["exit"], 2, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("min_ttl"), "{answer}");
}
