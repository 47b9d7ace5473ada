//! Replies of real providers and hostile ones, each with what it means in one line.

mod exchange;
mod login;
mod machine;
mod refresh;

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tokctl_core::Successor;
use tokctl_proto::ProfileName;
use zeroize::Zeroizing;

use super::*;
use crate::config::Client;

const SENT_AT: WallMs = WallMs(1_000_000_000);
const NOW: WallMs = WallMs(1_000_002_000);

fn endpoint() -> Url {
    Url::parse("https://acme.example/token?tenant=1").unwrap()
}

fn client() -> Client {
    Client::plain(endpoint())
}

fn reply(status: u16, body: impl AsRef<[u8]>) -> HttpReply {
    HttpReply {
        status,
        content_type: Some("application/json".into()),
        retry_after: None,
        date: None,
        sent_at: SENT_AT,
        received_at: NOW,
        body: Zeroizing::new(body.as_ref().to_vec()),
    }
}

fn classified(reply: &HttpReply) -> Outcome {
    by(&Grant::ClientCredentials(client()), &plain(), reply)
}

fn by(grant: &Grant, key: &TokenKey, reply: &HttpReply) -> Outcome {
    classify_for(Purpose::of(grant), grant, key, reply)
}

fn classify_for(purpose: Purpose, grant: &Grant, key: &TokenKey, reply: &HttpReply) -> Outcome {
    let sent = [Secret::new("TOKCTL-SENTINEL".into())];
    let asked = Asked { key, grant, endpoint: &endpoint(), sent: &sent, purpose };
    classify(NOW, &asked, reply)
}

fn plain() -> TokenKey {
    TokenKey::plain(ProfileName::parse("acme").unwrap())
}

#[test]
fn what_the_caller_chose_is_not_blamed_on_the_profile() {
    let chosen = |set: fn(&mut TokenKey) -> &mut BTreeSet<String>| {
        let mut key = plain();
        set(&mut key).insert("x".to_owned());
        key
    };
    let set_target = "run `tokctl set acme audience=\u{2026}` or `resource=\u{2026}`";
    let other_target = "ask for another with `--audience` or `--resource`";
    let set_scope = "run `tokctl set acme scope=\u{2026}`";
    let compare = "compare `tokctl show acme` with what the provider documents";
    let other = Cause::Other;
    for (code, key, cause, hint) in [
        ("invalid_target", plain(), other, Some(set_target)),
        ("invalid_target", chosen(|key| &mut key.scope), other, Some(set_target)),
        ("invalid_target", chosen(|key| &mut key.resource), Cause::Key, Some(other_target)),
        ("invalid_target", chosen(|key| &mut key.audience), Cause::Key, Some(other_target)),
        ("invalid_scope", plain(), other, Some(set_scope)),
        ("invalid_scope", chosen(|key| &mut key.audience), other, Some(set_scope)),
        (
            "invalid_scope",
            chosen(|key| &mut key.scope),
            Cause::Key,
            Some("ask for another with `--scope`"),
        ),
        // What does not say what is wrong may be about what was chosen.
        ("invalid_request", plain(), other, Some(compare)),
        ("invalid_request", chosen(|key| &mut key.resource), Cause::Key, Some(compare)),
        ("access_denied", plain(), other, None),
        ("access_denied", chosen(|key| &mut key.scope), Cause::Key, None),
        // And what does is not.
        (
            "unauthorized_client",
            chosen(|key| &mut key.scope),
            other,
            Some("allow the grant for client `cc` at the provider"),
        ),
        (
            "invalid_client",
            chosen(|key| &mut key.scope),
            Cause::InvalidClient,
            Some("run `tokctl set-secret acme`"),
        ),
    ] {
        let reply = reply(400, format!(r#"{{"error":"{code}"}}"#));
        let outcome = by(&Grant::ClientCredentials(client()), &key, &reply);
        let Outcome::Failed(trouble) = outcome else { panic!("{code}") };
        assert_eq!(trouble.failure.hint.as_deref(), hint, "{code} {key:?}");
        assert_eq!(trouble.cause, cause, "{code} {key:?}");
    }
}

fn line(outcome: Outcome) -> String {
    match outcome {
        Outcome::Tokens(Obtained { token, successor, .. }) => {
            // Nobody presented a refresh token.
            assert!(successor.is_none());
            assert_eq!(token.issued_at, SENT_AT);
            let lifetime = token.lifetime().map(|lifetime| lifetime.as_secs());
            let lifetime = lifetime.map_or("unknown".to_owned(), |s| s.to_string());
            let scope = token.scope.as_deref().unwrap_or("-");
            let extra = if token.extra.is_empty() { "-" } else { token.extra.expose() };
            let access_token = token.access_token.expose();
            format!("{access_token} | {} | {lifetime} | {scope} | {extra}", token.token_type)
        }
        Outcome::Failed(Trouble { class, failure, retry_after, reached, successor, .. }) => {
            assert!(matches!(reached, Reached::Answered(_)) && successor.is_none());
            assert_eq!(failure.profile.as_ref().map(ProfileName::as_str), Some("acme"));
            assert_eq!(failure.retry_at, retry_after.map(|wait| NOW.plus(wait)));
            let hint = failure.hint.as_deref().unwrap_or("-");
            format!("{class:?} {} | {} | {hint}", failure.kind.name(), failure.message)
        }
    }
}

fn assert_lines(cases: &[(u16, &str, &str)]) {
    for (status, body, expected) in cases {
        assert_eq!(line(classified(&reply(*status, body))), *expected, "{status} {body}");
    }
}

#[test]
fn tokens_are_read_from_every_shape_that_providers_send() {
    assert_lines(&[
        // The RFC's own.
        (
            200,
            r#"{"access_token":"t","token_type":"example","expires_in":3600,"example_parameter":"v"}"#,
            r#"t | example | 3600 | - | {"example_parameter":"v"}"#,
        ),
        (
            200,
            r#"{"access_token":"t","token_type":"bearer","expires_in":60}"#,
            "t | bearer | 60 | - | -",
        ),
        // Azure AD B2C, NetSuite.
        (
            200,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":"3600"}"#,
            "t | Bearer | 3600 | - | -",
        ),
        (
            200,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":3599.5}"#,
            "t | Bearer | 3599 | - | -",
        ),
        (
            200,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":-1}"#,
            "t | Bearer | 0 | - | -",
        ),
        (
            200,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":0}"#,
            "t | Bearer | 0 | - | -",
        ),
        // Weibo; GitHub's tokens that do not expire.
        (200, r#"{"access_token":"t","expires_in":5}"#, "t | Bearer | 5 | - | -"),
        (200, r#"{"access_token":"t","token_type":"bearer"}"#, "t | bearer | unknown | - | -"),
        (
            200,
            r#"{"access_token":"t","token_type":null,"scope":null}"#,
            "t | Bearer | unknown | - | -",
        ),
        (200, r#"{"access_token":"t","token_type":7}"#, "t | Bearer | unknown | - | -"),
        // eBay.
        (
            200,
            r#"{"access_token":"t","token_type":"Application Access Token"}"#,
            "t | Application Access Token | unknown | - | -",
        ),
        // Twitch; GitHub; the RFC.
        (200, r#"{"access_token":"t","scope":["a","b"]}"#, "t | Bearer | unknown | a b | -"),
        (200, r#"{"access_token":"t","scope":"a,b"}"#, "t | Bearer | unknown | a b | -"),
        (200, r#"{"access_token":"t","scope":"a b"}"#, "t | Bearer | unknown | a b | -"),
        (200, r#"{"access_token":"t","scope":""}"#, "t | Bearer | unknown | - | -"),
        // Slack.
        (
            200,
            r#"{"ok":true,"team":{"id":"T1"},"authed_user":{"id":"U","access_token":"t","token_type":"user","refresh_token":"r"}}"#,
            r#"t | user | unknown | - | {"ok":true,"team":{"id":"T1"}}"#,
        ),
        // GitHub without `Accept: application/json`; Facebook as text/plain.
        (
            200,
            "access_token=t&scope=repo%2Cgist&token_type=bearer",
            "t | bearer | unknown | repo gist | -",
        ),
        (
            200,
            "access_token=t&expires=5183999",
            r#"t | Bearer | unknown | - | {"expires":"5183999"}"#,
        ),
        // Sentry.
        (201, r#"{"access_token":"t"}"#, "t | Bearer | unknown | - | -"),
        (200, "\u{feff} \n{\"access_token\":\"t\"}\n", "t | Bearer | unknown | - | -"),
        (
            200,
            r#"{"access_token":"t","error":null,"errors":[]}"#,
            r#"t | Bearer | unknown | - | {"error":null,"errors":[]}"#,
        ),
        (
            200,
            r#"{"access_token":"t","error":"","errors":["deprecated"]}"#,
            r#"t | Bearer | unknown | - | {"error":"","errors":["deprecated"]}"#,
        ),
    ]);
}

#[test]
fn what_must_stay_inside_is_never_among_the_extras() {
    assert_lines(&[
        (200, r#"{"access_token":"t","refresh_token":""}"#, "t | Bearer | unknown | - | -"),
        (
            200,
            r#"{"access_token":"t","refresh_token":"r","id_token":"i"}"#,
            "t | Bearer | unknown | - | -",
        ),
        (
            200,
            r#"{"access_token":"t","refreshToken":"r","a":[{"Refresh-Token":"r","x":1}],"client_secret":"s","refresh_token_expires_in":9}"#,
            r#"t | Bearer | unknown | - | {"a":[{"x":1}],"refresh_token_expires_in":9}"#,
        ),
    ]);
}

#[test]
fn what_no_frame_can_carry_is_left_out_or_refused() {
    for (bytes, fits) in [(ACCESS_TOKEN_BYTES_MAX, true), (ACCESS_TOKEN_BYTES_MAX + 1, false)] {
        let body = format!(r#"{{"access_token":"{}"}}"#, "t".repeat(bytes));
        assert_eq!(matches!(classified(&reply(200, body)), Outcome::Tokens(_)), fits);
    }
    let overhead = r#"{"x":""}"#.len();
    for (bytes, fits) in [(extra::EXTRA_BYTES_MAX, true), (extra::EXTRA_BYTES_MAX + 1, false)] {
        let body = format!(r#"{{"access_token":"t","x":"{}"}}"#, "x".repeat(bytes - overhead));
        let Outcome::Tokens(Obtained { token, .. }) = classified(&reply(200, body)) else {
            panic!("no token")
        };
        assert_eq!(!token.extra.is_empty(), fits);
    }
    for (bytes, fits) in [(SCOPE_BYTES_MAX, true), (SCOPE_BYTES_MAX + 1, false)] {
        let body = format!(r#"{{"access_token":"t","scope":"{}"}}"#, "s".repeat(bytes));
        let Outcome::Tokens(Obtained { token, .. }) = classified(&reply(200, body)) else {
            panic!("no token")
        };
        assert_eq!(token.scope.is_some(), fits);
    }
}

#[test]
fn a_token_is_bound_where_it_is_to_be_and_nowhere_else() {
    for (is_to_be, written, token_type) in [
        (true, "DPoP", Some("DPoP")),
        (true, "dpop", Some("DPoP")),
        (true, "Bearer", None),
        (true, "", None),
        (false, "DPoP", None),
        (false, "bearer", Some("bearer")),
    ] {
        let body = format!(r#"{{"access_token":"t","token_type":"{written}"}}"#);
        let client = Client { dpop: is_to_be, ..client() };
        match by(&Grant::ClientCredentials(client), &plain(), &reply(200, body)) {
            Outcome::Tokens(Obtained { token, .. }) => {
                assert_eq!(Some(token.token_type.as_str()), token_type, "{written}");
            }
            Outcome::Failed(trouble) => {
                assert_eq!(token_type, None, "{written}");
                let hint = match is_to_be {
                    true => "run `tokctl set acme dpop=` if any token will do",
                    false => "run `tokctl set acme dpop=true`",
                };
                assert_eq!(trouble.failure.hint.as_deref(), Some(hint));
            }
        }
    }
}

#[test]
fn a_token_that_no_bearer_can_use_is_refused() {
    let injected = "Permanent provider_failed | the provider sent an access token with characters that no \
                    token may have (RFC 6749 appendix A.12) | -";
    for token in [r"a\nb", "a b", r"a\u0000", "\u{e4}", r"\u001b]0;x"] {
        let body = format!(r#"{{"access_token":"{token}"}}"#);
        assert_eq!(line(classified(&reply(200, body))), injected, "{token}");
    }
    for (written, usable) in [
        ("Bearer", true),
        ("BEARER", true),
        ("User Access Token", true),
        ("mac", false),
        ("MAC", false),
        ("DPoP", false),
        ("dpop", false),
        ("N_A", false),
        (" n_a ", false),
        ("PoP", false),
    ] {
        let body = format!(r#"{{"access_token":"t","token_type":"{written}"}}"#);
        match classified(&reply(200, body)) {
            Outcome::Tokens(Obtained { token, .. }) => {
                assert!(usable, "{written} as {}", token.token_type);
            }
            Outcome::Failed(trouble) => {
                assert!(!usable, "{written}");
                assert_eq!(trouble.class, Class::Permanent);
            }
        }
    }
}

#[test]
fn a_token_type_that_is_no_word_reads_as_bearer() {
    for written in [r"a\u001b[2J", r"a\nb", "\u{202e}", "", "  ", &"x".repeat(65)] {
        let body = format!(r#"{{"access_token":"t","token_type":"{written}"}}"#);
        assert_eq!(
            line(classified(&reply(200, body))),
            "t | Bearer | unknown | - | -",
            "{written}"
        );
    }
}

#[test]
fn every_code_says_whose_fault_it_is_and_what_to_type() {
    assert_lines(&[
        (
            401,
            r#"{"error":"invalid_client","error_description":"no such client"}"#,
            "Permanent provider_refused | the provider refused the client (invalid_client: \"no such client\") | run `tokctl set-secret acme`",
        ),
        (
            400,
            r#"{"error":"invalid_client"}"#,
            "Permanent provider_refused | the provider refused the client (invalid_client) | run `tokctl set-secret acme`",
        ),
        (
            400,
            r#"{"error":"unauthorized_client"}"#,
            "Permanent provider_refused | the provider refused this grant to the client (unauthorized_client) | allow the grant for client `cc` at the provider",
        ),
        (
            400,
            r#"{"error":"unsupported_grant_type"}"#,
            "Permanent provider_refused | the provider refused the grant (unsupported_grant_type) | compare `grant` with what the provider documents",
        ),
        (
            400,
            r#"{"error":"invalid_request"}"#,
            "Permanent provider_refused | the provider refused the request (invalid_request) | compare `tokctl show acme` with what the provider documents",
        ),
        (
            400,
            r#"{"error":"invalid_scope"}"#,
            "Permanent provider_refused | the provider refused the scope (invalid_scope) | run `tokctl set acme scope=…`",
        ),
        (
            400,
            r#"{"error":"invalid_target"}"#,
            "Permanent provider_refused | the provider refused the audience or resource (invalid_target) | run `tokctl set acme audience=…` or `resource=…`",
        ),
        (
            400,
            r#"{"error":"invalid_grant"}"#,
            "LoginRequired secret_required | the provider refused the grant (invalid_grant) | run `tokctl set-secret acme`",
        ),
        (
            400,
            r#"{"error":"temporarily_unavailable"}"#,
            "Retry provider_failed | the provider has a failure of its own (temporarily_unavailable) | -",
        ),
        (
            400,
            r#"{"error":"server_error"}"#,
            "Retry provider_failed | the provider has a failure of its own (server_error) | -",
        ),
        (
            400,
            r#"{"error":"slow_down"}"#,
            "Retry rate_limited | the provider said to slow down (slow_down) | -",
        ),
        (
            400,
            r#"{"error":"quota_of_their_own"}"#,
            "Permanent provider_refused | the provider refused the request (quota_of_their_own) | -",
        ),
    ]);
}

#[test]
fn errors_are_found_wherever_providers_put_them() {
    let client = "Permanent provider_refused | the provider refused the client";
    let secret = "run `tokctl set-secret acme`";
    let request = "Permanent provider_refused | the provider refused the request";
    for (status, body, expected) in [
        // GitHub, as JSON and as a form.
        (
            200,
            r#"{"error":"incorrect_client_credentials","error_description":"wrong","error_uri":"https://x"}"#,
            format!("{client} (incorrect_client_credentials: \"wrong\") | {secret}"),
        ),
        (
            200,
            "error=incorrect_client_credentials&error_description=wrong+id",
            format!("{client} (incorrect_client_credentials: \"wrong id\") | {secret}"),
        ),
        // An error beside a token is an error.
        (
            200,
            r#"{"error":"invalid_client","access_token":"t"}"#,
            format!("{client} (invalid_client) | {secret}"),
        ),
        // Slack.
        (
            200,
            r#"{"ok":false,"error":"bad_client_secret"}"#,
            format!("{client} (bad_client_secret) | {secret}"),
        ),
        (200, r#"{"ok":false}"#, format!("{request} (without a reason) | -")),
        // Google, Facebook.
        (
            403,
            r#"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}"#,
            format!("{request} (PERMISSION_DENIED: \"no\") | -"),
        ),
        (
            400,
            r#"{"error":{"message":"bad","type":"OAuthException","code":190}}"#,
            format!("{request} (OAuthException: \"bad\") | -"),
        ),
        (400, r#"{"error":{"code":190}}"#, format!("{request} (190) | -")),
        (400, r#"{"error":{}}"#, format!("{request} (without a reason) | -")),
        // Fitbit.
        (
            401,
            r#"{"errors":[{"errorType":"invalid_client","message":"bad"}],"success":false}"#,
            format!("{client} (invalid_client: \"bad\") | {secret}"),
        ),
        (400, r#"{"errors":["invalid_client"]}"#, format!("{client} (invalid_client) | {secret}")),
        // Okta.
        (
            401,
            r#"{"errorCode":"invalid_client","errorSummary":"bad","errorCauses":[]}"#,
            format!("{client} (invalid_client: \"bad\") | {secret}"),
        ),
        (400, r#"{"error":42,"message":"bad"}"#, format!("{request} (42: \"bad\") | -")),
        (400, r#"{"error":true}"#, format!("{request} (without a reason) | -")),
    ] {
        assert_eq!(line(classified(&reply(status, body))), expected, "{body}");
    }
}

#[test]
fn the_status_speaks_where_the_body_says_nothing() {
    let refused = "Permanent provider_refused | ";
    for (status, expected) in [
        (302, "Permanent provider_failed | the token endpoint https://acme.example/token answered with a redirect (HTTP 302), which is never followed | -".to_owned()),
        (307, "Permanent provider_failed | the token endpoint https://acme.example/token answered with a redirect (HTTP 307), which is never followed | -".to_owned()),
        (400, format!("{refused}the provider refused the request (HTTP 400) | -")),
        (401, format!("{refused}the provider refused the client (HTTP 401) | run `tokctl set-secret acme`")),
        (403, format!("{refused}the provider refused the client (HTTP 403) | run `tokctl set-secret acme`")),
        (404, format!("{refused}there is no token endpoint at https://acme.example/token (HTTP 404) | run `tokctl set acme token_endpoint=…`")),
        (405, format!("{refused}there is no token endpoint at https://acme.example/token (HTTP 405) | run `tokctl set acme token_endpoint=…`")),
        (408, "Retry provider_failed | the provider has a failure of its own (HTTP 408) | -".to_owned()),
        (415, format!("{refused}the provider refused the encoding of the request (HTTP 415) | run `tokctl set acme body=json` or `body=form`")),
        (429, "Retry rate_limited | the provider said to slow down (HTTP 429) | -".to_owned()),
        (500, "Retry provider_failed | the provider has a failure of its own (HTTP 500) | -".to_owned()),
        (503, "Retry provider_failed | the provider has a failure of its own (HTTP 503) | -".to_owned()),
        (599, "Retry provider_failed | the provider has a failure of its own (HTTP 599) | -".to_owned()),
    ] {
        for body in ["", "<html>busy</html>", "{}", "[]", "no", "\u{0}"] {
            assert_eq!(line(classified(&reply(status, body))), expected, "{body}");
        }
    }
}

#[test]
fn a_failing_server_is_not_believed_about_the_client() {
    assert_lines(&[
        (
            503,
            r#"{"error":"invalid_client"}"#,
            "Retry provider_failed | the provider has a failure of its own (HTTP 503, invalid_client) | -",
        ),
        (
            429,
            r#"{"error":"invalid_grant","error_description":"d"}"#,
            "Retry rate_limited | the provider said to slow down (HTTP 429, invalid_grant: \"d\") | -",
        ),
    ]);
}

#[test]
fn a_success_without_a_token_is_a_failure_that_may_pass() {
    let no_reply =
        "Retry provider_failed | the provider answered with something that is no token reply";
    for (status, body, expected) in [
        (200, "", format!("{no_reply} (HTTP 200, an empty body) | -")),
        (204, "", format!("{no_reply} (HTTP 204, an empty body) | -")),
        (200, "<html>log in to the wifi</html>", format!("{no_reply} (HTTP 200, application/json) | -")),
        (200, "[1]", format!("{no_reply} (HTTP 200, application/json) | -")),
        (200, "\"token\"", format!("{no_reply} (HTTP 200, application/json) | -")),
        (200, "some text", format!("{no_reply} (HTTP 200, application/json) | -")),
        (200, "{\"access_token\":", format!("{no_reply} (HTTP 200, application/json) | -")),
        (
            200,
            r#"{"token":"secret","expires":1}"#,
            "Retry provider_failed | the provider's reply holds no access_token (HTTP 200, with expires, token) | -".to_owned(),
        ),
        (
            200,
            "{}",
            "Retry provider_failed | the provider's reply holds no access_token (HTTP 200, with no fields) | -".to_owned(),
        ),
        (
            200,
            r#"{"access_token":{"x":1}}"#,
            "Retry provider_failed | the provider's reply holds no access_token (HTTP 200, with access_token) | -".to_owned(),
        ),
    ] {
        assert_eq!(line(classified(&reply(status, body))), expected, "{body}");
    }
}

#[test]
fn retry_after_is_obeyed_where_trying_again_helps() {
    for (status, body, wait_s) in [
        (429, "", Some(7)),
        (503, "<html>", Some(7)),
        (400, r#"{"error":"slow_down"}"#, Some(7)),
        (401, r#"{"error":"invalid_client"}"#, None),
        (400, "", None),
    ] {
        let reply = HttpReply { retry_after: Some("7".into()), ..reply(status, body) };
        let Outcome::Failed(trouble) = classified(&reply) else { panic!("a token") };
        assert_eq!(trouble.retry_after, wait_s.map(Duration::from_secs), "{status} {body}");
    }
}

#[test]
fn what_a_provider_writes_cannot_move_the_cursor() {
    for body in [
        r#"{"error":"a\u001b]52;c;x\u0007","error_description":"b\r\n\u202ec"}"#,
        r#"{"errors":[{"code":"a\u001b","message":"\u009b2J"}]}"#,
        r#"{"a\u001b[2J":1}"#,
        r#"{"access_token":"t","token_type":"mac\u001b"}"#,
    ] {
        for status in [200, 400, 503] {
            let line = line(classified(&reply(status, body)));
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(!line.contains('\u{202e}'), "{line:?}");
        }
    }
}

#[test]
fn what_a_provider_repeats_of_a_secret_is_not_said() {
    let long = "x".repeat(290);
    for body in [
        r#"{"error":"invalid_grant","error_description":"unknown token TOKCTL-SENTINEL"}"#,
        r#"{"error":"TOKCTL-SENTINEL"}"#,
        r#"{"errors":[{"code":"a","message":"client_secret=TOKCTL-SENTINEL"}]}"#,
        "error=invalid_client&error_description=TOKCTL-SENTINEL",
        // Nor its first half, where the text is cut.
        &format!(r#"{{"error":"invalid_scope","error_description":"{long}TOKCTL-SENTINEL"}}"#),
    ] {
        for status in [200, 400, 429, 503] {
            for grant in [Grant::ClientCredentials(client()), Grant::RefreshToken(client())] {
                let Outcome::Failed(trouble) = by(&grant, &plain(), &reply(status, body)) else {
                    panic!("{body}")
                };
                let said = format!("{trouble:?}");
                assert!(!said.contains("TOKCTL-S") && said.contains("[redacted"), "{said}");
            }
        }
    }
}

#[test]
fn deep_nesting_is_no_token_reply() {
    for (depth, reads) in [(100, true), (100_000, false)] {
        let body =
            format!(r#"{{"access_token":"t","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(matches!(classified(&reply(200, body)), Outcome::Tokens(_)), reads, "{depth}");
    }
}

proptest! {
    #[test]
    fn no_reply_makes_the_parser_panic(
        status in 100u16..=599,
        body in prop::collection::vec(any::<u8>(), 0..300),
        retry_after in prop::option::of("\\PC{0,30}"),
    ) {
        let _ignored = classified(&HttpReply { retry_after, ..reply(status, body) });
    }

    #[test]
    fn no_json_makes_the_parser_panic_and_no_token_is_made_up(
        name in prop_oneof![Just("access_token"), Just("error"), Just("errors"), Just("authed_user"), Just("scope")],
        value in prop_oneof![
            Just("null".to_owned()), Just("0".to_owned()), Just("[]".to_owned()), Just("[[]]".to_owned()),
            Just("{}".to_owned()), Just("1e300".to_owned()), "\"[a-z ]{0,5}\"", Just(r#"{"access_token":"u"}"#.to_owned()),
        ],
        expires_in in prop_oneof![Just("-1".to_owned()), Just("\"x\"".to_owned()), "[1-9][0-9]{0,30}"],
    ) {
        let body = format!(r#"{{"{name}":{value},"expires_in":{expires_in}}}"#);
        if let Outcome::Tokens(Obtained { token, .. }) = classified(&reply(200, body)) {
            prop_assert!(is_token(token.access_token.expose()));
            prop_assert!(token.expires_at.is_none_or(|at| at >= token.issued_at));
        }
    }
}
