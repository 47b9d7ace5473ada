//! A provider that is down, slow, silent, busy or talks nonsense.

use std::time::Duration;

use tokctl_tests::provider::{Answer, Settings};
use tokctl_tests::{Home, Provider, eventually, http};

#[test]
fn a_provider_that_is_down_is_said_to_be() {
    let home = Home::new().init_bare();
    let endpoint = format!("http://127.0.0.1:{}/token", http::free_port().unwrap());
    home.add("acme", "cc", "cc-secret").args(["--token-endpoint", &endpoint]).run().ok();
    home.tokctl(["get", "acme", "--timeout", "3s"]).run().fails(7, &["127.0.0.1"]);
}

#[test]
fn an_issuer_that_is_down_when_it_is_added_loses_nothing() {
    let home = Home::new().init_bare();
    let issuer = format!("http://127.0.0.1:{}", http::free_port().unwrap());
    home.add("acme", "cc", "cc-secret").args(["--issuer", &issuer]).run().fails(7, &["127.0.0.1"]);
    assert_eq!(home.profiles(), Vec::<String>::new());
}

#[test]
fn a_provider_that_comes_back_is_used_again() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    let port = provider.port();
    home.add_at("acme", &provider);
    drop(provider);
    home.tokctl(["get", "acme", "--timeout", "2s"]).run().exits(7);
    let provider = Provider::start_with(Settings { port, ..Settings::default() });
    let token = eventually("the token is got after all", || {
        let output = home.tokctl(["get", "acme"]).run();
        (output.code == 0).then(|| output.ok())
    });
    assert!(provider.is_live(&token));
}

#[test]
fn a_provider_that_never_answers_delays_no_other_profile() {
    let (home, good, silent) = (Home::new().init_bare(), Provider::start(), Provider::start());
    home.add_at("good", &good);
    home.add_at("silent", &silent);
    let token = home.get("good");
    silent.answer(Answer::Hang);
    let waiting = home.tokctl(["get", "silent"]).start();
    silent.wait_for_hanging(1);
    assert_eq!(home.get("good"), token);
    // A new token elsewhere comes too.
    home.tokctl(["get", "good", "--refresh"]).run().ok();
    silent.release();
    waiting.finish().ok();
}

#[test]
fn a_caller_waits_no_longer_than_it_said() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    provider.answer(Answer::Hang);
    let output = home.tokctl(["get", "acme", "--timeout", "1s", "--json"]).run().exits(7);
    assert!(format!("{}{}", output.stdout, output.stderr).contains("\"timeout\""), "{output:?}");
    provider.answer(Answer::Token);
    provider.release();
    // The answer that came too late for that caller serves the next.
    home.get("acme");
}

#[test]
fn retry_after_is_obeyed_and_told() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    provider.answer(Answer::unavailable(600));
    let json = home.tokctl(["get", "acme", "--json"]).run().exits(7);
    let text = if json.stdout.is_empty() { &json.stderr } else { &json.stdout };
    let error: serde_json::Value = serde_json::from_str(text).unwrap();
    assert!(error["error"]["retry_at"].is_i64(), "{error}");
    home.tokctl(["get", "acme"]).run().exits(7);
    assert_eq!(provider.token_requests().len(), 1, "it asked again before the time");
}

#[test]
fn a_passing_failure_is_tried_again() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    for answer in [
        Answer::json(502, "{}"),
        Answer::Close,
        Answer::CloseAfterHeaders,
        Answer::canned(503, &[("retry-after", "0")], ""),
    ] {
        provider.answer_next(answer);
    }
    let token = eventually("a token is got after all", || {
        let output = home.tokctl(["get", "acme"]).run();
        assert!(matches!(output.code, 0 | 7), "{output:?}");
        (output.code == 0).then(|| output.ok())
    });
    assert!(provider.is_live(&token));
}

#[test]
fn a_reply_that_is_no_token_is_the_providers_failure() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    for (index, answer) in [
        Answer::json(200, "{}"),
        Answer::json(200, "not json"),
        Answer::canned(200, &[("content-type", "text/html")], "<title>Sign in</title>"),
        Answer::json(
            200,
            "{\"access_token\":\"two\\nlines\",\"token_type\":\"Bearer\",\"expires_in\":60}",
        ),
        Answer::json(200, "{\"access_token\":\"a\",\"token_type\":\"mac\",\"expires_in\":60}"),
        Answer::canned(302, &[("location", "http://127.0.0.1:1/")], ""),
    ]
    .into_iter()
    .enumerate()
    {
        let profile = format!("p{index}");
        home.add_at(&profile, &provider);
        provider.answer(answer.clone());
        let output = home.tokctl(["get", &profile, "--timeout", "3s"]).run();
        assert!(matches!(output.code, 6 | 7), "{answer:?}: {output:?}");
        assert_eq!(output.stdout, "", "{answer:?}: {output:?}");
    }
}

#[test]
fn a_body_without_end_is_cut_off() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let large = format!("{{\"access_token\":\"{}\"}}", "a".repeat(3 * 1024 * 1024));
    provider.answer(Answer::json(200, &large));
    home.tokctl(["get", "acme", "--timeout", "3s"]).run().exits(7);
}

#[test]
fn replies_that_are_sloppy_are_understood() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    for (index, answer) in [
        Answer::json(
            200,
            "{\"access_token\":\"tok\",\"token_type\":\"bearer\",\"expires_in\":\"600\"}",
        ),
        Answer::json(
            201,
            "{\"access_token\":\"tok\",\"token_type\":\"BEARER\",\"expires_in\":600.0}",
        ),
        Answer::canned(
            200,
            &[("content-type", "application/x-www-form-urlencoded")],
            "access_token=tok&token_type=bearer&expires_in=600",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let profile = format!("p{index}");
        home.add_at(&profile, &provider);
        provider.answer(answer);
        assert_eq!(home.get(&profile), "tok", "{index}");
    }
}

#[test]
fn what_the_provider_says_cannot_drive_the_terminal() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let description = format!("\\u001b[2J\\u202e{}", "x".repeat(2_000));
    let body = format!("{{\"error\":\"invalid_client\",\"error_description\":\"{description}\"}}");
    provider.answer(Answer::json(401, &body));
    let output = home.tokctl(["get", "acme"]).run().fails(6, &["invalid_client"]);
    assert!(!output.stderr.contains(['\u{1b}', '\u{202e}']), "{output:?}");
    assert!(output.stderr.len() < 1_000, "{output:?}");
}

#[test]
fn a_slow_provider_is_waited_for() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    provider.answer_next(Answer::Late(Duration::from_secs(2)));
    assert!(provider.is_live(&home.get("acme")));
    assert_eq!(provider.token_requests().len(), 1);
}
