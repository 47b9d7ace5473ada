//! What is told to whoever watches.

use tokctl_core::{Burial, Contents, Event, LoginState, Outcome, Profile, Schedule, Vault};
use tokctl_proto::{Failure, Kind};

use super::teller::*;

/// What was told since the last time.
fn told(story: &mut Teller) -> Vec<String> {
    std::mem::take(&mut story.told)
}

/// An open vault, and nothing told yet.
fn open(source: tokctl_core::Source) -> Teller {
    let mut story = Teller::open(&[("acme", source)]);
    assert_eq!(told(&mut story), ["unlocked"]);
    story
}

fn presents(story: &mut Teller) {
    let refresh = Some(standing(story.now));
    story.contains("acme", Contents { refresh, ..Contents::default() });
}

#[test]
fn each_token_that_comes_is_told_once_with_its_end_and_whose_it_is() {
    let mut story = open(PER_KEY);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    assert_eq!(told(&mut story), ["renewed acme 3600"]);
    // Handing it out is nothing that happens to it.
    story.get(get(2, "acme"));
    assert_eq!(told(&mut story), none());
    story.get(get(3, "acme:read"));
    story.answers(2, "b", None);
    assert_eq!(told(&mut story), ["renewed acme scope=read"]);
    story.until_sent(seconds(3600)).expect("a renewal");
    story.answers(3, "c", Some(3600));
    assert_eq!(told(&mut story), ["renewed acme 3600"]);
}

#[test]
fn a_token_that_the_vault_held_is_nothing_new() {
    let mut story = Teller::new(&[("acme", PER_KEY)]);
    story.starts(Vault::Bare, Some(Schedule::default()));
    story.unlocked(true);
    story.get(get(1, "acme"));
    let kept = token(story.now, "a", Some(3600), 0);
    assert_eq!(story.loaded("acme", &[("acme", kept)]), ["1: a"]);
    assert_eq!(told(&mut story), ["unlocked"]);
}

#[test]
fn each_attempt_that_fails_is_told_and_the_one_that_works_too() {
    let mut story = open(PER_KEY);
    story.get(get(1, "acme"));
    for number in 1..=2 {
        story.fails(number, retry(Kind::ProviderUnreachable));
        assert_eq!(told(&mut story), ["failed acme provider_unreachable"]);
        story.until_sent(seconds(60)).expect("another attempt");
    }
    story.answers(3, "a", Some(60));
    assert_eq!(told(&mut story), ["renewed acme 60"]);
}

#[test]
fn a_refusal_of_one_scope_is_told_of_that_scope() {
    let mut story = open(SHARED);
    story.get(get(1, "acme:read"));
    presents(&mut story);
    let refused = refused().because(tokctl_core::Cause::Key);
    story.reaches(1);
    story.reads(Outcome::Failed(refused));
    assert_eq!(told(&mut story), ["failed acme scope=read provider_refused"]);
}

#[test]
fn a_refresh_token_that_is_revoked_needs_a_login_and_that_is_told_once() {
    let mut story = open(SHARED);
    story.get(get(1, "acme"));
    presents(&mut story);
    story.reaches(1);
    assert_eq!(story.reads(Outcome::Failed(invalid_grant())), ["bury"]);
    story.buried(Burial::Dead);
    let both = ["failed acme login_required", "login_needed acme login_required"];
    assert_eq!(told(&mut story), both);
    story.pass(seconds(3600));
    story.get(get(2, "acme"));
    assert_eq!(told(&mut story), none());
    // A person logs in, and the provider refuses that one too.
    story.tell(Event::Login { profile: name("acme"), state: LoginState::Began });
    story.secret_set("acme");
    let end = story.now.wall.plus(seconds(60));
    let state = LoginState::Ended(Ok(Some(end)));
    story.tell(Event::Login { profile: name("acme"), state });
    assert_eq!(told(&mut story), ["renewed acme 60"]);
    story.get(get(3, "acme"));
    presents(&mut story);
    story.reaches(2);
    story.reads(Outcome::Failed(invalid_grant()));
    story.buried(Burial::Dead);
    assert_eq!(told(&mut story), both);
}

#[test]
fn a_login_that_comes_to_nothing_is_nothing_that_happens_to_a_token() {
    let mut story = open(SHARED);
    story.tell(Event::Login { profile: name("acme"), state: LoginState::Began });
    let failure = Failure::new(Kind::LoginExpired, "the login was not finished in time");
    let state = LoginState::Ended(Err(failure));
    story.tell(Event::Login { profile: name("acme"), state });
    assert_eq!(told(&mut story), none());
}

#[test]
fn a_person_is_needed_when_the_second_answer_in_a_row_is_lost() {
    let mut story = open(SHARED);
    story.get(get(1, "acme"));
    presents(&mut story);
    story.fails(1, lost());
    assert_eq!(told(&mut story), ["failed acme provider_unreachable"]);
    story.pass(seconds(120));
    story.get(get(2, "acme"));
    story.fails(2, lost());
    let both = ["failed acme provider_unreachable", "login_needed acme login_required"];
    assert_eq!(told(&mut story), both);
}

#[test]
fn of_a_subject_that_needs_a_login_its_own_profile_tells() {
    let mut story = Teller::open(&[("base", SHARED), ("acme", PER_KEY)]);
    let subject = Some(Box::new(tokctl_core::Subject::Profile(name("base"))));
    let acme = Profile { subject, ..story.profile("acme") };
    story.edited("acme", acme);
    told(&mut story);
    story.get(get(1, "acme"));
    story.loaded("acme", &[]);
    let refresh = Some(standing(story.now));
    story.contains("base", Contents { refresh, ..Contents::default() });
    story.reaches(1);
    story.reads(Outcome::Failed(invalid_grant()));
    story.buried(Burial::Dead);
    let needed: Vec<String> =
        told(&mut story).into_iter().filter(|line| line.starts_with("login_needed")).collect();
    assert_eq!(needed, ["login_needed base login_required"]);
}

#[test]
fn a_seal_is_told_when_it_is_done_and_an_opening_too() {
    let mut story = open(SHARED);
    story.get(get(1, "acme"));
    presents(&mut story);
    // The refresh token is on the road.
    story.locks(2);
    assert_eq!(told(&mut story), none());
    story.answers(1, "a", Some(3600));
    assert_eq!(told(&mut story), ["renewed acme 3600", "locked"]);
    story.locks(3);
    assert_eq!(told(&mut story), none());
    story.unlocks(4);
    story.unlocked(true);
    assert_eq!(told(&mut story), ["unlocked"]);
}

#[test]
fn a_vault_that_is_made_is_open_and_one_that_takes_its_place_was_open_before() {
    let mut story = Teller::new(&[("acme", PER_KEY)]);
    story.starts(Vault::Absent, None);
    story.replaces_vault();
    assert_eq!(told(&mut story), ["unlocked"]);
    story.replaces_vault();
    assert_eq!(told(&mut story), none());
}
