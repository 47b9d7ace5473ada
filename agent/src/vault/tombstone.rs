//! What outlives a logout: tokens that are still alive at a provider nobody could reach, and all that it takes to
//! revoke them, even when their profile is gone.
//!
//! It holds no more than that: of the profile's secrets those that its client proves itself with, and of its
//! settings those that the request is made of. What is sent goes where the entry's secrets were allowed to
//! go, on the way on which they were. Its tokens are never used for anything else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use tokctl_proto::{ProfileName, Secret, SecretStr, WallMs};
use zeroize::Zeroizing;

use super::entry::{Further, Via};
use super::json::{Fields, Malformed, WrittenVia, to_json, write_further};

/// So long a provider is asked for. One that is away for longer is gone, or the network is.
pub const GIVEN_UP_AFTER: Duration = Duration::from_secs(30 * 86_400);

/// Tokens that are to be revoked as soon as that can be done.
#[derive(Clone, Debug)]
pub struct Tombstone {
    pub profile: ProfileName,
    pub made_at: WallMs,
    /// A text as that of config.toml, with what the request is made of and nothing else.
    pub settings: String,
    /// Where all of this may be sent.
    pub origins: BTreeSet<String>,
    pub network: Via,
    /// What the client proves itself with.
    pub secrets: BTreeMap<String, Secret>,
    /// In the order in which they are revoked.
    pub tokens: Vec<Buried>,
    /// Fields of a later version.
    further: Further,
}

/// A token in a tombstone.
#[derive(Clone, Debug)]
pub struct Buried {
    /// What `token_type_hint` calls it (RFC 7009 section 2.1).
    pub hint: String,
    pub token: Secret,
    /// When it dies by itself, where that is known.
    pub expires_at: Option<WallMs>,
}

impl Tombstone {
    /// One without tokens.
    pub fn new(profile: ProfileName, made_at: WallMs, settings: String) -> Self {
        Self {
            profile,
            made_at,
            settings,
            origins: BTreeSet::new(),
            network: Via::default(),
            secrets: BTreeMap::new(),
            tokens: Vec::new(),
            further: Further::new(),
        }
    }

    /// Takes out the tokens that have died by themselves, and says how many.
    pub fn drop_expired(&mut self, now: WallMs) -> usize {
        let before = self.tokens.len();
        self.tokens.retain(|buried| buried.expires_at.is_none_or(|at| at > now));
        before - self.tokens.len()
    }

    /// Whether it has been tried for as long as it is.
    pub fn is_given_up(&self, now: WallMs) -> bool {
        now.since(self.made_at) >= GIVEN_UP_AFTER
    }

    pub(super) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        to_json(&Written(self))
    }

    pub(super) fn from_json(json: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(json).map_err(|_| Malformed)?;
        let mut fields = Fields::parse(text)?;
        let profile: String = fields.take("profile")?.ok_or(Malformed)?;
        let tokens: Vec<&RawValue> = fields.take("tokens")?.unwrap_or_default();
        Ok(Self {
            profile: ProfileName::parse(&profile).map_err(|_| Malformed)?,
            made_at: fields.take_time("made_at_ms")?.ok_or(Malformed)?,
            settings: fields.take("settings")?.ok_or(Malformed)?,
            origins: fields.take("origins")?.unwrap_or_default(),
            network: fields.take_via("network")?.0,
            secrets: fields.take_secrets("secrets")?,
            tokens: tokens.into_iter().map(buried_from_json).collect::<Result<_, _>>()?,
            further: fields.rest(),
        })
    }
}

fn buried_from_json(json: &RawValue) -> Result<Buried, Malformed> {
    let mut fields = Fields::parse(json.get())?;
    Ok(Buried {
        hint: fields.take("hint")?.ok_or(Malformed)?,
        token: fields.take_secret("token")?.ok_or(Malformed)?,
        expires_at: fields.take_time("expires_at_ms")?,
    })
}

/// As it is written; `Tombstone` itself has no `Serialize`, as an entry has none.
struct Written<'a>(&'a Tombstone);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(tombstone) = self;
        let secrets = tombstone.secrets.iter();
        let secrets: BTreeMap<_, _> =
            secrets.map(|(name, secret)| (name, SecretStr::from(secret))).collect();
        let tokens: Vec<_> = tombstone.tokens.iter().map(WrittenToken).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("profile", tombstone.profile.as_str())?;
        map.serialize_entry("made_at_ms", &tombstone.made_at.0)?;
        map.serialize_entry("settings", &tombstone.settings)?;
        map.serialize_entry("origins", &tombstone.origins)?;
        map.serialize_entry("network", &WrittenVia(&tombstone.network, &Further::new()))?;
        map.serialize_entry("secrets", &secrets)?;
        map.serialize_entry("tokens", &tokens)?;
        write_further(&mut map, &tombstone.further)?;
        map.end()
    }
}

struct WrittenToken<'a>(&'a Buried);

impl Serialize for WrittenToken<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(buried) = self;
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("hint", &buried.hint)?;
        map.serialize_entry("token", &SecretStr::from(&buried.token))?;
        map.serialize_entry("expires_at_ms", &buried.expires_at.map(|at| at.0))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(
        r#"{"profile":"acme","made_at_ms":1000,"settings":"[profiles.acme]\ngrant = \"x\"\n","#,
        r#""origins":["https://a.example:443"],"network":{"ca_file":"/ca.pem","proxy":null},"#,
        r#""secrets":{"client_secret":"s3cr\"et"},"tokens":["#,
        r#"{"hint":"refresh_token","token":"r1","expires_at_ms":null},"#,
        r#"{"hint":"access_token","token":"a1","expires_at_ms":5000}],"later":{"n":[1e400]}}"#,
    );

    fn read(json: &str) -> Result<Tombstone, Malformed> {
        Tombstone::from_json(json.as_bytes())
    }

    #[test]
    fn it_is_written_as_it_was_read_unknown_fields_included() {
        let json = read(GOLDEN).unwrap().to_json();
        assert_eq!(std::str::from_utf8(&json).unwrap(), GOLDEN);
        assert_eq!(json.len(), json.capacity());
    }

    #[test]
    fn what_is_no_tombstone_is_refused() {
        for (right, wrong) in [
            (r#""profile":"acme""#, r#""profile":"../acme""#),
            (r#""profile":"acme","#, ""),
            (r#""made_at_ms":1000,"#, ""),
            (r#""settings":"[profiles.acme]\ngrant = \"x\"\n","#, ""),
            (r#""hint":"refresh_token","#, ""),
            (r#""token":"r1","#, ""),
            (r#""expires_at_ms":5000"#, r#""expires_at_ms":"soon""#),
            (r#""ca_file":"/ca.pem""#, r#""ca_file":1"#),
        ] {
            let json = GOLDEN.replacen(right, wrong, 1);
            assert_ne!(json, GOLDEN, "{right}");
            assert!(read(&json).is_err(), "{right} -> {wrong}");
        }
    }

    #[test]
    fn a_token_is_given_up_at_its_own_end() {
        for (now, left) in [(4999, 2), (5000, 1), (5001, 1), (i64::MAX, 1)] {
            let mut tombstone = read(GOLDEN).unwrap();
            assert_eq!(tombstone.drop_expired(WallMs(now)), 2 - left, "{now}");
            assert_eq!(tombstone.tokens.len(), left, "{now}");
        }
    }

    #[test]
    fn all_is_given_up_after_thirty_days() {
        let tombstone = read(GOLDEN).unwrap();
        let end = WallMs(1000).plus(GIVEN_UP_AFTER);
        for (now, is_over) in
            [(WallMs(0), false), (WallMs(end.0 - 1), false), (end, true), (WallMs(i64::MAX), true)]
        {
            assert_eq!(tombstone.is_given_up(now), is_over, "{now:?}");
        }
    }

    #[test]
    fn a_tombstone_never_prints_a_secret() {
        let text = format!("{:?}", read(GOLDEN).unwrap());
        for secret in ["s3cr", "r1", "a1", "1e400"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}
