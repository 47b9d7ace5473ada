use std::collections::BTreeMap;

use tokctl_proto::ProfileName;

use super::*;
use crate::config::{Client, ClientAuth};
use crate::oauth::grant::{Endpoint, Held};
use crate::oauth::message::Method;

const TOKEN: &str = "t0ken+/=";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn endpoint() -> Url {
    Url::parse("https://acme.example/introspect").unwrap()
}

fn at_token(client: &Client) -> Endpoint {
    Endpoint::configured(Url::parse("https://acme.example/token").unwrap(), client)
}

fn with<T>(then: impl FnOnce(&Asker<'_>) -> T) -> T {
    let profile = ProfileName::parse("acme").unwrap();
    let client = Client::plain(Url::parse("https://acme.example/token").unwrap());
    let secrets = BTreeMap::from([("client_secret".to_owned(), secret("s3"))]);
    let endpoint = Endpoint { auth: ClientAuth::Post, ..at_token(&client) };
    let held = Held::only(&secrets);
    let grant = "client_credentials";
    then(&Asker { profile: &profile, grant, client: &client, endpoint: &endpoint, held })
}

fn read_reply(status: u16, body: &str) -> Result<Introspected, Trouble> {
    let reply = HttpReply {
        status,
        content_type: Some("application/json".to_owned()),
        retry_after: None,
        date: None,
        sent_at: WallMs(0),
        received_at: WallMs(0),
        body: body.as_bytes().to_vec().into(),
    };
    with(|asker| read(WallMs(0), asker, &endpoint(), &reply, &[secret(TOKEN)]))
}

#[test]
fn the_request_is_the_one_of_the_rfc() {
    let made = with(|asker| request(asker, &endpoint(), &secret(TOKEN)).unwrap());
    assert_eq!((made.method, made.url), (Method::Post, endpoint()));
    assert_eq!(
        made.body.expose(),
        "client_id=cc&client_secret=s3&token=t0ken%2B%2F%3D&token_type_hint=access_token"
    );
}

#[test]
fn only_a_boolean_says_that_a_token_is_active() {
    for (body, active) in [
        (r#"{"active":true}"#, Some(true)),
        (r#"{"active":false}"#, Some(false)),
        (r#"{"active":true,"scope":"a","exp":1}"#, Some(true)),
        (r#"{"active":"true"}"#, None),
        (r#"{"active":1}"#, None),
        (r#"{"scope":"a"}"#, None),
        (r#"{"error":"invalid_request"}"#, None),
        ("[true]", None),
        ("true", None),
        ("eyJhbGciOiJSUzI1NiJ9.e30.x", None),
        ("", None),
    ] {
        match (read_reply(200, body), active) {
            (Ok(read), Some(active)) => assert_eq!(read.active, active, "{body}"),
            (Err(trouble), None) => {
                assert_eq!(trouble.failure.kind, Kind::ProviderFailed, "{body}");
            }
            other => panic!("{body}: {other:?}"),
        }
    }
    // Not believed of a server that is failing, or of one that says no.
    for status in [302, 400, 401, 503] {
        assert!(read_reply(status, r#"{"active":true}"#).is_err(), "{status}");
    }
}

#[test]
fn the_answer_is_kept_without_the_token_and_never_printed() {
    let body = format!(
        r#"{{"active":true,"sub":"ada","token":"{TOKEN}","ext":{{"seen":["x {TOKEN}"]}},"n":1.50}}"#
    );
    let read = read_reply(200, &body).unwrap();
    assert_eq!(
        read.answer.as_ref().unwrap().expose(),
        r#"{"active":true,"ext":{"seen":["x [redacted]"]},"n":1.5,"sub":"ada","token":"[redacted]"}"#
    );
    assert!(!format!("{read:?}").contains("ada"));
}

#[test]
fn an_answer_that_is_too_large_is_left_out_and_its_word_is_kept() {
    let overhead = r#"{"active":true,"x":""}"#.len();
    for (length, fits) in
        [(ANSWER_BYTES_MAX - overhead, true), (ANSWER_BYTES_MAX - overhead + 1, false)]
    {
        let read =
            read_reply(200, &format!(r#"{{"active":true,"x":"{}"}}"#, "x".repeat(length))).unwrap();
        assert_eq!((read.active, read.answer.is_some()), (true, fits));
    }
}

#[test]
fn a_failure_says_whose_it_is() {
    let error = r#"{"error":"invalid_client"}"#;
    for (status, body, class, kind) in [
        (503, "", Class::Retry, Kind::ProviderFailed),
        (429, "", Class::Retry, Kind::RateLimited),
        (401, "", Class::Permanent, Kind::ProviderRefused),
        (400, error, Class::Permanent, Kind::ProviderRefused),
        (403, "", Class::Permanent, Kind::ProviderRefused),
        (404, "", Class::Permanent, Kind::ProviderRefused),
        (307, "", Class::Permanent, Kind::ProviderFailed),
    ] {
        let trouble = read_reply(status, body).unwrap_err();
        assert_eq!((trouble.class, trouble.failure.kind), (class, kind), "{status}");
        let of_client = status == 401 || body == error;
        assert_eq!(trouble.cause == Cause::InvalidClient, of_client, "{status}");
    }
}
