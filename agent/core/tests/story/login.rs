//! Callers who need a person, while that person is logging in.

use tokctl_core::{Contents, Event, LoginState, Profile, RefreshToken, Subject};
use tokctl_proto::{Failure, Kind};

use super::teller::*;

/// A profile that nobody is logged in to, and whose entry has been read.
fn logged_out() -> Teller {
    let mut story = Teller::open(&[("acme", SHARED), ("base", PER_KEY)]);
    let acme = Profile { grant: "device_code", ..story.profile("acme") };
    story.edited("acme", acme);
    story.secret_set("acme");
    story.get(get(900, "acme"));
    assert_eq!(story.contains("acme", Contents::default()), ["900: login_required exit 5"]);
    story
}

fn begins(story: &mut Teller) -> Vec<String> {
    story.tell(Event::Login { profile: name("acme"), state: LoginState::Began })
}

fn ends(story: &mut Teller, well: bool) -> Vec<String> {
    let failure = Failure::new(Kind::LoginExpired, "the login was not finished in time");
    let state = LoginState::Ended(if well { Ok(None) } else { Err(failure) });
    story.tell(Event::Login { profile: name("acme"), state })
}

#[test]
fn whoever_needs_the_login_that_is_under_way_waits_for_it_and_is_told_once() {
    let mut story = logged_out();
    assert_eq!(begins(&mut story), none());
    assert_eq!(story.get(get(1, "acme")), ["1 hears"]);
    assert_eq!(story.get(get(2, "acme:read")), ["2 hears"]);
    let why = story.core.why(story.now, &name("acme")).unwrap();
    assert_eq!(why.next, "a login is under way; whoever asks for a token waits for it");
    assert_eq!(story.secret_set("acme"), ["load acme"]);
    assert_eq!(ends(&mut story, true), none());
    assert_eq!(story.loaded("acme", &[]), ["send 1 acme"]);
    assert_eq!(story.answers(1, "a", Some(3600)), ["save a", "1: a", "send 2 acme scope=read"]);
}

#[test]
fn a_login_that_comes_to_nothing_is_the_end_of_the_wait() {
    let mut story = logged_out();
    begins(&mut story);
    story.get(get(1, "acme"));
    assert_eq!(ends(&mut story, false), ["1: login_required exit 5"]);
    assert_eq!(story.get(get(2, "acme")), ["2: login_required exit 5"]);
}

#[test]
fn nobody_waits_for_a_login_longer_than_it_has_time() {
    let mut story = logged_out();
    begins(&mut story);
    story.get(get(1, "acme"));
    assert_eq!(story.pass(seconds(30)), ["1: timeout exit 7"]);
    assert_eq!(ends(&mut story, false), none());
}

#[test]
fn an_end_that_is_told_before_the_change_has_the_entry_read() {
    let mut story = logged_out();
    begins(&mut story);
    story.get(get(1, "acme"));
    assert_eq!(ends(&mut story, true), ["load acme"]);
    assert_eq!(story.loaded("acme", &[]), ["send 1 acme"]);
}

#[test]
fn a_refresh_token_that_dies_during_a_login_is_nobody_s_trouble() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme"));
    begins(&mut story);
    assert_eq!(story.fails(1, invalid_grant()), ["bury"]);
    assert_eq!(story.buried(tokctl_core::Burial::Dead), ["alarm acme", "1 hears"]);
    story.secret_set("acme");
    ends(&mut story, true);
    let refresh = Some(RefreshToken { ..standing(story.now) });
    let contents = Contents { refresh, ..Contents::default() };
    assert_eq!(story.contains("acme", contents), ["send 2 acme"]);
}

#[test]
fn a_live_token_is_served_whoever_logs_in() {
    let mut story = Teller::open(&[("acme", SHARED)]);
    story.get(get(1, "acme"));
    story.answers(1, "a", Some(3600));
    begins(&mut story);
    assert_eq!(story.get(get(2, "acme")), ["2: a"]);
}

#[test]
fn whoever_presents_the_token_of_a_login_waits_for_it_too() {
    let mut story = logged_out();
    let subject = Some(Box::new(Subject::Profile(name("acme"))));
    let base = Profile { subject, ..story.profile("base") };
    story.edited("base", base);
    begins(&mut story);
    story.get(get(1, "base"));
    assert_eq!(story.loaded("base", &[]), ["1 hears"]);
    story.secret_set("acme");
    ends(&mut story, true);
    assert_eq!(story.loaded("acme", &[]), ["send 1 acme"]);
    assert_eq!(story.answers(1, "a", Some(3600)), ["save a", "send 2 base for a"]);
}

#[test]
fn whoever_logged_in_is_told_to_do_so_again_and_not_to_store_a_refresh_token() {
    for (grant, remedy) in [
        ("device_code", "run `tokctl login acme`"),
        ("refresh_token", "run `tokctl set-secret acme --name refresh_token`"),
    ] {
        let mut story = Teller::open(&[("acme", SHARED)]);
        let acme = Profile { grant, ..story.profile("acme") };
        story.edited("acme", acme);
        story.secret_set("acme");
        story.get(get(1, "acme"));
        let ends = story.now.wall.plus(seconds(86_400));
        let refresh = RefreshToken { expires_at: Some(ends), ..standing(story.now) };
        story.contains("acme", Contents { refresh: Some(refresh), ..Contents::default() });
        let warnings = story.core.statuses(story.now).remove(0).warnings;
        assert_eq!(warnings, [format!("the refresh_token ends in 1d: {remedy}")]);
    }
}
