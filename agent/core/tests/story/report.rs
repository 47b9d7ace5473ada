//! What an API says to a token.

use tokctl_core::{Effect, Event, Reply, Report};

use super::teller::*;

fn with_token() -> Teller {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story
}

#[test]
fn a_401_drops_that_token_and_obtains_another() {
    let mut story = with_token();
    story.jump(seconds(60));
    let lines = story.report(report(2, "acme", 401, Some("a")));
    assert_eq!(lines, ["drop a", "2: said", "send 2 acme"]);
    assert_eq!(story.get(get(3, "acme")), none());
    assert_eq!(story.answers(2, "b", Some(3600)), ["3: b", "save b"]);
}

#[test]
fn a_401_does_not_drop_a_newer_token() {
    let mut story = with_token();
    assert_eq!(story.report(report(2, "acme", 401, Some("older"))), ["2: said"]);
    assert_eq!(story.get(get(3, "acme")), ["3: a"]);
}

#[test]
fn a_token_that_is_refused_at_once_is_not_replaced_in_a_hot_loop() {
    let mut story = with_token();
    story.jump(seconds(1));
    // Once at once,
    let lines = story.report(report(2, "acme", 401, Some("a")));
    assert_eq!(lines, ["drop a", "2: said", "send 2 acme"]);
    assert_eq!(story.answers(2, "b", Some(3600)), ["save b"]);
    // and then not before it is time for another.
    story.jump(seconds(1));
    assert_eq!(story.report(report(3, "acme", 401, Some("b"))), ["drop b", "3: said"]);
    assert_eq!(story.until_sent(seconds(60)), Some(seconds(29)));
}

#[test]
fn a_403_changes_nothing() {
    let mut story = with_token();
    assert_eq!(story.report(report(2, "acme", 403, Some("a"))), ["2: said"]);
    assert_eq!(story.get(get(3, "acme")), ["3: a"]);
}

#[test]
fn a_429_is_a_rest_that_a_patient_caller_waits_out() {
    let mut story = with_token();
    let mut busy = report(2, "acme", 429, None);
    busy.retry_after = Some(seconds(20));
    assert_eq!(story.report(busy), ["2: said"]);
    assert_eq!(story.get(get(3, "acme")), ["3: rate_limited exit 7"]);
    let mut patient = get(4, "acme");
    patient.wait = seconds(30);
    assert_eq!(story.get(patient), ["4 hears"]);
    assert_eq!(story.pass(seconds(19)), none());
    assert_eq!(story.pass(seconds(1)), ["4: a"]);
}

#[test]
fn whoever_waited_for_a_rest_and_has_no_time_left_is_told_at_once() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    let mut busy = report(2, "acme", 429, None);
    busy.retry_after = Some(seconds(20));
    story.report(busy);
    let mut patient = get(3, "acme");
    patient.wait = seconds(30);
    patient.timeout = seconds(0);
    assert_eq!(story.get(patient), ["3 hears"]);
    let lines = story.pass(seconds(20));
    assert_eq!(lines, ["send 1 acme", "3: timeout exit 7"]);
}

#[test]
fn whoever_insists_has_a_new_token_at_once_and_two_who_insist_share_it() {
    let mut story = with_token();
    // A moment ago is now.
    assert_eq!(story.refresh(refresh(2, "acme")), ["2: said"]);
    story.jump(seconds(2));
    assert_eq!(story.refresh(refresh(3, "acme")), ["send 2 acme"]);
    assert_eq!(story.refresh(refresh(4, "acme")), none());
    assert_eq!(story.answers(2, "b", Some(3600)), ["3: said", "4: said", "save b"]);
}

#[test]
fn a_report_outlives_an_edit_while_its_entry_is_read() {
    let mut story = with_token();
    story.secret_set("acme");
    assert_eq!(story.report(report(2, "acme", 403, Some("a"))), ["load acme"]);
    assert_eq!(story.configured(&[("acme", PER_KEY, 2)]), none());
    // What was asked for before the edit has come too late.
    assert_eq!(story.loaded("acme", &[]), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), ["2: said"]);

    let mut story = with_token();
    story.secret_set("acme");
    story.report(report(2, "acme", 403, Some("a")));
    assert_eq!(story.configured(&[("other", PER_KEY, 1)]), ["2: no_such_profile exit 3"]);
}

/// What the one who reports is told.
fn told(story: &mut Teller, report: Report) -> String {
    let effects = story.core.handle(story.now, Event::Report(report));
    let said = effects.into_iter().find_map(|effect| match effect {
        Effect::Reply { reply: Reply::Said(text), .. } => Some(text),
        _ => None,
    });
    said.expect("an answer in words")
}

#[test]
fn whoever_reports_a_401_is_told_when_the_next_token_comes() {
    let mut story = with_token();
    story.jump(seconds(1));
    let dropped = "acme: the token is dropped, and another is obtained";
    story.report(report(2, "acme", 401, Some("a")));
    story.answers(2, "b", Some(3600));
    assert_eq!(told(&mut with_token(), report(2, "acme", 401, Some("a"))), dropped);
    story.jump(seconds(1));
    let later = format!("{dropped} in 29s, since the provider was asked a moment ago");
    assert_eq!(told(&mut story, report(3, "acme", 401, Some("b"))), later);
}

#[test]
fn a_shorter_rest_than_the_one_asked_for_before_is_not_promised() {
    let mut story = with_token();
    story.report(report(2, "acme", 429, None));
    story.jump(seconds(10));
    let mut shorter = report(3, "acme", 429, None);
    shorter.retry_after = Some(seconds(3));
    assert_eq!(told(&mut story, shorter), "acme: left alone for 50s");
}

#[test]
fn a_member_of_what_is_no_pool_is_a_mistake() {
    let mut story = with_token();
    let mut odd = report(2, "acme", 429, None);
    odd.member = Some(name("acct1"));
    assert_eq!(story.report(odd), ["2: usage exit 2"]);
    assert_eq!(story.get(get(3, "acme")), ["3: a"]);
}
