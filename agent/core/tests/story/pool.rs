//! Pools: whose turn it is, and how often.

use super::teller::*;

/// A pool of two with a token each, so many uses a minute.
fn pair(uses: Option<u32>) -> Teller {
    let members = ["one", "two"];
    let mut story =
        Teller::open(&[("one", PER_KEY), ("two", PER_KEY), ("both", pool(&members, uses))]);
    for (number, member) in members.iter().enumerate() {
        story.get(get(100, member));
        story.answers(number + 1, &member[..1], Some(3600));
    }
    story
}

#[test]
fn members_take_turns() {
    let mut story = pair(None);
    for (request, line) in [(1, "1: o of one"), (2, "2: t of two"), (3, "3: o of one")] {
        assert_eq!(story.get(get(request, "both")), [line]);
    }
}

#[test]
fn a_member_is_used_as_often_as_it_stands_and_a_patient_caller_has_the_next_slot() {
    let mut story = pair(Some(1));
    story.get(get(1, "both"));
    story.jump(seconds(10));
    story.get(get(2, "both"));
    assert_eq!(story.get(get(3, "both")), ["3: rate_limited exit 7"]);
    let mut patient = get(4, "both");
    patient.wait = seconds(120);
    assert_eq!(story.get(patient), ["4 hears"]);
    assert_eq!(story.pass(seconds(49)), none());
    assert_eq!(story.pass(seconds(1)), ["4: o of one"]);
}

#[test]
fn a_use_counts_from_when_the_token_is_handed_out() {
    let mut story = Teller::open(&[("one", PER_KEY), ("alone", pool(&["one"], Some(1)))]);
    assert_eq!(story.get(get(1, "alone")), ["send 1 one"]);
    // Its slot is taken although it has nothing yet.
    assert_eq!(story.get(get(2, "alone")), ["2: rate_limited exit 7"]);
    story.jump(seconds(20));
    assert_eq!(story.answers(1, "o", Some(3600)), ["1: o of one", "save o"]);
    story.jump(seconds(59));
    assert_eq!(story.get(get(3, "alone")), ["3: rate_limited exit 7"]);
    story.jump(seconds(1));
    assert_eq!(story.get(get(4, "alone")), ["4: o of one"]);
}

#[test]
fn a_member_that_an_api_told_to_rest_is_passed_over() {
    let mut story = pair(None);
    let mut busy = report(1, "both", 429, Some("o"));
    busy.retry_after = Some(seconds(60));
    story.report(busy);
    for request in 2..=3 {
        assert_eq!(story.get(get(request, "both")), [format!("{request}: t of two")]);
    }
    story.jump(seconds(60));
    let next = [story.get(get(4, "both")), story.get(get(5, "both"))].concat();
    assert!(next.iter().any(|line| line.ends_with("o of one")), "{next:?}");
}

#[test]
fn what_no_member_can_give_is_refused_once_and_not_asked_of_each_in_turn_for_ever() {
    let mut story = pair(None);
    let mut choosy = get(1, "both");
    choosy.min_valid = Some(seconds(86_400));
    assert_eq!(story.get(choosy), ["1: min_valid exit 7"]);
}

#[test]
fn whoever_waits_for_a_pool_that_is_removed_is_told() {
    let mut story = Teller::open(&[("one", PER_KEY), ("alone", pool(&["one"], None))]);
    assert_eq!(story.get(get(1, "alone")), ["send 1 one"]);
    assert_eq!(story.configured(&[("one", PER_KEY, 1)]), ["1: no_such_profile exit 3"]);
}
