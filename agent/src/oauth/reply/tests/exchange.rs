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
