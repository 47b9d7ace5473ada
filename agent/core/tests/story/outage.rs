//! Providers that fail.

use tokctl_core::{Effect, Event, Reply};
use tokctl_proto::Kind;

use super::teller::*;

#[test]
fn a_waiter_rides_out_a_blip() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    assert_eq!(story.fails(1, retry(Kind::ProviderFailed)), ["1 hears"]);
    let waited = story.until_sent(seconds(2)).expect("another attempt within two seconds");
    assert!(waited >= seconds(1), "{waited:?}");
    assert_eq!(story.answers(2, "a", Some(3600)), ["1: a", "save a"]);
}

#[test]
fn a_waiter_is_told_of_an_outage_before_its_deadline() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    assert_eq!(story.fails(1, retry(Kind::ProviderUnreachable)), ["1 hears"]);
    story.until_sent(seconds(2)).expect("a second attempt");
    assert_eq!(story.fails(2, retry(Kind::ProviderUnreachable)), ["1 hears"]);
    story.until_sent(seconds(4)).expect("a third attempt");
    let told = story.fails(3, retry(Kind::ProviderUnreachable));
    assert_eq!(told, ["1: provider_unreachable exit 7"]);
}

#[test]
fn all_who_wait_in_a_lane_are_told_of_an_outage() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme:read"));
    story.get(get(2, "acme:write"));
    story.fails(1, retry(Kind::ProviderUnreachable));
    story.until_sent(seconds(2)).expect("a second attempt");
    story.fails(2, retry(Kind::ProviderUnreachable));
    story.until_sent(seconds(4)).expect("a third attempt");
    let told = story.fails(3, retry(Kind::ProviderUnreachable));
    let both = ["1: provider_unreachable exit 7", "2: provider_unreachable exit 7"];
    assert_eq!(told, [&["withdraw to 0"][..], &both].concat());
}

#[test]
fn a_token_that_is_still_good_is_served_through_an_outage() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    assert_eq!(story.pass(seconds(3100)), ["send 2 acme"]);
    assert_eq!(story.fails(2, retry(Kind::ProviderUnreachable)), none());
    // With a warning: there is still time to see to it.
    assert_eq!(story.get(get(2, "acme")), ["2: a warned"]);
}

#[test]
fn retry_after_is_obeyed_to_the_millisecond() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    let mut patient = get(1, "acme");
    patient.timeout = seconds(200);
    story.get(patient);
    let mut busy = retry(Kind::RateLimited);
    busy.retry_after = Some(seconds(120));
    assert_eq!(story.fails(1, busy), ["1 hears"]);
    assert_eq!(story.until_sent(seconds(200)), Some(seconds(120)));
}

#[test]
fn a_retry_after_beyond_the_deadline_is_told_at_once() {
    // At the deadline itself there is no time left for an answer.
    for (asked_s, line) in [(29, "1 hears"), (30, "1: rate_limited exit 7")] {
        let mut story = Teller::open(&[("acme", PER_KEY)]);
        story.get(get(1, "acme"));
        let mut busy = retry(Kind::RateLimited);
        busy.retry_after = Some(seconds(asked_s));
        assert_eq!(story.fails(1, busy), [line], "{asked_s}");
    }
}

#[test]
fn a_permanent_refusal_is_not_retried_within_the_spacing() {
    for (later_s, line) in [(29, "2: provider_refused exit 6"), (30, "send 2 acme")] {
        let mut story = Teller::open(&[("acme", PER_KEY)]);
        story.get(get(1, "acme"));
        assert_eq!(story.fails(1, refused()), ["1: provider_refused exit 6"]);
        story.jump(seconds(later_s));
        assert_eq!(story.get(get(2, "acme")), [line], "{later_s}");
    }
}

#[test]
fn a_permanent_refusal_is_not_retried_by_itself() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story.until_sent(seconds(3600)).expect("a renewal");
    assert_eq!(story.fails(2, refused()), none());
    assert_eq!(story.until_sent(seconds(86_400)), None);
}

#[test]
fn set_secret_forgives_a_refusal() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.fails(1, refused());
    assert_eq!(story.secret_set("acme"), none());
    assert_eq!(story.get(get(2, "acme")), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), ["send 2 acme"]);
}

#[test]
fn a_refusal_of_the_old_secret_does_not_count_against_the_new_one() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    assert_eq!(story.get(get(1, "acme")), ["send 1 acme"]);
    assert_eq!(story.secret_set("acme"), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), none());
    assert_eq!(story.fails(1, refused()), ["send 2 acme"]);
    assert_eq!(story.answers(2, "a", Some(3600)), ["1: a", "save a"]);
}

#[test]
fn a_failed_save_keeps_serving_and_is_retried() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    assert_eq!(story.answers(1, "a", Some(3600)), ["1: a", "save a"]);
    assert_eq!(story.saved(1, false), none());
    assert!(story.core.statuses(story.now)[0].unsaved);
    assert_eq!(story.get(get(2, "acme")), ["2: a"]);
    assert_eq!(story.pass(seconds(2)), ["save a"]);
    assert_eq!(story.saved(2, true), none());
    assert!(!story.core.statuses(story.now)[0].unsaved);
}

#[test]
fn a_provider_that_is_down_is_asked_by_one_profile_for_all_of_them() {
    let mut story = Teller::open(&[("acme", PER_KEY), ("beta", PER_KEY), ("delta", PER_KEY)]);
    let down = || retry(Kind::ProviderUnreachable).because(tokctl_core::Cause::Provider);
    for (number, of) in [(1, "acme"), (2, "beta"), (3, "delta")] {
        let mut hasty = get(u64::try_from(number).unwrap(), of);
        hasty.timeout = seconds(600);
        story.get(hasty);
        story.unreached(number, down());
    }
    // Whoever comes now is told what is known, without another request.
    let mut hasty = get(9, "acme");
    hasty.timeout = seconds(0);
    assert_eq!(story.get(hasty), ["9: provider_unreachable exit 7"]);
    let sent = story.sent();
    story.until_sent(seconds(300)).expect("another attempt");
    assert_eq!(story.sent(), sent + 1, "one asks for all");
    let lines = story.answers(sent + 1, "x", Some(3600));
    assert!(lines.iter().filter(|line| line.starts_with("send")).count() >= 1, "{lines:?}");
}

#[test]
fn a_provider_that_is_left_alone_is_said_to_be_so_and_for_how_long() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    let mut busy = retry(Kind::RateLimited);
    busy.retry_after = Some(seconds(120));
    assert_eq!(story.fails(1, busy), ["1: rate_limited exit 7"]);
    let why = story.core.why(story.now, &name("acme")).expect("a profile");
    let next = "nothing until somebody asks for a token; the provider is left alone for 2m";
    assert_eq!(why.next, next);
    let effects = story.core.handle(story.now, Event::Get(get(2, "acme")));
    let failure = effects.into_iter().find_map(|effect| match effect {
        Effect::Reply { reply: Reply::Failed(failure), .. } => Some(failure),
        _ => None,
    });
    let hint = "the provider is left alone for 2m more; `tokctl why acme` tells what was tried";
    assert_eq!(failure.expect("a failure").hint.as_deref(), Some(hint));
}
