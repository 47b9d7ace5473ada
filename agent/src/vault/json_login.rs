//! The part of an entry's text that tells of a login. An entry of a profile that nobody logs in for
//! has none of it.

use serde::ser::{Serialize, SerializeMap, Serializer};
use tokctl_proto::ProfileName;

use super::entry::{Entry, RawAnswer, Subject};
use super::json::{Fields, Malformed, write_further};
use super::json_refresh::{WrittenAnswer, answer_from_json, of_same, unless_empty};

/// Puts what the text says of an answer that nobody has read into the entry.
pub(super) fn login_from_json(
    entry: &mut Entry,
    profile: &ProfileName,
    mut fields: Fields<'_>,
) -> Result<(), Malformed> {
    let answer = fields.take_fields("answer")?.ok_or(Malformed)?;
    let (answer, of_answer) = answer_from_json(profile, answer)?;
    let further = (of_answer, fields.rest());
    let is_none = further.0.is_empty() && further.1.is_empty();
    entry.kept.login = (!is_none).then_some((answer.received_at, further));
    entry.login = Some(answer);
    Ok(())
}

/// Puts what the text says of who logged in into the entry.
pub(super) fn subject_from_json(
    entry: &mut Entry,
    mut fields: Fields<'_>,
) -> Result<(), Malformed> {
    let subject = Subject {
        iss: fields.take("iss")?.ok_or(Malformed)?,
        sub: fields.take("sub")?.ok_or(Malformed)?,
    };
    entry.kept.subject = unless_empty(subject.clone(), fields.rest());
    entry.subject = Some(subject);
    Ok(())
}

pub(super) struct WrittenLogin<'a> {
    pub(super) entry: &'a Entry,
    pub(super) answer: &'a RawAnswer,
}

impl Serialize for WrittenLogin<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { entry, answer } = self;
        let kept = of_same(&entry.kept.login, &answer.received_at);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("answer", &WrittenAnswer(answer, kept.map(|(of_it, _)| of_it)))?;
        if let Some((_, further)) = kept {
            write_further(&mut map, further)?;
        }
        map.end()
    }
}

pub(super) struct WrittenSubject<'a> {
    pub(super) entry: &'a Entry,
    pub(super) subject: &'a Subject,
}

impl Serialize for WrittenSubject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { entry, subject } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("iss", &subject.iss)?;
        map.serialize_entry("sub", &subject.sub)?;
        if let Some(further) = of_same(&entry.kept.subject, subject) {
            write_further(&mut map, further)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field, and fields of a later version at three places.
    const GOLDEN: &str = concat!(
        r#"{"id":"000102030405060708090a0b0c0d0e0f","generation":7,"origins":[],"#,
        r#""network":{"ca_file":null,"proxy":null},"secrets":{},"#,
        r#""login":{"answer":{"scope":[],"audience":[],"resource":[],"revision":7,"#,
        r#""endpoint":"https://a.example/token","sent_at_ms":1000,"received_at_ms":1100,"#,
        r#""status":200,"content_type":"application/json","retry_after":null,"date":null,"#,
        r#""body":"e30=","more":1},"by":"later"},"#,
        r#""subject":{"iss":"https://a.example","sub":"ada","acr":"2"},"tokens":[]}"#,
    );

    fn golden() -> Entry {
        Entry::from_json(&ProfileName::parse("acme").unwrap(), GOLDEN.as_bytes()).unwrap()
    }

    fn json(entry: &Entry) -> String {
        String::from_utf8(entry.to_json().to_vec()).unwrap()
    }

    #[test]
    fn an_entry_is_written_as_it_was_read_unknown_fields_included() {
        assert_eq!(json(&golden()), GOLDEN);
        let other = ProfileName::parse("other").unwrap();
        let renamed = golden().renamed(&other);
        assert!(renamed.is_of(&other) && !golden().is_of(&other));
        assert_eq!(json(&renamed), GOLDEN);
    }

    #[test]
    fn what_another_takes_the_place_of_goes_with_its_unknown_fields() {
        let mut entry = golden();
        entry.subject = Some(Subject { iss: "https://a.example".into(), sub: "bea".into() });
        entry.login = None;
        let text = json(&entry);
        assert!(!text.contains("acr") && !text.contains("later"), "{text}");
    }

    #[test]
    fn what_is_no_login_is_no_entry() {
        for (from, to) in [
            (r#""sub":"ada","#, ""),
            (r#""iss":"https://a.example""#, r#""iss":7"#),
            (r#""status":200,"#, ""),
            (r#""answer":{"#, r#""reply":{"#),
        ] {
            let text = GOLDEN.replace(from, to);
            assert_ne!(text, GOLDEN);
            let acme = ProfileName::parse("acme").unwrap();
            assert!(Entry::from_json(&acme, text.as_bytes()).is_err(), "{text}");
        }
    }
}
