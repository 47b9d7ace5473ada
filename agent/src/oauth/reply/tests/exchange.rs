//! What the answers to an exchange mean.

use super::*;
use crate::config::{AwsRole, Exchange, Network, Subject};

fn role() -> Grant {
    Grant::AwsWebIdentity(AwsRole {
        endpoint: endpoint(),
        role_arn: "arn:aws:iam::1:role/ci".into(),
        session_name: "tokctl".into(),
        duration: None,
        subject: Subject::Env("ID_TOKEN".into()),
        subject_audience: None,
        network: Network::default(),
    })
}

fn exchange(impersonate: Option<&str>) -> Grant {
    let impersonate = impersonate.map(str::to_owned);
    Grant::TokenExchange(Client {
        subject: Some(Subject::Gitlab),
        exchange: Exchange { impersonate, ..Exchange::default() },
        ..client()
    })
}

#[test]
fn a_refused_subject_is_asked_for_anew_and_no_secret_is() {
    for (grant, body) in [
        (exchange(None), r#"{"error":"invalid_grant","error_description":"expired"}"#),
        (
            role(),
            "<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>",
        ),
    ] {
        let Outcome::Failed(trouble) = by(&grant, &plain(), &reply(400, body)) else {
            panic!("{body}")
        };
        assert_eq!(trouble.class, Class::Retry, "{body}");
        assert_eq!(trouble.failure.kind, Kind::SubjectRequired, "{body}");
        assert_eq!(trouble.failure.hint, None, "{body}");
    }
}

#[test]
fn what_proved_a_federated_client_is_not_held_against_the_next_proof() {
    let client = |auth| {
        Grant::ClientCredentials(Client {
            client_auth: Some(auth),
            subject: Some(Subject::Gitlab),
            ..client()
        })
    };
    for (auth, cause, hint) in [
        (ClientAuth::Federated, Cause::Other, "federated credential"),
        (ClientAuth::Post, Cause::InvalidClient, "tokctl set-secret"),
    ] {
        for body in [r#"{"error":"invalid_client"}"#, ""] {
            let Outcome::Failed(trouble) = by(&client(auth), &plain(), &reply(401, body)) else {
                panic!("a token")
            };
            assert_eq!((trouble.class, trouble.cause), (Class::Permanent, cause), "{body}");
            assert!(trouble.failure.hint.unwrap().contains(hint), "{body}");
        }
    }
}

#[test]
fn a_role_that_may_not_be_assumed_is_refused_for_good() {
    let body = "<ErrorResponse><Error><Code>AccessDenied</Code>\
        <Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>";
    let Outcome::Failed(trouble) = by(&role(), &plain(), &reply(403, body)) else {
        panic!("a token")
    };
    assert_eq!(trouble.class, Class::Permanent);
    assert_eq!(
        trouble.failure.message,
        "the provider refused the request (AccessDenied: \
         \"Not authorized to perform sts:AssumeRoleWithWebIdentity\")"
    );
    assert!(trouble.failure.hint.unwrap().contains("trust policy"));
}

#[test]
fn who_may_not_act_as_an_account_is_told_so_and_not_that_the_exchange_failed() {
    let grant = exchange(Some("ci@p.iam.gserviceaccount.com"));
    let denied =
        r#"{"error":{"code":403,"message":"Permission denied","status":"PERMISSION_DENIED"}}"#;
    let argument = r#"{"error":{"code":400,"message":"lifetime","status":"INVALID_ARGUMENT"}}"#;
    for (status, body, class, said, hint) in [
        (
            403,
            denied,
            Class::Permanent,
            "PERMISSION_DENIED: \"Permission denied\"",
            "workloadIdentityUser",
        ),
        (401, "", Class::Permanent, "HTTP 401", "workloadIdentityUser"),
        (404, "{}", Class::Permanent, "HTTP 404", "workloadIdentityUser"),
        (400, argument, Class::Permanent, "INVALID_ARGUMENT", "tokctl show"),
        (503, "{}", Class::Retry, "HTTP 503", ""),
        (302, "", Class::Permanent, "redirect", ""),
    ] {
        let Outcome::Failed(trouble) = by(&grant, &plain(), &reply(status, body)) else {
            panic!("{body}")
        };
        let Failure { message, hint: told, .. } = trouble.failure;
        assert!(message.starts_with("acting as ci@p.iam.gserviceaccount.com: "), "{message}");
        assert!(message.contains(said), "{message}");
        assert!(told.unwrap_or_default().contains(hint), "{message}");
        assert_eq!((trouble.class, trouble.cause), (class, Cause::Other), "{message}");
        let first = classify_for(Purpose::Intermediate, &grant, &plain(), &reply(status, body));
        let Outcome::Failed(trouble) = first else { panic!("{body}") };
        assert!(!trouble.failure.message.contains("acting as"), "{}", trouble.failure.message);
    }
}

#[test]
fn the_token_of_an_account_ends_when_google_says() {
    let grant = exchange(Some("ci@p.iam.gserviceaccount.com"));
    let account = r#"{"accessToken":"ya29","expireTime":"1970-01-12T14:46:40Z"}"#;
    let Outcome::Tokens(obtained) = by(&grant, &plain(), &reply(200, account)) else {
        panic!("no token")
    };
    assert_eq!(obtained.token.access_token.expose(), "ya29");
    assert_eq!(obtained.token.expires_at, Some(WallMs(1_003_600_000)));
    // What it was exchanged for is of the standard's shape.
    let first = reply(200, r#"{"access_token":"t","expires_in":60,"token_type":"Bearer"}"#);
    let Outcome::Tokens(obtained) = classify_for(Purpose::Intermediate, &grant, &plain(), &first)
    else {
        panic!("no token")
    };
    assert_eq!(obtained.token.access_token.expose(), "t");
}
