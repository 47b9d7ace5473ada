//! Changes of an entry that must not meet a renewal.

use tokctl_core::{Changed, Event, RequestId};

use super::teller::*;

fn asks_to_change(story: &mut Teller, request: u64, of: &str) -> Vec<String> {
    let (request, alone) = (RequestId(request), Some(name(of)));
    story.tell(Event::Admit { request, interactive: false, alone })
}

fn is_done(story: &mut Teller, request: u64) -> Vec<String> {
    let reply = Some((RequestId(request), Ok("done".to_owned())));
    story.tell(Event::Changed(Changed { reply, ..Changed::default() }))
}

/// A rotation that the vault did not take.
fn unsaved() -> Teller {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.quiet = false;
    story.get(get(1, "acme"));
    story.writes(true);
    story.reaches(1);
    story.writes(true);
    let fresh = obtained(token(story.now, "a", Some(3600), 0), Some("r2"));
    assert_eq!(story.reads(tokctl_core::Outcome::Tokens(fresh)), ["save a and r2"]);
    assert_eq!(story.saved(1, false), ["alarm acme", "1: a warned"]);
    story
}

#[test]
fn a_change_waits_for_the_renewal_that_is_under_way_and_holds_back_the_next() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    assert_eq!(story.get(get(1, "acme")), ["send 1 acme"]);
    assert_eq!(asks_to_change(&mut story, 2, "acme"), ["2 hears"]);
    assert_eq!(story.get(get(3, "acme:b")), none());
    assert_eq!(story.answers(1, "a", Some(3600)), ["1: a", "save a", "admit 2"]);
    assert_eq!(is_done(&mut story, 2), ["2: said"]);
    assert_eq!(story.pass(seconds(0)), ["send 2 acme scope=b"]);
}

#[test]
fn a_change_that_nobody_waits_for_any_more_holds_nothing_back() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    assert_eq!(story.get(get(1, "acme")), ["send 1 acme"]);
    asks_to_change(&mut story, 2, "acme");
    assert_eq!(story.get(get(3, "acme:b")), none());
    assert_eq!(story.leaves(2), none());
    assert_eq!(story.pass(seconds(0)), ["send 2 acme scope=b"]);
}

#[test]
fn a_change_waits_until_a_rotation_that_is_in_memory_alone_is_saved() {
    let mut story = unsaved();
    // Under another name nobody would know where to save it.
    assert_eq!(asks_to_change(&mut story, 2, "acme"), ["2 hears", "save a and r2"]);
    assert_eq!(asks_to_change(&mut story, 3, "acme"), ["3 hears"]);
    assert_eq!(story.saved(2, true), ["alarm acme", "admit 2"]);
    assert_eq!(is_done(&mut story, 2), ["2: said", "admit 3"]);
}

#[test]
fn a_change_that_would_lose_a_rotation_is_refused() {
    let mut story = unsaved();
    assert_eq!(asks_to_change(&mut story, 2, "acme"), ["2 hears", "save a and r2"]);
    assert_eq!(story.saved(2, false), ["2: machine exit 11"]);
    // It is tried again as before.
    assert_eq!(story.pass(seconds(4)), ["save a and r2"]);
    assert_eq!(story.saved(3, true), ["alarm acme"]);
    assert_eq!(asks_to_change(&mut story, 3, "acme"), ["admit 3"]);
}
