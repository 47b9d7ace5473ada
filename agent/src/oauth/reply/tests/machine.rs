//! What answers to requests that a machine signs, or that are no OAuth, mean.

use super::*;
use crate::config::{GithubApp, Jwt, Network, Step, StepBody, Steps};

fn app() -> Grant {
    Grant::GithubApp(GithubApp {
        api: Url::parse("https://api.github.com/").unwrap(),
        client_id: "Iv23".into(),
        installation_id: "42".into(),
        repositories: Vec::new(),
        permissions: Default::default(),
        jwt: Jwt::default(),
        network: Network::default(),
    })
}

fn steps(bodies: &[&str]) -> Grant {
    let step = |body: &&str| Step {
        method: "POST".into(),
        url: "https://acme.example/login".into(),
        headers: Default::default(),
        body: StepBody::Json((*body).to_owned()),
    };
    Grant::Steps(Steps {
        steps: bodies.iter().map(step).collect(),
        response: ResponseShape([("token".to_owned(), "token".to_owned())].into()),
        assume_ttl: None,
        network: Network::default(),
    })
}

fn failed(grant: &Grant, reply: &HttpReply) -> Trouble {
    match by(grant, &plain(), reply) {
        Outcome::Failed(trouble) => trouble,
        Outcome::Tokens(_) => panic!("a token"),
    }
}

#[test]
fn what_github_refuses_says_what_to_look_at() {
    for (status, body, message, hint) in [
        (
            401,
            r#"{"message":"no"}"#,
            "the provider refused the client (HTTP 401: \"no\")",
            Some("run `tokctl set-secret acme`"),
        ),
        (
            404,
            r#"{"message":"Not Found"}"#,
            "the app has no installation 42 (HTTP 404: \"Not Found\")",
            Some("run `tokctl set acme installation_id=\u{2026}`"),
        ),
        (422, r#"{"message":"no"}"#, "the provider refused the request (HTTP 422: \"no\")", None),
    ] {
        let failure = failed(&app(), &reply(status, body)).failure;
        assert_eq!((failure.message.as_str(), failure.hint.as_deref()), (message, hint));
    }
}

#[test]
fn an_installation_token_ends_when_github_says() {
    let body = r#"{"token":"ghs_1_eyJ","expires_at":"1970-01-12T14:46:40Z","permissions":{}}"#;
    let Outcome::Tokens(obtained) = by(&app(), &plain(), &reply(201, body)) else {
        panic!("no token")
    };
    assert_eq!(obtained.token.access_token.expose(), "ghs_1_eyJ");
    assert_eq!(obtained.token.expires_at, Some(WallMs(1_003_600_000)));
}

#[test]
fn a_clock_that_is_off_is_named_where_times_were_signed() {
    // The reply is sent at 1_000_000 s, which is 13:46:40; it took two.
    let invalid = r#"{"error":"invalid_grant"}"#;
    let bearer = Grant::JwtBearer(client());
    let signing = Client { client_auth: Some(ClientAuth::PrivateKeyJwt), ..client() };
    let proving = Grant::ClientCredentials(signing);
    let secret = Grant::ClientCredentials(client());
    for (grant, status, body, date, said) in [
        (&bearer, 400, invalid, "13:47:42", Some("1m 1s behind the provider's")),
        (&bearer, 400, invalid, "13:45:40", Some("1m 1s ahead of the provider's")),
        (&bearer, 400, invalid, "13:47:41", None),
        (&bearer, 400, invalid, "13:45:41", None),
        (&bearer, 400, r#"{"error":"invalid_scope"}"#, "13:51:41", Some("5m behind")),
        (&bearer, 503, "", "13:51:41", None),
        (&app(), 401, r#"{"message":"no"}"#, "13:51:41", Some("5m behind")),
        (&proving, 401, r#"{"error":"invalid_client"}"#, "13:51:41", Some("5m behind")),
        (&secret, 401, r#"{"error":"invalid_client"}"#, "13:51:41", None),
    ] {
        let date = Some(format!("Mon, 12 Jan 1970 {date} GMT"));
        let trouble = failed(grant, &HttpReply { date, ..reply(status, body) });
        let message = &trouble.failure.message;
        match said {
            Some(said) => {
                assert!(message.contains(said), "{message}");
                assert_eq!(trouble.class, Class::Retry);
            }
            None => assert!(!message.contains("clock"), "{message}"),
        }
    }
}

#[test]
fn a_refused_assertion_is_the_keys_fault() {
    let trouble = failed(&Grant::JwtBearer(client()), &reply(400, r#"{"error":"invalid_grant"}"#));
    assert_eq!(trouble.failure.kind, Kind::SecretRequired);
    assert_eq!(trouble.failure.hint.as_deref(), Some("run `tokctl set-secret acme`"));
}

#[test]
fn a_refused_login_names_the_secrets_that_it_sent() {
    let one = r#"{"pw":"{secret:pw}","again":"{secret:pw}"}"#;
    for (bodies, hint) in [
        (&["{}"][..], None),
        (&[one], Some("run `tokctl set-secret acme --name pw`")),
        (
            &[one, r#"["{step1:a}","x{secret:user}"]"#],
            Some("run `tokctl set-secret acme --name pw` or `--name user`"),
        ),
    ] {
        let failure = failed(&steps(bodies), &reply(401, "{}")).failure;
        assert_eq!(failure.hint.as_deref(), hint, "{bodies:?}");
    }
}
