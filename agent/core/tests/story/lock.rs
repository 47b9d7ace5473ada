//! Who opens the vault, and who waits for it.

use tokctl_core::{Event, RequestId, Schedule, Vault};

use super::teller::*;

fn sealed() -> Teller {
    let mut story = Teller::new(&[("acme", PER_KEY)]);
    assert_eq!(story.starts(Vault::Passphrase, Some(Schedule::default())), none());
    story
}

fn interactive(request: u64) -> tokctl_core::Get {
    tokctl_core::Get { interactive: true, ..get(request, "acme") }
}

#[test]
fn a_script_gets_an_answer_from_a_sealed_vault_at_once() {
    let mut story = sealed();
    assert_eq!(story.get(get(1, "acme")), ["1: vault_sealed exit 4"]);
    let admit = Event::Admit { request: RequestId(2), interactive: false, alone: None };
    assert_eq!(story.tell(admit), ["2: vault_sealed exit 4"]);
}

#[test]
fn a_name_that_is_not_there_needs_no_passphrase() {
    let mut story = sealed();
    let mut stranger = interactive(1);
    stranger.key = key("acem");
    assert_eq!(story.get(stranger), ["1: no_such_profile exit 3"]);
}

#[test]
fn without_a_vault_nobody_is_asked_for_a_passphrase() {
    let mut story = Teller::new(&[("acme", PER_KEY)]);
    story.starts(Vault::Absent, None);
    assert_eq!(story.get(interactive(1)), ["1: no_vault exit 4"]);
    assert_eq!(story.locks(2), ["2: no_vault exit 4"]);
}

#[test]
fn one_passphrase_serves_all_who_wait() {
    let mut story = sealed();
    assert_eq!(story.get(interactive(1)), ["ask 1"]);
    assert_eq!(story.get(interactive(2)), ["ask 2"]);
    assert_eq!(story.passphrase(2, "right"), ["unlock"]);
    // A script joins while the attempt is under way.
    assert_eq!(story.get(get(3, "acme")), none());
    assert_eq!(story.unlocked(true), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), ["send 1 acme"]);
    assert_eq!(story.answers(1, "a", Some(3600)), ["1: a", "2: a", "3: a", "save a"]);
}

#[test]
fn three_wrong_passphrases_are_enough() {
    let mut story = sealed();
    assert_eq!(story.get(interactive(1)), ["ask 1"]);
    for _ in 0..2 {
        story.passphrase(1, "wrong");
        assert_eq!(story.unlocked(false), ["ask 1 again"]);
    }
    story.passphrase(1, "wrong");
    assert_eq!(story.unlocked(false), ["1: wrong_passphrase exit 4"]);
}

#[test]
fn a_wrong_passphrase_is_its_giver_s_affair() {
    let mut story = sealed();
    story.get(interactive(1));
    story.get(interactive(2));
    story.passphrase(1, "wrong");
    story.get(get(3, "acme"));
    assert_eq!(story.unlocked(false), ["ask 1 again", "3: vault_sealed exit 4"]);
}

#[test]
fn a_wrong_passphrase_from_a_file_is_not_asked_for_again() {
    let mut story = sealed();
    assert_eq!(story.unlocks(1), ["unlock"]);
    assert_eq!(story.unlocked(false), ["1: wrong_passphrase exit 4"]);
}

#[test]
fn attempts_are_made_one_after_another() {
    let mut story = sealed();
    assert_eq!(story.unlocks(1), ["unlock"]);
    assert_eq!(story.unlocks(2), none());
    assert_eq!(story.unlocked(false), ["1: wrong_passphrase exit 4", "unlock"]);
    assert_eq!(story.unlocked(true), ["2: said"]);
}

#[test]
fn a_bare_vault_opens_at_start_and_the_first_get_waits_for_it() {
    let mut story = Teller::new(&[("acme", PER_KEY)]);
    assert_eq!(story.starts(Vault::Bare, Some(Schedule::default())), ["unlock by itself"]);
    assert_eq!(story.get(get(1, "acme")), none());
    assert_eq!(story.unlocked(true), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), ["send 1 acme"]);
}

#[test]
fn nobody_is_asked_for_an_identity_and_who_brings_it_serves_all() {
    let mut story = Teller::new(&[("acme", PER_KEY)]);
    assert_eq!(story.starts(Vault::Given, Some(Schedule::default())), none());
    assert_eq!(story.get(interactive(1)), ["1: vault_sealed exit 4"]);
    assert_eq!(story.unlocks(2), ["unlock"]);
    assert_eq!(story.get(get(3, "acme")), none());
    assert_eq!(story.unlocked(true), ["2: said", "load acme"]);
}

#[test]
fn a_bare_vault_that_does_not_open_says_why() {
    let mut story = Teller::new(&[("acme", PER_KEY)]);
    story.starts(Vault::Bare, Some(Schedule::default()));
    story.get(get(1, "acme"));
    assert_eq!(story.unlocked(false), ["1: wrong_passphrase exit 4"]);
}

#[test]
fn locking_answers_all_who_wait_and_stops_everything() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story.get(get(2, "acme:read"));
    assert_eq!(story.locks(3), ["2: vault_sealed exit 4", "seal", "3: said"]);
    assert_eq!(story.get(get(4, "acme")), ["4: vault_sealed exit 4"]);
    assert_eq!(story.pass(seconds(86_400)), none());
}

#[test]
fn an_answer_that_finds_the_vault_sealed_is_not_read() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.locks(2);
    assert_eq!(story.reaches(1), ["discard"]);
    story.unlocks(3);
    story.unlocked(true);
    assert_eq!(story.get(get(4, "acme")), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), ["send 2 acme"]);
}

#[test]
fn a_provider_s_rest_outlasts_a_lock() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.locks(2);
    let mut busy = retry(tokctl_proto::Kind::RateLimited);
    busy.retry_after = Some(seconds(600));
    assert_eq!(story.unreached(1, busy), none());
    story.unlocks(3);
    story.unlocked(true);
    assert_eq!(story.get(get(4, "acme")), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), ["4: rate_limited exit 7"]);
}

#[test]
fn a_new_vault_has_nothing_of_the_old_one() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story.get(get(2, "acme:read"));
    // Somebody waits for an answer that the old vault's secret bought.
    assert_eq!(story.replaces_vault(), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), none());
    let lines = story.answers(2, "old", Some(3600));
    assert_eq!(lines, ["discard", "send 3 acme scope=read"]);
    assert_eq!(story.answers(3, "new", Some(3600)), ["2: new", "save new"]);
    assert_eq!(story.get(get(3, "acme")), ["send 4 acme"]);
}
