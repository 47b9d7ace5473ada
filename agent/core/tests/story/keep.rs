//! Which tokens are kept warm, and which refresh tokens alive.

use std::time::Duration;

use tokctl_core::{Contents, Keep, Policy, RefreshToken};

use super::teller::*;

const DAY: Duration = Duration::from_secs(86_400);

/// A profile with this policy whose token was asked for once and lives for an hour.
fn asked_once(source: tokctl_core::Source, policy: Policy) -> Teller {
    let mut story = Teller::open(&[("acme", source)]);
    story.policy("acme", policy);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story
}

/// How often it is renewed by itself.
fn renewals(story: &mut Teller, within: Duration) -> usize {
    let end = story.now.boot.plus(within);
    while story.until_sent(end.since(story.now.boot)).is_some() {
        story.answers(story.sent(), "a", Some(3600));
    }
    story.sent() - 1
}

#[test]
fn what_is_always_kept_is_asked_for_at_once_and_ever_after() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    let policy = Policy { keep: Keep::Always, ..Policy::DEFAULT };
    assert_eq!(story.policy("acme", policy), ["send 1 acme"]);
    story.answers(1, "a", Some(3600));
    assert!((27..=30).contains(&renewals(&mut story, DAY)));
}

#[test]
fn what_is_had_on_demand_is_never_renewed_ahead() {
    let policy = Policy { keep: Keep::OnDemand, ..Policy::DEFAULT };
    let mut story = asked_once(PER_KEY, policy);
    assert_eq!(renewals(&mut story, DAY), 0);
    story.jump(DAY);
    assert_eq!(story.get(get(2, "acme")), ["send 2 acme"]);
}

#[test]
fn a_profile_says_for_how_long_an_unused_token_is_kept() {
    for (idle_s, expected) in [(0, 0), (7_200, 2), (6 * 3600, 7)] {
        let policy = Policy { keep_idle: Some(seconds(idle_s)), ..Policy::DEFAULT };
        let mut story = asked_once(PER_KEY, policy);
        assert_eq!(renewals(&mut story, DAY), expected, "{idle_s}");
    }
}

#[test]
fn a_provider_that_refuses_early_renewals_is_asked_late() {
    let policy = Policy { refresh_ahead_max: Some(seconds(120)), ..Policy::DEFAULT };
    let mut story = asked_once(PER_KEY, policy);
    let at = story.until_sent(seconds(3600)).expect("a renewal");
    assert!((seconds(3480)..seconds(3540)).contains(&at), "{at:?}");
}

#[test]
fn a_refresh_token_that_dies_of_disuse_is_used_at_half_of_that_time() {
    let policy =
        Policy { keep: Keep::OnDemand, refresh_token_idle: Some(10 * DAY), ..Policy::DEFAULT };
    let mut story = asked_once(SHARED, policy);
    for number in 2..5 {
        assert_eq!(story.until_sent(6 * DAY), Some(5 * DAY));
        story.answers(number, "a", Some(3600));
    }
}

#[test]
fn a_refresh_token_that_ends_is_used_once_before_that_for_a_longer_one() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.policy("acme", Policy { keep: Keep::OnDemand, ..Policy::DEFAULT });
    story.secret_set("acme");
    story.get(get(1, "acme"));
    let end = Some(story.now.wall.plus(10 * DAY));
    let refresh = Some(RefreshToken { expires_at: end, ..standing(story.now) });
    story.contains("acme", Contents { refresh, ..Contents::default() });
    story.answers(1, "a", Some(3600));
    assert_eq!(story.until_sent(9 * DAY), Some(8 * DAY));
    // The provider gave no other: once more would not help.
    story.answers(2, "b", Some(3600));
    assert_eq!(story.until_sent(2 * DAY), None);
}
