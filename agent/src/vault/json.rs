//! An entry as text: JSON that a person with `age` and `jq` can use.
//!
//! Fields that this version does not know are kept as they were read, so that an older agent does
//! not undo what a newer one has stored. Buffers are sized before they are filled and wiped after.
//! Two copies are not ours to wipe: the scratch space in which serde_json undoes escapes, and the
//! chunk that age's writer fills.

use std::collections::BTreeMap;

use serde::de::Deserialize;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use tokctl_core::Token;
use tokctl_proto::{ProfileName, Secret, SecretStr, TokenKey, WallMs};
use zeroize::Zeroizing;

use super::entry::{Entry, EntryId, Further, Via};
use super::json_login::{WrittenLogin, WrittenSubject, login_from_json, subject_from_json};
use super::json_refresh::{WrittenRefresh, refresh_from_json};

/// The text is not that of an entry, though the right identity wrote it.
#[derive(Debug)]
pub(super) struct Malformed;

impl Entry {
    pub(super) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        to_json(&Written(self))
    }

    pub(super) fn from_json(profile: &ProfileName, json: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(json).map_err(|_| Malformed)?;
        let mut fields = Fields::parse(text)?;
        let mut entry = Self::new(fields.take::<EntryId>("id")?.ok_or(Malformed)?);
        entry.generation = fields.take("generation")?.ok_or(Malformed)?;
        entry.origins = fields.take("origins")?.unwrap_or_default();
        (entry.network, entry.kept.network) = fields.take_via("network")?;
        entry.secrets = fields.take_secrets("secrets")?;
        let expire: BTreeMap<String, i64> = fields.take("secrets_expire_ms")?.unwrap_or_default();
        entry.secrets_expire = expire.into_iter().map(|(name, at)| (name, WallMs(at))).collect();
        if let Some(refresh) = fields.take_fields("refresh")? {
            refresh_from_json(&mut entry, profile, refresh)?;
        }
        if let Some(login) = fields.take_fields("login")? {
            login_from_json(&mut entry, profile, login)?;
        }
        if let Some(subject) = fields.take_fields("subject")? {
            subject_from_json(&mut entry, subject)?;
        }
        let tokens: Vec<&RawValue> = fields.take("tokens")?.unwrap_or_default();
        for token in tokens {
            let (key, token, further) = token_from_json(profile, token.get())?;
            if !further.is_empty() {
                entry.kept.tokens.insert(key.clone(), (token.issued_at, further));
            }
            entry.tokens.insert(key, token);
        }
        entry.kept.entry = fields.rest();
        Ok(entry)
    }
}

/// The text of a value that holds secrets.
pub(super) fn to_json(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    // Written twice: once to know the size, so that the buffer never grows and leaves no copy
    // behind.
    let mut size = Size(0);
    serde_json::to_writer(&mut size, value).expect("counting takes every write");
    let mut json = Zeroizing::new(Vec::with_capacity(size.0));
    serde_json::to_writer(&mut *json, value).expect("a Vec takes every write");
    json
}

fn token_from_json(
    profile: &ProfileName,
    json: &str,
) -> Result<(TokenKey, Token, Further), Malformed> {
    let mut fields = Fields::parse(json)?;
    let key = fields.take_key(profile)?;
    let token = Token {
        access_token: fields.take_secret("access_token")?.ok_or(Malformed)?,
        token_type: fields.take("token_type")?.ok_or(Malformed)?,
        issued_at: WallMs(fields.take("issued_at_ms")?.ok_or(Malformed)?),
        expires_at: fields.take_time("expires_at_ms")?,
        scope: fields.take::<Option<String>>("granted_scope")?.flatten(),
        extra: fields.take_secret("extra")?.unwrap_or_default(),
        revision: fields.take("revision")?.unwrap_or_default(),
    };
    Ok((key, token, fields.rest()))
}

/// A JSON object from which the known fields are taken, so that the unknown ones are left.
pub(super) struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    pub(super) fn parse(json: &'a str) -> Result<Self, Malformed> {
        serde_json::from_str(json).map(Self).map_err(|_| Malformed)
    }

    pub(super) fn take<T: Deserialize<'a>>(&mut self, name: &str) -> Result<Option<T>, Malformed> {
        let value = self.0.remove(name).map(|value| serde_json::from_str(value.get()));
        value.transpose().map_err(|_| Malformed)
    }

    pub(super) fn take_secret(&mut self, name: &str) -> Result<Option<Secret>, Malformed> {
        Ok(self.take::<SecretStr<'_>>(name)?.map(|text| text.to_secret()))
    }

    /// A time that may be absent or null.
    pub(super) fn take_time(&mut self, name: &str) -> Result<Option<WallMs>, Malformed> {
        Ok(self.take::<Option<i64>>(name)?.flatten().map(WallMs))
    }

    /// A token's key: the profile is not in the text, since the entry's name tells it.
    pub(super) fn take_key(&mut self, profile: &ProfileName) -> Result<TokenKey, Malformed> {
        Ok(TokenKey {
            profile: profile.clone(),
            scope: self.take("scope")?.unwrap_or_default(),
            audience: self.take("audience")?.unwrap_or_default(),
            resource: self.take("resource")?.unwrap_or_default(),
        })
    }

    /// The way on which secrets may be sent, and what else is told of it.
    pub(super) fn take_via(&mut self, name: &str) -> Result<(Via, Further), Malformed> {
        let Some(mut fields) = self.take_fields(name)? else { return Ok(Default::default()) };
        let via = Via {
            ca_file: fields.take::<Option<String>>("ca_file")?.flatten(),
            proxy: fields.take::<Option<String>>("proxy")?.flatten(),
        };
        Ok((via, fields.rest()))
    }

    /// Secrets by their names.
    pub(super) fn take_secrets(
        &mut self,
        name: &str,
    ) -> Result<BTreeMap<String, Secret>, Malformed> {
        let secrets: BTreeMap<String, SecretStr<'_>> = self.take(name)?.unwrap_or_default();
        Ok(secrets.into_iter().map(|(name, value)| (name, value.to_secret())).collect())
    }

    pub(super) fn take_fields(&mut self, name: &str) -> Result<Option<Self>, Malformed> {
        self.0.remove(name).map(|value| Self::parse(value.get())).transpose()
    }

    pub(super) fn rest(self) -> Further {
        self.0
            .into_iter()
            .map(|(name, value)| (name, Secret::new(value.get().to_owned())))
            .collect()
    }
}

/// The entry as it is written. `Entry` itself has no `Serialize`: there is one place where its
/// secrets go.
struct Written<'a>(&'a Entry);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = self.0;
        let secrets: BTreeMap<_, _> =
            entry.secrets.iter().map(|(name, secret)| (name, SecretStr::from(secret))).collect();
        let tokens: Vec<_> = entry
            .tokens
            .iter()
            .map(|(key, token)| WrittenToken { key, token, kept: entry.kept.tokens.get(key) })
            .collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &entry.id)?;
        map.serialize_entry("generation", &entry.generation)?;
        map.serialize_entry("origins", &entry.origins)?;
        map.serialize_entry("network", &WrittenVia(&entry.network, &entry.kept.network))?;
        map.serialize_entry("secrets", &secrets)?;
        if !entry.secrets_expire.is_empty() {
            let expire: BTreeMap<_, _> =
                entry.secrets_expire.iter().map(|(name, at)| (name, at.0)).collect();
            map.serialize_entry("secrets_expire_ms", &expire)?;
        }
        if let Some(refresh) = &entry.refresh {
            map.serialize_entry("refresh", &WrittenRefresh { entry, refresh })?;
        }
        if let Some(answer) = &entry.login {
            map.serialize_entry("login", &WrittenLogin { entry, answer })?;
        }
        if let Some(subject) = &entry.subject {
            map.serialize_entry("subject", &WrittenSubject { entry, subject })?;
        }
        map.serialize_entry("tokens", &tokens)?;
        write_further(&mut map, &entry.kept.entry)?;
        map.end()
    }
}

pub(super) struct WrittenVia<'a>(pub(super) &'a Via, pub(super) &'a Further);

impl Serialize for WrittenVia<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ca_file", &self.0.ca_file)?;
        map.serialize_entry("proxy", &self.0.proxy)?;
        write_further(&mut map, self.1)?;
        map.end()
    }
}

struct WrittenToken<'a> {
    key: &'a TokenKey,
    token: &'a Token,
    kept: Option<&'a (WallMs, Further)>,
}

impl Serialize for WrittenToken<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { key, token, kept } = self;
        let mut map = serializer.serialize_map(None)?;
        write_key(&mut map, key)?;
        map.serialize_entry("access_token", &SecretStr::from(&token.access_token))?;
        map.serialize_entry("token_type", &token.token_type)?;
        map.serialize_entry("issued_at_ms", &token.issued_at.0)?;
        map.serialize_entry("expires_at_ms", &token.expires_at.map(|at| at.0))?;
        map.serialize_entry("granted_scope", &token.scope)?;
        map.serialize_entry("extra", &SecretStr::from(&token.extra))?;
        map.serialize_entry("revision", &token.revision)?;
        match kept {
            Some((issued_at, further)) if *issued_at == token.issued_at => {
                write_further(&mut map, further)?;
            }
            _ => {}
        }
        map.end()
    }
}

pub(super) fn write_key<M: SerializeMap>(map: &mut M, key: &TokenKey) -> Result<(), M::Error> {
    map.serialize_entry("scope", &key.scope)?;
    map.serialize_entry("audience", &key.audience)?;
    map.serialize_entry("resource", &key.resource)
}

pub(super) fn write_further<M: SerializeMap>(
    map: &mut M,
    further: &Further,
) -> Result<(), M::Error> {
    further.iter().try_for_each(|(name, value)| {
        let value: &RawValue =
            serde_json::from_str(value.expose()).expect("it was kept as the text of a value");
        map.serialize_entry(name, value)
    })
}

/// Counts what is written.
struct Size(usize);

impl std::io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Serialize for EntryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntryId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not 32 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field, one token with and one without an end, and fields of a later version at three
    /// places.
    const GOLDEN: &str = concat!(
        r#"{"id":"000102030405060708090a0b0c0d0e0f","generation":7,"#,
        r#""origins":["https://a.example:443","https://b.example:443"],"#,
        r#""network":{"ca_file":"/ca.pem","proxy":null,"no_proxy":["x"]},"#,
        r#""secrets":{"client_secret":"s3cr\"et","key":"-----BEGIN\nä"},"#,
        r#""tokens":["#,
        r#"{"scope":[],"audience":[],"resource":[],"access_token":"t1","token_type":"Bearer","#,
        r#""issued_at_ms":1000,"expires_at_ms":null,"granted_scope":null,"extra":"","revision":0,"hash":"x"},"#,
        r#"{"scope":["a","b"],"audience":["https://api"],"resource":[],"access_token":"t2","#,
        r#""token_type":"DPoP","issued_at_ms":1000,"expires_at_ms":3601000,"#,
        r#""granted_scope":"b a","extra":"{\"n\":1.50}","revision":7}],"#,
        r#""lanes":[{"at":1.0,"z":1,"a":{"deep":[1e400,null]}}],"note":"later\u0000"}"#,
    );

    fn acme() -> ProfileName {
        ProfileName::parse("acme").unwrap()
    }

    fn golden() -> Entry {
        Entry::from_json(&acme(), GOLDEN.as_bytes()).unwrap()
    }

    fn json(entry: &Entry) -> String {
        String::from_utf8(entry.to_json().to_vec()).unwrap()
    }

    #[test]
    fn an_entry_is_written_as_it_was_read_unknown_fields_included() {
        assert_eq!(json(&golden()), GOLDEN);
    }

    #[test]
    fn every_field_is_read() {
        let entry = golden();
        assert_eq!(entry.id.to_string(), "000102030405060708090a0b0c0d0e0f");
        assert_eq!((entry.generation, entry.origins.len()), (7, 2));
        assert_eq!(entry.network, Via { ca_file: Some("/ca.pem".into()), proxy: None });
        assert_eq!(entry.secrets["key"].expose(), "-----BEGIN\nä");
        let plain = &entry.tokens[&TokenKey::plain(acme())];
        assert_eq!((plain.access_token.expose(), plain.expires_at), ("t1", None));
        let key = TokenKey {
            scope: ["b", "a"].map(String::from).into(),
            audience: ["https://api".to_owned()].into(),
            ..TokenKey::plain(acme())
        };
        let token = &entry.tokens[&key];
        assert_eq!((token.issued_at, token.expires_at), (WallMs(1000), Some(WallMs(3_601_000))));
        assert_eq!((token.scope.as_deref(), token.extra.expose()), (Some("b a"), r#"{"n":1.50}"#));
    }

    #[test]
    fn only_id_and_generation_are_needed() {
        let entry = Entry::from_json(
            &acme(),
            br#" { "generation" : 1, "id" : "ffffffffffffffffffffffffffffffff" } "#,
        );
        assert_eq!(entry.unwrap().generation, 1);
    }

    #[test]
    fn a_token_in_anothers_place_does_not_inherit_its_unknown_fields() {
        let mut entry = golden();
        entry.tokens.get_mut(&TokenKey::plain(acme())).unwrap().issued_at = WallMs(2000);
        assert!(!json(&entry).contains(r#""hash""#));
        entry.tokens.clear();
        assert!(json(&entry).contains(r#""tokens":[],"lanes""#));
    }

    #[test]
    fn a_renamed_entry_differs_in_nothing_but_its_keys() {
        let other = ProfileName::parse("other").unwrap();
        let entry = golden().renamed(&other);
        assert!(entry.tokens.keys().all(|key| key.profile == other));
        assert_eq!(json(&entry), GOLDEN);
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let id = r#""id":"000102030405060708090a0b0c0d0e0f""#;
        for text in [
            "".to_owned(),
            "null".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            format!("{{{id}}}"),
            r#"{"generation":1}"#.to_owned(),
            format!("{{{id},\"generation\":-1}}"),
            format!("{{{id},\"generation\":18446744073709551616}}"),
            format!("{{{id},\"generation\":1}}x"),
            format!("{{{id},\"generation\":1,\"secrets\":[]}}"),
            format!("{{{id},\"generation\":1,\"secrets\":{{\"a\":1}}}}"),
            format!("{{{id},\"generation\":1,\"network\":null}}"),
            format!("{{{id},\"generation\":1,\"tokens\":[{{}}]}}"),
            r#"{"generation":1,"id":"000102030405060708090A0B0C0D0E0F"}"#.to_owned(),
            r#"{"generation":1,"id":"+0102030405060708090a0b0c0d0e0f0"}"#.to_owned(),
            r#"{"generation":1,"id":"00"}"#.to_owned(),
        ] {
            assert!(Entry::from_json(&acme(), text.as_bytes()).is_err(), "{text}");
        }
        assert!(Entry::from_json(&acme(), b"{\"\xff\":1}").is_err());
    }

    #[test]
    fn the_buffer_is_as_large_as_the_text() {
        let json = golden().to_json();
        assert_eq!(json.len(), json.capacity());
    }

    #[test]
    fn an_entry_never_prints_a_secret() {
        let text = format!("{:?}", golden());
        for secret in ["s3cr", "BEGIN", "t1", "later", "deep", "1.50"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}
