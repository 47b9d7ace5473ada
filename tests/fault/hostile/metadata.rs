//! Metadata of an issuer that lies, leads astray or never ends.

use serde_json::{Value, json};
use tokctl_tests::provider::{Answer, CLIENT_ID, CLIENT_SECRET};
use tokctl_tests::{Home, Provider};

use super::{beside_good, fails_clearly, get, home_with_good, json as answer, one_beside_good};

/// What an issuer says of itself, with these changes.
fn document(provider: &Provider, path: &str, changes: Value) -> Value {
    let mut document = json!({
        "issuer": provider.url(path), "token_endpoint": provider.token_endpoint(),
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
    });
    let Value::Object(changes) = changes else { panic!("no changes: {changes}") };
    document.as_object_mut().unwrap().extend(changes);
    document
}

/// Says this at both well-known places of an issuer; the first is asked first.
fn say(provider: &Provider, path: &str, first: Answer, second: Answer) {
    provider.serve(&format!("{path}/.well-known/openid-configuration"), first);
    provider.serve(&format!("/.well-known/oauth-authorization-server{path}"), second);
}

/// What is said, and how `tokctl` ends: its status, and words of its error.
type Case = (&'static str, Answer, i32, &'static [&'static str]);

fn cases(provider: &Provider, elsewhere: &Provider, path: &str) -> Vec<Case> {
    let says = |changes: Value| answer(&document(provider, path, changes));
    let spaces = |count: usize| {
        let document = document(provider, path, json!({}));
        Answer::json(200, &format!("{}{document}", " ".repeat(count)))
    };
    let to = |status: u16, url: &str| Answer::canned(status, &[("location", url)], "");
    let genuine = elsewhere.url("/.well-known/openid-configuration");
    vec![
        (
            "another issuer",
            says(json!({ "issuer": "https://evil.example" })),
            10,
            &["is of another issuer, `https://evil.example`"],
        ),
        (
            "an issuer that drives terminals",
            says(json!({ "issuer": "https://e\u{1b}]52;c;aGk=\u{7}\u{202e}\r\n" })),
            10,
            &["is of another issuer, `https://e"],
        ),
        ("no issuer", says(json!({ "issuer": null })), 7, &["names no issuer"]),
        ("a redirect elsewhere", to(302, &genuine), 10, &["has no metadata", "(HTTP 302)"]),
        ("a redirect that keeps its method", to(307, &genuine), 10, &["(HTTP 307)"]),
        ("a redirect to a file", to(301, "file:///etc/passwd"), 10, &["(HTTP 301)"]),
        ("more than is read of a document", spaces(300 * 1024), 7, &["is larger than 256 KiB"]),
        ("10 MB", spaces(10 * 1024 * 1024), 7, &["is larger than 1024 KiB"]),
        ("no end", Answer::Endless, 7, &["is larger than 1024 KiB"]),
        ("a connection that closes", Answer::CloseAfterHeaders, 7, &["127.0.0.1"]),
        (
            "nesting",
            Answer::json(200, &format!("{{\"x\":{}", "[".repeat(100_000))),
            7,
            &["is not a JSON object"],
        ),
        ("a lone surrogate", Answer::json(200, "{\"issuer\":\"\\ud800\"}"), 7, &["not a JSON"]),
        ("a login page", Answer::canned(200, &[], "<title>\u{1b}[2J</title>"), 7, &["not a JSON"]),
        (
            "a token endpoint of the cloud's credentials",
            says(json!({ "token_endpoint": "http://169.254.169.254/latest/meta-data/" })),
            7,
            &["names a token_endpoint that no secret may be sent to"],
        ),
        (
            "a token endpoint of plain http",
            says(json!({ "token_endpoint": "http://evil.example/token\u{9b}2J" })),
            7,
            &["that no secret may be sent to, `http://evil.example/token"],
        ),
        (
            "a token endpoint without end",
            says(
                json!({ "token_endpoint": format!("https://evil.example/{}", "t".repeat(99_999)) }),
            ),
            7,
            &["that no secret may be sent to, `https://evil.example/tttt"],
        ),
        (
            "a token endpoint that is a file",
            says(json!({ "token_endpoint": "file:///etc/passwd" })),
            7,
            &["that no secret may be sent to, `file:///etc/passwd`"],
        ),
        (
            "a token endpoint with somebody's password",
            says(json!({ "token_endpoint": "https://a:b@evil.example/" })),
            7,
            &["that no secret may be sent to"],
        ),
    ]
}

fn add(home: &Home, profile: &str, issuer: &str) -> tokctl_tests::Run {
    home.add(profile, CLIENT_ID, CLIENT_SECRET).args(["--issuer", issuer])
}

#[test]
fn nothing_is_added_on_the_word_of_an_issuer_that_lies() {
    let ((home, _good), provider, elsewhere) =
        (home_with_good(), Provider::start(), Provider::start());
    let path = "/op";
    for (case, says, code, words) in cases(&provider, &elsewhere, path) {
        say(&provider, path, says.clone().held(), says);
        let output = one_beside_good(&home, &provider, add(&home, "acme", &provider.url(path)));
        fails_clearly(case, &output, code, words);
    }
    assert_eq!(home.profiles(), ["good"]);
    let honest = answer(&document(&provider, path, json!({})));
    say(&provider, path, honest.clone(), honest);
    add(&home, "acme", &provider.url(path)).run().ok();
    assert!(provider.is_live(&home.get("acme")));
    assert_eq!(provider.token_requests().len(), 1);
    assert_eq!(elsewhere.token_requests().len(), 0);
}

#[test]
fn an_issuer_that_turns_hostile_costs_its_profile_nothing() {
    let ((home, _good), provider, elsewhere) =
        (home_with_good(), Provider::start(), Provider::start());
    let path = |at: usize| format!("/op{at}");
    // What is tried again takes its time; one such is enough.
    let lasting = |path: &str| {
        let all = cases(&provider, &elsewhere, path).into_iter();
        all.filter(|(case, ..)| !["no end", "a connection that closes"].contains(case))
    };
    let count = lasting("/").count();
    let honest = |at: usize| answer(&document(&provider, &path(at), json!({})));
    for at in 0..count {
        say(&provider, &path(at), honest(at), honest(at));
        add(&home, &format!("p{at}"), &provider.url(&path(at))).run().ok();
    }
    // Whatever was read is forgotten.
    home.stop_agent();
    home.get("good");
    let hostile = |at: usize| lasting(&path(at)).nth(at).unwrap();
    for at in 0..count {
        let (_, says, ..) = hostile(at);
        say(&provider, &path(at), says.clone().held(), says);
    }
    let gets = (0..count).map(|at| get(&home, &format!("p{at}"))).collect();
    for (at, output) in beside_good(&home, &provider, gets).iter().enumerate() {
        let (case, _, code, words) = hostile(at);
        fails_clearly(case, output, code, words);
    }
    assert_eq!(provider.token_requests().len(), 0, "a secret was sent on a lie");
    for at in 0..count {
        say(&provider, &path(at), honest(at), honest(at));
        let token = home.tokctl(["refresh", &format!("p{at}")]).run();
        token.ok();
        assert!(provider.is_live(&home.get(&format!("p{at}"))));
    }
    assert_eq!(elsewhere.token_requests().len(), 0);
}

#[test]
fn a_secret_that_was_stored_for_one_place_goes_to_no_other() {
    let ((home, _good), provider, thief) = (home_with_good(), Provider::start(), Provider::start());
    let honest = answer(&document(&provider, "/op", json!({})));
    say(&provider, "/op", honest.clone(), honest.clone());
    add(&home, "acme", &provider.url("/op")).run().ok();
    home.stop_agent();
    home.get("good");
    let moved =
        answer(&document(&provider, "/op", json!({ "token_endpoint": thief.token_endpoint() })));
    say(&provider, "/op", moved.clone().held(), moved.clone());
    let output = one_beside_good(&home, &provider, get(&home, "acme"));
    let there = format!("127.0.0.1:{}", thief.port());
    fails_clearly("moved", &output, 10, &[&there, "tokctl set-secret acme"]);
    assert_eq!((thief.token_requests().len(), provider.token_requests().len()), (0, 0));
    // Whoever stores it again knows of the new place.
    say(&provider, "/op", moved.clone(), moved);
    let file = home.secret_file("again", CLIENT_SECRET);
    home.tokctl(["set-secret", "acme", "--secret-file"]).arg(file).run().ok();
    assert!(thief.is_live(&home.get("acme")));
}

#[test]
fn a_token_endpoint_elsewhere_is_named_before_a_secret_is_sent_there() {
    let ((home, _good), provider, elsewhere) =
        (home_with_good(), Provider::start(), Provider::start());
    let away = json!({ "token_endpoint": elsewhere.token_endpoint() });
    let document = answer(&document(&provider, "/op", away));
    say(&provider, "/op", document.clone(), document);
    let output = add(&home, "acme", &provider.url("/op")).run().exits(0);
    let there = format!("127.0.0.1:{}", elsewhere.port());
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(said.contains(&there), "nobody was told: {output:?}");
    assert_eq!(elsewhere.token_requests().len(), 0);
    assert!(elsewhere.is_live(&home.get("acme")));
}
