//! A JWT that speaks for somebody: a client to its provider (RFC 7523), an app to its API, a key to whoever knows it.
//!
//! All of them are issuer, subject, audience and times, signed. The audience is one text, never a list: an
//! assertion that two servers take can be carried from one to the other (CVE-2025-27370).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokctl_proto::{Secret, WallMs};

use super::{KeyError, PrivateKey, base64url, jws};
use crate::config::{Algorithm, Jwt};

/// How long an assertion lives that is used at once (RFC 7523 section 3 point 4).
pub const CLIENT_LIFETIME: Duration = Duration::from_secs(60);
/// How far back it is issued: clocks differ by seconds all the time.
pub const BACKDATE: Duration = Duration::from_secs(5);

/// What is asserted, with the defaults of its kind; settings of a profile go over them.
#[derive(Clone, Debug)]
pub struct Assertion<'a> {
    pub iss: Option<&'a str>,
    pub sub: Option<&'a str>,
    pub aud: Option<&'a str>,
    /// The header's `typ`.
    pub typ: &'a str,
    pub lifetime: Duration,
    /// The longest that whoever reads it takes.
    pub lifetime_max: Duration,
    pub backdate: Duration,
    /// Makes it the only one of its kind (RFC 7519 section 4.1.7); `None` where nobody looks.
    pub unique: Option<[u8; 16]>,
    /// The thumbprint of the key's certificate, for the header (`x5t#S256`, RFC 7515 section 4.1.8).
    pub certificate: Option<&'a str>,
    /// Claims beyond those.
    pub claims: Map<String, Value>,
}

impl<'a> Assertion<'a> {
    /// A client's proof of itself (RFC 7523 section 3).
    pub fn of_client(client_id: &'a str, audience: &'a str, unique: [u8; 16]) -> Self {
        Self {
            iss: Some(client_id),
            sub: Some(client_id),
            aud: Some(audience),
            typ: "JWT",
            lifetime: CLIENT_LIFETIME,
            lifetime_max: Duration::from_secs(3600),
            backdate: BACKDATE,
            unique: Some(unique),
            certificate: None,
            claims: Map::new(),
        }
    }

    /// The claims at this time, as the settings have them.
    pub fn claims(&self, now: WallMs, settings: &Jwt) -> Map<String, Value> {
        let lifetime = settings.lifetime.unwrap_or(self.lifetime).min(self.lifetime_max);
        let backdate = settings.backdate.unwrap_or(self.backdate);
        let issued_at = now.unix_s() - i64::try_from(backdate.as_secs()).unwrap_or(0);
        // An hour is an hour from when it is issued, for those who measure.
        let whole_s = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        let mut claims = self.claims.clone();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iat", issued_at.into());
        put("exp", issued_at.saturating_add(whole_s).into());
        for (name, own, text) in [
            ("iss", settings.iss.as_deref(), self.iss),
            ("sub", settings.sub.as_deref(), self.sub),
            ("aud", settings.audience.as_deref(), self.aud),
        ] {
            if let Some(text) = own.or(text) {
                put(name, text.into());
            }
        }
        if let Some(unique) = self.unique {
            put("jti", base64url(&unique).into());
        }
        claims.extend(further(&settings.claims));
        claims
    }

    /// The claims, signed.
    pub fn sign(
        &self,
        now: WallMs,
        key: &PrivateKey,
        algorithm: Algorithm,
        settings: &Jwt,
    ) -> Result<Secret, KeyError> {
        let mut header = Map::from_iter([("typ".to_owned(), json!(self.typ))]);
        if let Some(kid) = settings.kid.as_deref().or(key.kid()) {
            header.insert("kid".to_owned(), json!(kid));
        }
        if let Some(certificate) = self.certificate {
            header.insert("x5t#S256".to_owned(), json!(certificate));
        }
        jws::sign(key, algorithm, header, &self.claims(now, settings))
    }
}

/// Claims as they are written in config.toml: JSON where they are JSON, else text.
fn further(claims: &BTreeMap<String, String>) -> impl Iterator<Item = (String, Value)> {
    claims.iter().map(|(name, text)| {
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
        (name.clone(), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallMs = WallMs(1_800_000_000_999);
    const AT: i64 = 1_800_000_000;

    fn client() -> Assertion<'static> {
        Assertion::of_client("cc", "https://op.example", [7; 16])
    }

    #[test]
    fn a_client_speaks_for_itself_to_one_audience_for_a_minute() {
        let claims = Value::Object(client().claims(NOW, &Jwt::default()));
        assert_eq!(
            claims,
            json!({
                "iss": "cc", "sub": "cc", "aud": "https://op.example", "jti": base64url(&[7; 16]),
                "iat": AT - 5, "exp": AT + 55,
            })
        );
    }

    #[test]
    fn settings_go_over_the_defaults_within_what_is_taken() {
        let settings = Jwt {
            iss: Some("me".into()),
            sub: Some("you".into()),
            audience: Some("urn:all".into()),
            lifetime: Some(Duration::from_secs(7200)),
            backdate: Some(Duration::ZERO),
            claims: [("n", "1"), ("text", "plain"), ("list", "[\"a\"]"), ("quoted", "\"1\"")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Jwt::default()
        };
        let claims = client().claims(NOW, &settings);
        for (name, value) in [
            ("iss", json!("me")),
            ("sub", json!("you")),
            ("aud", json!("urn:all")),
            ("iat", json!(AT)),
            ("exp", json!(AT + 3600)),
            ("n", json!(1)),
            ("text", json!("plain")),
            ("list", json!(["a"])),
            ("quoted", json!("1")),
        ] {
            assert_eq!(claims[name], value, "{name}");
        }
    }

    #[test]
    fn what_is_not_said_is_not_in_it() {
        let bare = Assertion { sub: None, aud: None, unique: None, ..client() };
        let claims = bare.claims(NOW, &Jwt::default());
        assert_eq!(claims.keys().collect::<Vec<_>>(), ["exp", "iat", "iss"]);
    }

    #[test]
    fn it_is_signed_with_its_header() {
        let key = PrivateKey::generate(Algorithm::Es256).unwrap();
        let key = PrivateKey::asymmetric(&key).unwrap();
        let settings = Jwt { kid: Some("k1".into()), ..Jwt::default() };
        let signed = client().sign(NOW, &key, Algorithm::Es256, &settings).unwrap();
        let parsed = jws::Parsed::read(signed.expose()).unwrap();
        assert_eq!((parsed.kid.as_deref(), parsed.typ.as_deref()), (Some("k1"), Some("JWT")));
        assert_eq!(parsed.claims["aud"], "https://op.example");
    }
}
