//! Tokens that are had for somebody else's.

use std::time::Duration;

use tokctl_core::{
    Cause, Changed, Contents, Effect, Event, Get, Keep, Policy, Profile, Reached, Reply, RequestId,
    Source, Subject, Trouble,
};
use tokctl_proto::{Failure, Kind, Secret};

use super::teller::*;

fn of(text: &str) -> Option<Box<Subject>> {
    Some(Box::new(Subject::Profile(name(text))))
}

fn presents(story: &mut Teller, who: &str, subject: Option<Box<Subject>>) -> Vec<String> {
    let profile = Profile { subject, ..story.profile(who) };
    let mut lines = story.edited(who, profile);
    if lines == [format!("load {who}")] {
        lines.extend(story.loaded(who, &[]));
    }
    lines
}

/// `acme` presents the token of `base`.
fn exchange(acme: Source, base: Source) -> Teller {
    let mut story = Teller::open(&[("acme", acme), ("base", base)]);
    presents(&mut story, "acme", of("base"));
    read(&mut story, "acme");
    story
}

/// `acme` presents what its callers bring.
fn workload(acme: Source) -> Teller {
    let mut story = Teller::open(&[("acme", acme)]);
    presents(&mut story, "acme", Some(Box::new(Subject::Caller)));
    read(&mut story, "acme");
    story
}

/// The entry has been read after the edit.
fn read(story: &mut Teller, who: &str) {
    story.get(get(990, who));
    story.leaves(990);
    story.loaded(who, &[]);
}

fn brings(story: &mut Teller, request: u64, text: &str) -> Vec<String> {
    let subject = Ok(Secret::new(text.to_owned()));
    story.tell(Event::Subject { request: RequestId(request), subject })
}

fn brings_nothing(story: &mut Teller, request: u64) -> Vec<String> {
    let subject = Err(Failure::new(Kind::SubjectRequired, "the variable `ID_TOKEN` is not set"));
    story.tell(Event::Subject { request: RequestId(request), subject })
}

/// What a caller is told.
fn failure(story: &mut Teller, event: Event) -> Failure {
    let effects = story.core.handle(story.now, event);
    let told = effects.into_iter().find_map(|effect| match effect {
        Effect::Reply { reply: Reply::Failed(failure), .. } => Some(failure),
        _ => None,
    });
    told.expect("a failure")
}

#[test]
fn the_subject_is_obtained_first() {
    let mut story = exchange(PER_KEY, PER_KEY);
    assert_eq!(story.get(get(1, "acme")), ["send 1 base"]);
    assert_eq!(story.get(get(2, "acme")), none());
    assert_eq!(story.answers(1, "b", Some(3600)), ["send 2 acme for b", "save b"]);
    assert_eq!(story.answers(2, "a", Some(3600)), ["1: a", "2: a", "save a"]);
    // Another exchange finds it there.
    assert_eq!(story.get(get(3, "acme:read")), ["send 3 acme scope=read for b"]);
}

#[test]
fn a_subject_that_has_not_long_to_live_is_renewed_first() {
    // Of an hour, with a skew of half a minute.
    for (age_s, line) in [(3510, "send 2 acme for b"), (3511, "send 2 base")] {
        let mut story = exchange(PER_KEY, PER_KEY);
        story.policy("base", Policy { keep: Keep::OnDemand, ..Policy::DEFAULT });
        story.get(get(1, "base"));
        story.answers(1, "b", Some(3600));
        story.jump(seconds(age_s));
        assert_eq!(story.get(get(2, "acme")), [line], "{age_s}");
    }
}

#[test]
fn a_short_subject_will_do_when_there_is_no_better_one() {
    let mut story = exchange(PER_KEY, PER_KEY);
    story.get(get(1, "base"));
    story.answers(1, "b", Some(3600));
    story.jump(seconds(3520));
    assert_eq!(story.get(get(2, "acme")), ["send 2 base"]);
    assert_eq!(story.fails(2, retry(Kind::ProviderFailed)), ["send 3 acme for b"]);
}

#[test]
fn a_renewed_subject_renews_nothing_by_itself() {
    let mut story = exchange(PER_KEY, PER_KEY);
    story.get(get(1, "acme"));
    story.answers(1, "b", Some(3600));
    story.answers(2, "a", Some(86_400));
    assert_eq!(story.until_sent(seconds(3600)).map(|_| story.sent()), Some(3));
    assert_eq!(story.answers(3, "b2", Some(3600)), ["save b2"]);
    assert_eq!(story.get(get(2, "acme")), ["2: a"]);
}

#[test]
fn an_exchange_that_is_due_is_renewed_without_anybody() {
    let mut story = exchange(PER_KEY, PER_KEY);
    story.policy("base", Policy { keep: Keep::OnDemand, ..Policy::DEFAULT });
    story.get(get(1, "acme"));
    story.answers(1, "b", Some(600));
    story.answers(2, "a", Some(3600));
    assert_eq!(story.pass(seconds(3100)), ["send 3 base"]);
    assert_eq!(story.answers(3, "b2", Some(600)), ["send 4 acme for b2", "save b2"]);
    assert_eq!(story.answers(4, "a2", Some(3600)), ["save a2"]);
}

#[test]
fn a_refresh_token_is_presented_when_the_subject_is_there_and_no_sooner() {
    let mut story = exchange(SHARED, SHARED);
    assert_eq!(story.get(get(1, "acme")), ["send 1 base"]);
    story.quiet = false;
    story.reaches(1);
    story.writes(true);
    let fresh = obtained(token(story.now, "b", Some(3600), 0), None);
    assert_eq!(story.reads(tokctl_core::Outcome::Tokens(fresh)), ["save b"]);
    assert_eq!(story.saved(1, true), ["intend acme 1"]);
    assert_eq!(story.writes(true), ["send 2 acme for b"]);
}

#[test]
fn a_subject_that_is_forgotten_while_the_intent_is_written_is_not_presented() {
    let mut story = exchange(SHARED, PER_KEY);
    story.get(get(1, "base"));
    story.answers(1, "b", Some(3600));
    story.saved(1, true);
    story.quiet = false;
    assert_eq!(story.get(get(2, "acme")), ["intend acme 1"]);
    let forget = vec![name("base")];
    story.tell(Event::Changed(Changed { forget, ..Changed::default() }));
    assert_eq!(story.writes(true), ["withdraw to 0", "load base"]);
    assert_eq!(story.loaded("base", &[]), ["send 2 base"]);
}

#[test]
fn what_ails_the_subject_is_told_of_it_and_is_what_there_is_to_do() {
    let mut story = exchange(PER_KEY, SHARED);
    story.secret_set("base");
    story.get(get(1, "acme"));
    let empty = Event::Loaded { profile: name("base"), result: Ok(Contents::default()) };
    let told = failure(&mut story, empty);
    assert_eq!(told.kind, Kind::SecretRequired);
    assert_eq!(told.profile, Some(name("acme")));
    assert_eq!(told.message, "the subject `base`: no refresh token is stored");
    let hint = "run `tokctl set-secret base --name refresh_token`";
    assert_eq!(told.hint.as_deref(), Some(hint));
    // It is there at once when that was done.
    assert_eq!(story.get(get(2, "acme")), ["2: secret_required exit 5"]);
    story.secret_set("base");
    story.get(get(3, "acme"));
    assert_eq!(story.loaded("base", &[]), ["send 1 base"]);
    story.answers(1, "b", Some(3600));
    assert_eq!(story.answers(2, "a", Some(3600)), ["3: a", "save a"]);
}

#[test]
fn a_subject_whose_provider_is_down_is_asked_for_again_as_it_would_be_for_itself() {
    let mut story = exchange(PER_KEY, PER_KEY);
    story.get(get(1, "acme"));
    for number in 1..=2 {
        assert_eq!(story.fails(number, retry(Kind::ProviderFailed)), ["1 hears"]);
        assert!(story.until_sent(seconds(10)).is_some(), "{number}");
    }
    assert_eq!(story.fails(3, retry(Kind::ProviderFailed)), ["1: provider_failed exit 7"]);
    // It was wanted by nobody else.
    assert_eq!(story.pass(seconds(3600)), none());
}

#[test]
fn an_entry_that_cannot_be_read_is_the_failure_of_those_who_present_what_it_holds() {
    for base in [PER_KEY, Source::Stored] {
        let mut story = exchange(PER_KEY, base);
        story.secret_set("base");
        assert_eq!(story.get(get(1, "acme")), ["load base"]);
        let result = Err(Failure::new(Kind::EntryDamaged, "the entry does not open"));
        let told = failure(&mut story, Event::Loaded { profile: name("base"), result });
        assert_eq!(told.message, "the subject `base`: the entry does not open");
    }
}

#[test]
fn a_stored_key_can_be_presented() {
    let mut story = exchange(PER_KEY, Source::Stored);
    story.secret_set("base");
    assert_eq!(story.get(get(1, "acme")), ["load base"]);
    let key = token(story.now, "k", None, 0);
    assert_eq!(story.loaded("base", &[("base", key)]), ["send 1 acme for k"]);
}

#[test]
fn a_subject_that_can_be_none_is_said_to_be_none() {
    for (subject, what) in [
        ("nobody", "the subject `nobody` is no profile"),
        ("both", "the subject `both` is a pool, which has no token of its own"),
        ("acme", "the subject `acme` waits for this profile"),
        ("base", "the subject `base` waits for this profile"),
    ] {
        let cast = [("acme", PER_KEY), ("base", PER_KEY), ("both", pool(&["base"], None))];
        let mut story = Teller::open(&cast);
        presents(&mut story, "acme", of(subject));
        presents(&mut story, "base", of("acme"));
        read(&mut story, "acme");
        let told = failure(&mut story, Event::Get(get(1, "acme")));
        assert_eq!((told.kind, told.message.as_str()), (Kind::ConfigInvalid, what));
        assert_eq!(story.pass(seconds(3600)), none(), "{subject}");
    }
}

#[test]
fn a_subject_that_is_added_is_used_at_once() {
    let mut story = Teller::open(&[("acme", PER_KEY)]);
    presents(&mut story, "acme", of("base"));
    read(&mut story, "acme");
    assert_eq!(story.get(get(1, "acme")), ["1: config_invalid exit 10"]);
    story.edited("base", profile(PER_KEY, 1));
    assert_eq!(story.get(get(2, "acme")), ["load base"]);
    assert_eq!(story.loaded("base", &[]), ["send 1 base"]);
}

#[test]
fn subjects_may_stand_behind_one_another() {
    let mut story = Teller::open(&[("acme", PER_KEY), ("base", PER_KEY), ("root", PER_KEY)]);
    presents(&mut story, "acme", of("base"));
    presents(&mut story, "base", of("root"));
    read(&mut story, "acme");
    read(&mut story, "base");
    assert_eq!(story.get(get(1, "acme")), ["send 1 root"]);
    assert_eq!(story.answers(1, "r", Some(3600)), ["send 2 base for r", "save r"]);
    assert_eq!(story.answers(2, "b", Some(3600)), ["send 3 acme for b", "save b"]);
    story.answers(3, "a", Some(3600));
    let down = refused();
    let mut story = Teller::open(&[("acme", PER_KEY), ("base", PER_KEY), ("root", PER_KEY)]);
    presents(&mut story, "acme", of("base"));
    presents(&mut story, "base", of("root"));
    read(&mut story, "acme");
    read(&mut story, "base");
    story.get(get(1, "acme"));
    assert_eq!(story.fails(1, down), ["1: provider_refused exit 6"]);
    let error = story.core.statuses(story.now)[0].error.clone().expect("an error");
    let what = "the subject `base`: the subject `root`: the provider refused the client";
    assert_eq!(error.message, what);
}

#[test]
fn an_exchange_waits_for_its_subject_off_the_road() {
    let others = ["e1", "e2", "e3", "e4", "e5"];
    let cast = others.iter().map(|name| (*name, PER_KEY)).chain([("base", PER_KEY)]);
    let mut story = Teller::open(&cast.collect::<Vec<_>>());
    for (number, other) in (1..).zip(others) {
        presents(&mut story, other, of("base"));
        read(&mut story, other);
        story.get(get(number, other));
    }
    // They are more than one provider is asked at a time, and all at that of the subject.
    assert_eq!(story.sent(), 1);
    story.answers(1, "b", Some(3600));
    assert_eq!(story.sent(), 5);
    story.answers(2, "a", Some(3600));
    assert_eq!(story.sent(), 6);
}

#[test]
fn whoever_waited_longest_is_asked_for_what_only_callers_have() {
    let mut story = workload(PER_KEY);
    assert_eq!(story.get(get(1, "acme")), ["ask 1 for the subject of acme"]);
    assert_eq!(story.get(get(2, "acme")), none());
    assert_eq!(brings(&mut story, 1, "jwt"), ["send 1 acme for jwt"]);
    assert_eq!(story.answers(1, "a", Some(3600)), ["1: a", "2: a", "save a"]);
    // Each exchange has its own.
    assert_eq!(story.get(get(3, "acme:read")), ["ask 3 for the subject of acme"]);
}

#[test]
fn the_next_is_asked_when_one_leaves_or_has_nothing_or_keeps_silent() {
    let mut story = workload(PER_KEY);
    for request in 1..=5 {
        story.get(get(request, "acme"));
    }
    assert_eq!(story.leaves(1), ["ask 2 for the subject of acme"]);
    let lines = brings_nothing(&mut story, 2);
    assert_eq!(lines, ["2: subject_required exit 5", "ask 3 for the subject of acme"]);
    assert_eq!(story.pass(seconds(4)), none());
    assert_eq!(story.pass(seconds(1)), ["ask 4 for the subject of acme"]);
    assert_eq!(brings(&mut story, 4, "jwt"), ["send 1 acme for jwt"]);
    assert_eq!(brings(&mut story, 3, "late"), none());
    assert_eq!(story.answers(1, "a", Some(3600)), ["3: a", "4: a", "5: a", "save a"]);
}

#[test]
fn when_nobody_is_left_to_ask_nothing_has_failed() {
    for source in [PER_KEY, SHARED] {
        let mut story = workload(source);
        story.get(get(1, "acme"));
        assert_eq!(story.cancels(1), ["1: cancelled exit 130"]);
        assert_eq!(brings(&mut story, 1, "jwt"), none());
        assert_eq!(story.core.statuses(story.now)[0].error, None);
        assert_eq!(story.get(get(2, "acme")), ["ask 2 for the subject of acme"]);
        assert_eq!(story.pass(seconds(30)), ["2: timeout exit 7"]);
        assert_eq!(story.pass(seconds(3600)), none());
    }
}

#[test]
fn what_needs_a_caller_is_never_renewed_without_one() {
    for keep in [Keep::Always, Keep::Used] {
        for source in [PER_KEY, SHARED] {
            let mut story = workload(source);
            let policy =
                Policy { keep, refresh_token_idle: Some(seconds(7200)), ..Policy::DEFAULT };
            assert_eq!(story.policy("acme", policy), none());
            story.get(get(1, "acme"));
            brings(&mut story, 1, "jwt");
            story.answers(1, "a", Some(3600));
            assert_eq!(story.until_sent(seconds(86_400)), None);
            assert_eq!(story.report(report(2, "acme", 401, Some("a"))), ["drop a", "2: said"]);
            assert_eq!(story.until_sent(seconds(86_400)), None);
            assert_eq!(story.get(get(3, "acme")), ["ask 3 for the subject of acme"]);
        }
    }
}

#[test]
fn what_stands_on_a_callers_token_needs_a_caller_too() {
    let mut story = Teller::open(&[("acme", PER_KEY), ("base", PER_KEY)]);
    presents(&mut story, "acme", of("base"));
    presents(&mut story, "base", Some(Box::new(Subject::Caller)));
    read(&mut story, "acme");
    read(&mut story, "base");
    assert_eq!(story.get(get(1, "acme")), ["ask 1 for the subject of base"]);
    story.get(get(2, "acme"));
    assert_eq!(story.leaves(1), ["ask 2 for the subject of base"]);
    assert_eq!(brings(&mut story, 2, "jwt"), ["send 1 base for jwt"]);
    assert_eq!(story.answers(1, "b", Some(600)), ["send 2 acme for b", "save b"]);
    assert_eq!(story.answers(2, "a", Some(3600)), ["2: a", "save a"]);
    assert_eq!(story.until_sent(seconds(86_400)), None);
    // When both have gone, nobody asks for either.
    story.get(get(3, "acme"));
    story.leaves(3);
    assert_eq!(story.pass(seconds(3600)), none());
    let told = {
        story.get(get(4, "acme"));
        let subject = Err(Failure::new(Kind::SubjectRequired, "no such variable"));
        failure(&mut story, Event::Subject { request: RequestId(4), subject })
    };
    assert_eq!(told.message, "the subject `base`: no such variable");
    assert_eq!(told.profile, Some(name("acme")));
}

#[test]
fn whoever_waits_for_another_key_of_the_lane_is_asked_when_all_of_the_first_have_left() {
    let mut story = Teller::open(&[("acme", SHARED), ("base", SHARED)]);
    presents(&mut story, "acme", of("base"));
    presents(&mut story, "base", Some(Box::new(Subject::Caller)));
    read(&mut story, "acme");
    read(&mut story, "base");
    let short = |request, of| Get { timeout: seconds(1), ..get(request, of) };
    assert_eq!(story.get(short(1, "acme")), ["ask 1 for the subject of base"]);
    assert_eq!(story.get(short(2, "base")), none());
    assert_eq!(story.get(get(3, "base:read")), none());
    let lines = story.pass(seconds(1));
    let (told, asked) =
        (["1: timeout exit 7", "2: timeout exit 7"], "ask 3 for the subject of base");
    assert_eq!(lines, [told.as_slice(), &[asked]].concat());
}

#[test]
fn what_one_brings_and_the_provider_refuses_is_not_held_against_the_next() {
    let mut story = workload(PER_KEY);
    story.get(get(1, "acme"));
    brings(&mut story, 1, "stale");
    assert_eq!(story.fails(1, refused()), ["1: provider_refused exit 6"]);
    story.jump(seconds(1));
    assert_eq!(story.get(get(2, "acme")), ["ask 2 for the subject of acme"]);
}

#[test]
fn another_client_secret_is_tried_with_the_same_subject() {
    let mut story = workload(PER_KEY);
    story.secret_set("acme");
    story.get(get(1, "acme"));
    let contents = Contents { has_next: true, ..Contents::default() };
    assert_eq!(story.contains("acme", contents), ["ask 1 for the subject of acme"]);
    brings(&mut story, 1, "jwt");
    let lines = story.fails(1, invalid_client());
    assert_eq!(lines, ["send 2 acme with the next secret for jwt"]);
}

#[test]
fn nobody_is_asked_while_the_provider_of_the_exchange_is_left_alone() {
    let mut story = workload(PER_KEY);
    story.get(get(1, "acme"));
    brings(&mut story, 1, "jwt");
    let mut busy = retry(Kind::RateLimited);
    busy.retry_after = Some(seconds(20));
    assert_eq!(story.fails(1, busy), ["1 hears"]);
    assert_eq!(story.pass(seconds(19)), none());
    assert_eq!(story.pass(seconds(1)), ["ask 1 for the subject of acme"]);
}

#[test]
fn a_lock_and_an_edit_put_an_end_to_the_asking() {
    let mut story = workload(PER_KEY);
    story.get(get(1, "acme"));
    assert_eq!(story.locks(2), ["1: vault_sealed exit 4", "seal", "2: said"]);
    assert_eq!(brings(&mut story, 1, "jwt"), none());
    let mut story = workload(PER_KEY);
    story.get(get(1, "acme"));
    let plain = Profile { subject: None, revision: 2, ..story.profile("acme") };
    assert_eq!(story.edited("acme", plain), ["load acme"]);
    assert_eq!(brings(&mut story, 1, "jwt"), none());
    assert_eq!(story.loaded("acme", &[]), ["send 1 acme"]);
}

#[test]
fn a_restart_knows_nothing_of_a_subject_that_failed() {
    let mut story = exchange(PER_KEY, PER_KEY);
    story.get(get(1, "acme"));
    story.fails(1, refused());
    story.restarts();
    story.unlocks(2);
    story.unlocked(true);
    story.get(get(3, "acme"));
    story.jump(seconds(60));
    assert_eq!(story.loaded("acme", &[]), ["load base"]);
    assert_eq!(story.loaded("base", &[]), ["send 2 base"]);
}

/// `acme` presents what stands in a file: its shell reads that, and a failure of it is one of the exchange.
fn projected() -> Teller {
    Teller::open(&[("acme", PER_KEY)])
}

fn subject_changes(story: &mut Teller) -> Vec<String> {
    story.tell(Event::SubjectChanged { profile: name("acme") })
}

fn stale() -> Trouble {
    retry(Kind::SubjectRequired)
}

#[test]
fn another_subject_ends_the_wait_for_the_next_attempt() {
    for trouble in [stale(), refused(), invalid_client()] {
        let mut story = projected();
        for number in 1..=6 {
            story.get(get(number, "acme"));
            let number = usize::try_from(number).unwrap();
            assert_eq!(story.sent(), number);
            story.fails(number, trouble.clone());
            story.leaves(number as u64);
            story.jump(seconds(300));
        }
        story.get(get(7, "acme"));
        story.fails(7, trouble);
        story.leaves(7);
        assert_eq!(subject_changes(&mut story), none());
        assert_eq!(story.get(get(8, "acme")), none());
        assert_eq!(story.until_sent(seconds(300)), Some(seconds(1)));
        assert_eq!(story.answers(8, "a", Some(3600)), ["8: a", "save a"]);
    }
}

#[test]
fn another_subject_says_nothing_of_a_provider_that_is_down_or_busy() {
    let mut busy = retry(Kind::RateLimited);
    busy.retry_after = Some(seconds(60));
    let mut down = retry(Kind::ProviderFailed).because(Cause::Provider);
    down.retry_after = Some(seconds(60));
    for trouble in [busy, down] {
        let mut story = projected();
        story.get(get(1, "acme"));
        story.fails(1, trouble);
        story.leaves(1);
        subject_changes(&mut story);
        let patient = Get { timeout: seconds(300), ..get(2, "acme") };
        assert_eq!(story.get(patient), none());
        assert!(story.until_sent(seconds(300)).expect("an attempt") >= seconds(60));
    }
}

#[test]
fn a_subject_that_changes_while_the_one_before_is_judged_is_tried_too() {
    let mut story = projected();
    story.get(get(1, "acme"));
    for number in 1..=3 {
        story.fails(number, stale());
        story.get(get(10 + number as u64, "acme"));
        story.until_sent(seconds(300)).expect("another attempt");
    }
    subject_changes(&mut story);
    story.fails(4, stale());
    story.get(get(2, "acme"));
    assert_eq!(story.until_sent(seconds(300)), Some(seconds(1)));
    // Once: what is refused then was the new one.
    story.fails(5, stale());
    story.get(get(3, "acme"));
    assert!(story.until_sent(seconds(300)).expect("another attempt") > seconds(1));
}

#[test]
fn whoever_writes_again_and_again_does_not_set_the_pace() {
    let mut story = projected();
    story.get(get(1, "acme"));
    let mut sent = 1;
    for _ in 0..20 {
        story.get(get(100 + sent as u64, "acme"));
        if story.sent() > sent {
            sent += 1;
        }
        story.fails(sent, stale());
        subject_changes(&mut story);
        story.pass(Duration::from_millis(100));
    }
    assert!(story.sent() <= 4, "{} in two seconds", story.sent());
}

#[test]
fn a_refresh_token_that_the_next_member_stands_on_is_presented_once() {
    let search = pool(&["acme", "omega"], None);
    let mut story = Teller::open(&[("acme", SHARED), ("omega", PER_KEY), ("search", search)]);
    presents(&mut story, "omega", of("acme"));
    read(&mut story, "omega");
    assert_eq!(story.get(get(1, "search:read")), ["send 1 acme scope=read"]);
    // Whoever waits goes on to the member that takes the token of this very lane.
    let refused = refused().because(Cause::Key).reached(Reached::Answered(400));
    assert_eq!(story.fails(1, refused), ["withdraw to 0", "send 2 acme"]);
    story.answers(2, "a", Some(3600));
    assert_eq!(story.sent(), 3);
}
