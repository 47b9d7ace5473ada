//! What happens to tokens is told to whoever watches.

use std::time::Duration;

use serde_json::Value;
use tokctl_tests::process::Running;
use tokctl_tests::provider::{Answer, Settings};
use tokctl_tests::wire::Raw;
use tokctl_tests::{Home, Provider, eventually};

/// Long enough for a busy machine to see it, short enough to see it renewed.
const SHORT: Duration = Duration::from_secs(6);

/// A `tokctl watch` that misses nothing from now on.
fn watching(home: &Home, arguments: &[&str]) -> Running {
    let watching = home.tokctl(["watch"]).args(arguments).start();
    eventually("it watches", || watching.said().starts_with("watching ").then_some(()));
    watching
}

fn events(watching: &Running, count: usize) -> Vec<Value> {
    let lines = eventually("the events are told", || watching.lines(count));
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What happened, to whom, and of which kind a failure is.
fn in_words(event: &Value) -> String {
    let words = ["event", "profile", "kind"].map(|name| event[name].as_str().unwrap_or("-"));
    words.join(" ")
}

#[test]
fn renewals_are_told_as_they_happen_and_no_token_with_them() {
    let home = Home::new().init_bare();
    let provider = Provider::start_with(Settings { lifetime: SHORT, ..Settings::default() });
    home.add_at("acme", &provider);
    home.add_at("other", &provider);
    let watching = watching(&home, &["acme"]);
    let tokens = [home.get("other"), home.get("acme")];
    // The second one comes without anybody asking.
    let events = events(&watching, 2);
    for event in &events {
        assert_eq!(in_words(event), "renewed acme -");
        assert!(!tokens.iter().any(|token| event.to_string().contains(token)), "{event}");
    }
    let ends = |event: &Value| event["expires_at"].as_i64().unwrap();
    assert!(ends(&events[0]) < ends(&events[1]), "{events:?}");
    assert!(events[0]["at_ms"].as_i64().unwrap() < ends(&events[0]) * 1000);
}

#[test]
fn a_scope_that_is_asked_for_besides_is_told_with_its_token() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let watching = watching(&home, &["acme"]);
    home.tokctl(["get", "acme", "--scope", "api write"]).run().ok();
    assert_eq!(events(&watching, 1)[0]["scope"], "api write");
}

#[test]
fn a_provider_that_is_down_is_told_and_that_it_is_back() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let watching = watching(&home, &["acme"]);
    provider.answer_next(Answer::json(503, "{}"));
    home.get("acme");
    let events = events(&watching, 2);
    assert_eq!(in_words(&events[0]), "failed acme provider_failed");
    assert!(events[0]["message"].as_str().unwrap().contains("503"), "{events:?}");
    assert_eq!(in_words(&events[1]), "renewed acme -");
}

#[test]
fn a_refresh_token_that_is_revoked_needs_a_login_and_that_is_told_once() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_refresh_token("acme", "rt", "gone")
        .args(["--client-auth", "none", "--token-endpoint", &provider.token_endpoint()])
        .run()
        .ok();
    provider.answer(Answer::json(400, r#"{"error":"invalid_grant"}"#));
    let watching = watching(&home, &["--all"]);
    for _ in 0..2 {
        home.tokctl(["get", "acme"]).run().exits(5);
    }
    home.tokctl(["lock"]).run().ok();
    home.tokctl(["unlock"]).run().ok();
    let told: Vec<String> = events(&watching, 4).iter().map(in_words).collect();
    assert_eq!(
        told,
        [
            "failed acme login_required",
            "login_needed acme login_required",
            "locked - -",
            "unlocked - -"
        ]
    );
}

#[test]
fn a_watch_ends_with_its_agent_and_says_so() {
    let home = Home::new().init_bare();
    for (end, what) in [
        (Home::stop_agent as fn(&Home), "the agent stops"),
        (Home::kill_agent, "the agent has ended"),
    ] {
        // It starts one where there is none, as others do.
        let watching = watching(&home, &["--all"]);
        end(&home);
        watching.finish().fails(9, &[what, "hint: "]);
    }
}

#[test]
fn a_watcher_that_is_killed_is_not_kept() {
    let home = Home::new().init_bare();
    let connections = || home.agent_status()["connections"].as_u64().unwrap();
    let alone = connections();
    let watching = watching(&home, &["--all"]);
    assert_eq!(connections(), alone + 1);
    drop(watching);
    eventually("its connection is closed", || (connections() == alone).then_some(()));
}

#[test]
fn who_watches_and_does_not_read_holds_up_nobody() {
    let home = Home::new().init_bare();
    let mut deaf = Raw::connect(&home.socket());
    deaf.line(r#"{"watch":{}}"#);
    let mut other = Raw::connect(&home.socket());
    other.line(r#"{"watch":{}}"#);
    assert_eq!(other.answer_line().unwrap()["progress"]["text"], "watching");
    for _ in 0..20 {
        home.tokctl(["lock"]).run().ok();
        home.tokctl(["unlock"]).run().ok();
        for what in ["locked", "unlocked"] {
            assert_eq!(other.answer_line().unwrap()["item"]["event"]["what"], what);
        }
    }
    other.line(r#"{"cancel":{}}"#);
    assert_eq!(other.answer_line().unwrap()["error"]["kind"], "cancelled");
    other.line(r#"{"agent_status":{}}"#);
    assert!(other.answer_line().unwrap()["done"].is_object());
}
