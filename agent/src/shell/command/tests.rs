//! What a request must be to become a command.

use std::time::Duration;

use tokctl_core::policy::TIMEOUT_DEFAULT;
use tokctl_proto::request::{Answer, Cancel, Rename};
use tokctl_proto::token::SET_VALUES_MAX;

use super::report::RETRY_AFTER_MAX;
use super::token::{TIMEOUT_MAX, USES_MAX, WAIT_MAX};
use super::*;

const ID: RequestId = RequestId(1);

fn parse(get: request::Get<'_>) -> Result<Get, Failure> {
    match Command::parse(ID, Request::Get(get))? {
        Command::Get(get) => Ok(get),
        other => panic!("{other:?}"),
    }
}

fn get<'a>() -> request::Get<'a> {
    request::Get { profile: "acme".into(), ..request::Get::default() }
}

fn list<'a>(values: impl IntoIterator<Item = String>) -> Vec<std::borrow::Cow<'a, str>> {
    values.into_iter().map(Into::into).collect()
}

#[test]
fn names_are_checked_before_anything_else_is_looked_at() {
    let longest = "a".repeat(64);
    let too_long = "a".repeat(65);
    for (name, fits) in [
        ("acme", true),
        ("0.a_b-c", true),
        (&longest, true),
        (&too_long, false),
        ("", false),
        ("Acme", false),
        (".acme", false),
        ("../vault", false),
        ("a/b", false),
        ("a\0", false),
        ("ä", false),
    ] {
        let show = request::Show { profile: name.into() };
        let parsed = Command::parse(ID, Request::Show(show));
        assert_eq!(parsed.is_ok(), fits, "{name:?}");
        let rename = Rename { from: "acme".into(), to: name.into(), interactive: false };
        assert_eq!(Command::parse(ID, Request::Rename(rename)).is_ok(), fits, "{name:?}");
        if let Err(failure) = parsed {
            assert_eq!(failure.kind, Kind::Usage);
        }
    }
}

#[test]
fn scopes_are_split_sorted_and_checked() {
    for (given, read) in [
        (&[][..], Some(&[][..])),
        (&["b a", "a", " "], Some(&["a", "b"])),
        (&["read:data"], Some(&["read:data"])),
        (&["a\"b"], None),
        (&["a\tb"], None),
        (&["\u{1b}[31m"], None),
    ] {
        let scope = list(given.iter().map(|&text| text.to_owned()));
        let parsed = parse(request::Get { scope, ..get() });
        let set = parsed.map(|get| get.key.scope.into_iter().collect::<Vec<_>>());
        match (set, read) {
            (Ok(set), Some(read)) => assert_eq!(set, read),
            (Err(failure), None) => {
                assert_eq!(failure.kind, Kind::Usage);
                assert!(!failure.message.contains('\u{1b}'), "{failure:?}");
            }
            other => panic!("{given:?}: {other:?}"),
        }
    }
}

#[test]
fn a_key_has_so_many_values_and_no_more() {
    let values = |count: usize| list((0..count).map(|n| format!("v{n}")));
    for (count, fits) in [(SET_VALUES_MAX, true), (SET_VALUES_MAX + 1, false)] {
        for of in [
            request::Get { scope: values(count), ..get() },
            request::Get { audience: values(count), ..get() },
            request::Get { resource: values(count), ..get() },
        ] {
            assert_eq!(parse(of).is_ok(), fits, "{count}");
        }
    }
    // The same one many times is one.
    let scope = list(vec!["a".to_owned(); SET_VALUES_MAX + 1]);
    assert_eq!(parse(request::Get { scope, ..get() }).unwrap().key.scope.len(), 1);
}

#[test]
fn a_wait_has_a_default_and_an_end() {
    for (timeout_ms, waits) in [
        (None, TIMEOUT_DEFAULT),
        (Some(0), Duration::ZERO),
        (Some(1), Duration::from_millis(1)),
        (Some(3_600_000), TIMEOUT_MAX),
        (Some(u32::MAX), TIMEOUT_MAX),
    ] {
        assert_eq!(parse(request::Get { timeout_ms, ..get() }).unwrap().timeout, waits);
    }
    let min_valid_s = Some(u32::MAX);
    let parsed = parse(request::Get { min_valid_s, ..get() }).unwrap();
    assert_eq!(parsed.min_valid, Some(Duration::from_secs(u32::MAX.into())));
}

#[test]
fn an_answer_alone_is_no_command() {
    for request in [Request::Answer(Answer { text: "pw".into() }), Request::Cancel(Cancel {})] {
        assert_eq!(Command::parse(ID, request).unwrap_err().kind, Kind::Usage);
    }
}

#[test]
fn a_command_that_is_printed_shows_no_secret() {
    let commands = [
        Request::Unlock(request::Unlock { passphrase: Some("hunter2".into()), interactive: true }),
        Request::SetSecret(request::SetSecret {
            profile: "acme".into(),
            name: None,
            value: "hunter2".into(),
            interactive: false,
        }),
        Request::SetSecret2(request::SetSecret2 {
            profile: "acme".into(),
            name: None,
            value: "hunter2".into(),
            next: true,
            expires_at: None,
            interactive: false,
        }),
        Request::Report(request::Report { token: Some("hunter2".into()), ..report(401) }),
    ];
    for request in commands {
        let shown = format!("{:?}", Command::parse(ID, request).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

fn get2<'a>() -> request::Get2<'a> {
    request::Get2 { profile: "acme".into(), ..request::Get2::default() }
}

fn parse2(get: request::Get2<'_>) -> Result<Get, Failure> {
    match Command::parse(ID, Request::Get2(get))? {
        Command::Get2(get) => Ok(get),
        other => panic!("{other:?}"),
    }
}

#[test]
fn uses_are_booked_from_one_to_a_million() {
    for (uses, booked) in [
        (None, Some(1)),
        (Some(0), None),
        (Some(1), Some(1)),
        (Some(USES_MAX), Some(USES_MAX)),
        (Some(USES_MAX + 1), None),
    ] {
        match (parse2(request::Get2 { uses, ..get2() }), booked) {
            (Ok(get), Some(booked)) => assert_eq!(get.uses, booked),
            (Err(failure), None) => assert_eq!(failure.kind, Kind::Usage),
            other => panic!("{uses:?}: {other:?}"),
        }
    }
}

#[test]
fn a_wait_for_a_slot_has_an_end_and_is_not_the_default() {
    for (wait_ms, waits) in [
        (None, Duration::ZERO),
        (Some(120_000), Duration::from_secs(120)),
        (Some(u32::MAX), WAIT_MAX),
    ] {
        assert_eq!(parse2(request::Get2 { wait_ms, ..get2() }).unwrap().wait, waits);
    }
    assert_eq!(parse(get()).unwrap().wait, Duration::ZERO);
}

#[test]
fn a_refresh_names_a_key_as_a_get_does() {
    let refresh = request::Refresh {
        profile: "acme".into(),
        scope: list(["b a".to_owned()]),
        timeout_ms: Some(u32::MAX),
        ..request::Refresh::default()
    };
    match Command::parse(ID, Request::Refresh(refresh)).unwrap() {
        Command::Refresh(refresh) => {
            assert_eq!(refresh.key.to_string(), "acme scope=a,b");
            assert_eq!(refresh.timeout, TIMEOUT_MAX);
        }
        other => panic!("{other:?}"),
    }
}

fn report<'a>(status: u16) -> request::Report<'a> {
    request::Report { profile: "acme".into(), status, ..request::Report::default() }
}

fn parse_report(report: request::Report<'_>) -> Result<Report, Failure> {
    match Command::parse(ID, Request::Report(report))? {
        Command::Report(report) => Ok(report),
        other => panic!("{other:?}"),
    }
}

#[test]
fn statuses_that_say_nothing_about_a_token_are_refused_by_naming_those_that_do() {
    for (status, says) in [
        (0, false),
        (200, false),
        (400, false),
        (402, false),
        (403, true),
        (429, true),
        (500, false),
    ] {
        match parse_report(report(status)) {
            Ok(parsed) => assert!(says && parsed.status == status, "{status}"),
            Err(failure) => {
                assert!(!says, "{status}");
                assert_eq!(failure.kind, Kind::Usage);
                assert_eq!(failure.hint.unwrap(), "report a 401, a 403 or a 429");
            }
        }
    }
}

#[test]
fn a_token_is_named_by_itself_or_by_its_hash() {
    let hash = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";
    let parsed = parse_report(request::Report { token: Some("token".into()), ..report(401) });
    let of_token = parsed.unwrap().digest.unwrap();
    for spelt in [hash.to_owned(), hash.to_uppercase()] {
        let token_sha256 = Some(spelt.into());
        let parsed = parse_report(request::Report { token_sha256, ..report(401) });
        assert_eq!(parsed.unwrap().digest, Some(of_token));
    }
    let dash = format!("+{}", &hash[1..]);
    for bad in ["", "3c", &hash[1..], &format!("{hash}00"), &dash, &"\u{e4}".repeat(32)] {
        let token_sha256 = Some(bad.into());
        let failure = parse_report(request::Report { token_sha256, ..report(429) }).unwrap_err();
        assert_eq!(failure.kind, Kind::Usage, "{bad}");
    }
    let both = request::Report {
        token: Some("token".into()),
        token_sha256: Some(hash.into()),
        ..report(401)
    };
    assert_eq!(parse_report(both).unwrap_err().kind, Kind::Usage);
    // Which token a 401 is about decides what goes; the others are about the profile.
    assert_eq!(parse_report(report(401)).unwrap_err().kind, Kind::Usage);
    assert_eq!(parse_report(report(403)).unwrap().digest, None);
}

#[test]
fn a_retry_after_has_an_end() {
    for (retry_after_s, waits) in
        [(None, None), (Some(0), Some(Duration::ZERO)), (Some(u32::MAX), Some(RETRY_AFTER_MAX))]
    {
        let parsed = parse_report(request::Report { retry_after_s, ..report(429) }).unwrap();
        assert_eq!(parsed.retry_after, waits);
    }
}

fn add3<'a>() -> request::Add3<'a> {
    let secret = request::DatedSecret {
        name: "client_secret".into(),
        value: "hunter2".into(),
        expires_at: None,
    };
    request::Add3 { profile: "acme".into(), secrets: vec![secret], ..request::Add3::default() }
}

#[test]
fn a_key_is_made_for_what_signs_with_one_alone() {
    for (algorithm, hint) in [
        ("ES256", None),
        ("EdDSA", None),
        ("RS256", None),
        ("PS256", None),
        ("es256", Some("did you mean `ES256`?")),
        ("HS256", Some("did you mean `ES256`?")),
        ("rsa", Some("there are ES256, EdDSA, RS256, PS256")),
    ] {
        let add = request::Add3 { generate_key: Some(algorithm.into()), ..add3() };
        match (Command::parse(ID, Request::Add3(add)), hint) {
            (Ok(Command::Admitted { change: Change::Add(new), .. }), None) => {
                assert_eq!(new.generate_key.unwrap().name(), algorithm);
            }
            (Err(failure), Some(hint)) => {
                assert_eq!((failure.kind, failure.hint.as_deref()), (Kind::Usage, Some(hint)));
            }
            other => panic!("{algorithm}: {other:?}"),
        }
    }
    let (generate_key, from_json) = (Some("ES256".into()), Some("{}".into()));
    let both = request::Add3 { generate_key, from_json, ..add3() };
    assert_eq!(Command::parse(ID, Request::Add3(both)).unwrap_err().kind, Kind::Usage);
}

#[test]
fn a_dry_run_of_an_add_is_no_change() {
    for generate_key in [None, Some("RS256".into())] {
        let add = request::Add3 { generate_key, dry_run: true, ..add3() };
        let command = Command::parse(ID, Request::Add3(add)).unwrap();
        assert!(matches!(command, Command::DryAdd(_)), "{command:?}");
        assert!(!format!("{command:?}").contains("hunter2"));
    }
}
