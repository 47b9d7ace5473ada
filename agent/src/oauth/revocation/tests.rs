use std::collections::BTreeMap;
use std::time::Duration;

use tokctl_proto::ProfileName;

use super::*;
use crate::config::{Body, Client, ClientAuth};
use crate::oauth::grant::{Endpoint, Held};
use crate::oauth::message::Method;

const TOKEN: &str = "t0ken+/=";

fn profile() -> ProfileName {
    ProfileName::parse("acme").unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn endpoint() -> Url {
    Url::parse("https://acme.example/revoke?tenant=1").unwrap()
}

fn client() -> Client {
    Client::plain(Url::parse("https://acme.example/token").unwrap())
}

fn at_token(client: &Client) -> Endpoint {
    Endpoint::configured(Url::parse("https://acme.example/token").unwrap(), client)
}

fn with<T>(client: &Client, auth: ClientAuth, then: impl FnOnce(&Asker<'_>) -> T) -> T {
    let secrets = match auth {
        ClientAuth::None => BTreeMap::new(),
        _ => [("client_secret", "s3"), ("tenant_key", "k1")]
            .map(|(name, value)| (name.to_owned(), secret(value)))
            .into(),
    };
    let (profile, grant) = (&profile(), "refresh_token");
    let endpoint = Endpoint { auth, ..at_token(client) };
    then(&Asker { profile, grant, client, endpoint: &endpoint, held: Held::only(&secrets) })
}

fn made(client: &Client, auth: ClientAuth, kind: TokenKind) -> HttpRequest {
    with(client, auth, |asker| request(asker, &endpoint(), kind, &secret(TOKEN)).unwrap())
}

#[test]
fn the_request_is_the_one_of_the_rfc() {
    let token = "token=t0ken%2B%2F%3D&token_type_hint=";
    for (auth, kind, body) in [
        (ClientAuth::Basic, TokenKind::Refresh, format!("{token}refresh_token")),
        (ClientAuth::Basic, TokenKind::Access, format!("{token}access_token")),
        (
            ClientAuth::Post,
            TokenKind::Access,
            format!("client_id=cc&client_secret=s3&{token}access_token"),
        ),
        (ClientAuth::None, TokenKind::Refresh, format!("client_id=cc&{token}refresh_token")),
    ] {
        let made = made(&client(), auth, kind);
        assert_eq!(made.body.expose(), body, "{auth:?}");
        let is_basic = made.headers.iter().any(|(name, _)| name == "Authorization");
        assert_eq!(is_basic, auth == ClientAuth::Basic, "{auth:?}");
        // Its query is kept, and the token is not in it.
        assert_eq!((made.method, made.url), (Method::Post, endpoint()));
    }
}

#[test]
fn it_is_sent_in_the_form_and_with_the_headers_that_the_provider_wants() {
    let mut client = Client { body: Body::Json, ..client() };
    client.quirks.headers.insert("X-Tenant".to_owned(), "a {secret:tenant_key}".to_owned());
    let made = made(&client, ClientAuth::Basic, TokenKind::Access);
    assert_eq!(made.body.expose(), r#"{"token":"t0ken+/=","token_type_hint":"access_token"}"#);
    let header = made.headers.iter().find(|(name, _)| name == "X-Tenant");
    assert_eq!(header.unwrap().1.expose(), "a k1");
}

#[test]
fn a_missing_client_secret_is_named_in_the_remedy() {
    let (client, secrets) = (client(), BTreeMap::new());
    let (profile, grant, at) = (&profile(), "refresh_token", at_token(&client));
    let held = Held::only(&secrets);
    let asker = Asker { profile, grant, client: &client, endpoint: &at, held };
    let failure = request(&asker, &endpoint(), TokenKind::Access, &secret(TOKEN)).unwrap_err();
    assert_eq!(failure.kind, Kind::SecretRequired);
    assert_eq!(failure.hint.unwrap(), "run `tokctl set-secret acme --name client_secret`");
}

fn reply(status: u16, body: &str) -> HttpReply {
    HttpReply {
        status,
        content_type: None,
        retry_after: Some("30".to_owned()),
        date: None,
        sent_at: WallMs(0),
        received_at: WallMs(0),
        body: body.as_bytes().to_vec().into(),
    }
}

fn judged(kind: TokenKind, status: u16, body: &str) -> Revocation {
    with(&client(), ClientAuth::Basic, |asker| {
        judge(WallMs(0), asker, &endpoint(), kind, &reply(status, body), &[secret(TOKEN)])
    })
}

/// What a reply comes to, in one word and a kind.
fn word(revocation: &Revocation) -> (&'static str, Option<Kind>) {
    match revocation {
        Revocation::Done => ("done", None),
        Revocation::Unsupported => ("unsupported", None),
        Revocation::Failed(Trouble { class: Class::Retry, failure, .. }) => {
            ("later", Some(failure.kind))
        }
        Revocation::Failed(trouble) => ("refused", Some(trouble.failure.kind)),
    }
}

#[test]
fn a_reply_means_gone_or_later_or_never() {
    let error = |code: &str| format!(r#"{{"error":"{code}"}}"#);
    let (refused, failed) = (Some(Kind::ProviderRefused), Some(Kind::ProviderFailed));
    for (status, body, expected) in [
        // Section 2.2: also for a token that the provider does not know, whatever the body.
        (200, String::new(), ("done", None)),
        (200, "OK".to_owned(), ("done", None)),
        (200, "{}".to_owned(), ("done", None)),
        (200, "<html>".to_owned(), ("done", None)),
        (204, String::new(), ("done", None)),
        // What some say in its place.
        (400, error("invalid_token"), ("done", None)),
        (400, error("invalid_grant"), ("done", None)),
        (200, r#"{"ok":false,"error":"token_revoked"}"#.to_owned(), ("done", None)),
        // Section 2.2.1.
        (503, String::new(), ("later", failed)),
        (503, error("invalid_client"), ("later", failed)),
        (500, error("invalid_token"), ("later", failed)),
        (502, "<html>".to_owned(), ("later", failed)),
        (429, String::new(), ("later", Some(Kind::RateLimited))),
        (408, String::new(), ("later", failed)),
        (400, error("temporarily_unavailable"), ("later", failed)),
        (200, error("server_error"), ("later", failed)),
        (400, error("invalid_client"), ("refused", refused)),
        (401, error("invalid_client"), ("refused", refused)),
        (401, String::new(), ("refused", refused)),
        (403, String::new(), ("refused", refused)),
        (400, error("invalid_request"), ("refused", refused)),
        (200, error("invalid_auth"), ("refused", refused)),
        (404, String::new(), ("refused", refused)),
        (405, String::new(), ("refused", refused)),
        (302, String::new(), ("refused", failed)),
    ] {
        for kind in [TokenKind::Refresh, TokenKind::Access] {
            let judged = judged(kind, status, &body);
            assert_eq!(word(&judged), expected, "{status} {body}");
            if let Revocation::Failed(trouble) = judged {
                assert_eq!(trouble.reached, Reached::Answered(status));
                assert_eq!(trouble.failure.profile, Some(profile()));
            }
        }
    }
}

#[test]
fn only_access_tokens_may_be_of_a_kind_that_is_not_revoked() {
    let body = r#"{"error":"unsupported_token_type"}"#;
    for status in [400, 503] {
        let expected = if status == 400 { "unsupported" } else { "later" };
        assert_eq!(word(&judged(TokenKind::Access, status, body)).0, expected);
    }
    assert_eq!(word(&judged(TokenKind::Refresh, 400, body)).0, "refused");
}

fn trouble(status: u16, body: &str) -> Trouble {
    match judged(TokenKind::Access, status, body) {
        Revocation::Failed(trouble) => trouble,
        other => panic!("{other:?}"),
    }
}

#[test]
fn retry_after_is_heard() {
    for status in [429, 503] {
        let trouble = trouble(status, "");
        assert_eq!(trouble.retry_after, Some(Duration::from_secs(30)));
        assert_eq!(trouble.failure.retry_at, Some(WallMs(30_000)));
    }
    assert_eq!(trouble(400, r#"{"error":"invalid_request"}"#).retry_after, None);
}

#[test]
fn a_refusal_says_what_to_type_and_repeats_no_secret() {
    let said = trouble(401, r#"{"error":"invalid_client"}"#);
    assert_eq!(said.cause, Cause::InvalidClient);
    assert_eq!(
        said.failure.hint.as_deref(),
        Some("run `tokctl set-secret acme --name client_secret`")
    );
    let said = trouble(404, "");
    assert_eq!(
        said.failure.message,
        "there is no revocation endpoint at https://acme.example/revoke (HTTP 404)"
    );
    let body = format!(r#"{{"error":"invalid_request","error_description":"what is {TOKEN}?"}}"#);
    let said = trouble(400, &body).failure.message;
    assert!(said.contains("[redacted]") && !said.contains(TOKEN), "{said}");
}
