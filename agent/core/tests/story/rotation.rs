//! Refresh tokens that are spent by their use.

use tokctl_core::{
    Burial, Cause, Contents, Lanes, Outcome, Policy, Reached, RefreshToken, Rotation, Source,
    Successor, TokenState, Trouble,
};
use tokctl_proto::{Kind, Secret};

use super::teller::*;

/// A profile with a refresh token whose writes are acknowledged one by one.
fn stepwise() -> Teller {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.quiet = false;
    story
}

fn fresh(story: &Teller, text: &str, successor: Option<&str>) -> Outcome {
    Outcome::Tokens(obtained(token(story.now, text, Some(3600), 0), successor))
}

#[test]
fn each_step_is_on_the_disk_before_the_next_is_taken() {
    let mut story = stepwise();
    assert_eq!(story.get(get(1, "acme")), ["intend acme 1"]);
    assert_eq!(story.writes(true), ["send 1 acme"]);
    assert_eq!(story.reaches(1), ["keep the answer"]);
    assert_eq!(story.writes(true), ["classify"]);
    let outcome = fresh(&story, "a", Some("r2"));
    assert_eq!(story.reads(outcome), ["save a and r2"]);
    assert_eq!(story.saved(1, true), ["1: a"]);
}

#[test]
fn without_room_for_what_will_follow_nothing_is_sent() {
    let mut story = stepwise();
    assert_eq!(story.get(get(1, "acme")), ["intend acme 1"]);
    // No patience with a disk: the caller is told at once.
    assert_eq!(story.writes(false), ["1: machine exit 11"]);
    assert_eq!(story.sent(), 0);
}

#[test]
fn an_answer_that_cannot_be_kept_is_read_all_the_same() {
    let mut story = stepwise();
    story.get(get(1, "acme"));
    story.writes(true);
    assert_eq!(story.reaches(1), ["keep the answer"]);
    assert_eq!(story.writes(false), ["alarm acme", "classify"]);
    let outcome = fresh(&story, "a", Some("r2"));
    assert_eq!(story.reads(outcome), ["save a and r2"]);
}

#[test]
fn a_rotation_that_is_not_saved_is_served_and_saved_later_and_none_follows() {
    let mut story = stepwise();
    story.get(get(1, "acme"));
    story.writes(true);
    story.reaches(1);
    story.writes(true);
    let outcome = fresh(&story, "a", Some("r2"));
    story.reads(outcome);
    assert_eq!(story.saved(1, false), ["alarm acme", "1: a warned"]);
    // It is tried again, and until it is saved nothing more is spent.
    assert_eq!(story.pass(seconds(2)), ["save a and r2"]);
    story.saved(2, false);
    story.jump(seconds(3600));
    let mut renewing = get(2, "acme");
    renewing.timeout = seconds(5);
    assert_eq!(story.get(renewing), ["2: machine exit 11"]);
    assert_eq!(story.pass(seconds(0)), ["save a and r2"]);
    // The token has run out meanwhile.
    assert_eq!(story.saved(3, true), ["alarm acme", "intend acme 1"]);
}

#[test]
fn a_lost_answer_is_asked_for_once_more_and_then_never_again() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    assert_eq!(story.get(get(1, "acme")), ["send 1 acme"]);
    assert_eq!(story.unreached(1, lost()), ["1: provider_unreachable exit 7"]);
    assert_eq!(story.pass(seconds(3600)), none());
    // Only for somebody who needs it.
    assert_eq!(story.get(get(2, "acme")), ["send 2 acme"]);
    story.unreached(2, lost());
    story.jump(seconds(3600));
    assert_eq!(story.get(get(3, "acme")), ["3: login_required exit 5"]);
    assert_eq!(story.refresh(refresh(4, "acme")), ["send 3 acme"]);
}

#[test]
fn a_provider_that_never_rotates_is_simply_asked_again() {
    for rotation in [Rotation::Grace, Rotation::None] {
        let mut story = Teller::open(&[("acme", SHARED)]);
        story.policy("acme", Policy { rotation, ..Policy::DEFAULT });
        story.get(get(1, "acme"));
        assert_eq!(story.unreached(1, lost()), ["1 hears"]);
        assert!(story.until_sent(seconds(2)).is_some(), "{rotation:?}");
    }
}

#[test]
fn what_reached_nobody_has_spent_nothing() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme"));
    let down = retry(Kind::ProviderUnreachable);
    assert_eq!(story.unreached(1, down), ["withdraw to 0", "1 hears"]);
    assert!(story.until_sent(seconds(2)).is_some());
}

#[test]
fn a_refused_refresh_token_is_buried_and_said_once() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme"));
    assert_eq!(story.fails(1, invalid_grant()), ["bury"]);
    assert_eq!(story.buried(Burial::Dead), ["alarm acme", "1: login_required exit 5"]);
    assert_eq!(story.get(get(2, "acme")), ["2: login_required exit 5"]);
    story.jump(seconds(86_400));
    assert_eq!(story.get(get(3, "acme")), ["3: login_required exit 5"]);
}

#[test]
fn a_refused_refresh_token_that_somebody_has_replaced_is_not_the_end() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme"));
    assert_eq!(story.fails(1, invalid_grant()), ["bury"]);
    assert_eq!(story.buried(Burial::Superseded), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), ["send 2 acme"]);
    assert_eq!(story.answers(2, "a", Some(3600)), ["save a", "1: a"]);
}

#[test]
fn the_next_client_secret_is_tried_once_and_promoted() {
    for source in [PER_KEY, SHARED] {
        let mut story = Teller::open(&[("acme", source.clone())]);
        story.secret_set("acme");
        story.get(get(1, "acme"));
        let refresh = (source == SHARED).then(|| standing(story.now));
        let contents = Contents { has_next: true, refresh, ..Contents::default() };
        assert_eq!(story.contains("acme", contents), ["send 1 acme"]);
        let lines = story.fails(1, invalid_client());
        assert_eq!(lines.last().unwrap(), "send 2 acme with the next secret");
        let lines = story.answers(2, "a", Some(3600));
        assert!(lines.contains(&"save a, promoted".to_owned()), "{lines:?}");
        assert!(lines.contains(&"1: a".to_owned()), "{lines:?}");
    }
}

#[test]
fn two_refused_client_secrets_are_the_caller_s_answer() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.secret_set("acme");
    story.get(get(1, "acme"));
    story.contains("acme", Contents { has_next: true, ..Contents::default() });
    story.fails(1, invalid_client());
    assert_eq!(story.fails(2, invalid_client()), ["1: provider_refused exit 6"]);
}

#[test]
fn an_answer_that_was_not_read_before_a_crash_is_read_after_it() {
    let mut story = Teller::new(&[("acme", SHARED)]);
    story.starts(tokctl_core::Vault::Bare, None);
    story.unlocked(true);
    assert_eq!(story.get(get(1, "acme")), ["load acme"]);
    assert_eq!(story.contains_unread("acme"), ["classify"]);
    let outcome = fresh(&story, "a", Some("r2"));
    assert_eq!(story.reads(outcome), ["save a and r2", "1: a"]);
    assert_eq!(story.sent(), 0);
}

#[test]
fn a_token_that_ended_while_its_answer_lay_unread_is_no_answer_to_a_caller() {
    let mut story = Teller::new(&[("acme", SHARED)]);
    story.starts(tokctl_core::Vault::Bare, None);
    story.unlocked(true);
    story.get(get(1, "acme"));
    story.contains_unread("acme");
    let old = token(story.now, "a", Some(3600), 7200);
    let outcome = Outcome::Tokens(obtained(old, Some("r2")));
    assert_eq!(story.reads(outcome), ["save a and r2", "send 1 acme"]);
}

#[test]
fn a_lane_that_an_edit_left_behind_starts_no_rotation_of_its_own() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    assert_eq!(story.get(get(1, "acme")), ["send 1 acme"]);
    assert_eq!(story.get(get(2, "acme:read")), ["send 2 acme scope=read"]);
    story.configured(&[("acme", Source::Provider(Lanes::Shared), 2)]);
    story.loaded("acme", &[]);
    // The plain request is still on the road, and all keys share its lane now.
    assert_eq!(story.fails(2, retry(Kind::ProviderFailed)), none());
    assert_eq!(story.pass(seconds(10)), none());
    let next = story.fails(1, retry(Kind::ProviderFailed));
    assert_eq!(next, ["send 3 acme"]);
}

#[test]
fn a_stop_waits_for_a_rotation_that_only_memory_has() {
    let mut story = stepwise();
    story.get(get(1, "acme"));
    story.writes(true);
    story.reaches(1);
    story.writes(true);
    let outcome = fresh(&story, "a", Some("r2"));
    story.reads(outcome);
    story.saved(1, false);
    assert_eq!(story.tell(tokctl_core::Event::Stop), ["save a and r2"]);
    assert!(!story.core.is_quiet());
    story.saved(2, true);
    assert!(story.core.is_quiet());
}

#[test]
fn a_lock_waits_for_the_refresh_token_on_the_road_and_serves_nothing_meanwhile() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme"));
    let lines = story.locks(2);
    assert_eq!(lines, ["1: vault_sealed exit 4", "2 hears"]);
    assert_eq!(story.get(get(3, "acme")), ["3: vault_sealed exit 4"]);
    assert_eq!(story.answers(1, "a", Some(3600)), ["save a", "seal", "2: said"]);
}

#[test]
fn whoever_asked_for_a_lock_and_left_is_not_answered() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme"));
    story.locks(2);
    assert_eq!(story.leaves(2), none());
    assert_eq!(story.answers(1, "a", Some(3600)), ["save a", "seal"]);
}

#[test]
fn a_lock_that_another_vault_overtakes_is_answered() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme"));
    story.locks(2);
    assert_eq!(story.replaces_vault(), ["2: cancelled exit 130"]);
}

#[test]
fn a_dead_refresh_token_is_known_after_a_restart() {
    let mut story = Teller::new(&[("acme", SHARED)]);
    story.starts(tokctl_core::Vault::Bare, None);
    story.unlocked(true);
    story.get(get(1, "acme"));
    let refresh = Some(RefreshToken { is_dead: true, ..standing(story.now) });
    let contents = Contents { refresh, ..Contents::default() };
    assert_eq!(story.contains("acme", contents), ["1: login_required exit 5"]);
}

#[test]
fn a_lock_that_would_lose_a_refresh_token_is_refused_and_whoever_came_meanwhile_goes_on() {
    let mut story = stepwise();
    story.get(get(1, "acme"));
    story.writes(true);
    story.reaches(1);
    story.writes(true);
    story.locks(2);
    let outcome = fresh(&story, "a", Some("r2"));
    story.reads(outcome);
    assert_eq!(story.unlocks(3), none());
    let lines = story.saved(1, false);
    assert_eq!(lines, ["alarm acme", "2: machine exit 11", "3: said"]);
}

#[test]
fn a_promotion_that_was_not_saved_is_made_again() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.secret_set("acme");
    story.get(get(1, "acme"));
    story.contains("acme", Contents { has_next: true, ..Contents::default() });
    story.fails(1, invalid_client());
    assert_eq!(story.answers(2, "a", Some(3600)), ["1: a", "save a, promoted"]);
    // The entry is as it was.
    story.saved(1, false);
    assert_eq!(story.pass(seconds(2)), ["save a"]);
    story.saved(2, true);
    story.jump(seconds(7200));
    assert_eq!(story.get(get(2, "acme")), ["send 3 acme"]);
    assert_eq!(story.fails(3, invalid_client()), ["send 4 acme with the next secret"]);
    assert_eq!(story.answers(4, "b", Some(3600)), ["2: b", "save b, promoted"]);
    story.saved(3, true);
    story.jump(seconds(7200));
    assert_eq!(story.get(get(3, "acme")), ["send 5 acme"]);
    assert_eq!(story.fails(5, invalid_client()), ["3: provider_refused exit 6"]);
}

#[test]
fn what_is_said_of_a_success_without_a_token_is_not_that_the_refresh_token_is_lost() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme"));
    let successor = Successor { secret: Secret::new("r2".into()), expires_at: None };
    let trouble = Trouble {
        successor: Some(Box::new(successor)),
        ..retry(Kind::ProviderFailed).because(Cause::Unreadable).reached(Reached::Answered(200))
    };
    let lines = story.fails(1, trouble);
    assert_eq!(lines, ["save nothing and r2", "1 hears"]);
    let error = story.core.statuses(story.now)[0].error.clone().expect("an error");
    assert_eq!(error.message, "the provider is down");
}

#[test]
fn an_answer_counts_as_lost_only_after_the_request_has_ended() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme"));
    let status = story.core.statuses(story.now).remove(0);
    assert_eq!((status.state, status.warnings), (TokenState::Renewing, vec![]));
}
