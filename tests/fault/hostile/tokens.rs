//! Tokens, lifetimes and refusals of a provider that means harm.

use serde_json::{Value, json};
use tokctl_tests::provider::Answer;
use tokctl_tests::{Home, Provider, keys};

use super::{
    add_at_own_endpoint, beside_good, fails_clearly, get, home_with_good, is_harmless,
    json as answer,
};

/// Nobody sets the screen, the clipboard or the direction of text.
const ESCAPES: &str = "\u{1b}[2J\u{1b}]52;c;aGk=\u{7}\u{9b}2J\r\n\u{202e}\u{200b}\u{7f}\0";

/// A reply whose fields are changed so.
fn reply(changes: Value) -> Value {
    let mut reply = json!({ "access_token": "t1", "token_type": "Bearer", "expires_in": 600 });
    let Value::Object(changes) = changes else { panic!("no changes: {changes}") };
    reply.as_object_mut().unwrap().extend(changes);
    reply
}

/// What is no token, and how its refusal is worded.
fn no_tokens() -> Vec<(&'static str, Value, &'static str)> {
    let characters = "characters that no token may have";
    vec![
        ("a line feed", "a\nLD_PRELOAD=/x".into(), characters),
        ("a carriage return", "a\rX-Header: y".into(), characters),
        ("an escape", "a\u{1b}[2J".into(), characters),
        ("a NUL", "a\0b".into(), characters),
        ("a DEL", "a\u{7f}".into(), characters),
        ("a C1 control", "a\u{9b}2J".into(), characters),
        ("text that turns round", "a\u{202e}b".into(), characters),
        ("a letter beyond ASCII", "t\u{f6}ken".into(), characters),
        ("a tab", "a\tb".into(), characters),
        ("1 MB", "a".repeat(1_000_000).into(), "more than 24 KiB"),
        ("a little too much", "a".repeat(24 * 1024 + 1).into(), "more than 24 KiB"),
        ("nothing", "".into(), "holds no access_token"),
        ("null", Value::Null, "holds no access_token"),
        ("a number", 7.into(), "holds no access_token"),
        ("a list", json!(["t"]), "holds no access_token"),
        ("an object", json!({ "t": "t" }), "holds no access_token"),
    ]
}

#[test]
fn what_is_no_token_is_not_handed_out() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    let profiles: Vec<_> = (0..no_tokens().len()).map(|at| format!("p{at}")).collect();
    let mut paths = Vec::new();
    for (profile, (_, token, _)) in profiles.iter().zip(no_tokens()) {
        paths.push(add_at_own_endpoint(&home, &provider, profile));
        let body = reply(json!({ "access_token": token }));
        provider.serve(paths.last().unwrap(), answer(&body).held());
    }
    let gets = profiles.iter().map(|profile| get(&home, profile)).collect();
    let outputs = beside_good(&home, &provider, gets);
    for (output, (case, _, words)) in outputs.iter().zip(no_tokens()) {
        fails_clearly(case, output, 7, &[words]);
    }
    // Nothing of it stays.
    for (profile, path) in profiles.iter().zip(&paths) {
        provider.serve(path, answer(&reply(json!({}))));
        home.tokctl(["refresh", profile]).run().ok();
        assert_eq!(home.get(profile), "t1");
    }
}

fn add_refresh_token(home: &Home, provider: &Provider, profile: &str) -> String {
    let path = format!("/{profile}/token");
    home.add_refresh_token(profile, "cc", "r1")
        .args(["--token-endpoint", &provider.url(&path), "--client-auth", "none"])
        .run()
        .ok();
    path
}

/// The refresh token that was presented last at a path.
fn presented(provider: &Provider, path: &str) -> Option<String> {
    let requests = provider.token_requests();
    let last = requests.iter().rfind(|request| request.path == path)?;
    last.param("refresh_token").map(str::to_owned)
}

#[test]
fn a_hostile_access_token_takes_no_refresh_token_along() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    let profiles: Vec<_> = (0..no_tokens().len()).map(|at| format!("p{at}")).collect();
    let mut paths = Vec::new();
    for (profile, (_, token, _)) in profiles.iter().zip(no_tokens()) {
        paths.push(add_refresh_token(&home, &provider, profile));
        let body = reply(json!({ "access_token": token, "refresh_token": "r2" }));
        provider.serve(paths.last().unwrap(), answer(&body).held());
    }
    let gets = profiles.iter().map(|profile| get(&home, profile)).collect();
    let outputs = beside_good(&home, &provider, gets);
    for (output, (case, _, words)) in outputs.iter().zip(no_tokens()) {
        fails_clearly(case, output, 7, &[words]);
    }
    for ((profile, path), (case, ..)) in profiles.iter().zip(&paths).zip(no_tokens()) {
        provider.serve(path, answer(&reply(json!({}))));
        home.tokctl(["refresh", profile]).run().ok();
        assert_eq!(presented(&provider, path).as_deref(), Some("r2"), "{case}");
    }
}

#[test]
fn what_is_no_refresh_token_does_not_replace_one() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    let profiles: Vec<_> = (0..no_tokens().len()).map(|at| format!("p{at}")).collect();
    let mut paths = Vec::new();
    for (profile, (_, token, _)) in profiles.iter().zip(no_tokens()) {
        paths.push(add_refresh_token(&home, &provider, profile));
        let body = reply(json!({ "refresh_token": token }));
        provider.serve(paths.last().unwrap(), answer(&body).held());
    }
    let gets = profiles.iter().map(|profile| get(&home, profile)).collect();
    let outputs = beside_good(&home, &provider, gets);
    for (output, (case, ..)) in outputs.into_iter().zip(no_tokens()) {
        assert!(is_harmless(&output.stderr), "{case}: {output:?}");
        assert_eq!(output.ok(), "t1", "{case}");
    }
    for ((profile, path), (case, ..)) in profiles.iter().zip(&paths).zip(no_tokens()) {
        provider.serve(path, answer(&reply(json!({}))));
        home.tokctl(["refresh", profile]).run().ok();
        assert_eq!(presented(&provider, path).as_deref(), Some("r1"), "{case}");
    }
}

/// Seconds that a token lives by what `get --json` says; `None` where it has no end.
#[track_caller]
fn life(home: &Home, profile: &str) -> Option<i64> {
    let token = home.tokctl(["get", profile, "--json"]).run().json();
    assert_eq!(token["access_token"], "t1", "{token}");
    token["expires_in"].as_i64()
}

#[test]
fn a_lifetime_is_taken_for_what_it_is_worth() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    let ten_years = 315_360_000;
    for (at, (written, least, most)) in [
        (json!("600"), 500, 600),
        (json!(600.9), 500, 600),
        (json!("10m"), 500, 600),
        (json!(u64::MAX), ten_years - 100, ten_years),
        (json!(1e300), ten_years - 100, ten_years),
        (json!("inf"), ten_years - 100, ten_years),
    ]
    .into_iter()
    .enumerate()
    {
        let profile = format!("p{at}");
        home.add_at(&profile, &provider);
        provider.answer(answer(&reply(json!({ "expires_in": written }))));
        let life = life(&home, &profile).unwrap();
        assert!((least..=most).contains(&life), "{written}: {life}");
    }
    for (at, written) in
        [json!("NaN"), json!("\u{1b}[2J"), json!([600]), json!({}), json!(true), Value::Null]
            .into_iter()
            .enumerate()
    {
        let profile = format!("q{at}");
        home.add_at(&profile, &provider);
        provider.answer(answer(&reply(json!({ "expires_in": written }))));
        assert_eq!(life(&home, &profile), None, "{written}");
    }
    for (at, written) in [json!(0), json!(-1), json!("-600"), json!(-1e300)].into_iter().enumerate()
    {
        let profile = format!("r{at}");
        home.add_at(&profile, &provider);
        provider.answer(answer(&reply(json!({ "expires_in": written }))));
        let before = provider.token_requests().len();
        let output = get(&home, &profile).run();
        fails_clearly(&written.to_string(), &output, 7, &["expire"]);
        assert_eq!(provider.token_requests().len(), before + 1, "{written}: a hot loop");
    }
}

#[test]
fn what_stands_beside_a_token_cannot_drive_a_terminal() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    for (at, changes) in [
        json!({ "token_type": ESCAPES }),
        json!({ "token_type": "a".repeat(100_000) }),
        json!({ "scope": format!("api {ESCAPES}") }),
        json!({ "scope": "x ".repeat(100_000) }),
        json!({ ESCAPES: ESCAPES }),
        json!({ "x": "y".repeat(500_000) }),
        json!({ "errors": [ESCAPES] }),
        json!({ "error": Value::Null, "error_description": ESCAPES }),
    ]
    .into_iter()
    .enumerate()
    {
        let profile = format!("p{at}");
        home.add_at(&profile, &provider);
        provider.answer(answer(&reply(changes)));
        for arguments in [&["get", &profile][..], &["get", &profile, "--json"]] {
            let output = home.tokctl(arguments).run();
            assert!(is_harmless(&format!("{}{}", output.stdout, output.stderr)), "{output:?}");
            output.exits(0);
        }
        for command in ["status", "why", "show"] {
            let output = match command {
                "status" => home.tokctl([command]).run(),
                _ => home.tokctl([command, &profile]).run(),
            };
            assert!(is_harmless(&format!("{}{}", output.stdout, output.stderr)), "{output:?}");
        }
    }
}

#[test]
fn what_a_refusal_says_cannot_drive_a_terminal() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    let cases = [
        (401, json!({ "error": "invalid_client", "error_description": ESCAPES }), 6),
        (400, json!({ "error": "invalid_scope", "error_description": ESCAPES.repeat(5_000) }), 6),
        (400, json!({ "error": ESCAPES, "error_description": ESCAPES }), 6),
        (400, json!({ "error": { "code": ESCAPES, "message": ESCAPES } }), 6),
        (400, json!({ "errors": [{ "errorType": ESCAPES, "message": ESCAPES }] }), 6),
        (400, json!({ "errorCode": ESCAPES, "errorSummary": ESCAPES }), 6),
        (403, json!({ "message": ESCAPES }), 6),
        (200, json!({ "ok": false, "error": ESCAPES }), 6),
        (200, json!({ ESCAPES: 1 }), 7),
        (503, json!({ "error": ESCAPES, "error_description": ESCAPES }), 7),
    ];
    let profiles: Vec<_> = (0..cases.len()).map(|at| format!("p{at}")).collect();
    for (profile, (status, body, _)) in profiles.iter().zip(&cases) {
        let path = add_at_own_endpoint(&home, &provider, profile);
        provider.serve(&path, Answer::json(*status, &body.to_string()).held());
    }
    let gets = profiles.iter().map(|profile| get(&home, profile)).collect();
    let outputs = beside_good(&home, &provider, gets);
    for (output, (_, body, code)) in outputs.iter().zip(&cases) {
        fails_clearly(&body.to_string(), output, *code, &[]);
    }
    let why = profiles.iter().map(|profile| home.tokctl(["why", profile]));
    let words =
        [&["status", "--json"][..], &["status"], &["agent", "log"], &["audit"], &["doctor"]];
    for run in why.chain(words.map(|words| home.tokctl(words))) {
        let output = run.run();
        assert!(is_harmless(&format!("{}{}", output.stdout, output.stderr)), "{output:?}");
    }
}

#[test]
fn what_a_token_says_of_itself_cannot_drive_a_terminal() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    let claims = json!({ "sub": ESCAPES, ESCAPES: [ESCAPES], "scope": ESCAPES });
    let header = json!({ "alg": "none", "typ": ESCAPES });
    let token = format!("{}.AAAA", keys::unsigned(&header, &claims));
    home.add_at("acme", &provider);
    provider.answer(answer(&reply(json!({ "access_token": token }))));
    assert_eq!(home.get("acme"), token);
    for words in
        [&["inspect", "acme"][..], &["inspect", "acme", "--json"], &["status"], &["why", "acme"]]
    {
        let output = home.tokctl(words).run().exits(0);
        assert!(is_harmless(&format!("{}{}", output.stdout, output.stderr)), "{output:?}");
    }
}
