//! `tokctl probe` against an API on loopback: what it sends, and what it makes of the answers.

use serde_json::{Value, json};
use tokctl_tests::api::{Api, Reply};
use tokctl_tests::http::Message;
use tokctl_tests::process::Run;
use tokctl_tests::{Home, Provider};

const KEY: &str = "k3y+0123456789/abc==";

/// A home with a stored key, used as the options say.
#[track_caller]
fn with_key(options: &[&str]) -> Home {
    let home = Home::new().init_bare();
    let file = home.secret_file("key", KEY);
    home.tokctl(["add", "acme", "--grant", "api_key", "--allow-http-loopback", "--key-file"])
        .arg(file)
        .args(options)
        .run()
        .ok();
    home
}

fn probe(home: &Home, url: &str, words: &[&str]) -> Run {
    home.tokctl(["probe", "acme", url]).args(words)
}

/// Two requests, that with the token first.
#[track_caller]
fn calls(api: &Api, is_with: impl Fn(&Message) -> bool) -> [Message; 2] {
    let mut requests = api.requests();
    requests.sort_by_key(|request| !is_with(request));
    requests.try_into().unwrap_or_else(|requests| panic!("not two: {requests:?}"))
}

fn has_bearer(message: &Message) -> bool {
    message.header("authorization").is_some_and(|value| value == format!("Bearer {KEY}"))
}

fn refusal() -> Reply {
    Reply::json(401, &json!({ "error": "no token" })).with("www-authenticate", "Bearer")
}

#[test]
fn a_token_that_works_is_told_from_an_endpoint_that_needs_none() {
    let home = with_key(&[]);
    let api = Api::start(|message| match has_bearer(message) {
        true => Reply::json(200, &json!({ "ok": true })),
        false => refusal(),
    });
    let said = probe(&home, &api.url("/v1?x=1"), &["--json"]).run().json();
    assert_eq!(said["verdict"], "the token works here");
    assert_eq!((&said["with"]["status"], &said["without"]["status"]), (&json!(200), &json!(401)));
    let [with, without] = calls(&api, has_bearer);
    assert!(has_bearer(&with));
    assert_eq!((with.word(1), without.header("authorization")), ("/v1?x=1", None));
    let open = Api::start(|_| Reply::json(200, &json!({})));
    let said = probe(&home, &open.url("/"), &[]).run().ok();
    assert!(said.contains("answers without a token too"), "{said}");
}

#[test]
fn a_scope_that_is_missing_is_named_and_what_to_type() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let api = Api::start(|message| match message.header("authorization") {
        Some(_) => Reply::json(403, &json!({}))
            .with("www-authenticate", "Bearer error=\"insufficient_scope\", scope=\"api admin\""),
        None => refusal(),
    });
    let run = probe(&home, &api.url("/v1"), &[]).run();
    assert!(run.stdout.starts_with("acme: the token is good, and lacks the scope admin\n"));
    assert!(run.stdout.contains("scope: asked api, granted api"), "{}", run.stdout);
    assert!(run.stderr.contains("`tokctl set acme scope='api admin'`"), "{}", run.stderr);
}

#[test]
fn a_body_is_sent_and_one_that_comes_is_cut_and_holds_no_token() {
    let home = with_key(&["--header", "X-Api-Key: {token}"]);
    let api = Api::start(|message| {
        let key = message.header("x-api-key").unwrap_or("none");
        let body = format!("\x1b[2Jyour key {key} {}", "x".repeat(100_000));
        Reply { status: 401, headers: vec![("www-authenticate", format!("Key {key}"))], body }
    });
    let file = home.secret_file("order.json", r#"{"a":1}"#);
    let words = ["-X", "PUT", "--json", "--data-file", file.to_str().unwrap()];
    let said = probe(&home, &api.url("/v1"), &words).run().json();
    let body = said["with"]["body"].as_str().unwrap();
    assert!(body.starts_with("\\u{1b}[2Jyour key *** xxx"), "{body}");
    assert_eq!(body.chars().count(), 300);
    assert!(!said.to_string().contains("k3y"), "{said}");
    assert_eq!(said["with"]["www_authenticate"], "Key ***");
    for call in calls(&api, |message| message.header("x-api-key").is_some()) {
        assert_eq!((call.word(0), &*call.body), ("PUT", &br#"{"a":1}"#[..]));
        assert_eq!(call.header("content-type"), Some("application/json"));
    }
}

#[test]
fn a_token_goes_into_the_query_where_it_belongs() {
    let home = with_key(&["--query", "key"]);
    let api = Api::start(|message| match message.word(1).contains("key=") {
        true => Reply::json(200, &json!({})),
        false => refusal(),
    });
    let said = probe(&home, &api.url("/v1?x=1"), &["--json"]).run().json();
    assert_eq!(said["verdict"], "the token works here");
    let [with, without] = calls(&api, |message| message.word(1).contains("key="));
    assert_eq!(with.word(1), "/v1?x=1&key=k3y%2B0123456789%2Fabc%3D%3D");
    assert_eq!(without.word(1), "/v1?x=1");
}

#[test]
fn nothing_is_sent_outside_of_api_urls_or_after_a_redirect() {
    let elsewhere = Api::start(|_| Reply::json(200, &json!({})));
    let away = elsewhere.url("/there");
    let api = Api::start(move |_| Reply::json(302, &json!({})).with("location", away.clone()));
    let home = with_key(&["--api-urls", &api.url("/v1")]);
    for url in [elsewhere.url("/v1"), api.url("/v2"), api.url("/v1/../v2")] {
        probe(&home, &url, &[]).run().fails(8, &["may not be used at"]);
    }
    probe(&home, "http://192.0.2.1/", &[]).run().exits(8);
    probe(&home, "nonsense", &[]).run().exits(2);
    probe(&home, &api.url("/v1"), &["-X", "a b"]).run().exits(2);
    assert_eq!(api.requests().len(), 0);
    let run = probe(&home, &api.url("/v1"), &[]).run();
    assert!(run.stdout.contains("goes along with no redirect"), "{}", run.stdout);
    assert!(run.stderr.contains("it points to"), "{}", run.stderr);
    assert_eq!((api.requests().len(), elsewhere.requests().len()), (2, 0));
}

#[test]
fn who_does_not_answer_is_told() {
    let home = with_key(&[]);
    let api = Api::start(|_| Reply::json(200, &json!({})));
    let url = api.url("/v1");
    drop(api);
    let said = probe(&home, &url, &["--json"]).run().json();
    assert!(said["verdict"].as_str().unwrap().starts_with("nothing was learned"), "{said}");
    assert_eq!(said["with"]["status"], Value::Null);
}
