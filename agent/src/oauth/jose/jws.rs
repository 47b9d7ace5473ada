//! The compact form of a signed JWT (RFC 7515 section 7.1): written, and taken apart to be checked.

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;
use tokctl_proto::Secret;
use zeroize::Zeroizing;

use super::{KeyError, PrivateKey, PublicKey, base64url, from_base64url};
use crate::config::Algorithm;
use crate::oauth::buffer::Buffer;

/// A longer segment is not a JWT that anybody issues (RFC 8725 sets no limit).
pub const SEGMENT_BYTES_MAX: usize = 16 * 1024;

/// Signs claims. The header gets its `alg`.
pub fn sign(
    key: &PrivateKey,
    algorithm: Algorithm,
    mut header: Map<String, Value>,
    claims: &Map<String, Value>,
) -> Result<Secret, KeyError> {
    header.insert("alg".to_owned(), algorithm.name().into());
    // Claims are seen by whoever they are for, but the whole is a proof: it is written in one place.
    let mut text = Buffer::default();
    text.push_str(&encoded(&header));
    text.push_str(".");
    text.push_str(&encoded(claims));
    let signature = key.sign(algorithm, text.as_bytes())?;
    text.push_str(".");
    text.push_str(&Zeroizing::new(base64url(&signature)));
    Ok(text.into_secret().expect("base64 is ASCII"))
}

fn encoded(map: &Map<String, Value>) -> String {
    base64url(&serde_json::to_vec(map).expect("a map of JSON encodes"))
}

/// What is not a JWT that can be checked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    #[error("is not three pieces of base64 with JSON in them")]
    Form,
    #[error("has a piece of more than {} KiB", SEGMENT_BYTES_MAX / 1024)]
    TooLong,
    /// RFC 7515 section 4.1.11: what must be understood and is not.
    #[error("has a header that names extensions which must be understood (`crit`)")]
    Critical,
}

/// A JWT that has been taken apart and not been checked.
#[derive(Debug)]
pub struct Parsed<'a> {
    /// As written; it decides nothing before it has been compared.
    pub alg: String,
    pub kid: Option<String>,
    pub typ: Option<String>,
    pub claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl<'a> Parsed<'a> {
    pub fn read(token: &'a str) -> Result<Self, Malformed> {
        let mut segments = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(Malformed::Form);
        };
        if [header, claims, signature].iter().any(|segment| segment.len() > SEGMENT_BYTES_MAX) {
            return Err(Malformed::TooLong);
        }
        let bytes = |segment: &str| from_base64url(segment).ok_or(Malformed::Form);
        let read: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| Malformed::Form)?;
        if read.crit.is_some() {
            return Err(Malformed::Critical);
        }
        Ok(Self {
            alg: read.alg,
            kid: read.kid,
            typ: read.typ,
            claims: serde_json::from_slice(&bytes(claims)?).map_err(|_| Malformed::Form)?,
            signed: &token[..header.len() + 1 + claims.len()],
            signature: bytes(signature)?,
        })
    }

    /// Whether this key has signed it with this algorithm.
    pub fn is_signed_by(&self, algorithm: Algorithm, key: &PublicKey) -> bool {
        key.verifies(algorithm, self.signed.as_bytes(), &self.signature)
    }

    /// Whether this secret has signed it with HS256.
    pub fn is_signed_with(&self, secret: &Secret) -> bool {
        use hmac::{Hmac, Mac};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.expose().as_bytes())
            .expect("HMAC takes any key");
        mac.update(self.signed.as_bytes());
        mac.verify_slice(&self.signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::oauth::jose::Jwks;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_signed_here_is_checked_with_the_public_half() {
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa] {
            let key = PrivateKey::asymmetric(&PrivateKey::generate(algorithm).unwrap()).unwrap();
            let claims = object(json!({ "iss": "me", "n": 1 }));
            let token = sign(&key, algorithm, object(json!({ "kid": "k" })), &claims).unwrap();
            let jwks = json!({ "keys": [key.public().unwrap().bare()] }).to_string();
            let jwks = Jwks::parse(jwks.as_bytes()).unwrap();
            let parsed = Parsed::read(token.expose()).unwrap();
            assert_eq!((parsed.alg.as_str(), parsed.kid.as_deref()), (algorithm.name(), Some("k")));
            assert_eq!(parsed.claims, claims);
            let [public] = &jwks.candidates(algorithm, None)[..] else { panic!("one key") };
            assert!(parsed.is_signed_by(algorithm, public), "{algorithm:?}");

            let (signed, signature) = token.expose().rsplit_once('.').unwrap();
            let forged = format!("{}.{signature}", signed.replacen("ey", "eZ", 1));
            if let Ok(parsed) = Parsed::read(&forged) {
                assert!(!parsed.is_signed_by(algorithm, public));
            }
        }
    }

    #[test]
    fn the_hmac_of_rfc_7515_is_the_right_one() {
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let parsed = Parsed::read(token).unwrap();
        assert_eq!(parsed.claims["iss"], "joe");
        assert!(!parsed.is_signed_with(&Secret::new("another".to_owned())));
    }

    #[test]
    fn what_is_no_jwt_is_refused() {
        let header = |json: &str| base64url(json.as_bytes());
        let long = "a".repeat(SEGMENT_BYTES_MAX + 1);
        for (token, refused) in [
            (String::new(), Malformed::Form),
            ("a.b".to_owned(), Malformed::Form),
            ("a.b.c.d".to_owned(), Malformed::Form),
            ("e30.e30.".to_owned(), Malformed::Form),
            (format!("{}.W10.", header("{\"alg\":\"none\"}")), Malformed::Form),
            (format!("{}.e30.", header("{\"alg\":\"none\",\"crit\":[]}")), Malformed::Critical),
            (format!("e30.{long}.x"), Malformed::TooLong),
        ] {
            assert_eq!(Parsed::read(&token).err(), Some(refused), "{token:.40}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(token in "[ -~]{0,80}") {
            let _ignored = Parsed::read(&token);
        }
    }
}
