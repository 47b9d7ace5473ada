//! Answers of a provider that means harm to a refresh, a revocation and a look at a token: what is at stake stays.

use serde_json::json;
use tokctl_tests::provider::{Answer, CLIENT_ID, CLIENT_SECRET};
use tokctl_tests::{Home, Provider};

use super::{beside_good, fails_clearly, get, home_with_good, is_harmless, json as answer};

const ESCAPES: &str = "\u{1b}]52;c;aGk=\u{7}\u{9b}2J\r\n\u{202e}";

fn token() -> Answer {
    answer(&json!({ "access_token": "t1", "token_type": "Bearer", "expires_in": 600 }))
}

#[test]
fn an_answer_that_nobody_can_read_costs_no_refresh_token() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    let cases = [
        ("no end", Answer::Endless, "is larger than 1024 KiB"),
        ("10 MB", Answer::json(200, &" ".repeat(10 * 1024 * 1024)), "is larger than 1024 KiB"),
        ("half an answer", Answer::CloseAfterHeaders, "127.0.0.1"),
        ("nesting", Answer::json(200, &"{\"a\":".repeat(100_000)), "no token reply"),
    ];
    let profiles: Vec<_> = (0..cases.len()).map(|at| format!("p{at}")).collect();
    let path = |profile: &str| format!("/{profile}/token");
    for (at, (profile, (_, says, _))) in profiles.iter().zip(&cases).enumerate() {
        // Whoever rotates may have spent the token, which is then left alone for a while.
        let rotation = if at == 0 { "strict" } else { "none" };
        home.add_refresh_token(profile, "cc", "r1")
            .args(["--rotation", rotation])
            .args(["--token-endpoint", &provider.url(&path(profile)), "--client-auth", "none"])
            .run()
            .ok();
        provider.serve(&path(profile), says.clone().held());
    }
    let gets = profiles.iter().map(|profile| get(&home, profile)).collect();
    for (output, (case, _, words)) in beside_good(&home, &provider, gets).iter().zip(&cases) {
        fails_clearly(case, output, 7, &[words]);
    }
    for profile in &profiles[1..] {
        provider.serve(&path(profile), token());
        home.tokctl(["refresh", profile]).run().ok();
        let requests = provider.token_requests();
        let last = requests.iter().rfind(|request| request.path == path(profile)).unwrap();
        assert_eq!(last.param("refresh_token"), Some("r1"));
        assert_eq!(home.get(profile), "t1");
    }
    let left_alone = home.tokctl(["refresh", "p0"]).run();
    fails_clearly("strict", &left_alone, 7, &["it is presented once more when a token is needed"]);
}

/// Adds a profile whose provider takes questions about tokens, and gets its token.
#[track_caller]
fn add(home: &Home, provider: &Provider, profile: &str) {
    let at = |name: &str| provider.url(&format!("/{profile}/{name}"));
    provider.serve(&format!("/{profile}/token"), token());
    home.add(profile, CLIENT_ID, CLIENT_SECRET)
        .args(["--token-endpoint", &at("token"), "--revocation-endpoint", &at("revoke")])
        .args(["--introspection-endpoint", &at("inspect")])
        .run()
        .ok();
    home.get(profile);
}

#[test]
fn what_is_said_of_a_token_drives_no_terminal_and_ends() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    let refusal = |status: u16| {
        let body = json!({ "error": ESCAPES, "error_description": ESCAPES, "x": ESCAPES });
        Answer::json(status, &body.to_string())
    };
    let claims = json!({ "active": true, "sub": ESCAPES, ESCAPES: [ESCAPES], "exp": ESCAPES });
    for (at, (says, inspects, revokes)) in [
        (refusal(400), None, Some(6)),
        (refusal(503), None, None),
        (answer(&claims), Some(0), Some(0)),
        (Answer::json(200, &"[".repeat(100_000)), None, Some(0)),
        (Answer::Endless, None, None),
        (Answer::canned(302, &[("location", "http://127.0.0.1:1/")], ""), None, Some(7)),
    ]
    .into_iter()
    .enumerate()
    {
        let profile = format!("p{at}");
        add(&home, &provider, &profile);
        for name in ["inspect", "revoke"] {
            provider.serve(&format!("/{profile}/{name}"), says.clone());
        }
        for (command, code) in [("inspect", inspects), ("revoke", revokes)] {
            let output = home.tokctl([command, &profile, "--yes"]).run();
            let text = format!("{}{}", output.stdout, output.stderr);
            assert!(is_harmless(&text), "{command} {at}: {output:?}");
            assert!(code.is_none_or(|code| output.code == code), "{command} {at}: {output:?}");
        }
    }
}
