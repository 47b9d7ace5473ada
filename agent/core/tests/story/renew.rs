//! Renewal ahead of need.

use tokctl_core::{Keep, Policy};

use super::teller::*;

#[test]
fn a_used_token_is_renewed_ahead_of_its_end() {
    // Lifetime, and the lead that is jittered by a tenth.
    for (life_s, lead_s) in [(20, 10), (300, 60), (1000, 200), (3600, 600), (86_400, 600)] {
        let mut story = Teller::open(&[("acme", PER_KEY)]);
        story.get(get(1, "acme"));
        story.answers(1, "a", Some(life_s));
        let at = story.until_sent(seconds(life_s)).expect("a renewal within the lifetime");
        let ahead = seconds(life_s).saturating_sub(at);
        let lead = seconds(lead_s);
        assert!((lead * 9 / 10..=lead * 11 / 10).contains(&ahead), "{life_s}: {ahead:?}");
    }
}

#[test]
fn a_token_without_an_end_is_not_renewed() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", None);
    assert_eq!(story.until_sent(seconds(10 * 86_400)), None);
    assert_eq!(story.get(get(2, "acme")), ["2: a"]);
}

#[test]
fn what_nobody_uses_is_let_go_after_three_lifetimes_or_a_week_with_a_refresh_token() {
    for (source, kept_s) in [(PER_KEY, 3 * 3600), (SHARED, 7 * 86_400)] {
        let mut story = Teller::open(&[("acme", source)]);
        story.get(get(1, "acme"));
        let mut number = 1;
        story.answers(number, "a", Some(3600));
        let last_at = loop {
            if story.until_sent(seconds(3600)).is_none() {
                break story.now.boot;
            }
            number += 1;
            story.answers(number, "a", Some(3600));
        };
        let kept = last_at.since(tokctl_proto::BootMs(0));
        assert!(kept <= seconds(kept_s), "{kept:?}");
        assert!(kept >= seconds(kept_s - 3600), "{kept:?}");
    }
}

#[test]
fn a_locked_out_renewal_goes_on_after_the_unlock() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    let kept = token(story.now, "a", Some(3600), 0);
    story.locks(2);
    assert_eq!(story.pass(seconds(3200)), none());
    story.unlocks(3);
    assert_eq!(story.unlocked(true), ["3: said"]);
    assert_eq!(story.pass(seconds(0)), ["load acme"]);
    assert_eq!(story.loaded("acme", &[("acme", kept)]), ["send 2 acme"]);
}

#[test]
fn a_token_that_lives_for_a_moment_is_not_renewed_in_a_hot_loop() {
    for (life_s, is_renewed) in [(1, false), (2, true)] {
        let mut story = Teller::open(&[("acme", SHARED)]);
        story.policy("acme", Policy { keep: Keep::Always, ..Policy::DEFAULT });
        story.get(get(1, "acme"));
        story.answers(1, "a", Some(life_s));
        assert_eq!(story.until_sent(seconds(3600)).is_some(), is_renewed, "{life_s}");
        // Whoever asks has another.
        story.jump(seconds(3600));
        let lines = story.get(get(2, "acme"));
        assert_eq!(lines.is_empty(), is_renewed, "{life_s}: {lines:?}");
    }
}
