//! A provider that loses, tears, delays or falsifies its answers.

use std::time::Duration;

use serde_json::{Value, json};
use tokctl_tests::provider::Answer;
use tokctl_tests::{Home, Provider, eventually};

use super::{refresh, rotating};

type Change = fn(&mut Value);

fn start() -> (Home, Provider) {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    rotating(&home, &provider);
    (home, provider)
}

#[test]
fn an_answer_that_comes_too_late_for_its_caller_is_kept() {
    let (home, provider) = start();
    provider.answer_next(Answer::Hang);
    refresh(&home).args(["--timeout", "1s"]).run().exits(7);
    provider.release();
    provider.wait_for_rotations(2);
    refresh(&home).run().ok();
    assert_eq!(provider.revoked_families(), 0);
}

#[test]
fn a_request_that_was_not_granted_is_tried_again_once() {
    let (home, provider) = start();
    provider.answer_next(Answer::Close);
    // The agent may try for itself or leave it to the next caller; the refresh token is still good.
    refresh(&home).run();
    refresh(&home).run();
    let token = eventually("a token is got after all", || {
        let output = home.tokctl(["get", "acme"]).run();
        (output.code == 0).then(|| output.ok())
    });
    assert!(provider.is_live(&token));
    assert_eq!(provider.revoked_families(), 0);
}

#[test]
fn a_lost_answer_is_asked_for_once_more_and_not_again() {
    for answer in [Answer::CommitAndClose, Answer::Torn] {
        let (home, provider) = start();
        let first = provider.token_requests().len();
        provider.answer_next(answer.clone());
        for _ in 0..4 {
            let output = refresh(&home).args(["--timeout", "3s"]).run();
            assert!(matches!(output.code, 0 | 5 | 7), "{answer:?}: {output:?}");
        }
        let asked = provider.token_requests().len() - first;
        assert!((1..=2).contains(&asked), "{answer:?}: {asked} requests");
        // The token that is there is good until its end; the profile needs a login, and says so once asked.
        home.get("acme");
        let why = home.tokctl(["why", "acme"]).run().ok();
        assert!(why.contains("refresh_token"), "{why}");
    }
}

#[test]
fn a_reply_that_lies_about_its_refresh_token_breaks_nothing() {
    fn line_feed(body: &mut Value) {
        body["refresh_token"] = json!("one line\nand another");
    }
    fn huge(body: &mut Value) {
        body["refresh_token"] = json!("x".repeat(256 * 1024));
    }
    fn number(body: &mut Value) {
        body["refresh_token"] = json!(17);
    }
    fn empty(body: &mut Value) {
        body["refresh_token"] = json!("");
    }
    fn missing(body: &mut Value) {
        if let Value::Object(members) = body {
            members.remove("refresh_token");
        }
    }
    let changes: [(&str, Change); 5] = [
        ("line feed", line_feed),
        ("huge", huge),
        ("number", number),
        ("empty", empty),
        ("missing", missing),
    ];
    for (name, change) in changes {
        let (home, provider) = start();
        provider.answer_next(Answer::Changed(change));
        let output = refresh(&home).run();
        assert!(matches!(output.code, 0 | 5 | 6 | 7), "{name}: {output:?}");
        // The access token of before or of the answer is served, also by another agent.
        let token = home.get("acme");
        assert!(provider.is_live(&token), "{name}");
        home.kill_agent();
        home.get("acme");
        // A person can always begin again.
        let again = home.secret_file("again", &provider.mint_refresh_token());
        home.tokctl(["set-secret", "acme", "--refresh-token-file"]).arg(again).run().ok();
        eventually("the new refresh token works", || {
            (refresh(&home).run().code == 0).then_some(())
        });
    }
}

#[test]
fn a_provider_that_says_to_wait_is_left_alone_and_burns_nothing() {
    for (status, retry_after) in
        [(503, "600"), (503, "Thu, 31 Dec 2099 23:59:59 GMT"), (429, "600")]
    {
        let (home, provider) = start();
        let before = provider.token_requests().len();
        provider.answer(Answer::canned(status, &[("retry-after", retry_after)], "later"));
        refresh(&home).run().fails(7, &["acme"]);
        assert_eq!(provider.token_requests().len(), before + 1);
        // A restart does not forget that, and the valid token is served meanwhile.
        home.kill_agent();
        home.get("acme");
        assert_eq!(provider.token_requests().len(), before + 1, "{status} {retry_after}");
        provider.answer(Answer::Token);
        // A person may insist.
        home.tokctl(["refresh", "acme"]).run();
        assert_eq!(provider.revoked_families(), 0);
    }
}

#[test]
fn the_answer_to_a_profile_that_was_edited_meanwhile_is_kept() {
    let (home, provider) = start();
    provider.answer_next(Answer::Hang);
    let asking = refresh(&home).start();
    provider.wait_for_hanging(1);
    home.tokctl(["set", "acme", "scope=api other"]).run().ok();
    provider.release();
    // Its caller asked the profile of before; whether it is answered is not what this is about.
    drop(asking.finish());
    provider.wait_for_rotations(2);
    eventually("the successor works", || (refresh(&home).run().code == 0).then_some(()));
    assert_eq!(provider.revoked_families(), 0, "a burnt refresh token was presented again");
}

#[test]
fn a_slow_provider_is_asked_once() {
    let (home, provider) = start();
    provider.answer_next(Answer::Late(Duration::from_secs(2)));
    let askers: Vec<_> = (0..5).map(|_| refresh(&home).start()).collect();
    for asker in askers {
        asker.finish().ok();
    }
    assert_eq!(provider.revoked_families(), 0);
}
