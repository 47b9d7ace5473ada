//! Keys as JSON (RFC 7517, RFC 7518 section 6, RFC 8037): a private one read, a public one written and named.

use std::borrow::Cow;

use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokctl_proto::SecretStr;
use zeroize::Zeroizing;

use super::{KeyError, base64url, from_base64url};
use crate::config::Algorithm;

/// RFC 7518 sections 6.2.1.2 and 6.2.2.1: a number is written in full length.
pub(super) const P256_BYTES: usize = 32;

type Bytes = Zeroizing<Vec<u8>>;

/// The parts of a private key.
pub(super) enum Private {
    Rsa(KeyPairComponents<Vec<u8>, Bytes>),
    P256 { private: Bytes, public: Vec<u8> },
    Ed25519 { private: Bytes, public: Vec<u8> },
}

#[derive(Deserialize)]
struct Written<'a> {
    kty: &'a str,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    crv: Option<&'a str>,
    x: Option<&'a str>,
    y: Option<&'a str>,
    n: Option<&'a str>,
    e: Option<&'a str>,
    #[serde(borrow)]
    d: Option<SecretStr<'a>>,
    #[serde(borrow)]
    p: Option<SecretStr<'a>>,
    #[serde(borrow)]
    q: Option<SecretStr<'a>>,
    #[serde(borrow)]
    dp: Option<SecretStr<'a>>,
    #[serde(borrow)]
    dq: Option<SecretStr<'a>>,
    #[serde(borrow)]
    qi: Option<SecretStr<'a>>,
}

/// Reads a private JWK, and what it calls itself.
pub(super) fn private(text: &str) -> Result<(Private, Option<String>), KeyError> {
    let written: Written<'_> = serde_json::from_str(text).map_err(|_| KeyError::BadJwk)?;
    let kid = written.kid.as_deref().map(str::to_owned);
    Ok((parts(&written)?, kid))
}

fn parts(written: &Written<'_>) -> Result<Private, KeyError> {
    match (written.kty, written.crv) {
        ("RSA", _) => Ok(Private::Rsa(KeyPairComponents {
            public_key: PublicKeyComponents { n: public(written.n)?, e: public(written.e)? },
            d: secret(&written.d)?,
            p: secret(&written.p)?,
            q: secret(&written.q)?,
            dP: secret(&written.dp)?,
            dQ: secret(&written.dq)?,
            qInv: secret(&written.qi)?,
        })),
        ("EC", Some("P-256")) => {
            let (x, y) = (public(written.x)?, public(written.y)?);
            let private = secret(&written.d)?;
            if [x.len(), y.len(), private.len()] != [P256_BYTES; 3] {
                return Err(KeyError::BadJwk);
            }
            Ok(Private::P256 { private, public: [&[4], &*x, &*y].concat() })
        }
        ("OKP", Some("Ed25519")) => {
            Ok(Private::Ed25519 { private: secret(&written.d)?, public: public(written.x)? })
        }
        _ => Err(KeyError::UnknownJwk),
    }
}

fn public(member: Option<&str>) -> Result<Vec<u8>, KeyError> {
    member.and_then(from_base64url).ok_or(KeyError::BadJwk)
}

fn secret(member: &Option<SecretStr<'_>>) -> Result<Bytes, KeyError> {
    let bytes = member.as_ref().and_then(|text| from_base64url(text.expose()));
    bytes.map(Zeroizing::new).ok_or(KeyError::BadJwk)
}

/// A public key, with the members that every JWK of its kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicJwk {
    /// Those that its name is made of (RFC 7638 section 3.2), sorted.
    required: Vec<(&'static str, String)>,
}

impl PublicJwk {
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Self {
        let required = vec![("e", base64url(e)), ("kty", "RSA".to_owned()), ("n", base64url(n))];
        Self { required }
    }

    /// From an uncompressed point: a four and two numbers of 32 bytes.
    pub(super) fn p256(point: &[u8]) -> Self {
        let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
        let required = vec![
            ("crv", "P-256".to_owned()),
            ("kty", "EC".to_owned()),
            ("x", base64url(x)),
            ("y", base64url(y)),
        ];
        Self { required }
    }

    pub(super) fn ed25519(x: &[u8]) -> Self {
        let (crv, kty) = ("Ed25519".to_owned(), "OKP".to_owned());
        Self { required: vec![("crv", crv), ("kty", kty), ("x", base64url(x))] }
    }

    /// The bare key, as a proof of possession shows it.
    pub fn bare(&self) -> Value {
        let members = self.required.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
        Value::Object(members.collect::<Map<_, _>>())
    }

    /// The key as it is registered: named, and said what it is for.
    pub fn for_signing(&self, algorithm: Algorithm) -> Value {
        let Value::Object(mut members) = self.bare() else { unreachable!("it is an object") };
        members.insert("alg".to_owned(), json!(algorithm.name()));
        members.insert("kid".to_owned(), json!(self.thumbprint()));
        members.insert("use".to_owned(), json!("sig"));
        Value::Object(members)
    }

    /// RFC 7638 with SHA-256, base64url.
    pub fn thumbprint(&self) -> String {
        let pair = |(name, value): &(&str, String)| format!("\"{name}\":\"{value}\"");
        let members: Vec<String> = self.required.iter().map(pair).collect();
        base64url(&Sha256::digest(format!("{{{}}}", members.join(","))))
    }
}

#[cfg(test)]
mod tests {
    use tokctl_proto::Secret;

    use super::*;
    use crate::oauth::jose::PrivateKey;

    /// RFC 7515 appendix A.3, RFC 8037 appendix A.
    const P256: &str = r#"{"kty":"EC","crv":"P-256",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
    const ED25519: &str = r#"{"kty":"OKP","crv":"Ed25519",
        "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn key(text: &str) -> PrivateKey {
        PrivateKey::asymmetric(&Secret::new(text.to_owned())).unwrap()
    }

    #[test]
    fn the_keys_of_the_standards_are_read_and_named() {
        for (text, algorithm, thumbprint) in [
            (P256, Algorithm::Es256, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"),
            (ED25519, Algorithm::EdDsa, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        ] {
            let key = key(text);
            assert_eq!(key.algorithm(), algorithm);
            let public = key.public().unwrap();
            assert_eq!(public.thumbprint(), thumbprint);
            let registered = public.for_signing(algorithm);
            assert_eq!(registered["kid"], thumbprint);
            assert!(registered.get("d").is_none());
        }
    }

    #[test]
    fn the_name_of_an_rsa_key_is_that_of_rfc_7638() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let jwk = PublicJwk::rsa(&from_base64url(n).unwrap(), &from_base64url("AQAB").unwrap());
        assert_eq!(jwk.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_key_may_name_itself() {
        for (member, kid) in [("", None), (r#""kid":"k\u00311","#, Some("k11"))] {
            let text = P256.replacen('{', &format!("{{{member}"), 1);
            assert_eq!(key(&text).kid(), kid);
        }
    }

    #[test]
    fn a_key_whose_halves_do_not_belong_together_is_refused() {
        let swapped = P256.replace("f83OJ3", "f83OJ4");
        assert_eq!(PrivateKey::asymmetric(&Secret::new(swapped)).err(), Some(KeyError::BadJwk));
    }
}
