//! The file as written, as an older agent wrote it, and as nobody should have.

use std::time::Duration;

use tokctl_core::{Attempted, Class, Schedule, ScheduledKey, ScheduledOrigin, ScheduledProfile};
use tokctl_proto::{Failure, Kind, ProfileName, TokenKey, WallMs};

use super::*;

fn name(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

fn attempted(kind: Option<Kind>) -> Attempted {
    Attempted {
        at: WallMs(7),
        took: Duration::from_millis(250),
        what: "refresh_token scope=read".into(),
        origin: "https://id.acme.example:443".into(),
        status: Some(503),
        result: "the provider has a failure of its own (HTTP 503)".into(),
        kind,
    }
}

/// A schedule with something in every field.
fn full(trouble: Option<(Class, Failure)>) -> Schedule {
    let mut key = TokenKey::plain(name("acme"));
    key.scope.insert("read:data".into());
    key.audience.insert("aud".into());
    key.resource.insert("https://one/".into());
    Schedule {
        keys: vec![ScheduledKey {
            key,
            issued_at: Some(WallMs(1)),
            expires_at: Some(WallMs(9)),
            last_used: Some(WallMs(2)),
            cool_down: Some(WallMs(3)),
            failures: 4,
            trouble,
            refused: Some(Failure::new(Kind::ScopeMissing, "no `x`").hint("ask for less")),
        }],
        profiles: vec![ScheduledProfile {
            profile: name("search"),
            history: std::sync::Arc::new(
                vec![
                    attempted(None),
                    attempted(Some(Kind::ProviderFailed)),
                    Attempted { origin: String::new(), status: None, ..attempted(None) },
                ]
                .into(),
            ),
            cooling_until: Some(WallMs(11)),
            refused_at: Some(WallMs(12)),
            keep_alive_at: Some(WallMs(17)),
            uses: vec![(name("acct1"), WallMs(13), 14)],
        }],
        origins: vec![ScheduledOrigin {
            origin: "https://id.acme.example:443".into(),
            not_before: WallMs(15),
            failures: 16,
        }],
    }
}

fn there_and_back(bytes: &[u8]) -> Option<Schedule> {
    let state = tempfile::tempdir().unwrap();
    std::fs::write(state.path().join("schedule.json"), bytes).unwrap();
    read(state.path())
}

#[test]
fn what_was_written_is_read_without_opening_anything() {
    let bare = Failure::new(Kind::Machine, "no");
    let whole = Failure::new(Kind::RateLimited, "slow down")
        .of(&name("acme"))
        .hint("wait")
        .retry_at(WallMs(5));
    for trouble in [
        None,
        Some((Class::Retry, whole)),
        Some((Class::Permanent, bare.clone())),
        Some((Class::LoginRequired, bare)),
    ] {
        let schedule = full(trouble);
        assert_eq!(there_and_back(&to_bytes(&schedule)), Some(schedule));
    }
    assert_eq!(there_and_back(&to_bytes(&Schedule::default())), Some(Schedule::default()));
}

#[test]
fn every_kind_of_failure_is_found_again() {
    for &kind in Kind::ALL {
        let schedule = full(Some((Class::Retry, Failure::new(kind, "no"))));
        assert_eq!(there_and_back(&to_bytes(&schedule)), Some(schedule), "{kind:?}");
    }
}

#[test]
fn a_file_of_before_histories_were_kept_is_read() {
    let old = br#"{"version":1,"keys":[{"profile":"acme","issued_at":1,"expires_at":null,
        "last_used":2,"cool_down":3,"failures":4}]}"#;
    let key = ScheduledKey {
        key: TokenKey::plain(name("acme")),
        issued_at: Some(WallMs(1)),
        expires_at: None,
        last_used: Some(WallMs(2)),
        cool_down: Some(WallMs(3)),
        failures: 4,
        trouble: None,
        refused: None,
    };
    let schedule = Schedule { keys: vec![key], ..Schedule::default() };
    assert_eq!(there_and_back(old), Some(schedule));
}

#[test]
fn what_a_later_version_adds_is_left_out() {
    let newer = br#"{"version":1,"moon":"full","keys":[
        {"profile":"acme","issued_at":null,"expires_at":null,"last_used":null,"cool_down":null,
         "trouble":{"class":"retry","kind":"of_tomorrow","message":"no"},"tide":1},
        {"profile":"No Name","issued_at":null,"expires_at":null,"last_used":null,"cool_down":null}],
        "profiles":[{"profile":"acme","history":[
            {"at":1,"took_ms":2,"what":"w","result":"r","kind":"of_tomorrow","tide":1}]}]}"#;
    let schedule = there_and_back(newer).unwrap();
    assert_eq!(schedule.keys.len(), 1);
    assert_eq!(schedule.keys[0].trouble, None);
    assert_eq!(schedule.profiles[0].history[0].kind, Some(Kind::Internal));
}

#[test]
fn a_torn_file_and_one_of_another_version_are_none() {
    let state = tempfile::tempdir().unwrap();
    assert_eq!(read(state.path()), None);
    for torn in [&b""[..], b"{", br#"{"version":2,"keys":[]}"#] {
        assert_eq!(there_and_back(torn), None);
    }
}
