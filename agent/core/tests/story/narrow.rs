//! What one caller asks for and the provider does not give is nobody else's trouble.

use std::sync::Arc;

use tokctl_core::{Cause, Class, Event, Outcome, Reached, Reply, Source, Trouble};
use tokctl_proto::{Failure, Kind};

use super::teller::*;

/// The provider does not know a scope.
fn invalid_scope() -> Trouble {
    let failure = Failure::new(Kind::ProviderRefused, "the provider refused the scope");
    Trouble::new(Class::Permanent, failure).because(Cause::Key).reached(Reached::Answered(400))
}

/// A token for an hour of this granted scope.
fn granting(story: &Teller, text: &str, scope: &str, successor: Option<&str>) -> Outcome {
    let mut token = token(story.now, text, Some(3600), 0);
    token.scope = Some(scope.to_owned());
    Outcome::Tokens(obtained(token, successor))
}

#[test]
fn a_scope_that_is_refused_to_one_holds_nobody_else_up() {
    for source in [SHARED, PER_KEY] {
        let mut story = Teller::open(&[("acme", source)]);
        assert_eq!(story.get(get(1, "acme:bogus")), ["send 1 acme scope=bogus"]);
        story.get(get(2, "acme"));
        let lines = story.fails(1, invalid_scope());
        assert!(lines.contains(&"1: provider_refused exit 6".to_owned()), "{lines:?}");
        assert_eq!(story.sent(), 2, "the lane rests");
        let lines = story.answers(2, "a", Some(3600));
        assert!(lines.contains(&"2: a".to_owned()), "{lines:?}");
        assert_eq!(story.get(get(3, "acme")), ["3: a"]);
        assert_eq!(story.get(get(4, "acme:read")), ["send 3 acme scope=read"]);
    }
}

#[test]
fn what_was_refused_is_remembered_and_asked_for_again_only_by_a_caller_after_a_while() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme:bogus"));
    assert_eq!(story.fails(1, invalid_scope()), ["withdraw to 0", "1: provider_refused exit 6"]);
    assert_eq!(story.get(get(2, "acme:bogus")), ["2: provider_refused exit 6"]);
    // Whoever waits for another key has no say in it.
    assert_eq!(story.get(get(3, "acme")), ["send 2 acme"]);
    assert_eq!(story.get(get(4, "acme:bogus")), ["4: provider_refused exit 6"]);
    story.answers(2, "a", Some(86_400));
    story.jump(seconds(29));
    assert_eq!(story.get(get(5, "acme:bogus")), ["5: provider_refused exit 6"]);
    story.jump(seconds(1));
    assert_eq!(story.get(get(6, "acme:bogus")), ["send 3 acme scope=bogus"]);
}

#[test]
fn whatever_changes_makes_a_refusal_history() {
    let refused = || {
        let mut story = Teller::open(&[("acme", SHARED)]);
        story.get(get(1, "acme:bogus"));
        story.fails(1, invalid_scope());
        story
    };
    let mut story = refused();
    story.secret_set("acme");
    story.get(get(2, "acme:bogus"));
    assert_eq!(story.loaded("acme", &[]), ["send 2 acme scope=bogus"]);
    let mut story = refused();
    story.configured(&[("acme", SHARED, 2)]);
    story.get(get(2, "acme:bogus"));
    assert_eq!(story.loaded("acme", &[]), ["send 2 acme scope=bogus"]);
    let mut story = refused();
    assert_eq!(story.refresh(refresh(2, "acme:bogus")), ["send 2 acme scope=bogus"]);
}

#[test]
fn a_token_in_use_whose_scope_is_taken_away_is_served_to_its_end_and_not_renewed() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme:read"));
    story.answers(1, "r", Some(3600));
    assert!(story.until_sent(seconds(3600)).is_some());
    assert_eq!(story.fails(2, invalid_scope()), ["withdraw to 0"]);
    assert_eq!(story.get(get(2, "acme:read")), ["2: r warned"]);
    assert_eq!(story.until_sent(seconds(86_400)), None);
    assert_eq!(
        story.core.statuses(story.now)[0].warnings,
        ["scope=read is not renewed: the provider refused the scope"]
    );
}

#[test]
fn a_refresh_token_is_kept_alive_with_what_the_provider_gives() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    let idle = Some(seconds(864_000));
    story.policy(
        "acme",
        tokctl_core::Policy { refresh_token_idle: idle, ..tokctl_core::Policy::DEFAULT },
    );
    story.get(get(1, "acme:bogus"));
    story.fails(1, invalid_scope());
    assert_eq!(story.pass(seconds(432_000)), ["send 2 acme"]);
}

#[test]
fn a_refusal_outlasts_a_restart_and_is_still_nobody_else_s() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme:bogus"));
    story.fails(1, invalid_scope());
    story.restarts();
    story.unlocks(2);
    story.unlocked(true);
    story.get(get(3, "acme:bogus"));
    story.get(get(4, "acme"));
    assert_eq!(story.loaded("acme", &[]), ["3: provider_refused exit 6", "send 2 acme"]);
}

#[test]
fn a_token_without_the_scope_that_was_named_is_not_what_was_asked_for() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme:read write"));
    story.reaches(1);
    let outcome = granting(&story, "r", "read", None);
    assert_eq!(story.reads(outcome), ["1: scope_missing exit 6"]);
    let effects = story.core.handle(story.now, Event::Get(get(2, "acme:read write")));
    let [tokctl_core::Effect::Reply { reply: Reply::Failed(failure), .. }] = effects.as_slice()
    else {
        panic!("{effects:?}");
    };
    assert_eq!(failure.message, "the provider granted no `write`");
    // The other way round there is nothing to complain of.
    story.get(get(3, "acme:read"));
    story.reaches(2);
    let outcome = granting(&story, "rw", "read write", None);
    assert_eq!(story.reads(outcome), ["3: rw", "save rw"]);
}

#[test]
fn the_refresh_token_of_a_token_with_too_little_scope_is_saved() {
    for (successor, line) in [(Some("r2"), "save nothing and r2"), (None, "save nothing")] {
        let mut story = Teller::open(&[("acme", SHARED)]);
        story.get(get(1, "acme:read write"));
        story.get(get(2, "acme"));
        story.reaches(1);
        let outcome = granting(&story, "r", "read", successor);
        assert_eq!(story.reads(outcome), [line, "1: scope_missing exit 6", "send 2 acme"]);
    }
}

#[test]
fn a_scope_that_the_profile_alone_names_is_missed_aloud_and_once() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    let mut profile = story.profile("acme");
    profile.scope = Arc::new(["openid", "read", "write"].map(str::to_owned).into());
    story.edited("acme", profile);
    story.get(get(1, "acme"));
    story.reaches(1);
    let outcome = granting(&story, "a", "read", None);
    assert_eq!(story.reads(outcome), ["1: a warned", "save a"]);
    assert_eq!(story.get(get(2, "acme")), ["2: a"]);
    assert_eq!(story.core.statuses(story.now)[0].warnings, ["the provider granted no `write`"]);
    // A token that comes while nobody waits is the next caller's.
    assert!(story.until_sent(seconds(3600)).is_some());
    story.reaches(2);
    let outcome = granting(&story, "b", "read", None);
    story.reads(outcome);
    assert_eq!(story.get(get(3, "acme")), ["3: b warned"]);
    assert_eq!(story.get(get(4, "acme")), ["4: b"]);
    // Whoever names a scope of its own has asked for nothing else.
    story.get(get(5, "acme:read"));
    story.reaches(3);
    let outcome = granting(&story, "r", "read", None);
    assert_eq!(story.reads(outcome), ["5: r", "save r"]);
}

#[test]
fn a_pool_tries_its_next_member_for_a_scope_that_one_refuses() {
    let members = [("one", PER_KEY), ("two", PER_KEY), ("both", pool(&["one", "two"], None))];
    let mut story = Teller::open(&members);
    assert_eq!(story.get(get(1, "both:read")), ["send 1 one scope=read"]);
    assert_eq!(story.fails(1, invalid_scope()), ["send 2 two scope=read"]);
    assert_eq!(story.answers(2, "t", Some(3600)), ["1: t of two", "save t"]);
}

#[test]
fn a_refused_scope_of_an_earlier_run_is_no_answer_to_those_who_ask_now() {
    let mut story = Teller::new(&[("acme", Source::Provider(tokctl_core::Lanes::Shared))]);
    story.starts(tokctl_core::Vault::Bare, None);
    story.unlocked(true);
    story.get(get(1, "acme"));
    story.contains_unread("acme");
    assert_eq!(story.reads(Outcome::Failed(invalid_scope())), ["withdraw to 0", "send 1 acme"]);
}
