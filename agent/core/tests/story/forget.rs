//! Tokens that were revoked, or that somebody wants gone.

use tokctl_core::{Changed, Contents, Event, Outcome, RequestId, TokenState};

use super::teller::*;

/// A logout that is over: the entry has no tokens any more.
fn forgets(story: &mut Teller, request: u64, of: &str) -> Vec<String> {
    let reply = Some((RequestId(request), Ok("logged out".to_owned())));
    let (entries, forget) = (vec![name(of)], vec![name(of)]);
    story.tell(Event::Changed(Changed { reply, entries, forget, ..Changed::default() }))
}

fn state(story: &Teller, of: &str) -> TokenState {
    let statuses = story.core.statuses(story.now);
    statuses.into_iter().find(|status| status.profile == name(of)).unwrap().state
}

#[test]
fn what_is_forgotten_is_not_served_and_others_are() {
    let mut story = Teller::open(&[("acme", SHARED), ("beta", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story.get(get(2, "beta"));
    story.answers(2, "b", Some(3600));
    assert_eq!(forgets(&mut story, 3, "acme")[0], "3: said");
    assert_eq!(story.get(get(4, "beta")), ["4: b"]);
    // What the entry holds now decides, and that is nothing.
    story.get(get(5, "acme"));
    assert_eq!(story.contains("acme", Contents::default()), ["5: secret_required exit 5"]);
    assert_eq!(state(&story, "acme"), TokenState::Login);
}

#[test]
fn what_can_be_had_again_without_a_person_is() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    forgets(&mut story, 2, "acme");
    assert_eq!(state(&story, "acme"), TokenState::None);
    story.get(get(3, "acme"));
    assert_eq!(story.contains("acme", Contents::default()), ["send 2 acme"]);
    assert_eq!(story.answers(2, "b", Some(3600)), ["3: b", "save b"]);
}

#[test]
fn who_has_to_log_in_again_is_told_so() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    let profile = tokctl_core::Profile { grant: "device_code", ..story.profile("acme") };
    story.edited("acme", profile);
    forgets(&mut story, 1, "acme");
    story.get(get(2, "acme"));
    assert_eq!(story.contains("acme", Contents::default()), ["2: login_required exit 5"]);
    let error = story.core.statuses(story.now).remove(0).error.unwrap();
    assert_eq!(error.hint.as_deref(), Some("run `tokctl login acme`"));
}

/// A rotation of `acme` that brings `a` and `r2`, up to the writing of both.
fn rotating() -> Teller {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.quiet = false;
    story.get(get(1, "acme"));
    story.writes(true);
    story.reaches(1);
    story.writes(true);
    story
}

fn both(story: &Teller) -> Outcome {
    Outcome::Tokens(obtained(token(story.now, "a", Some(3600), 0), Some("r2")))
}

#[test]
fn a_token_that_is_on_its_way_when_it_is_forgotten_is_served_to_nobody() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    assert_eq!(forgets(&mut story, 2, "acme"), ["2: said", "load acme"]);
    assert_eq!(story.loaded("acme", &[]), none());
    assert_eq!(story.answers(1, "old", Some(3600)), ["send 2 acme"]);
    assert_eq!(story.answers(2, "new", Some(3600)), ["1: new", "save new"]);
}

#[test]
fn the_refresh_token_that_comes_with_a_forgotten_token_is_saved() {
    let mut story = rotating();
    forgets(&mut story, 2, "acme");
    let outcome = both(&story);
    assert_eq!(story.reads(outcome), ["save nothing and r2"]);
}

#[test]
fn a_token_that_is_forgotten_while_it_is_written_is_removed_again() {
    let mut story = rotating();
    let outcome = both(&story);
    assert_eq!(story.reads(outcome), ["save a and r2"]);
    forgets(&mut story, 2, "acme");
    assert_eq!(story.saved(1, true), ["drop a"]);
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    assert_eq!(story.answers(1, "a", Some(3600)), ["1: a", "save a"]);
    assert_eq!(forgets(&mut story, 2, "acme"), ["drop a", "2: said"]);
    // Nothing is left to be tried again.
    story.saved(1, false);
    assert_eq!(story.pass(seconds(60)), none());
}

#[test]
fn a_rotation_in_memory_alone_is_saved_without_the_token_that_was_forgotten() {
    let mut story = rotating();
    let outcome = both(&story);
    story.reads(outcome);
    assert_eq!(story.saved(1, false), ["alarm acme", "1: a warned"]);
    assert_eq!(forgets(&mut story, 2, "acme"), ["drop a", "2: said"]);
    // Its answer is still in the entry, and is not read once more.
    assert_eq!(story.get(get(3, "acme")), ["load acme"]);
    assert_eq!(story.contains_unread("acme"), ["discard", "3: machine exit 11"]);
    assert_eq!(story.pass(seconds(2)), ["save nothing and r2"]);
}
