//! Clocks that jump.

use super::teller::*;

#[test]
fn the_first_get_after_a_suspend_over_the_end_makes_one_request() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story.jump(seconds(8 * 3600));
    assert_eq!(story.get(get(2, "acme")), ["send 2 acme"]);
    assert_eq!(story.pass(seconds(1)), none());
    assert_eq!(story.answers(2, "b", Some(3600)), ["2: b", "save b"]);
}

#[test]
fn a_token_that_ran_out_in_a_suspend_is_renewed_on_waking() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story.jump(seconds(2 * 3600));
    assert_eq!(story.tell(tokctl_core::Event::Tick), ["send 2 acme"]);
}

#[test]
fn a_deadline_that_passed_in_a_suspend_is_told_on_waking() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.jump(seconds(3600));
    assert_eq!(story.tell(tokctl_core::Event::Tick), ["1: timeout exit 7"]);
}

#[test]
fn a_clock_set_forward_ends_a_token_early() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story.now.wall = story.now.wall.plus(seconds(3600));
    story.jump(seconds(30));
    assert_eq!(story.get(get(2, "acme")), ["send 2 acme"]);
}

#[test]
fn a_clock_that_was_set_is_noticed_by_the_next_request() {
    let mut story = Teller::open(&[("acme", PER_KEY), ("beta", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story.get(get(2, "beta"));
    story.answers(2, "b", Some(86_400));
    story.jump(seconds(100));
    story.now.wall = story.now.wall.plus(seconds(3000));
    assert_eq!(story.get(get(3, "beta")), ["3: b"]);
    assert_eq!(story.pass(seconds(0)), ["send 3 acme"]);
}

#[test]
fn a_clock_set_back_does_not_lengthen_a_life() {
    for (age_s, line) in [(3509, "2: a warned"), (3571, "send 3 acme")] {
        let mut story = Teller::open(&[("acme", PER_KEY)]);
        story.get(get(1, "acme"));
        story.answers(1, "a", Some(3600));
        story.now.wall = story.now.wall.minus(seconds(86_400));
        // It is renewed when it would have been; the answer is lost.
        let at = story.until_sent(seconds(3600)).expect("a renewal ahead of the end");
        assert!((seconds(2940)..=seconds(3060)).contains(&at), "{at:?}");
        story.fails(2, refused());
        story.jump(seconds(age_s) - at);
        assert_eq!(story.get(get(2, "acme")), [line], "{age_s}");
    }
}

#[test]
fn a_clock_set_back_during_a_request_does_not_lengthen_a_life() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    let slow = token(story.now, "a", Some(60), 0);
    story.jump(seconds(25));
    story.now.wall = story.now.wall.minus(seconds(86_400));
    assert_eq!(story.answers_token(1, slow), ["1: a", "save a"]);
    story.jump(seconds(32));
    assert_eq!(story.get(get(2, "acme")), ["send 2 acme"]);
}

#[test]
fn a_clock_set_back_under_a_lock_does_not_lengthen_a_life() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    let kept = token(story.now, "a", Some(3600), 0);
    story.locks(2);
    story.now.wall = story.now.wall.minus(seconds(86_400));
    story.jump(seconds(3600));
    story.unlocks(3);
    assert_eq!(story.unlocked(true), ["3: said"]);
    assert_eq!(story.pass(seconds(0)), ["load acme"]);
    assert_eq!(story.loaded("acme", &[("acme", kept)]), ["send 2 acme"]);
}

#[test]
fn a_token_in_the_vault_from_the_future_is_not_served() {
    for (ahead_s, line) in [(30, "1: a"), (31, "send 1 acme")] {
        let mut story = Teller::new(&[("acme", PER_KEY)]);
        story.starts(tokctl_core::Vault::Bare, None);
        story.unlocked(true);
        let mut kept = token(story.now, "a", Some(3600), 0);
        kept.issued_at = kept.issued_at.plus(seconds(ahead_s));
        assert_eq!(story.get(get(1, "acme")), ["load acme"]);
        assert_eq!(story.loaded("acme", &[("acme", kept)]), [line], "{ahead_s}");
    }
}

#[test]
fn the_ends_of_time_are_survived() {
    for wall_ms in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
        for (issued_ms, expires_ms) in [
            (i64::MIN, i64::MAX),
            (i64::MAX, i64::MIN),
            (i64::MAX, i64::MAX),
            (i64::MIN, i64::MIN),
            (wall_ms, i64::MAX),
        ] {
            let mut story = Teller::open(&[("acme", PER_KEY)]);
            story.now.wall = tokctl_proto::WallMs(wall_ms);
            story.get(get(1, "acme"));
            let mut odd = token(story.now, "a", None, 0);
            odd.issued_at = tokctl_proto::WallMs(issued_ms);
            odd.expires_at = Some(tokctl_proto::WallMs(expires_ms));
            story.answers_token(1, odd);
            let mut endless = get(2, "acme");
            endless.min_valid = Some(std::time::Duration::MAX);
            endless.timeout = std::time::Duration::MAX;
            story.get(endless);
            story.pass(seconds(120));
            story.core.statuses(story.now);
            story.restarts();
        }
    }
}
