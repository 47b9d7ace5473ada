//! The part of an entry's text that tells of its refresh token. An entry without one has none of
//! it, as those that were written before there were refresh tokens.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, SerializeMap, Serializer};
use tokctl_proto::{ProfileName, Secret, SecretStr};

use super::entry::{Entry, Further, Intent, RawAnswer, Refresh};
use super::json::{Fields, Malformed, write_further, write_key};

/// Puts what the text says of the refresh token into the entry.
pub(super) fn refresh_from_json(
    entry: &mut Entry,
    profile: &ProfileName,
    mut fields: Fields<'_>,
) -> Result<(), Malformed> {
    let obtained_at = fields.take_time("obtained_at_ms")?.ok_or(Malformed)?;
    let mut refresh = Refresh {
        token: fields.take_secret("token")?.ok_or(Malformed)?,
        previous: take_optional_secret(&mut fields, "previous")?,
        obtained_at,
        used_at: fields.take_time("used_at_ms")?,
        expires_at: fields.take_time("expires_at_ms")?,
        is_dead: fields.take("dead")?.unwrap_or_default(),
        intent: None,
        answer: None,
    };
    entry.overtaken = fields.take::<Fingerprint>("overtaken")?.map(|of| of.0);
    if let Some(intent) = fields.take_fields("intent")? {
        let (intent, further) = intent_from_json(intent)?;
        refresh.intent = Some(intent);
        entry.kept.intent = unless_empty(intent, further);
    }
    if let Some(answer) = fields.take_fields("answer")? {
        let (answer, further) = answer_from_json(profile, answer)?;
        entry.kept.answer = unless_empty(answer.received_at, further);
        refresh.answer = Some(answer);
    }
    if let Some(answer) = fields.take_fields("undeciphered")? {
        entry.undeciphered = Some(answer_from_json(profile, answer)?.0);
    }
    entry.kept.refresh = unless_empty(obtained_at, fields.rest());
    entry.refresh = Some(refresh);
    Ok(())
}

fn intent_from_json(mut fields: Fields<'_>) -> Result<(Intent, Further), Malformed> {
    let intent = Intent {
        of: fields.take::<Fingerprint>("of")?.ok_or(Malformed)?.0,
        tries: fields.take("tries")?.ok_or(Malformed)?,
        at: fields.take_time("at_ms")?.ok_or(Malformed)?,
    };
    Ok((intent, fields.rest()))
}

pub(super) fn answer_from_json(
    profile: &ProfileName,
    mut fields: Fields<'_>,
) -> Result<(RawAnswer, Further), Malformed> {
    let answer = RawAnswer {
        key: fields.take_key(profile)?,
        revision: fields.take("revision")?.ok_or(Malformed)?,
        endpoint: fields.take("endpoint")?.ok_or(Malformed)?,
        sent_at: fields.take_time("sent_at_ms")?.ok_or(Malformed)?,
        received_at: fields.take_time("received_at_ms")?.ok_or(Malformed)?,
        status: fields.take("status")?.ok_or(Malformed)?,
        content_type: fields.take::<Option<String>>("content_type")?.flatten(),
        retry_after: fields.take::<Option<String>>("retry_after")?.flatten(),
        date: fields.take::<Option<String>>("date")?.flatten(),
        body: fields.take_secret("body")?.ok_or(Malformed)?,
    };
    Ok((answer, fields.rest()))
}

fn take_optional_secret(fields: &mut Fields<'_>, name: &str) -> Result<Option<Secret>, Malformed> {
    let found = fields.take::<Option<SecretStr<'_>>>(name)?.flatten();
    Ok(found.map(|text| text.to_secret()))
}

pub(super) fn unless_empty<T>(of: T, further: Further) -> Option<(T, Further)> {
    (!further.is_empty()).then_some((of, further))
}

/// The refresh token's part as it is written.
pub(super) struct WrittenRefresh<'a> {
    pub(super) entry: &'a Entry,
    pub(super) refresh: &'a Refresh,
}

impl Serialize for WrittenRefresh<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { entry, refresh } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("token", &SecretStr::from(&refresh.token))?;
        map.serialize_entry("previous", &refresh.previous.as_ref().map(SecretStr::from))?;
        map.serialize_entry("obtained_at_ms", &refresh.obtained_at.0)?;
        map.serialize_entry("used_at_ms", &refresh.used_at.map(|at| at.0))?;
        map.serialize_entry("expires_at_ms", &refresh.expires_at.map(|at| at.0))?;
        map.serialize_entry("dead", &refresh.is_dead)?;
        if let Some(of) = entry.overtaken {
            map.serialize_entry("overtaken", &Fingerprint(of))?;
        }
        if let Some(intent) = &refresh.intent {
            let kept = of_same(&entry.kept.intent, intent);
            map.serialize_entry("intent", &WrittenIntent(intent, kept))?;
        }
        if let Some(answer) = &refresh.answer {
            let kept = of_same(&entry.kept.answer, &answer.received_at);
            map.serialize_entry("answer", &WrittenAnswer(answer, kept))?;
        }
        if let Some(answer) = &entry.undeciphered {
            map.serialize_entry("undeciphered", &WrittenAnswer(answer, None))?;
        }
        if let Some(further) = of_same(&entry.kept.refresh, &refresh.obtained_at) {
            write_further(&mut map, further)?;
        }
        map.end()
    }
}

/// The unknown fields, unless another has taken the place of what they were found with.
pub(super) fn of_same<'a, T: PartialEq, F>(kept: &'a Option<(T, F)>, of: &T) -> Option<&'a F> {
    kept.as_ref().filter(|(found_with, _)| found_with == of).map(|(_, further)| further)
}

struct WrittenIntent<'a>(&'a Intent, Option<&'a Further>);

impl Serialize for WrittenIntent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(intent, kept) = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("of", &Fingerprint(intent.of))?;
        map.serialize_entry("tries", &intent.tries)?;
        map.serialize_entry("at_ms", &intent.at.0)?;
        if let Some(further) = kept {
            write_further(&mut map, further)?;
        }
        map.end()
    }
}

pub(super) struct WrittenAnswer<'a>(pub(super) &'a RawAnswer, pub(super) Option<&'a Further>);

impl Serialize for WrittenAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, kept) = self;
        let mut map = serializer.serialize_map(None)?;
        write_key(&mut map, &answer.key)?;
        map.serialize_entry("revision", &answer.revision)?;
        map.serialize_entry("endpoint", &answer.endpoint)?;
        map.serialize_entry("sent_at_ms", &answer.sent_at.0)?;
        map.serialize_entry("received_at_ms", &answer.received_at.0)?;
        map.serialize_entry("status", &answer.status)?;
        map.serialize_entry("content_type", &answer.content_type)?;
        map.serialize_entry("retry_after", &answer.retry_after)?;
        map.serialize_entry("date", &answer.date)?;
        map.serialize_entry("body", &SecretStr::from(&answer.body))?;
        if let Some(further) = kept {
            write_further(&mut map, further)?;
        }
        map.end()
    }
}

/// What names a refresh token, as 32 hexadecimal digits.
struct Fingerprint([u8; 16]);

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", u128::from_be_bytes(self.0)))
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parsed = fits.then(|| u128::from_str_radix(&text, 16).ok()).flatten();
        parsed
            .map(|of| Self(of.to_be_bytes()))
            .ok_or_else(|| D::Error::custom("not 32 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use tokctl_proto::WallMs;

    use super::*;

    const OF: &str = "000102030405060708090a0b0c0d0e0f";

    /// Every field, and fields of a later version at three places.
    fn golden() -> String {
        format!(
            concat!(
                r#"{{"id":"000102030405060708090a0b0c0d0e0f","generation":7,"origins":[],"#,
                r#""network":{{"ca_file":null,"proxy":null}},"secrets":{{}},"#,
                r#""secrets_expire_ms":{{"client_secret":9000,"client_secret.next":10000}},"#,
                r#""refresh":{{"token":"r\"2","previous":"r1","obtained_at_ms":1000,"#,
                r#""used_at_ms":null,"expires_at_ms":5000,"dead":false,"#,
                r#""overtaken":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","#,
                r#""intent":{{"of":"{OF}","tries":2,"at_ms":2000,"by":"later"}},"#,
                r#""answer":{{"scope":["a"],"audience":[],"resource":[],"revision":7,"#,
                r#""endpoint":"https://a.example/token","sent_at_ms":2000,"received_at_ms":2100,"#,
                r#""status":200,"content_type":"application/json","retry_after":null,"#,
                r#""date":null,"body":"e30=","trailers":[1e400]}},"#,
                r#""family":{{"n":1.50}}}},"tokens":[]}}"#
            ),
            OF = OF
        )
    }

    fn read(json: &str) -> Result<Entry, Malformed> {
        Entry::from_json(&ProfileName::parse("acme").unwrap(), json.as_bytes())
    }

    fn written(entry: &Entry) -> String {
        String::from_utf8(entry.to_json().to_vec()).unwrap()
    }

    #[test]
    fn it_is_written_as_it_was_read_unknown_fields_included() {
        assert_eq!(written(&read(&golden()).unwrap()), golden());
    }

    #[test]
    fn every_field_is_read() {
        let entry = read(&golden()).unwrap();
        let refresh = entry.refresh.unwrap();
        assert_eq!(refresh.token.expose(), "r\"2");
        assert_eq!(refresh.previous.unwrap().expose(), "r1");
        assert_eq!((refresh.obtained_at, refresh.used_at), (WallMs(1000), None));
        assert_eq!((refresh.expires_at, refresh.is_dead), (Some(WallMs(5000)), false));
        let of = std::array::from_fn(|n| n as u8);
        assert_eq!(refresh.intent, Some(Intent { of, tries: 2, at: WallMs(2000) }));
        assert_eq!(entry.overtaken, Some([0x0f; 16]));
        let answer = refresh.answer.unwrap();
        assert_eq!(answer.key.scope, ["a".to_owned()].into());
        assert_eq!((answer.status, answer.body.expose()), (200, "e30="));
        assert_eq!(entry.secrets_expire["client_secret.next"], WallMs(10_000));
    }

    #[test]
    fn an_entry_of_before_reads_and_is_written_as_before() {
        let before = concat!(
            r#"{"id":"000102030405060708090a0b0c0d0e0f","generation":7,"origins":[],"#,
            r#""network":{"ca_file":null,"proxy":null},"secrets":{"key":"k"},"tokens":[]}"#
        );
        let entry = read(before).unwrap();
        assert!(entry.refresh.is_none() && entry.secrets_expire.is_empty());
        assert_eq!(written(&entry), before);
    }

    #[test]
    fn unknown_fields_go_with_what_they_were_found_with() {
        let mut entry = read(&golden()).unwrap();
        entry.intend(WallMs(3000), 1).unwrap();
        let text = written(&entry);
        assert!(text.contains("family") && !text.contains("later") && !text.contains("trailers"));
        entry.set_refresh_token(WallMs(4000), Secret::new("r3".into()), None);
        assert!(!written(&entry).contains("family"));
    }

    #[test]
    fn what_is_no_refresh_token_is_refused() {
        assert!(read(&golden()).is_ok());
        for (right, wrong) in [
            (r#""token":"r\"2","#, ""),
            (r#""obtained_at_ms":1000,"#, ""),
            (r#""dead":false"#, r#""dead":0"#),
            (r#""tries":2"#, r#""tries":-1"#),
            (r#""tries":2,"#, ""),
            (OF, "00"),
            (r#""of":"00"#, r#""of":"+0"#),
            (r#""status":200"#, r#""status":65536"#),
            (r#""body":"e30=","#, ""),
            (r#""client_secret":9000"#, r#""client_secret":null"#),
        ] {
            let json = golden();
            let (before, after) = json.rsplit_once(right).unwrap();
            assert!(read(&format!("{before}{wrong}{after}")).is_err(), "{right} -> {wrong}");
        }
    }
}
