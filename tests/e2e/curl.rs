//! `tokctl curl` with the system's curl, against an API on loopback.

use std::collections::BTreeSet;
use std::fs;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokctl_tests::api::{Api, Reply};
use tokctl_tests::http::Message;
use tokctl_tests::process::Run;
use tokctl_tests::{Home, Provider};

/// A curl that has not called by then never will.
const PATIENCE: Duration = Duration::from_secs(30);
const KEY: &str = "k3y+0123456789/abc==";

/// A home with a stored key, used at `api` as the options say.
#[track_caller]
fn with_key(options: &[&str]) -> Home {
    let home = Home::new().init_bare();
    add_key(&home, "acme", KEY, options);
    home
}

#[track_caller]
fn add_key(home: &Home, name: &str, key: &str, options: &[&str]) {
    let file = home.secret_file(&format!("{name}.key"), key);
    home.tokctl(["add", name, "--grant", "api_key", "--allow-http-loopback", "--key-file"])
        .arg(file)
        .args(options)
        .run()
        .ok();
}

fn curl(home: &Home, profile: &str, words: &[&str]) -> Run {
    home.tokctl(["curl", profile, "-sS"]).args(words)
}

fn bearer(message: &Message) -> &str {
    message.header("authorization").unwrap_or_default()
}

/// Answers with what came.
fn echo(message: &Message) -> Reply {
    Reply::json(
        200,
        &json!({
            "method": message.word(0),
            "path": message.word(1),
            "authorization": message.header("authorization"),
            "key": message.header("x-api-key"),
            "body": String::from_utf8_lossy(&message.body),
        }),
    )
}

/// The command lines and environments of all that runs with this home.
fn seen_of(home: &str) -> Vec<(String, String)> {
    let read = |pid: &str, what: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        entry.ok()?.file_name().into_string().ok().filter(|name| name.parse::<u32>().is_ok())
    });
    pids.map(|pid| (read(&pid, "cmdline"), read(&pid, "environ")))
        .filter(|(_, environment)| environment.contains(home))
        .collect()
}

#[test]
fn the_token_arrives_and_is_neither_an_argument_nor_in_the_environment() {
    let home = with_key(&[]);
    let seen: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let api = {
        let (seen, path) = (Arc::clone(&seen), home.path().display().to_string());
        Api::start(move |message| {
            seen.lock().unwrap().extend(seen_of(&path));
            echo(message)
        })
    };
    // Once where curl is watched, once where it takes the place of tokctl.
    for words in [&["-d", "x=1"][..], &["-d", "@-"]] {
        let run = curl(&home, "acme", words).arg(api.url("/v1")).stdin("x=1").run();
        let said: Value = run.json();
        assert_eq!(said["authorization"], format!("Bearer {KEY}"));
        assert_eq!((said["method"].as_str(), said["body"].as_str()), (Some("POST"), Some("x=1")));
    }
    let seen = seen.lock().unwrap();
    assert!(seen.iter().filter(|(line, _)| line.starts_with("curl ")).count() >= 2, "{seen:?}");
    assert!(!format!("{seen:?}").contains("k3y"), "{seen:?}");
}

#[test]
fn a_refused_token_is_renewed_once_and_nothing_of_the_refusal_is_seen() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let first = home.get("acme");
    let refused = format!("Bearer {first}");
    let api = Api::start(move |message| match bearer(message) == refused {
        true => Reply::json(401, &json!({ "error": "invalid_token" })),
        false => echo(message),
    });
    let said = curl(&home, "acme", &["-d", "x=1"]).arg(api.url("/v1")).run().json();
    assert_eq!(said["body"], "x=1");
    assert_eq!((api.requests().len(), provider.token_requests().len()), (2, 2));
}

#[test]
fn a_second_refusal_is_the_answer() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let api = Api::start(|_| Reply::json(401, &json!({ "error": "invalid_token" })));
    let run = curl(&home, "acme", &[]).arg(api.url("/v1")).run();
    assert_eq!(run.json()["error"], "invalid_token");
    assert_eq!((api.requests().len(), provider.token_requests().len()), (2, 2));
}

#[test]
fn a_body_from_stdin_is_sent_once_and_the_refusal_is_the_answer() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let api = Api::start(|_| Reply::json(401, &json!({ "error": "invalid_token" })));
    let run = curl(&home, "acme", &["-d", "@-"]).arg(api.url("/v1")).stdin("x=1").run();
    assert_eq!(run.json()["error"], "invalid_token");
    assert_eq!((api.requests().len(), provider.token_requests().len()), (1, 1));
}

#[test]
fn a_long_refusal_is_passed_on_as_it_comes() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let body = "x".repeat(2 * 1024 * 1024);
    let length = body.len();
    let api = Api::start(move |_| Reply { status: 401, headers: Vec::new(), body: body.clone() });
    let said = curl(&home, "acme", &[]).arg(api.url("/v1")).run().ok();
    assert_eq!((said.len(), api.requests().len()), (length, 1));
}

#[test]
fn a_spent_member_of_a_pool_is_followed_by_another() {
    let home = Home::new().init_bare();
    for name in ["m1", "m2"] {
        add_key(&home, name, &format!("key-of-{name}-0123456789"), &[]);
    }
    home.tokctl(["add", "search", "--pool", "m1", "--pool", "m2", "--allow-http-loopback"])
        .run()
        .ok();
    let spent: Mutex<BTreeSet<String>> = Mutex::default();
    let api = Api::start(move |message| {
        let mut spent = spent.lock().unwrap();
        let is_first = spent.is_empty();
        if is_first {
            spent.insert(bearer(message).to_owned());
        }
        match spent.contains(bearer(message)) {
            true => Reply::json(429, &json!({})).with("retry-after", "600"),
            false => echo(message),
        }
    });
    let said = curl(&home, "search", &[]).arg(api.url("/v1")).run().json();
    let requests = api.requests();
    assert_eq!(requests.len(), 2);
    assert_ne!(bearer(&requests[0]), bearer(&requests[1]));
    assert_eq!(said["authorization"], bearer(&requests[1]));
}

#[test]
fn a_pause_is_waited_for_where_it_is_short() {
    let home = with_key(&[]);
    let first = Mutex::new(true);
    let api = Api::start(move |message| match std::mem::take(&mut *first.lock().unwrap()) {
        true => Reply::json(429, &json!({})).with("retry-after", "1"),
        false => echo(message),
    });
    assert_eq!(curl(&home, "acme", &[]).arg(api.url("/v1")).run().json()["path"], "/v1");
    // And not where it is long: what the API said is the answer.
    let api =
        Api::start(|_| Reply::json(429, &json!({ "slow": "down" })).with("retry-after", "3600"));
    let run = curl(&home, "acme", &[]).arg(api.url("/v1")).run();
    assert_eq!((run.json()["slow"].as_str(), api.requests().len()), (Some("down"), 1));
}

#[test]
fn a_redirect_takes_no_token_to_another_origin() {
    let elsewhere = Api::start(echo);
    let away = elsewhere.url("/there");
    let api = Api::start(move |_| Reply::json(302, &json!({})).with("location", away.clone()));
    let home = with_key(&[]);
    let said = curl(&home, "acme", &["-L"]).arg(api.url("/v1")).run().json();
    assert_eq!((said["path"].as_str(), &said["authorization"]), (Some("/there"), &Value::Null));
    assert_eq!(bearer(&api.requests()[0]), format!("Bearer {KEY}"));
    // curl would take another header along.
    add_key(&home, "other", KEY, &["--header", "X-Api-Key: {token}"]);
    curl(&home, "other", &["-L"]).arg(api.url("/v1")).run().fails(125, &["--location"]);
    assert_eq!((api.requests().len(), elsewhere.requests().len()), (1, 1));
    let said = curl(&home, "other", &[]).arg(elsewhere.url("/v1")).run().json();
    assert_eq!((said["key"].as_str(), &said["authorization"]), (Some(KEY), &Value::Null));
}

#[test]
fn every_url_is_checked_before_anything_is_sent() {
    let (api, other) = (Api::start(echo), Api::start(echo));
    let home = with_key(&["--api-urls", &api.url("/v1")]);
    let (inside, outside) = (api.url("/v1/x"), other.url("/v1/x"));
    for words in [
        &[outside.as_str()][..],
        &[&inside, &outside],
        &[&inside, "--next", &outside],
        &[&inside, "--url", &outside],
        &[&format!("{inside}/../../v2")],
    ] {
        let run = curl(&home, "acme", words).run().fails(125, &["may not be used at"]);
        assert!(run.stdout.is_empty());
    }
    for words in [&["-K", "f"][..], &["--location-trusted"], &["-u", "a:b"], &["--hedaer", "x"]] {
        curl(&home, "acme", words).arg(&inside).run().fails(125, &["curl"]);
    }
    curl(&home, "acme", &["-H", "authorization: x"])
        .arg(&inside)
        .run()
        .fails(125, &["leave it out"]);
    assert_eq!((api.requests().len(), other.requests().len()), (0, 0));
    // Two operations with one token.
    curl(&home, "acme", &[&inside, "--next", "-sS"]).arg(&inside).run().ok();
    let requests = api.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| bearer(request) == format!("Bearer {KEY}")));
}

#[test]
fn a_token_in_the_query_goes_there_and_is_not_shown() {
    let home = with_key(&["--query", "key"]);
    let api = Api::start(echo);
    let run = curl(&home, "acme", &["-v"]).arg(api.url("/v1?x=1")).run();
    assert_eq!(run.clone().json()["path"], "/v1?x=1&key=k3y%2B0123456789%2Fabc%3D%3D");
    assert_eq!(run.clone().json()["authorization"], Value::Null);
    assert!(run.stderr.contains("GET /v1?x=1&key=*** HTTP"), "{}", run.stderr);
    assert!(!run.stderr.contains("k3y"), "{}", run.stderr);
    curl(&home, "acme", &["-w", "%{url}"]).arg(api.url("/v1")).run().fails(125, &["its query"]);
}

#[test]
fn what_curl_shows_of_a_header_is_masked() {
    let home = with_key(&[]);
    let api = Api::start(echo);
    let run = curl(&home, "acme", &["-v"]).arg(api.url("/v1")).run();
    assert!(run.stderr.contains("Authorization: Bearer ***"), "{}", run.stderr);
    assert!(!run.stderr.contains("k3y"), "{}", run.stderr);
}

#[test]
fn the_status_is_curls_and_there_may_be_no_curl() {
    let home = with_key(&[]);
    let api = Api::start(|_| Reply::json(404, &json!({})));
    for words in [&["-f"][..], &["-f", "-d", "@-"]] {
        let run = curl(&home, "acme", words).arg(api.url("/v1")).stdin("x").run();
        assert_eq!(run.code, 22, "{run:?}");
    }
    let programs = &home.programs().directory;
    for words in [&[][..], &["-d", "@-"]] {
        curl(&home, "acme", words)
            .arg(api.url("/v1"))
            .env("PATH", programs)
            .run()
            .fails(127, &["no `curl` on PATH"]);
    }
    home.tokctl(["lock"]).run().ok();
    curl(&home, "acme", &[]).arg(api.url("/v1")).run().exits(125);
    home.tokctl(["curl", "acme"]).run().exits(125);
}

#[test]
fn a_file_takes_the_last_answer() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let refused = format!("Bearer {}", home.get("acme"));
    let api = Api::start(move |message| match bearer(message) == refused {
        true => Reply::json(401, &json!({ "error": "a long text about the token" })),
        false => Reply::json(200, &json!(1)),
    });
    let file = home.root().join("answer");
    let run = curl(&home, "acme", &["-w", "%{http_code}", "-o"]).arg(&file).arg(api.url("/")).run();
    assert_eq!((run.ok().as_str(), fs::read_to_string(file).unwrap().as_str()), ("200", "1"));
}

#[test]
fn a_signal_to_tokctl_ends_curl() {
    let home = with_key(&[]);
    let (arrived, has_arrived) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let may_go_on = Mutex::new(may_go_on);
    let api = Api::start(move |message| {
        arrived.send(()).unwrap();
        let _ended = may_go_on.lock().unwrap().recv_timeout(PATIENCE);
        echo(message)
    });
    // The API ends with its value, for which its answer has to.
    let go_on = go_on;
    let running = curl(&home, "acme", &[]).arg(api.url("/v1")).start();
    has_arrived.recv_timeout(PATIENCE).unwrap();
    let of_curl = || seen_of(&home.path().display().to_string());
    assert!(of_curl().iter().any(|(line, _)| line.starts_with("curl ")));
    kill(Pid::from_raw(running.pid().try_into().unwrap()), Signal::SIGTERM).unwrap();
    running.finish().exits(128 + 15);
    assert!(!of_curl().iter().any(|(line, _)| line.starts_with("curl ")));
    drop(go_on);
}
