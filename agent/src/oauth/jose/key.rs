//! A private key of a profile: read from PEM, a JWK or an HMAC secret, made, and signed with.
//!
//! Keys are RSA of at least 2048 bits, P-256, Ed25519 and HMAC. An encrypted PEM is refused: the vault encrypts.
//! What is read on the way is wiped, and once read a key lies in the library's memory, which is wiped when it is freed.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine as _};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokctl_proto::Secret;
use zeroize::Zeroizing;

use super::base64url;
use super::jwk::{self, PublicJwk};
use super::{der, pem};
use crate::config::{Algorithm, KeyEncoding};

/// RFC 7518 section 3.3.
const RSA_BITS_MIN: usize = 2048;
/// RFC 7518 section 3.2: at least as long as the hash.
pub const HMAC_BYTES_MIN: usize = 32;
/// Providers write the keys that they share with and without padding.
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Why a text cannot be signed with.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    #[error("is neither PEM nor a JWK")]
    NotAKey,
    #[error("is PEM without a private key that can be used: RSA, P-256 and Ed25519 can")]
    NotAPrivateKey,
    #[error("is encrypted: decrypt it first, as with `openssl pkey`, and let the vault encrypt it")]
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
pub struct PrivateKey {
    kind: Kind,
    /// As a JWK names itself.
    kid: Option<String>,
}

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
        let mut blocks = pem::blocks(text);
        let block = blocks.find(|block| block.label.ends_with("PRIVATE KEY"));
        let block = block.ok_or(KeyError::NotAPrivateKey)?;
        if block.is_encrypted() {
            return Err(KeyError::Encrypted);
        }
        let der = block.der().ok_or(KeyError::NotAPrivateKey)?;
        if let Some(bits @ 0..RSA_BITS_MIN) = der::rsa_bits(&der) {
            return Err(KeyError::RsaTooShort(bits));
        }
        let kind = match block.label {
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).map(Kind::Rsa).ok(),
            "EC PRIVATE KEY" => p256(&der),
            "PRIVATE KEY" => {
                let rsa = || RsaKeyPair::from_pkcs8(&der).map(Kind::Rsa).ok();
                let ed = || Ed25519KeyPair::from_pkcs8(&der).map(Kind::Ed).ok();
                rsa().or_else(|| p256(&der)).or_else(ed)
            }
            _ => None,
        };
        let kind = kind.ok_or(KeyError::NotAPrivateKey)?;
        Ok(Self { kind, kid: None })
    }

    fn from_jwk(text: &str) -> Result<Self, KeyError> {
        let (read, kid) = jwk::private(text)?;
        let kind = match &read {
            jwk::Private::Rsa(components) => {
                let bits = components.public_key.n.len() * 8;
                if bits < RSA_BITS_MIN {
                    return Err(KeyError::RsaTooShort(bits));
                }
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
        let kind = kind.ok_or(KeyError::BadJwk)?;
        Ok(Self { kind, kid })
    }

    fn hmac(text: &Secret, encoding: KeyEncoding) -> Result<Self, KeyError> {
        let text = text.expose();
        let bytes = match encoding {
            KeyEncoding::Text => Some(Zeroizing::new(text.as_bytes().to_vec())),
            KeyEncoding::Hex => from_hex(text.trim()),
            KeyEncoding::Base64 => from_base64(text.trim()),
        }
        .ok_or(KeyError::Encoding)?;
        match bytes.len() {
            length @ 0..HMAC_BYTES_MIN => Err(KeyError::HmacTooShort(length)),
            _ => Ok(Self { kind: Kind::Hmac(bytes), kid: None }),
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

    /// What the key is called where the profile does not say: a JWK may name itself.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What is signed with where nobody says.
    pub fn algorithm(&self) -> Algorithm {
        match &self.kind {
            Kind::Rsa(_) => Algorithm::Rs256,
            Kind::Ec(_) => Algorithm::Es256,
            Kind::Ed(_) => Algorithm::EdDsa,
            Kind::Hmac(_) => Algorithm::Hs256,
        }
    }

    /// Whether the key is of the algorithm's kind.
    pub fn check(&self, algorithm: Algorithm) -> Result<(), KeyError> {
        let (name, fits) = match &self.kind {
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
        Ok(match &self.kind {
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
        Some(match &self.kind {
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
        let der: PublicKeyX509Der<'_> = match &self.kind {
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
        Some(pem::write("PUBLIC KEY", &self.public_der()?).expose().to_owned())
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

fn from_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    // Room for all of it at once: a buffer that grows leaves its old self behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for at in (0..text.len()).step_by(2) {
        bytes.push(u8::from_str_radix(&text[at..at + 2], 16).ok()?);
    }
    Some(bytes)
}

/// Either alphabet, with or without padding.
fn from_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let alphabet = match text.contains(['-', '_']) {
        true => &alphabet::URL_SAFE,
        false => &alphabet::STANDARD,
    };
    GeneralPurpose::new(alphabet, ANY_PADDING).decode(text).ok().map(Zeroizing::new)
}

fn private_pem(der: &[u8]) -> Secret {
    pem::write("PRIVATE KEY", der)
}

/// What a token that is bound to a certificate names it by: `x5t#S256` (RFC 8705 section 3.1).
pub fn certificate_thumbprint(text: &str) -> Option<String> {
    let block = pem::blocks(text).find(|block| block.label == "CERTIFICATE")?;
    Some(base64url(&Sha256::digest(&*block.der()?)))
}

#[cfg(test)]
mod tests;
