//! What a caller gets.

use tokctl_proto::Kind;

use super::teller::*;

#[test]
fn expired_gets_share_one_request() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    assert_eq!(story.get(get(1, "acme")), ["send 1 acme"]);
    assert_eq!(story.get(get(2, "acme")), none());
    assert_eq!(story.answers(1, "a", Some(3600)), ["1: a", "2: a", "save a"]);
    story.jump(seconds(4000));
    assert_eq!(story.get(get(3, "acme")), ["send 2 acme"]);
    assert_eq!(story.get(get(4, "acme")), none());
    assert_eq!(story.answers(2, "b", Some(3600)), ["3: b", "4: b", "save b"]);
}

#[test]
fn a_valid_token_is_served_while_a_renewal_is_in_flight() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    assert_eq!(story.pass(seconds(3100)), ["send 2 acme"]);
    assert_eq!(story.get(get(2, "acme")), ["2: a"]);
    assert_eq!(story.answers(2, "b", Some(3600)), ["save b"]);
    assert_eq!(story.get(get(3, "acme")), ["3: b"]);
}

#[test]
fn keys_of_one_profile_never_answer_for_each_other() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    assert_eq!(story.get(get(1, "acme:read")), ["send 1 acme scope=read"]);
    assert_eq!(story.get(get(2, "acme:write")), ["send 2 acme scope=write"]);
    assert_eq!(story.answers(2, "w", Some(3600)), ["2: w", "save w"]);
    assert_eq!(story.answers(1, "r", Some(3600)), ["1: r", "save r"]);
}

#[test]
fn requests_that_share_a_refresh_token_follow_each_other() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    assert_eq!(story.get(get(1, "acme:read")), ["send 1 acme scope=read"]);
    assert_eq!(story.get(get(2, "acme:write")), none());
    let lines = story.answers(1, "r", Some(20));
    assert_eq!(lines, ["save r", "1: r", "send 2 acme scope=write"]);
    assert_eq!(story.answers(2, "w", Some(20)), ["save w", "2: w"]);
}

#[test]
fn a_token_is_served_to_the_edge_of_its_life_and_not_beyond() {
    // An hour and its skew of half a minute; the provider is down, so that nothing better comes.
    for (age_s, line) in [
        (3569, "2: a unmet warned"),
        (3570, "2: provider_unreachable exit 7"),
        (3571, "2: provider_unreachable exit 7"),
    ] {
        let mut story = Teller::open(&[("acme", PER_KEY)]);
        story.get(get(1, "acme"));
        story.answers(1, "a", Some(3600));
        story.jump(seconds(age_s));
        let mut impatient = get(2, "acme");
        impatient.timeout = seconds(0);
        assert_eq!(story.get(impatient), ["send 2 acme"], "{age_s}");
        assert_eq!(story.fails(2, retry(Kind::ProviderUnreachable)), [line], "{age_s}");
    }
}

#[test]
fn an_explicit_validity_is_met_to_the_second() {
    // Of an hour's 3570 usable seconds, 1000 s after the request.
    for (asked_s, line) in [(2569, "2: a"), (2570, "2: a"), (2571, "send 2 acme")] {
        let mut story = Teller::open(&[("acme", PER_KEY)]);
        story.get(get(1, "acme"));
        story.answers(1, "a", Some(3600));
        story.jump(seconds(1000));
        let mut choosy = get(2, "acme");
        choosy.min_valid = Some(seconds(asked_s));
        assert_eq!(story.get(choosy), [line], "{asked_s}");
    }
}

#[test]
fn a_validity_above_the_lifetime_is_refused_without_a_request() {
    // No token of an hour is good for more than 3570 s.
    for (asked_s, line) in [(3570, "2: a"), (3571, "2: min_valid exit 7")] {
        let mut story = Teller::open(&[("acme", PER_KEY)]);
        story.get(get(1, "acme"));
        story.answers(1, "a", Some(3600));
        let mut choosy = get(2, "acme");
        choosy.min_valid = Some(seconds(asked_s));
        assert_eq!(story.get(choosy), [line], "{asked_s}");
    }
}

#[test]
fn best_effort_takes_the_longest_there_is_and_says_so() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    for refresh in [false, true] {
        let mut modest = get(2, "acme");
        modest.min_valid = Some(seconds(86_400));
        modest.best_effort = true;
        modest.refresh = refresh;
        assert_eq!(story.get(modest), ["2: a unmet warned"], "refresh: {refresh}");
    }
}

#[test]
fn refresh_twice_within_the_spacing_gets_the_new_token_with_a_warning() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    for (age_s, line) in [(29, "2: a warned"), (30, "send 2 acme")] {
        let mut story = Teller::open(&[("acme", PER_KEY)]);
        story.get(get(1, "acme"));
        story.answers(1, "a", Some(3600));
        story.jump(seconds(age_s));
        let mut renewing = get(2, "acme");
        renewing.refresh = true;
        assert_eq!(story.get(renewing), [line], "{age_s}");
    }
}

#[test]
fn a_neighbour_s_new_token_does_not_make_an_old_one_new() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme:read"));
    story.answers(1, "r", Some(86_400));
    story.jump(seconds(3600));
    story.get(get(2, "acme:write"));
    story.answers(2, "w", Some(86_400));
    let mut renewing = get(3, "acme:read");
    renewing.refresh = true;
    renewing.timeout = seconds(60);
    assert_eq!(story.get(renewing), ["send 3 acme scope=read"]);
    assert_eq!(story.answers(3, "r2", Some(86_400)), ["save r2", "3: r2"]);
}

#[test]
fn a_token_that_was_lost_does_not_make_its_forerunner_new() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    let kept = token(story.now, "a", Some(3600), 0);
    story.jump(seconds(60));
    let mut renewing = get(2, "acme");
    renewing.refresh = true;
    assert_eq!(story.get(renewing.clone()), ["send 2 acme"]);
    assert_eq!(story.answers(2, "b", Some(3600)), ["2: b", "save b"]);
    // The vault is sealed before it would take it.
    story.saved(2, false);
    story.locks(3);
    story.unlocks(4);
    story.unlocked(true);
    story.jump(seconds(10));
    assert_eq!(story.get(renewing), ["load acme"]);
    assert_eq!(story.loaded("acme", &[("acme", kept)]), none());
    assert_eq!(story.pass(seconds(20)), ["send 3 acme"]);
}

#[test]
fn a_caller_who_cannot_wait_out_the_spacing_is_not_told_of_lifetimes() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(60));
    story.jump(seconds(15));
    let mut hasty = get(2, "acme");
    hasty.min_valid = Some(seconds(50));
    hasty.timeout = seconds(5);
    assert_eq!(story.get(hasty), ["2: timeout exit 7"]);
}

#[test]
fn a_token_that_is_dead_on_arrival_is_not_served_and_not_asked_for_again() {
    for life_s in [0, 1] {
        let mut story = Teller::open(&[("acme", PER_KEY)]);
        story.get(get(1, "acme"));
        let late = token(story.now, "a", Some(life_s), 5);
        story.jump(seconds(5));
        let lines = story.answers_token(1, late);
        assert_eq!(lines, ["1: min_valid exit 7", "save a"], "{life_s}");
        assert_eq!(story.until_sent(seconds(3600)), None, "{life_s}");
    }
}

#[test]
fn a_stored_key_is_served_as_it_is() {
    for (life_s, age_s, asked_s, line) in [
        (None, 0, None, "1: k"),
        (None, 0, Some(86_400), "1: k"),
        (Some(600), 0, Some(570), "1: k"),
        (Some(600), 0, Some(571), "1: min_valid exit 7"),
        (Some(600), 569, None, "1: k unmet warned"),
        (Some(600), 570, None, "1: secret_required exit 5"),
    ] {
        let mut story = Teller::open(&[("acme", tokctl_core::Source::Stored)]);
        story.secret_set("acme");
        let mut wish = get(1, "acme");
        wish.min_valid = asked_s.map(seconds);
        assert_eq!(story.get(wish), ["load acme"]);
        let stored = token(story.now, "k", life_s, age_s);
        assert_eq!(story.loaded("acme", &[("acme", stored)]), [line], "{life_s:?} {age_s}");
        // There is nobody to renew it.
        story.pass(seconds(120));
        assert_eq!(story.core.poll_timeout(), None);
    }
}

#[test]
fn a_stored_key_has_nothing_to_choose() {
    let mut story = Teller::open(&[("acme", tokctl_core::Source::Stored)]);
    let mut renewing = get(1, "acme");
    renewing.refresh = true;
    assert_eq!(story.get(renewing), ["1: usage exit 2"]);
    assert_eq!(story.get(get(2, "acme:read")), ["2: usage exit 2"]);
    assert_eq!(story.get(get(3, "acme")), ["3: secret_required exit 5"]);
}

#[test]
fn whoever_gives_up_is_told_and_whoever_left_is_not() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    for request in 1..=3 {
        story.get(get(request, "acme"));
    }
    assert_eq!(story.cancels(1), ["1: cancelled exit 130"]);
    assert_eq!(story.leaves(2), none());
    assert_eq!(story.answers(1, "a", Some(3600)), ["3: a", "save a"]);
}

#[test]
fn the_least_recently_used_of_33_keys_goes() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    for number in 1..=33 {
        story.jump(seconds(1));
        story.get(get(number, &format!("acme:s{number}")));
        story.answers(usize::try_from(number).unwrap(), &format!("t{number}"), Some(3600));
    }
    story.jump(seconds(60));
    assert_eq!(story.get(get(40, "acme:s2")), ["40: t2"]);
    assert_eq!(story.get(get(41, "acme:s1")), ["send 34 acme scope=s1"]);
}

#[test]
fn the_plain_key_makes_room_for_nobody() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "plain", Some(3600));
    for number in 2..=40 {
        story.jump(seconds(1));
        story.get(get(number, &format!("acme:s{number}")));
        story.answers(usize::try_from(number).unwrap(), &format!("t{number}"), Some(3600));
    }
    assert_eq!(story.get(get(50, "acme")), ["50: plain"]);
    assert_eq!(story.get(get(51, "acme:s10")), ["51: t10"]);
    assert_eq!(story.get(get(52, "acme:s9")), ["send 41 acme scope=s9"]);
}

#[test]
fn a_key_that_makes_room_does_not_shorten_its_provider_s_rest() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme:s1"));
    let mut busy = retry(Kind::RateLimited);
    busy.retry_after = Some(seconds(600));
    assert_eq!(story.fails(1, busy), ["1: rate_limited exit 7"]);
    for number in 2..=34 {
        story.jump(seconds(1));
        story.get(get(number, &format!("acme:s{number}")));
        story.answers(usize::try_from(number).unwrap(), "t", None);
    }
    assert_eq!(story.get(get(40, "acme:s1")), ["40: rate_limited exit 7"]);
    story.jump(seconds(600));
    assert_eq!(story.get(get(41, "acme:s1")), ["send 35 acme scope=s1"]);
}
