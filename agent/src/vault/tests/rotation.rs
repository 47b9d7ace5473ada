//! A refresh token on its way from one to the next, each state as it comes back from the disk.

use super::*;
use crate::vault::{NoRefreshToken, RawAnswer, Refresh};

const LATER: WallMs = WallMs(NOW.0 + 3_600_000);
const END: WallMs = WallMs(NOW.0 + 86_400_000);
const OTHER_END: WallMs = WallMs(NOW.0 + 172_800_000);

/// As the next reader finds it.
fn stored(entry: Entry) -> Entry {
    let json = entry.to_json();
    let found = Entry::from_json(&name("acme"), &json).unwrap();
    assert_eq!(*found.to_json(), *json);
    found
}

/// An entry with this refresh token, which ends.
fn with_token(token: &str) -> Entry {
    let mut entry = entry("acme");
    entry.set_refresh_token(NOW, secret(token), Some(END));
    stored(entry)
}

fn intended(token: &str) -> Entry {
    let mut entry = with_token(token);
    entry.intend(NOW, 1).unwrap();
    stored(entry)
}

pub(super) fn answer() -> RawAnswer {
    RawAnswer {
        key: TokenKey::plain(name("acme")),
        revision: 7,
        endpoint: "https://idp.example/token?tenant=1".into(),
        sent_at: NOW,
        received_at: LATER,
        status: 200,
        content_type: Some("application/json".into()),
        retry_after: None,
        date: Some("Tue, 24 Nov 2026 00:00:00 GMT".into()),
        body: secret("eyJ9"),
    }
}

fn answered(token: &str) -> Entry {
    let mut entry = intended(token);
    assert!(entry.receive(answer()));
    stored(entry)
}

/// The present token and the one before it.
fn held(entry: &Entry) -> (&str, Option<&str>) {
    let refresh = refresh(entry);
    (refresh.token.expose(), refresh.previous.as_ref().map(Secret::expose))
}

fn refresh(entry: &Entry) -> &Refresh {
    entry.refresh.as_ref().unwrap()
}

fn is_at_rest(entry: &Entry) -> bool {
    refresh(entry).intent.is_none() && refresh(entry).answer.is_none()
}

fn rotated(mut entry: Entry, successor: Option<(&str, Option<WallMs>)>) -> Entry {
    entry.rotate(LATER, successor.map(|(token, end)| (secret(token), end)));
    assert!(is_at_rest(&entry));
    stored(entry)
}

#[test]
fn an_intent_names_the_present_token_and_drops_the_old_answer() {
    let mut entry = answered("one");
    entry.intend(LATER, 2).unwrap();
    let entry = stored(entry);
    let intent = refresh(&entry).intent.unwrap();
    // sha256sum of "one", the first half.
    assert_eq!(u128::from_be_bytes(intent.of), 0x7692_c3ad_3540_bb80_3c02_0b3a_ee66_cd88);
    assert_eq!((intent.tries, intent.at), (2, LATER));
    assert!(refresh(&entry).answer.is_none());
    assert_eq!(entry.presented().unwrap().expose(), "one");
}

#[test]
fn without_a_living_token_there_is_no_intent() {
    let mut absent = entry("acme");
    assert_eq!(absent.intend(NOW, 1), Err(NoRefreshToken::Absent));
    let mut dead = intended("one");
    assert!(dead.bury());
    let mut dead = stored(dead);
    assert_eq!(dead.intend(NOW, 1), Err(NoRefreshToken::Dead));
    assert!(is_at_rest(&dead));
}

#[test]
fn only_the_token_of_the_intent_may_be_presented() {
    assert!(entry("acme").presented().is_none());
    assert!(with_token("one").presented().is_none());
    let mut entry = intended("one");
    entry.refresh.as_mut().unwrap().token = secret("two");
    assert!(stored(entry).presented().is_none());
}

#[test]
fn an_answer_is_kept_as_it_came() {
    let entry = answered("one");
    let (found, sent) = (refresh(&entry).answer.as_ref().unwrap(), answer());
    assert_eq!((&found.key, found.revision), (&sent.key, sent.revision));
    assert_eq!((&found.endpoint, found.status), (&sent.endpoint, sent.status));
    assert_eq!((found.sent_at, found.received_at), (sent.sent_at, sent.received_at));
    assert_eq!((&found.content_type, &found.retry_after), (&sent.content_type, &sent.retry_after));
    assert_eq!((&found.date, found.body.expose()), (&sent.date, "eyJ9"));
    assert!(refresh(&entry).intent.is_some());
    assert!(!super::entry("acme").receive(answer()));
}

#[test]
fn a_successor_takes_the_place_of_the_token_that_was_presented() {
    for before in [intended("one"), answered("one")] {
        let entry = rotated(before, Some(("two", Some(OTHER_END))));
        assert_eq!(held(&entry), ("two", Some("one")));
        let refresh = refresh(&entry);
        assert_eq!((refresh.obtained_at, refresh.used_at), (LATER, Some(LATER)));
        assert_eq!(refresh.expires_at, Some(OTHER_END));
    }
    // The end of the one is not that of the other.
    assert_eq!(refresh(&rotated(intended("one"), Some(("two", None)))).expires_at, None);
}

#[test]
fn the_token_before_goes_when_its_successor_has_worked() {
    for (successor, end) in [
        (None, END),
        // A provider that does not rotate may repeat the token, with a new end or none.
        (Some(("two", Some(OTHER_END))), OTHER_END),
        (Some(("two", None)), END),
    ] {
        let mut before = rotated(intended("one"), Some(("two", Some(END))));
        assert_eq!(held(&before), ("two", Some("one")));
        before.intend(LATER, 1).unwrap();
        let entry = rotated(stored(before), successor);
        assert_eq!(held(&entry), ("two", None));
        assert_eq!((refresh(&entry).obtained_at, refresh(&entry).used_at), (LATER, Some(LATER)));
        assert_eq!(refresh(&entry).expires_at, Some(end), "{successor:?}");
    }
}

#[test]
fn a_token_stored_meanwhile_stays_and_the_successor_is_kept_behind_it() {
    for (successor, held_then) in [
        (Some(("two", None)), ("mine", Some("two"))),
        (None, ("mine", Some("one"))),
        (Some(("mine", None)), ("mine", Some("one"))),
    ] {
        // Whether the answer came to the disk before that, after it or not at all.
        for (before, answers_after) in
            [(intended("one"), false), (intended("one"), true), (answered("one"), false)]
        {
            let mut before = before;
            before.set_refresh_token(LATER, secret("mine"), Some(OTHER_END));
            assert!(is_at_rest(&before) && before.presented().is_none());
            if answers_after {
                assert!(before.receive(answer()));
            }
            let entry = rotated(stored(before), successor);
            assert_eq!(held(&entry), held_then);
            assert_eq!(refresh(&entry).expires_at, Some(OTHER_END));
            assert_eq!(refresh(&entry).used_at, None);
        }
    }
}

#[test]
fn the_request_after_one_that_was_overtaken_rotates_as_any_other() {
    let mut entry = intended("one");
    entry.set_refresh_token(NOW, secret("mine"), None);
    entry.intend(NOW, 1).unwrap();
    assert_eq!(held(&rotated(stored(entry), Some(("two", None)))), ("two", Some("mine")));
    let mut entry = intended("one");
    entry.set_refresh_token(NOW, secret("mine"), None);
    entry.withdraw(0);
    assert_eq!(held(&rotated(stored(entry), Some(("two", None)))), ("two", Some("mine")));
}

#[test]
fn the_same_token_stored_again_is_still_the_one_under_way() {
    let mut entry = intended("one");
    entry.set_refresh_token(NOW, secret("one"), None);
    assert_eq!(held(&stored(entry.clone())), ("one", None));
    assert_eq!(held(&rotated(stored(entry), Some(("two", None)))), ("two", Some("one")));
}

#[test]
fn a_successor_is_never_lost_for_want_of_an_intent() {
    assert_eq!(held(&rotated(with_token("one"), Some(("two", None)))), ("two", Some("one")));
    let entry = rotated(entry("acme"), Some(("two", Some(END))));
    assert_eq!((held(&entry), refresh(&entry).expires_at), (("two", None), Some(END)));
    let mut nothing = super::entry("acme");
    nothing.rotate(NOW, None);
    assert!(nothing.refresh.is_none());
}

#[test]
fn saving_a_successor_twice_is_saving_it_once() {
    let once = rotated(intended("one"), Some(("two", Some(END))));
    let twice = rotated(once.clone(), Some(("two", Some(END))));
    assert_eq!(*twice.to_json(), *once.to_json());

    let mut entry = intended("one");
    entry.set_refresh_token(NOW, secret("mine"), None);
    let once = rotated(entry, Some(("two", None)));
    let twice = rotated(once.clone(), Some(("two", None)));
    assert_eq!(*twice.to_json(), *once.to_json());
}

#[test]
fn a_withdrawn_sending_leaves_the_earlier_ones() {
    for (tries, left) in [(0, None), (1, Some(1)), (2, Some(2))] {
        let mut entry = answered("one");
        entry.intend(NOW, 3).unwrap();
        entry.receive(answer());
        entry.withdraw(tries);
        let entry = stored(entry);
        assert_eq!(refresh(&entry).intent.map(|intent| intent.tries), left);
        assert!(refresh(&entry).answer.is_none());
        assert_eq!(held(&entry), ("one", None));
    }
    entry("acme").withdraw(0);
}

#[test]
fn the_refused_token_is_dead_and_stays_in_the_file() {
    for before in [intended("one"), answered("one")] {
        let mut entry = before;
        assert!(entry.bury());
        let mut entry = stored(entry);
        assert!(refresh(&entry).is_dead && is_at_rest(&entry));
        assert_eq!(held(&entry), ("one", None));
        assert!(entry.bury(), "dead it stays");
    }
}

#[test]
fn a_token_that_was_not_refused_is_not_buried() {
    assert!(!entry("acme").bury());
    assert!(!with_token("one").bury());
    let mut overtaken = answered("one");
    overtaken.set_refresh_token(NOW, secret("mine"), None);
    overtaken.receive(answer());
    assert!(!overtaken.bury());
    let mut other = answered("one");
    other.refresh.as_mut().unwrap().token = secret("mine");
    assert!(!other.bury());
    for entry in [overtaken, other] {
        let entry = stored(entry);
        assert!(!refresh(&entry).is_dead && is_at_rest(&entry));
    }
}

#[test]
fn a_stored_token_is_in_good_standing_and_the_one_before_is_kept() {
    let mut entry = intended("one");
    assert!(entry.bury());
    entry.set_refresh_token(LATER, secret("two"), None);
    let mut entry = stored(entry);
    assert_eq!(held(&entry), ("two", Some("one")));
    assert!(!refresh(&entry).is_dead && is_at_rest(&entry));
    assert_eq!((refresh(&entry).obtained_at, refresh(&entry).expires_at), (LATER, None));
    entry.set_refresh_token(LATER, secret("two"), Some(END));
    assert_eq!(held(&entry), ("two", Some("one")), "stored again it pushes nothing out");
    entry.intend(LATER, 1).unwrap();
}

#[test]
fn the_next_secret_takes_the_place_of_the_present_one_with_its_end() {
    for (end, next_end, end_then) in [
        (Some(END), Some(OTHER_END), Some(OTHER_END)),
        (None, Some(OTHER_END), Some(OTHER_END)),
        (Some(END), None, None),
    ] {
        let mut entry = entry("acme");
        entry.secrets.insert("client_secret.next".into(), secret("next"));
        entry.secrets_expire.extend(end.map(|end| ("client_secret".to_owned(), end)));
        entry.secrets_expire.extend(next_end.map(|end| ("client_secret.next".to_owned(), end)));
        let mut entry = stored(entry);
        // The second time there is none.
        for _ in 0..2 {
            entry.promote("client_secret");
            assert_eq!(entry.secrets["client_secret"].expose(), "next");
            assert_eq!(entry.secrets_expire.get("client_secret"), end_then.as_ref());
            assert!(!entry.secrets.contains_key("client_secret.next"));
            assert!(!entry.secrets_expire.contains_key("client_secret.next"));
            entry = stored(entry);
        }
    }
}

#[test]
fn an_answer_goes_along_when_its_entry_is_renamed() {
    let bench = Bench::new();
    let mut entry = answered("one");
    bench.vault.write(&bench.keys, &name("acme"), &mut entry).unwrap();
    bench.vault.rename(&bench.keys, &name("acme"), &name("new")).unwrap();
    let found = bench.vault.read(&bench.keys, &name("new")).unwrap().unwrap();
    assert_eq!(refresh(&found).answer.as_ref().unwrap().key.profile, name("new"));
    assert_eq!(found.presented().unwrap().expose(), "one");
}

#[test]
fn neither_token_nor_answer_is_ever_printed() {
    let mut entry = answered("refresh-one");
    entry.refresh.as_mut().unwrap().previous = Some(secret("refresh-zero"));
    let printed = format!("{entry:?}");
    for hidden in ["refresh-one", "refresh-zero", "eyJ9"] {
        assert!(!printed.contains(hidden), "{hidden}");
    }
}

#[test]
fn a_success_that_nobody_could_read_is_kept_until_a_renewal_has_worked() {
    for (status, is_kept) in [(199, false), (200, true), (299, true), (300, false), (503, false)] {
        let mut entry = intended("first");
        entry.receive(RawAnswer { status, ..answer() });
        entry.intend(LATER, 2).unwrap();
        let mut entry = stored(entry);
        assert_eq!(entry.undeciphered.is_some(), is_kept, "{status}");
        entry.rotate(LATER, None);
        assert!(stored(entry).undeciphered.is_none());
    }
}
