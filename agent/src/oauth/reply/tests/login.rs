//! What the answers to a login mean.

use super::*;

fn login(reply: &HttpReply) -> Outcome {
    let grant = Grant::AuthorizationCode(client());
    classify_for(Purpose::Login, &grant, &plain(), reply)
}

#[test]
fn a_login_brings_a_refresh_token_where_there_is_one() {
    for (body, refresh_token) in [
        (r#"{"access_token":"t","refresh_token":"r"}"#, Some("r")),
        (r#"{"access_token":"t"}"#, None),
    ] {
        let Outcome::Tokens(obtained) = login(&reply(200, body)) else { panic!("{body}") };
        let secret = obtained.successor.as_ref().map(|found| found.secret.expose());
        assert_eq!(secret, refresh_token, "{body}");
    }
}

#[test]
fn a_refused_code_asks_for_another_login_and_not_for_a_secret() {
    let refused = reply(400, r#"{"error":"invalid_grant","error_description":"used"}"#);
    let Outcome::Failed(trouble) = login(&refused) else { panic!("a token") };
    assert_eq!((trouble.class, trouble.cause), (Class::LoginRequired, Cause::Other));
    assert_eq!(
        trouble.failure.message,
        "the provider refused the code of the login (invalid_grant: \"used\")"
    );
    assert_eq!(trouble.failure.hint.as_deref(), Some("run `tokctl login acme` again"));
}

#[test]
fn a_refused_refresh_token_asks_whoever_can_log_in_to_do_so() {
    let refused = reply(400, r#"{"error":"invalid_grant"}"#);
    for (grant, hint) in [
        (Grant::AuthorizationCode(client()), "run `tokctl login acme`"),
        (Grant::DeviceCode(client()), "run `tokctl login acme`"),
        (Grant::RefreshToken(client()), "run `tokctl set-secret acme --name refresh_token`"),
    ] {
        let Outcome::Failed(trouble) = by(&grant, &plain(), &refused) else { panic!("a token") };
        assert_eq!((trouble.class, trouble.cause), (Class::LoginRequired, Cause::InvalidGrant));
        assert_eq!(trouble.failure.hint.as_deref(), Some(hint));
    }
}

#[test]
fn another_endpoint_is_named_in_what_it_refuses() {
    let name = "pushed authorization request endpoint";
    let grant = Grant::AuthorizationCode(client());
    let (key, endpoint) = (plain(), endpoint());
    let asked = Asked {
        key: &key,
        grant: &grant,
        endpoint: &endpoint,
        sent: &[],
        purpose: Purpose::Other(name),
    };
    for (status, body, message) in [
        (201, "{}", None),
        (200, "<html>", None),
        (
            400,
            r#"{"error":"invalid_request"}"#,
            Some("the provider refused the request (invalid_request)".to_owned()),
        ),
        (404, "", Some(format!("there is no {name} at https://acme.example/token (HTTP 404)"))),
        (
            302,
            "",
            Some(format!(
                "the {name} https://acme.example/token answered with a redirect (HTTP 302), \
                 which is never followed"
            )),
        ),
    ] {
        let trouble = refused(NOW, &asked, &reply(status, body));
        assert_eq!(trouble.map(|trouble| trouble.failure.message), message, "{status}");
    }
}
