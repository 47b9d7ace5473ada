//! What providers answer in another way than RFC 6749 has it.

use super::{Played, answer};
use crate::oauth::message::HttpReply;
use crate::oauth::reply::Purpose;

#[test]
fn a_token_may_stand_anywhere() {
    for (response, body, token) in [
        ("", r#"{"access_token":"t","token_type":"Bearer"}"#, "t Bearer no end"),
        ("token = \"jwt\"", r#"{"jwt":"t"}"#, "t Bearer no end"),
        ("token = \"token\"", r#"{"token":"t"}"#, "t Bearer no end"),
        ("token = \"idToken\"", r#"{"idToken":"t"}"#, "t Bearer no end"),
        ("token = \"sessionId\"", r#"{"sessionId":"t"}"#, "t Bearer no end"),
        ("token = \"data.token\"", r#"{"data":{"token":"t"}}"#, "t Bearer no end {\"data\":{}}"),
        (
            "token = \"data.accessToken\", expires_in = \"data.expiresIn\"",
            r#"{"data":{"accessToken":"t","expiresIn":60}}"#,
            "t Bearer 60s {\"data\":{}}",
        ),
        (
            "token = \"tokens.access.token\"",
            r#"{"tokens":{"access":{"token":"t"}}}"#,
            "t Bearer no end {\"tokens\":{\"access\":{}}}",
        ),
        // Avanan, JobDiva.
        ("token = \"body\"", "t\n", "t Bearer no end"),
        ("token = \"body\"", "\"t\"", "t Bearer no end"),
        // Withings.
        (
            "token = \"body.access_token\", expires_in = \"body.expires_in\"",
            r#"{"status":0,"body":{"access_token":"t","expires_in":"60"}}"#,
            "t Bearer 60s {\"body\":{},\"status\":0}",
        ),
        // Plentymarkets.
        (
            "token = \"accessToken\", token_type = \"tokenType\"",
            r#"{"tokenType":"Bearer","accessToken":"t"}"#,
            "t Bearer no end",
        ),
    ] {
        let played = Played::client(&format!("response = {{ {response} }}"));
        assert_eq!(played.reads(&answer(200, body)), token, "{response} {body}");
    }
    let slack = r#"{"ok":true,"authed_user":{"id":"U1","access_token":"t","token_type":"user"}}"#;
    assert_eq!(Played::client("").reads(&answer(200, slack)), "t user no end {\"ok\":true}");
}

#[test]
fn a_reply_is_read_whatever_it_says_it_is() {
    for (content_type, body) in [
        (Some("application/json"), r#"{"access_token":"t","expires_in":"60"}"#),
        // GitHub, unless it is asked for JSON.
        (
            Some("application/x-www-form-urlencoded"),
            "access_token=t&expires_in=60&token_type=Bearer",
        ),
        // Facebook, as it was.
        (Some("text/plain"), "access_token=t&expires_in=60"),
        (Some("text/html"), r#"{"access_token":"t","expires_in":60}"#),
        (None, "\u{feff}{\"access_token\":\"t\",\"expires_in\":60}"),
    ] {
        let reply =
            HttpReply { content_type: content_type.map(str::to_owned), ..answer(200, body) };
        assert_eq!(Played::client("").reads(&reply), "t Bearer 60s", "{content_type:?}");
    }
}

#[test]
fn an_error_counts_whatever_the_status() {
    for (status, body, told) in [
        // Slack.
        (
            200,
            r#"{"ok":false,"error":"invalid_client_id"}"#,
            "Permanent: the provider refused the client (invalid_client_id)",
        ),
        (200, r#"{"ok":false}"#, "Permanent: the provider refused the request (without a reason)"),
        // Fitbit.
        (
            401,
            r#"{"errors":[{"errorType":"invalid_client","message":"Invalid authorization header"}],"success":false}"#,
            "Permanent: the provider refused the client (invalid_client: \"Invalid authorization header\")",
        ),
        // Okta.
        (
            401,
            r#"{"errorCode":"invalid_client","errorSummary":"Invalid value for 'client_id' parameter."}"#,
            "Permanent: the provider refused the client (invalid_client: \"Invalid value for 'client_id' parameter.\")",
        ),
        // Google.
        (
            400,
            r#"{"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT"}}"#,
            "Permanent: the provider refused the request (INVALID_ARGUMENT: \"Bad\")",
        ),
        // A success with nothing in it.
        (200, "{}", "Retry: the provider's reply holds no access_token (HTTP 200, with no fields)"),
        // Sentry: a success.
        (201, r#"{"access_token":"t"}"#, "t Bearer no end"),
    ] {
        assert_eq!(Played::client("").reads(&answer(status, body)), told, "{body}");
    }
    // GitHub.
    let github = r#"{"error":"bad_refresh_token","error_description":"The refresh token passed is incorrect or expired."}"#;
    let told = Played::refreshing("").reads(&answer(200, github));
    assert!(told.starts_with("LoginRequired: the provider refused the refresh token"), "{told}");
    let elsewhere = Played::client("response = { token = \"t\", error = \"fault.code\" }");
    let told = elsewhere.reads(&answer(200, r#"{"fault":{"code":"invalid_scope"}}"#));
    assert_eq!(told, "Permanent: the provider refused the scope (invalid_scope)");
}

#[test]
fn an_end_is_written_in_many_ways() {
    for (settings, field, life) in [
        ("", "\"expires_in\":60", "60s"),
        // Azure v1 and B2C, NetSuite, Naver.
        ("", "\"expires_in\":\"60\"", "60s"),
        ("", "\"expires_in\":\"1h\"", "3600s"),
        // Fiserv.
        ("response = { expires_in_ms = \"expires_in\" }", "\"expires_in\":60000", "60s"),
        ("response = { expires_in = \"expires\" }", "\"expires\":60", "60s"),
        ("response = { expires_in = \"expirySeconds\" }", "\"expirySeconds\":\"60\"", "60s"),
        (
            "response = { expires_in = \"access_token_validity\" }",
            "\"access_token_validity\":60",
            "60s",
        ),
        ("response = { expires_at = \"expires_on\" }", "\"expires_on\":\"1800000060\"", "60s"),
        ("response = { expires_at = \"expiry_time\" }", "\"expiry_time\":1800000060000", "60s"),
        (
            "response = { expires_at = \"expires_at\" }",
            "\"expires_at\":\"2027-01-15T08:01:00Z\"",
            "60s",
        ),
        // Tableau writes days, hours and minutes, which to others would be hours, minutes and seconds.
        ("response = { expires_in_dhm = \"in\" }", "\"in\":\"0:04:00\"", "14400s"),
        ("assume_ttl = \"2h\"\nresponse = { expires_in = \"in\" }", "\"in\":\"0:04:00\"", "7200s"),
        // Mailchimp: no end. Who assumes nothing is served it once.
        ("assume_ttl = \"2h\"", "\"expires_in\":0", "7200s"),
        ("", "\"expires_in\":0", "0s"),
        // Salesforce, GitHub's OAuth apps.
        ("assume_ttl = \"2h\"", "\"n\":1", "7200s"),
        ("", "\"n\":1", "no end"),
        // Docker registries.
        (
            "assume_ttl = \"60s\"\nresponse = { token = \"token\" }",
            "\"token\":\"t\",\"issued_at\":\"2027-01-15T08:00:00Z\"",
            "60s",
        ),
    ] {
        let token = if field.contains("\"token\"") { "" } else { "\"access_token\":\"t\"," };
        let read = Played::client(settings).reads(&answer(200, &format!("{{{token}{field}}}")));
        let end = read.strip_prefix("t Bearer ").unwrap_or_else(|| panic!("{read}"));
        assert!(end == life || end.starts_with(&format!("{life} ")), "{settings} {field}: {read}");
    }
}

#[test]
fn a_refresh_token_is_replaced_or_left_out() {
    let played = Played::refreshing("");
    for (body, read) in [
        (r#"{"access_token":"t","expires_in":60}"#, "t Bearer 60s"),
        (r#"{"access_token":"t","expires_in":60,"refresh_token":"r2"}"#, "t Bearer 60s refresh=r2"),
        (
            r#"{"access_token":"t","expires_in":60,"refresh_token":"r2","refresh_token_expires_in":90}"#,
            "t Bearer 60s refresh=r2 for 90s",
        ),
        // Keycloak's that have no end.
        (
            r#"{"access_token":"t","expires_in":60,"refresh_token":"r2","refresh_expires_in":0}"#,
            "t Bearer 60s refresh=r2",
        ),
    ] {
        let told = played.reads(&answer(200, body));
        assert!(told.starts_with(read), "{told}");
    }
    let elsewhere = Played::refreshing("response = { refresh_token = \"tokens.refresh\" }");
    let body = r#"{"access_token":"t","tokens":{"refresh":"r2"}}"#;
    assert_eq!(elsewhere.reads(&answer(200, body)), "t Bearer no end refresh=r2 {\"tokens\":{}}");
}

#[test]
fn what_else_a_reply_holds_is_kept_for_whoever_needs_it() {
    for (field, extra) in [
        (
            r#""instance_url":"https://acme.my.salesforce.com""#,
            r#"{"instance_url":"https://acme.my.salesforce.com"}"#,
        ),
        (r#""realmId":"4620816365"#, ""),
        (
            r#""restUrl":"https://rest.bullhornstaffing.com/""#,
            r#"{"restUrl":"https://rest.bullhornstaffing.com/"}"#,
        ),
        (
            r#""api_base_url_for_customer":"https://us-1.gong.io""#,
            r#"{"api_base_url_for_customer":"https://us-1.gong.io"}"#,
        ),
        (r#""workspace_id":"w","id_token":"secret""#, r#"{"workspace_id":"w"}"#),
    ] {
        let read =
            Played::client("").reads(&answer(200, &format!("{{\"access_token\":\"t\",{field}}}")));
        match extra {
            // A reply that was cut is none.
            "" => assert!(read.starts_with("Retry: "), "{read}"),
            extra => assert_eq!(read, format!("t Bearer no end {extra}")),
        }
    }
}

#[test]
fn an_odd_type_is_a_bearers_and_scopes_are_read_as_they_come() {
    for (fields, read) in [
        // eBay.
        (r#""token_type":"User Access Token""#, "t User Access Token no end"),
        // Weibo, Douban.
        (r#""uid":1"#, "t Bearer no end {\"uid\":1}"),
        // Mailchimp.
        (r#""scope":null"#, "t Bearer no end"),
        (r#""scope":"a,b""#, "t Bearer no end scope=a b"),
        // Twitch.
        (r#""scope":["a","b"]"#, "t Bearer no end scope=a b"),
        (r#""token_type":"BEARER","scope":"a b""#, "t BEARER no end scope=a b"),
    ] {
        let told =
            Played::client("").reads(&answer(200, &format!("{{\"access_token\":\"t\",{fields}}}")));
        assert_eq!(told, read);
    }
}

#[test]
fn a_provider_that_says_to_slow_down_is_left_alone_for_as_long_as_it_says() {
    for (status, retry_after, body, told) in [
        // Auth0, Apple Business Manager.
        (429, Some("7"), "{}", "Retry in 7s: the provider said to slow down (HTTP 429)"),
        (503, Some("7"), "<html>", "Retry in 7s: the provider has a failure of its own (HTTP 503)"),
        // Slack.
        (
            200,
            Some("7"),
            r#"{"ok":false,"error":"ratelimited"}"#,
            "Retry in 7s: the provider said to slow down (ratelimited)",
        ),
        (429, None, "{}", "Retry: the provider said to slow down (HTTP 429)"),
    ] {
        let reply =
            HttpReply { retry_after: retry_after.map(str::to_owned), ..answer(status, body) };
        assert_eq!(Played::client("").reads(&reply), told);
    }
}

#[test]
fn the_end_of_a_login_reads_like_any_other_reply() {
    let played =
        Played::refreshing("response = { token = \"data.t\", refresh_token = \"data.r\" }");
    let body = r#"{"data":{"t":"t","r":"r1"}}"#;
    let told = played.reads_for(Purpose::Login, &answer(200, body));
    assert_eq!(told, "t Bearer no end refresh=r1 {\"data\":{}}");
}
