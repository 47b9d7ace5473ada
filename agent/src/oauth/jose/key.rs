//! A private key of a profile: read from PEM, a JWK or an HMAC secret, made, and signed with.
//!
//! Keys are RSA of at least 2048 bits, P-256, Ed25519 and HMAC. An encrypted PEM is refused: the vault encrypts.
//! Once read, a key lies in the library's memory, which is wiped when it is freed.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokctl_proto::Secret;
use zeroize::Zeroizing;

use super::base64url;
use super::jwk::{self, PublicJwk};
use crate::config::{Algorithm, KeyEncoding};

/// RFC 7518 section 3.3.
const RSA_BITS_MIN: usize = 2048;
/// RFC 7518 section 3.2: at least as long as the hash.
const HMAC_BYTES_MIN: usize = 32;
/// How long a line of PEM is (RFC 7468 section 2).
const PEM_LINE: usize = 64;

/// Why a text cannot be signed with.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    #[error("is neither PEM nor a JWK")]
    NotAKey,
    #[error("is PEM without a private key that can be used: RSA, P-256 and Ed25519 can")]
    NotAPrivateKey,
    #[error("is encrypted: decrypt it first, as with `openssl pkcs8`")]
    Encrypted,
    #[error("is an RSA key of {0} bits, and 2048 are the least")]
    RsaTooShort(usize),
    #[error("is a JWK that lacks or misspells what a private key has (RFC 7518 section 6)")]
    BadJwk,
    #[error("is a JWK of a kind that is not used here: RSA, EC P-256 and OKP Ed25519 are")]
    UnknownJwk,
    #[error("is not written as `key_encoding` says")]
    Encoding,
    #[error("has {0} bytes, and HS256 needs 32 at least (RFC 7518 section 3.2)")]
    HmacTooShort(usize),
    #[error("is {0} key, which cannot sign {1}")]
    WrongAlgorithm(&'static str, &'static str),
}

/// A key to sign with.
pub struct PrivateKey(Kind);

enum Kind {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Hmac(Zeroizing<Vec<u8>>),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.algorithm().name())
    }
}

impl PrivateKey {
    /// Reads a key. It is an HMAC secret where the algorithm says so, and PEM or a JWK else.
    pub fn read(
        text: &Secret,
        algorithm: Option<Algorithm>,
        encoding: KeyEncoding,
    ) -> Result<Self, KeyError> {
        if algorithm == Some(Algorithm::Hs256) {
            return Self::hmac(text, encoding);
        }
        let key = Self::asymmetric(text)?;
        if let Some(algorithm) = algorithm {
            key.check(algorithm)?;
        }
        Ok(key)
    }

    /// Reads PEM (PKCS#8, PKCS#1, SEC 1) or a private JWK.
    pub fn asymmetric(text: &Secret) -> Result<Self, KeyError> {
        let text = text.expose().trim();
        if text.starts_with('{') {
            return Self::from_jwk(text);
        }
        if !text.contains("-----BEGIN ") {
            return Err(KeyError::NotAKey);
        }
        if text.contains("ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        let der =
            PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NotAPrivateKey)?;
        let kind = match &der {
            PrivateKeyDer::Pkcs1(der) => {
                RsaKeyPair::from_der(der.secret_pkcs1_der()).map(Kind::Rsa).ok()
            }
            PrivateKeyDer::Sec1(der) => p256(der.secret_sec1_der()),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let rsa = || RsaKeyPair::from_pkcs8(der).map(Kind::Rsa).ok();
                let ed = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Kind::Ed).ok();
                rsa().or_else(|| p256(der)).or_else(ed)
            }
            _ => None,
        };
        Self::checked(kind.ok_or(KeyError::NotAPrivateKey)?)
    }

    fn from_jwk(text: &str) -> Result<Self, KeyError> {
        let read = jwk::private(text)?;
        let kind = match &read {
            jwk::Private::Rsa(components) => {
                RsaKeyPair::from_components(components).map(Kind::Rsa).ok()
            }
            jwk::Private::P256 { private, public } => {
                let alg = &ECDSA_P256_SHA256_FIXED_SIGNING;
                EcdsaKeyPair::from_private_key_and_public_key(alg, private, public)
                    .map(Kind::Ec)
                    .ok()
            }
            jwk::Private::Ed25519 { private, public } => {
                Ed25519KeyPair::from_seed_and_public_key(private, public).map(Kind::Ed).ok()
            }
        };
        Self::checked(kind.ok_or(KeyError::BadJwk)?)
    }

    fn hmac(text: &Secret, encoding: KeyEncoding) -> Result<Self, KeyError> {
        let text = text.expose();
        let bytes = Zeroizing::new(match encoding {
            KeyEncoding::Text => text.as_bytes().to_vec(),
            KeyEncoding::Hex => from_hex(text.trim()).ok_or(KeyError::Encoding)?,
            KeyEncoding::Base64 => STANDARD.decode(text.trim()).map_err(|_| KeyError::Encoding)?,
        });
        match bytes.len() {
            length @ 0..HMAC_BYTES_MIN => Err(KeyError::HmacTooShort(length)),
            _ => Ok(Self(Kind::Hmac(bytes))),
        }
    }

    fn checked(kind: Kind) -> Result<Self, KeyError> {
        match &kind {
            Kind::Rsa(pair) if pair.public_modulus_len() * 8 < RSA_BITS_MIN => {
                Err(KeyError::RsaTooShort(pair.public_modulus_len() * 8))
            }
            _ => Ok(Self(kind)),
        }
    }

    /// Makes a key for an asymmetric algorithm; its text is PEM, PKCS#8. `None` for HS256, whose secret is agreed
    /// upon and not made here.
    pub fn generate(algorithm: Algorithm) -> Option<Secret> {
        // Nobody can do anything about a machine without randomness, on which TLS would not work either.
        const WHY: &str = "the system has randomness and memory";
        Some(match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect(WHY);
                private_pem(pair.to_pkcs8v1().expect(WHY).as_ref())
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().expect(WHY);
                private_pem(pair.to_pkcs8v1().expect(WHY).as_ref())
            }
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect(WHY);
                let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect(WHY);
                private_pem(der.as_ref())
            }
            Algorithm::Hs256 => return None,
        })
    }

    /// What is signed with where nobody says.
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Kind::Rsa(_) => Algorithm::Rs256,
            Kind::Ec(_) => Algorithm::Es256,
            Kind::Ed(_) => Algorithm::EdDsa,
            Kind::Hmac(_) => Algorithm::Hs256,
        }
    }

    /// Whether the key is of the algorithm's kind.
    pub fn check(&self, algorithm: Algorithm) -> Result<(), KeyError> {
        let (name, fits) = match &self.0 {
            Kind::Rsa(_) => ("an RSA", matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256)),
            Kind::Ec(_) => ("a P-256", algorithm == Algorithm::Es256),
            Kind::Ed(_) => ("an Ed25519", algorithm == Algorithm::EdDsa),
            Kind::Hmac(_) => ("an HMAC", algorithm == Algorithm::Hs256),
        };
        match fits {
            true => Ok(()),
            false => Err(KeyError::WrongAlgorithm(name, algorithm.name())),
        }
    }

    /// The signature of a message, as JWS has it: for ES256 two numbers of 32 bytes.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        const WHY: &str = "a key that was read signs";
        self.check(algorithm)?;
        Ok(match &self.0 {
            Kind::Rsa(pair) => {
                let padding = match algorithm {
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut signature).expect(WHY);
                signature
            }
            Kind::Ec(pair) => {
                pair.sign(&SystemRandom::new(), message).expect(WHY).as_ref().to_vec()
            }
            Kind::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Kind::Hmac(secret) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes any key");
                mac.update(message);
                mac.finalize().into_bytes().to_vec()
            }
        })
    }

    /// The public half as a JWK; `None` for HMAC, which has none.
    pub fn public(&self) -> Option<PublicJwk> {
        Some(match &self.0 {
            Kind::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = pair.public_key().into();
                PublicJwk::rsa(&n, &e)
            }
            Kind::Ec(pair) => PublicJwk::p256(pair.public_key().as_ref()),
            Kind::Ed(pair) => PublicJwk::ed25519(pair.public_key().as_ref()),
            Kind::Hmac(_) => return None,
        })
    }

    /// The public half as DER, a SubjectPublicKeyInfo.
    pub fn public_der(&self) -> Option<Vec<u8>> {
        let der: PublicKeyX509Der<'_> = match &self.0 {
            Kind::Rsa(pair) => pair.public_key().as_der(),
            Kind::Ec(pair) => pair.public_key().as_der(),
            Kind::Ed(pair) => pair.public_key().as_der(),
            Kind::Hmac(_) => return None,
        }
        .ok()?;
        Some(der.as_ref().to_vec())
    }

    /// The public half as PEM.
    pub fn public_pem(&self) -> Option<String> {
        Some(pem("PUBLIC KEY", &self.public_der()?).expose().to_owned())
    }

    /// What Snowflake names a key by: `SHA256:` and the base64 of the hash of its SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> Option<String> {
        let digest = Sha256::digest(self.public_der()?);
        Some(format!("SHA256:{}", STANDARD.encode(digest)))
    }
}

fn p256(der: &[u8]) -> Option<Kind> {
    EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Kind::Ec).ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn private_pem(der: &[u8]) -> Secret {
    pem("PRIVATE KEY", der)
}

fn pem(label: &str, der: &[u8]) -> Secret {
    let body = Zeroizing::new(STANDARD.encode(der));
    // Room for all of it at once: a string that grows leaves its old self behind.
    let mut text = String::with_capacity(body.len() + body.len() / PEM_LINE + 2 * label.len() + 64);
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for line in body.as_bytes().chunks(PEM_LINE) {
        text.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    Secret::new(text)
}

/// What a token that is bound to a certificate names it by: `x5t#S256` (RFC 8705 section 3.1).
pub fn certificate_thumbprint(pem: &str) -> Option<String> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    Some(base64url(&Sha256::digest(&der)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASYMMETRIC: [Algorithm; 4] =
        [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

    fn text(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_key_that_was_made_signs_its_own_algorithm_and_no_other() {
        for made_for in ASYMMETRIC {
            let key = PrivateKey::asymmetric(&PrivateKey::generate(made_for).unwrap()).unwrap();
            for algorithm in ASYMMETRIC.into_iter().chain([Algorithm::Hs256]) {
                let is_rsa = |one| matches!(one, Algorithm::Rs256 | Algorithm::Ps256);
                let fits = algorithm == made_for || (is_rsa(algorithm) && is_rsa(made_for));
                assert_eq!(key.sign(algorithm, b"x").is_ok(), fits, "{made_for:?} {algorithm:?}");
            }
        }
        assert!(PrivateKey::generate(Algorithm::Hs256).is_none());
        let key = PrivateKey::asymmetric(&PrivateKey::generate(Algorithm::Rs256).unwrap()).unwrap();
        let refused = key.check(Algorithm::Es256).unwrap_err();
        assert_eq!(refused.to_string(), "is an RSA key, which cannot sign ES256");
    }

    #[test]
    fn an_hmac_secret_is_read_as_it_is_written_and_long_enough() {
        let raw = "0123456789abcdef0123456789abcdef";
        let hex: String = raw.bytes().map(|byte| format!("{byte:02x}")).collect();
        let base64 = STANDARD.encode(raw);
        let read = |secret: &str, encoding| {
            PrivateKey::read(&text(secret), Some(Algorithm::Hs256), encoding)
                .map(|key| key.sign(Algorithm::Hs256, b"x").unwrap())
        };
        let signed = read(raw, KeyEncoding::Text).unwrap();
        assert_eq!(read(&hex, KeyEncoding::Hex), Ok(signed.clone()));
        assert_eq!(read(&base64, KeyEncoding::Base64), Ok(signed));
        for (secret, encoding, refused) in [
            (&raw[1..], KeyEncoding::Text, KeyError::HmacTooShort(31)),
            ("", KeyEncoding::Text, KeyError::HmacTooShort(0)),
            ("0g", KeyEncoding::Hex, KeyError::Encoding),
            ("0", KeyEncoding::Hex, KeyError::Encoding),
            ("ää", KeyEncoding::Hex, KeyError::Encoding),
            ("?", KeyEncoding::Base64, KeyError::Encoding),
        ] {
            assert_eq!(read(secret, encoding), Err(refused), "{secret}");
        }
    }

    #[test]
    fn what_is_no_key_says_what_it_is() {
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let public = PrivateKey::asymmetric(&PrivateKey::generate(Algorithm::Es256).unwrap());
        let public = public.unwrap().public_pem().unwrap();
        for (secret, refused) in [
            ("", KeyError::NotAKey),
            ("hunter2", KeyError::NotAKey),
            (encrypted, KeyError::Encrypted),
            (public.as_str(), KeyError::NotAPrivateKey),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
                KeyError::NotAPrivateKey,
            ),
            ("-----BEGIN PRIVATE KEY-----", KeyError::NotAPrivateKey),
            ("{}", KeyError::BadJwk),
            ("{\"kty\":\"EC\"", KeyError::BadJwk),
            ("{\"kty\":\"oct\",\"k\":\"AAAA\"}", KeyError::UnknownJwk),
            ("{\"kty\":\"EC\",\"crv\":\"P-384\"}", KeyError::UnknownJwk),
        ] {
            assert_eq!(PrivateKey::asymmetric(&text(secret)).err(), Some(refused), "{secret}");
        }
    }

    #[test]
    fn a_key_never_prints() {
        let made = PrivateKey::generate(Algorithm::EdDsa).unwrap();
        let key = PrivateKey::asymmetric(&made).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(EdDSA)");
    }

    #[test]
    fn the_fingerprint_is_of_the_public_half() {
        let made = PrivateKey::generate(Algorithm::Rs256).unwrap();
        let key = PrivateKey::asymmetric(&made).unwrap();
        let der = key.public_der().unwrap();
        assert_eq!(
            key.fingerprint().unwrap(),
            format!("SHA256:{}", STANDARD.encode(Sha256::digest(&der)))
        );
        assert!(key.public_pem().unwrap().starts_with("-----BEGIN PUBLIC KEY-----\n"));
    }
}
