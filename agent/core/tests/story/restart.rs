//! What one agent leaves to the next.

use tokctl_core::{Event, Vault};
use tokctl_proto::{Failure, Kind};

use super::teller::*;

#[test]
fn a_provider_s_rest_outlasts_a_restart() {
    for (later_s, line) in [(500, "3: rate_limited exit 7"), (600, "send 2 acme")] {
        let mut story = Teller::open(&[("acme", PER_KEY)]);
        story.get(get(1, "acme"));
        let mut busy = retry(Kind::RateLimited);
        busy.retry_after = Some(seconds(600));
        story.fails(1, busy);
        story.restarts();
        story.unlocks(2);
        story.unlocked(true);
        story.jump(seconds(later_s));
        assert_eq!(story.get(get(3, "acme")), ["load acme"]);
        let lines = story.loaded("acme", &[]);
        assert_eq!(lines, [line], "{later_s}");
    }
}

#[test]
fn an_entry_that_cannot_be_read_does_not_shorten_a_provider_s_rest() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    let mut busy = retry(Kind::RateLimited);
    busy.retry_after = Some(seconds(600));
    story.fails(1, busy);
    story.restarts();
    story.unlocks(2);
    story.unlocked(true);
    assert_eq!(story.get(get(3, "acme")), ["load acme"]);
    let result = Err(Failure::new(Kind::EntryDamaged, "the entry does not open"));
    let told = story.tell(Event::Loaded { profile: name("acme"), result });
    assert_eq!(told, ["3: entry_damaged exit 11"]);
    story.jump(seconds(60));
    story.get(get(4, "acme"));
    assert_eq!(story.loaded("acme", &[]), ["4: entry_damaged exit 11"]);
}

#[test]
fn a_start_reads_nothing_before_it_is_needed() {
    let mut story = Teller::open(&[("acme", PER_KEY), ("beta", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    let kept = token(story.now, "a", Some(3600), 0);
    assert_eq!(story.restarts(), none());
    story.unlocks(2);
    assert_eq!(story.unlocked(true), ["2: said"]);
    assert_eq!(story.pass(seconds(600)), none());
    assert_eq!(story.get(get(3, "acme")), ["load acme"]);
    assert_eq!(story.loaded("acme", &[("acme", kept)]), ["3: a"]);
}

#[test]
fn a_token_in_use_is_renewed_after_a_restart_without_anybody_asking() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    let kept = token(story.now, "a", Some(3600), 0);
    story.restarts();
    story.unlocks(2);
    story.unlocked(true);
    assert_eq!(story.pass(seconds(3100)), ["load acme"]);
    assert_eq!(story.loaded("acme", &[("acme", kept)]), ["send 2 acme"]);
}

#[test]
fn a_token_that_ran_out_meanwhile_is_renewed_as_soon_as_the_vault_opens() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story.restarts();
    story.jump(seconds(4000));
    story.unlocks(2);
    assert_eq!(story.unlocked(true), ["2: said"]);
    assert_eq!(story.pass(seconds(0)), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), ["send 2 acme"]);
}

#[test]
fn without_a_schedule_entries_are_read_after_the_first_answer_and_not_before() {
    let mut story = Teller::new(&[("acme", PER_KEY), ("beta", PER_KEY), ("gamma", PER_KEY)]);
    story.starts(Vault::Bare, None);
    assert_eq!(story.unlocked(true), none());
    assert_eq!(story.pass(seconds(3600)), none());
    assert_eq!(story.get(get(1, "beta")), ["load beta"]);
    assert_eq!(story.loaded("beta", &[]), ["send 1 beta"]);
    let lines = story.answers(1, "b", Some(3600));
    assert_eq!(lines, ["1: b", "load acme", "save b"]);
    // What is found there was used when it was issued, and is renewed.
    let found = token(story.now, "a", Some(3600), 3300);
    // One after the other, so that a caller is not behind all of them.
    assert_eq!(story.loaded("acme", &[("acme", found)]), ["send 2 acme", "load gamma"]);
}

#[test]
fn a_schedule_from_a_clock_gone_wrong_silences_nobody_for_ever() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    let mut busy = retry(Kind::RateLimited);
    busy.retry_after = Some(seconds(600));
    story.fails(1, busy);
    story.now.wall = story.now.wall.plus(seconds(365 * 86_400));
    story.pass(seconds(61));
    story.now.wall = story.now.wall.minus(seconds(365 * 86_400));
    let schedule = story.schedule.clone();
    story.restarts();
    assert!(schedule.is_some());
    story.unlocks(2);
    story.unlocked(true);
    story.jump(seconds(3600));
    assert_eq!(story.get(get(3, "acme")), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), ["send 2 acme"]);
}
