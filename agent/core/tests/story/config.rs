//! Edits of config.toml while the agent runs.

use tokctl_core::{Event, Reply};

use super::teller::*;

#[test]
fn those_who_wait_for_a_removed_profile_are_told_the_nearest_name() {
    let mut story = Teller::open(&[("acme", PER_KEY), ("acmes", PER_KEY)]);
    story.get(get(1, "acme"));
    let profiles = [(name("acmes"), story.profile("acmes"))].into_iter().collect();
    let changed = tokctl_core::Changed { profiles: Some(profiles), ..Default::default() };
    let effects = story.core.handle(story.now, Event::Changed(changed));
    let [tokctl_core::Effect::Reply { reply: Reply::Failed(failure), .. }] = effects.as_slice()
    else {
        panic!("{effects:?}");
    };
    assert_eq!(failure.kind.exit(), 3);
    assert_eq!(failure.hint.as_deref(), Some("did you mean `acmes`?"));
}

#[test]
fn a_late_answer_for_old_settings_is_dropped_and_asked_for_anew() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    assert_eq!(story.get(get(1, "acme")), ["send 1 acme"]);
    // One request at a time: the new one waits for the old answer.
    assert_eq!(story.configured(&[("acme", PER_KEY, 2)]), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), none());
    assert_eq!(story.answers(1, "old", Some(3600)), ["send 2 acme"]);
    assert_eq!(story.answers(2, "new", Some(3600)), ["1: new", "save new"]);
}

#[test]
fn a_token_of_old_settings_is_not_served() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "old", Some(3600));
    let kept = token(story.now, "old", Some(3600), 0);
    story.configured(&[("acme", PER_KEY, 2)]);
    assert_eq!(story.get(get(2, "acme")), ["load acme"]);
    assert_eq!(story.loaded("acme", &[("acme", kept)]), ["send 2 acme"]);
}

#[test]
fn who_waits_for_a_renewal_is_told_when_there_is_only_a_stored_key_now() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    let mut renewing = get(1, "acme");
    renewing.refresh = true;
    story.get(renewing);
    story.get(get(2, "acme:read"));
    story.get(get(3, "acme"));
    assert_eq!(story.configured(&[("acme", tokctl_core::Source::Stored, 2)]), ["load acme"]);
    let mut stored = token(story.now, "k", None, 0);
    stored.revision = 2;
    let lines = story.loaded("acme", &[("acme", stored)]);
    assert_eq!(lines, ["1: usage exit 2", "3: k", "2: usage exit 2"]);
}

#[test]
fn what_did_not_change_keeps_its_token() {
    let mut story = Teller::open(&[("acme", PER_KEY), ("beta", PER_KEY)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    story.configured(&[("acme", PER_KEY, 1), ("beta", PER_KEY, 2)]);
    assert_eq!(story.get(get(2, "acme")), ["2: a"]);
}

#[test]
fn a_removed_profile_leaves_nothing_behind() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    let empty = format!("{:?}", Teller::open(&[]).core).len();
    for request in 1..=40 {
        story.get(get(request, &format!("acme:s{request}")));
    }
    story.configured(&[]);
    // Four are on the road at a time, and the others are not sent any more.
    assert_eq!(story.sent(), 4);
    for number in 1..=4 {
        story.answers(number, "late", Some(3600));
    }
    story.pass(seconds(60));
    let left = format!("{:?}", story.core).len();
    assert!(left < empty + 50, "{left} is not {empty}: {:?}", story.core);
}
