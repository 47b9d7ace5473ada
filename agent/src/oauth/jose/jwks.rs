//! A provider's public keys (RFC 7517 section 5), and which of them may have signed a token.
//!
//! Keys of a kind that is not used here are passed over; one that shows a private half is refused, since whoever
//! published it has lost it. Where a key says what it is for, that holds.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    UnparsedPublicKey,
};
use serde_json::{Map, Value};
use thiserror::Error;

use super::from_base64url;
use super::jwk::P256_BYTES;
use crate::config::Algorithm;

/// Sets are a few KiB.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// More keys than any provider has in use at a time; each may cost a check.
const KEYS_MAX: usize = 200;
/// RFC 7518 section 3.3.
const RSA_BYTES_MIN: usize = 256;
/// Members of a private key (RFC 7518 section 6).
const PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The document cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum JwksError {
    #[error("is larger than {} KiB", DOCUMENT_BYTES_MAX / 1024)]
    TooLarge,
    #[error("is no set of keys")]
    NotKeys,
}

/// A provider's keys.
#[derive(Clone, Debug, Default)]
pub struct Jwks(Vec<PublicKey>);

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kid: Option<String>,
    alg: Option<String>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Jwks {
    /// Reads a set, as far as it can be used.
    pub fn parse(document: &[u8]) -> Result<Self, JwksError> {
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(JwksError::TooLarge);
        }
        let document: Map<String, Value> =
            serde_json::from_slice(document).map_err(|_| JwksError::NotKeys)?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or(JwksError::NotKeys)?;
        let keys = keys.iter().take(KEYS_MAX);
        Ok(Self(keys.filter_map(|key| PublicKey::read(key.as_object()?)).collect()))
    }

    /// The keys that may have signed a token: those of its `kid`, or all of the right kind where it names none.
    pub fn candidates(&self, algorithm: Algorithm, kid: Option<&str>) -> Vec<&PublicKey> {
        let is_named = |key: &&PublicKey| kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        self.0.iter().filter(|key| key.is_for(algorithm)).filter(is_named).collect()
    }
}

impl PublicKey {
    fn read(members: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(from_base64url);
        if PRIVATE.iter().any(|name| members.contains_key(*name)) {
            return None;
        }
        if text("use").is_some_and(|usage| usage != "sig") {
            return None;
        }
        let operations = members.get("key_ops").and_then(Value::as_array);
        if operations.is_some_and(|all| !all.iter().any(|one| one == "verify")) {
            return None;
        }
        let kind = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let n = bytes("n").filter(|n| n.len() >= RSA_BYTES_MIN)?;
                Kind::Rsa { n, e: bytes("e")? }
            }
            ("EC", Some("P-256")) => {
                let number = |name| bytes(name).filter(|number| number.len() == P256_BYTES);
                Kind::P256([&[4], &*number("x")?, &*number("y")?].concat())
            }
            ("OKP", Some("Ed25519")) => Kind::Ed25519(bytes("x")?),
            _ => return None,
        };
        Some(Self {
            kid: text("kid").map(str::to_owned),
            alg: text("alg").map(str::to_owned),
            kind,
        })
    }

    fn is_for(&self, algorithm: Algorithm) -> bool {
        let fits = match &self.kind {
            Kind::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Kind::P256(_) => algorithm == Algorithm::Es256,
            Kind::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        fits && self.alg.as_deref().is_none_or(|alg| alg == algorithm.name())
    }

    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.is_for(algorithm) {
            return false;
        }
        match &self.kind {
            Kind::Rsa { n, e } => {
                let parameters = match algorithm {
                    Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                };
                PublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            Kind::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message, signature)
                .is_ok(),
            Kind::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn p256() -> Value {
        json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    fn with(members: Value) -> Value {
        let mut key = p256();
        key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        key
    }

    fn parse(keys: &[Value]) -> Jwks {
        Jwks::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_key_counts_for_what_it_says_it_is_for() {
        for (key, counts) in [
            (p256(), true),
            (with(json!({ "use": "sig" })), true),
            (with(json!({ "use": "enc" })), false),
            (with(json!({ "key_ops": ["verify"] })), true),
            (with(json!({ "key_ops": ["encrypt"] })), false),
            (with(json!({ "alg": "ES256" })), true),
            (with(json!({ "alg": "ES384" })), false),
            (with(json!({ "d": "AAAA" })), false),
            (with(json!({ "crv": "P-384" })), false),
            (with(json!({ "x": 7 })), false),
            (with(json!({ "x": "AAAA" })), false),
            (json!({ "kty": "oct", "k": "AAAA" }), false),
            (json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" }), false),
            (json!("no key"), false),
        ] {
            let jwks = parse(std::slice::from_ref(&key));
            assert_eq!(jwks.candidates(Algorithm::Es256, None).len(), usize::from(counts), "{key}");
            assert!(jwks.candidates(Algorithm::Rs256, None).is_empty());
        }
    }

    #[test]
    fn a_kid_names_its_keys_and_without_one_all_of_a_kind_may_be_it() {
        let jwks = parse(&[
            with(json!({ "kid": "a" })),
            with(json!({ "kid": "b" })),
            with(json!({ "kid": "b" })),
            p256(),
        ]);
        for (kid, count) in [(Some("a"), 1), (Some("b"), 2), (Some("c"), 0), (None, 4)] {
            assert_eq!(jwks.candidates(Algorithm::Es256, kid).len(), count, "{kid:?}");
        }
    }

    #[test]
    fn a_set_has_its_limits() {
        let many = vec![p256(); KEYS_MAX + 1];
        assert_eq!(parse(&many).candidates(Algorithm::Es256, None).len(), KEYS_MAX);
        let large = vec![b' '; DOCUMENT_BYTES_MAX + 1];
        for (document, refused) in [
            (&large[..], JwksError::TooLarge),
            (b"", JwksError::NotKeys),
            (b"[]", JwksError::NotKeys),
            (b"{}", JwksError::NotKeys),
            (b"{\"keys\":{}}", JwksError::NotKeys),
        ] {
            assert_eq!(Jwks::parse(document).err(), Some(refused));
        }
    }

    proptest! {
        #[test]
        fn no_document_makes_the_parser_panic(document in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ignored = Jwks::parse(&document);
        }
    }
}
