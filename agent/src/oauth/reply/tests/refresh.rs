//! Replies to a presented refresh token: what is issued is never lost, and what is refused is told
//! apart by whose fault it is.

use super::*;

fn refreshed(reply: &HttpReply) -> Outcome {
    by(&Grant::RefreshToken(client()), &plain(), reply)
}

fn shown(successor: Option<&Successor>) -> String {
    let Some(Successor { secret, expires_at }) = successor else { return "-".to_owned() };
    let text = secret.expose();
    match expires_at {
        Some(at) => format!("{text} for {}", at.since(SENT_AT).as_secs()),
        None => text.to_owned(),
    }
}

#[test]
fn the_successor_is_read_with_its_end() {
    for (fields, expected) in [
        (r#""refresh_token":"r""#, "r"),
        (r#""x":1"#, "-"),
        (r#""refresh_token":"""#, "-"),
        (r#""refresh_token":null"#, "-"),
        (r#""refresh_token":7"#, "-"),
        (r#""refresh_token":"r r""#, "r r"),
        (r#""refresh_token":"r\nr""#, "-"),
        (r#""refresh_token":"\u00e4""#, "-"),
        // GitHub, Keycloak, QuickBooks.
        (r#""refresh_token":"r","refresh_token_expires_in":60"#, "r for 60"),
        (r#""refresh_token":"r","refresh_expires_in":"60""#, "r for 60"),
        (r#""refresh_token":"r","x_refresh_token_expires_in":60"#, "r for 60"),
        (
            r#""refresh_token":"r","refresh_token_expires_in":"soon","refresh_expires_in":5"#,
            "r for 5",
        ),
        // Keycloak's offline tokens.
        (r#""refresh_token":"r","refresh_expires_in":0"#, "r"),
        (r#""refresh_token":"r","refresh_expires_in":-1"#, "r"),
        (r#""refresh_token":"r","refresh_token_expires_in":1e30"#, "r for 315360000"),
        (r#""refresh_token":"r","refresh_token_expires_at":1000060"#, "r for 60"),
        (r#""refresh_token":"r","refresh_token_expires_at":"1000060""#, "r for 60"),
        (r#""refresh_token":"r","refresh_token_expires_at":1000000060000"#, "r for 315360000"),
        (r#""refresh_token":"r","refresh_token_expires_at":999999"#, "r"),
        (r#""refresh_token":"r","refresh_token_expires_at":"2001-01-01T00:00:00Z""#, "r"),
        (
            r#""refresh_token":"r","refresh_token_expires_in":60,"refresh_token_expires_at":1"#,
            "r for 60",
        ),
    ] {
        let body = format!(r#"{{"access_token":"t",{fields}}}"#);
        let Outcome::Tokens(obtained) = refreshed(&reply(200, &body)) else { panic!("{body}") };
        assert_eq!(shown(obtained.successor.as_ref()), expected, "{body}");
        assert_eq!((obtained.token.access_token.expose(), obtained.status), ("t", 200));
        assert!(!obtained.token.extra.expose().contains("refresh_token\""), "{body}");
    }
    for (body, expected) in [
        // GitHub without `Accept: application/json`, Slack.
        ("access_token=t&refresh_token=r%2B1&refresh_token_expires_in=60", "r+1 for 60"),
        (
            r#"{"ok":true,"authed_user":{"access_token":"t","refresh_token":"r","refresh_token_expires_in":9}}"#,
            "r for 9",
        ),
    ] {
        let Outcome::Tokens(obtained) = refreshed(&reply(200, body)) else { panic!("{body}") };
        assert_eq!(shown(obtained.successor.as_ref()), expected, "{body}");
    }
}

#[test]
fn a_refresh_token_has_a_limit() {
    for (bytes, fits) in [
        (successor::REFRESH_TOKEN_BYTES_MAX, true),
        (successor::REFRESH_TOKEN_BYTES_MAX + 1, false),
    ] {
        let body = format!(r#"{{"access_token":"t","refresh_token":"{}"}}"#, "r".repeat(bytes));
        let Outcome::Tokens(obtained) = refreshed(&reply(200, body)) else { panic!("no token") };
        assert_eq!(obtained.successor.is_some(), fits, "{bytes}");
    }
}

#[test]
fn a_reply_without_a_usable_token_keeps_its_refresh_token() {
    for (status, body, expected) in [
        (200, r#"{"refresh_token":"r"}"#, "r"),
        (200, "refresh_token=r", "r"),
        (200, r#"{"access_token":"a\nb","refresh_token":"r"}"#, "r"),
        (200, r#"{"access_token":7,"refresh_token":"r","refresh_expires_in":60}"#, "r for 60"),
        (200, r#"{"access_token":"t","token_type":"mac","refresh_token":"r"}"#, "r"),
        (200, r#"{"access_token":"t","error":"server_error","refresh_token":"r"}"#, "r"),
        (200, r#"{"ok":true,"authed_user":{"refresh_token":"r"}}"#, "r"),
        // An echo of what was asked is no successor.
        (200, r#"{"error":"invalid_grant","refresh_token":"r"}"#, "-"),
        (200, r#"{"error":"bad_refresh_token","refresh_token":"r"}"#, "-"),
        (400, r#"{"error":"invalid_grant","refresh_token":"r"}"#, "-"),
        (400, r#"{"error":"invalid_request","refresh_token":"r"}"#, "-"),
        (503, r#"{"refresh_token":"r"}"#, "-"),
        (200, "{}", "-"),
        (200, "<html>", "-"),
    ] {
        let Outcome::Failed(trouble) = refreshed(&reply(status, body)) else { panic!("{body}") };
        assert_eq!(shown(trouble.successor.as_deref()), expected, "{body}");
        assert_eq!(trouble.reached, Reached::Answered(status));
    }
}

#[test]
fn a_refused_refresh_token_is_told_from_a_refused_client() {
    use Cause::{InvalidClient, InvalidGrant, Other, Provider};
    let (permanent, login, retry) = (Class::Permanent, Class::LoginRequired, Class::Retry);
    for (status, code, class, cause) in [
        (400, "invalid_grant", login, InvalidGrant),
        (401, "invalid_grant", login, InvalidGrant),
        (200, "bad_refresh_token", login, InvalidGrant),
        (401, "invalid_client", permanent, InvalidClient),
        (200, "incorrect_client_credentials", permanent, InvalidClient),
        (401, "", permanent, InvalidClient),
        (403, "", permanent, Other),
        (400, "unauthorized_client", permanent, Other),
        (400, "invalid_scope", permanent, Other),
        (400, "", permanent, Other),
        (302, "invalid_grant", permanent, Other),
        (400, "server_error", retry, Provider),
        (400, "temporarily_unavailable", retry, Provider),
        (408, "", retry, Provider),
        (503, "invalid_grant", retry, Provider),
        (429, "invalid_grant", retry, Other),
        (400, "slow_down", retry, Other),
    ] {
        let reply = reply(status, format!(r#"{{"error":"{code}"}}"#));
        let Outcome::Failed(trouble) = refreshed(&reply) else { panic!("{code}") };
        assert_eq!((trouble.class, trouble.cause), (class, cause), "{status} {code}");
        assert_eq!(trouble.reached, Reached::Answered(status));
    }
}

#[test]
fn who_is_refused_decides_which_secret_is_asked_for() {
    for (code, expected) in [
        (
            "invalid_grant",
            "LoginRequired login_required | the provider refused the refresh token \
             (invalid_grant) | run `tokctl set-secret acme --name refresh_token`",
        ),
        (
            "invalid_client",
            "Permanent provider_refused | the provider refused the client (invalid_client) | \
             run `tokctl set-secret acme --name client_secret`",
        ),
    ] {
        let reply = reply(400, format!(r#"{{"error":"{code}"}}"#));
        assert_eq!(line(refreshed(&reply)), expected);
    }
}

#[test]
fn without_a_refresh_token_nothing_is_said_about_one() {
    let body = r#"{"access_token":"t","refresh_token":"r"}"#;
    let Outcome::Tokens(obtained) = classified(&reply(200, body)) else { panic!("no token") };
    assert!(obtained.successor.is_none());
    for (code, cause) in [
        ("invalid_grant", Cause::Other),
        ("invalid_client", Cause::InvalidClient),
        ("server_error", Cause::Provider),
    ] {
        let reply = reply(400, format!(r#"{{"error":"{code}"}}"#));
        let Outcome::Failed(trouble) = classified(&reply) else { panic!("{code}") };
        assert_eq!(trouble.cause, cause, "{code}");
    }
}

#[test]
fn the_providers_clock_is_measured_and_its_times_are_read_on_it() {
    // An hour ahead of the middle of the exchange, which is 1 000 001 s.
    let date = Some("Mon, 12 Jan 1970 14:46:41 GMT".to_owned());
    for (date, ahead_s, lives_s) in [(date, Some(3600), 60), (None, None, 3660)] {
        let body = r#"{"access_token":"t","refresh_token":"r","refresh_token_expires_at":1003660}"#;
        let reply = HttpReply { date, ..reply(200, body) };
        let Outcome::Tokens(obtained) = refreshed(&reply) else { panic!("no token") };
        assert_eq!(obtained.clock_ahead_s, ahead_s);
        let expected = format!("r for {lives_s}");
        assert_eq!(shown(obtained.successor.as_ref()), expected);
    }
}
