//! What is known of a refresh token when an answer is useless, stale or overtaken by an edit.

use tokctl_core::{Cause, Contents, Outcome, Reached, RefreshToken, Successor, Vault};
use tokctl_proto::{Kind, Secret};

use super::teller::*;

#[test]
fn the_refresh_token_of_a_useless_answer_is_saved_and_leaves_no_doubt() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme"));
    let successor = Successor { secret: Secret::new("r2".to_owned()), expires_at: None };
    let mut useless =
        retry(Kind::ProviderFailed).because(Cause::Unreadable).reached(Reached::Answered(200));
    useless.successor = Some(Box::new(successor));
    assert_eq!(story.fails(1, useless), ["save nothing and r2", "1 hears"]);
    assert!(story.until_sent(seconds(2)).is_some());
}

#[test]
fn an_answer_that_may_have_spent_the_token_leaves_it_in_doubt() {
    for (cause, status) in
        [(Cause::Unreadable, 200), (Cause::Provider, 502), (Cause::Provider, 504)]
    {
        let mut story = Teller::open(&[("acme", SHARED)]);
        story.get(get(1, "acme"));
        let lost = retry(Kind::ProviderFailed).because(cause).reached(Reached::Answered(status));
        assert_eq!(story.fails(1, lost), ["1: provider_failed exit 7"], "{status}");
        assert_eq!(story.pass(seconds(3600)), none(), "{status}");
    }
}

#[test]
fn an_edit_between_intent_and_request_is_no_try() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.quiet = false;
    assert_eq!(story.get(get(1, "acme")), ["intend acme 1"]);
    assert_eq!(story.configured(&[("acme", SHARED, 2)]), ["load acme"]);
    assert_eq!(story.writes(true), ["withdraw to 0"]);
    // It was read before that was withdrawn, so it is read once more.
    let tried = Some(RefreshToken { tries: 1, ..standing(story.now) });
    let contents = Contents { refresh: tried, ..Contents::default() };
    assert_eq!(story.contains("acme", contents), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), ["intend acme 1"]);
}

#[test]
fn a_token_of_settings_that_changed_while_it_was_saved_is_served_to_nobody() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.quiet = false;
    story.get(get(1, "acme"));
    story.writes(true);
    story.reaches(1);
    story.writes(true);
    let token = token(story.now, "a", Some(3600), 0);
    let outcome = Outcome::Tokens(obtained(token, Some("r2")));
    assert_eq!(story.reads(outcome), ["save a and r2"]);
    assert_eq!(story.configured(&[("acme", SHARED, 2)]), ["load acme"]);
    assert_eq!(story.saved(1, true), none());
}

#[test]
fn a_failure_of_an_earlier_run_is_no_answer_to_those_who_ask_now() {
    let mut story = Teller::new(&[("acme", SHARED)]);
    story.starts(Vault::Bare, None);
    story.unlocked(true);
    story.get(get(1, "acme"));
    assert_eq!(story.contains_unread("acme"), ["classify"]);
    let lines = story.reads(Outcome::Failed(invalid_client()));
    assert_eq!(lines, ["withdraw to 0", "send 1 acme"]);
}

#[test]
fn a_report_about_a_profile_that_is_removed_is_answered() {
    let mut story = Teller::new(&[("acme", SHARED)]);
    story.starts(Vault::Bare, None);
    story.unlocked(true);
    assert_eq!(story.report(report(1, "acme", 429, None)), ["load acme"]);
    let lines = story.configured(&[]);
    assert!(lines.iter().any(|line| line.starts_with("1: no_such_profile")), "{lines:?}");
}
