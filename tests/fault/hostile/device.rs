//! Logins on another device, at a provider that would send the person astray.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokctl_tests::login::Login;
use tokctl_tests::provider::{Answer, CLIENT_ID};
use tokctl_tests::pty::Terminal;
use tokctl_tests::{Home, Provider};

use super::{beside_good, fails_clearly, home_with_good, is_harmless, json as answer};

const ESCAPES: &str = "\u{1b}]52;c;aGk=\u{7}\u{9b}2J\r\n\u{202e}";

/// How a login begins, with these changes.
fn begun(changes: Value) -> Value {
    let mut begun = json!({
        "device_code": "d1", "user_code": "WDJB-MJHT", "verification_uri": "https://as.example/device",
        "expires_in": 600, "interval": 5,
    });
    let Value::Object(changes) = changes else { panic!("no changes: {changes}") };
    begun.as_object_mut().unwrap().extend(changes);
    begun
}

/// Adds a profile that logs in with a device, and gives the path where that begins.
#[track_caller]
fn add(home: &Home, provider: &Provider, profile: &str) -> String {
    let path = format!("/{profile}/device");
    home.tokctl(["add", profile, "--grant", "device_code", "--client-id", CLIENT_ID])
        .args(["--client-auth", "none", "--token-endpoint", &provider.token_endpoint()])
        .args(["--device-authorization-endpoint", &provider.url(&path)])
        .run()
        .ok();
    path
}

#[test]
fn nobody_is_sent_where_they_should_not_go() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    let uri = |uri: &str| answer(&begun(json!({ "verification_uri": uri })));
    let astray = "the provider sends people to `";
    let cases = [
        ("a script", uri("javascript:alert(1)"), astray),
        ("a file", uri("file:///etc/passwd"), astray),
        ("data", uri("data:text/html,<script>"), astray),
        ("plain http", uri("http://evil.example/"), astray),
        ("another's name", uri("https://as.example@evil.example/"), astray),
        ("escapes", uri(&format!("javascript:{ESCAPES}")), astray),
        ("no URL", uri(ESCAPES), astray),
        (
            "an address without end",
            uri(&format!("https://as.example/{}", "a".repeat(100_000))),
            "an address of more than 2 KiB",
        ),
        ("no address", answer(&begun(json!({ "verification_uri": null }))), "verification_uri"),
        ("no code to type", answer(&begun(json!({ "user_code": "" }))), "a user_code"),
        (
            "a code that fills the screen",
            answer(&begun(json!({ "user_code": "A".repeat(9_999) }))),
            "a user_code",
        ),
        ("a code that is a number", answer(&begun(json!({ "user_code": 7 }))), "a user_code"),
        ("no code to ask with", answer(&begun(json!({ "device_code": [] }))), "a device_code"),
        ("a list", Answer::json(200, "[]"), "begins no login"),
        ("nesting", Answer::json(200, &"{\"x\":".repeat(100_000)), "begins no login"),
        ("no end", Answer::Endless, "1024 KiB"),
        (
            "a redirect",
            Answer::canned(302, &[("location", "https://evil.example/")], ""),
            "redirect",
        ),
        (
            "a refusal that drives terminals",
            Answer::json(
                400,
                &json!({ "error": ESCAPES, "error_description": ESCAPES }).to_string(),
            ),
            "refused",
        ),
    ];
    let profiles: Vec<_> = (0..cases.len()).map(|at| format!("p{at}")).collect();
    for (profile, (_, says, _)) in profiles.iter().zip(&cases) {
        let path = add(&home, &provider, profile);
        provider.serve(&path, says.clone().held());
    }
    let logins = profiles.iter().map(|profile| home.tokctl(["login", profile, "--device", "-q"]));
    let outputs = beside_good(&home, &provider, logins.collect());
    for (output, (case, _, words)) in outputs.iter().zip(&cases) {
        let code = if *words == "refused" { 6 } else { 7 };
        fails_clearly(case, output, code, &[words]);
    }
    // The profiles are as they were: the next login begins.
    for profile in &profiles {
        provider.serve(&format!("/{profile}/device"), answer(&begun(json!({}))));
        let login = Login::start(&home, profile, &["--device"]);
        assert_eq!(login.step()["code"], "WDJB-MJHT");
        login.signal(Signal::SIGINT);
        login.finish().exits(130);
    }
}

#[test]
fn what_a_person_is_shown_is_harmless_and_an_odd_pace_is_none() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    for (at, (changes, code, complete)) in [
        (json!({ "interval": -5, "expires_in": "900" }), "WDJB-MJHT", None),
        (json!({ "interval": 1e300, "expires_in": -1 }), "WDJB-MJHT", None),
        (json!({ "interval": "\u{1b}", "expires_in": u64::MAX }), "WDJB-MJHT", None),
        (json!({ "interval": [], "expires_in": 1e300 }), "WDJB-MJHT", None),
        (json!({ "user_code": "AB\u{1b}[2J\u{202e}" }), "AB\\u{1b}[2J\\u{202e}", None),
        (json!({ "verification_uri_complete": "javascript:alert(1)" }), "WDJB-MJHT", None),
        (json!({ "verification_uri_complete": "file:///etc/passwd" }), "WDJB-MJHT", None),
        (
            json!({ "verification_uri_complete": "https://as.example/\u{1b}[2J\u{202e}?c=1" }),
            "WDJB-MJHT",
            Some("https://as.example/%1B[2J%E2%80%AE?c=1"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let profile = format!("p{at}");
        let path = add(&home, &provider, &profile);
        provider.serve(&path, answer(&begun(changes.clone())));
        let login = Login::start(&home, &profile, &["--device"]);
        let step = login.step();
        assert!(is_harmless(&step.to_string()), "{step}");
        assert_eq!(
            (&step["code"], &step["url_complete"]),
            (&json!(code), &json!(complete)),
            "{changes}"
        );
        login.signal(Signal::SIGINT);
        assert!(is_harmless(&login.finish().exits(130).stderr), "{changes}");
    }
    assert_eq!(provider.token_requests().iter().filter(|it| it.path == "/token").count(), 0);
}

#[test]
fn a_code_cannot_drive_the_terminal_it_is_shown_on() {
    let ((home, _good), provider) = (home_with_good(), Provider::start());
    let path = add(&home, &provider, "acme");
    let changes = json!({
        "user_code": format!("AB{ESCAPES}"),
        "verification_uri": format!("https://as.example/{ESCAPES}"),
        "verification_uri_complete": format!("https://as.example/?c={ESCAPES}"),
    });
    provider.serve(&path, answer(&begun(changes)));
    let run = home.tokctl(["login", "acme", "--device", "--color", "never"]);
    let mut terminal = Terminal::start(run);
    terminal.expect("AB\\u{1b}]52;c;aGk=\\u{7}\\u{9b}2J\\u{d}\\u{a}\\u{202e}");
    terminal.expect("█");
    let screen = terminal.screen();
    for escape in ["\u{1b}]52", "\u{1b}[2J", "\u{7}", "\u{9b}", "\u{202e}"] {
        assert!(!screen.contains(escape), "{escape:?}: {screen:?}");
    }
    assert!(screen.contains("https://as.example/%1B]52;c;aGk=%07"), "{screen}");
    terminal.type_keys("\u{3}");
    terminal.finish();
}
