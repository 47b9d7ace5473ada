//! Keys that tests sign with: as PEM, as JWK, and with headers and claims that need not be right.

use std::sync::OnceLock;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, EncodingKey, Validation, crypto, decode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

pub use jsonwebtoken::Algorithm;

/// An asymmetric key for one algorithm.
#[derive(Clone, Debug)]
pub struct Key {
    algorithm: Algorithm,
    /// PKCS#8, or PKCS#1 where it is for RSA.
    pem: String,
    public_jwk: Value,
}

impl Key {
    /// A new key for RS256, PS256, ES256 or EdDSA.
    #[track_caller]
    pub fn generate(algorithm: Algorithm) -> Self {
        Self::generated(algorithm).unwrap_or_else(|error| panic!("no {algorithm:?} key: {error:#}"))
    }

    fn generated(algorithm: Algorithm) -> Result<Self> {
        let pair = match algorithm {
            Algorithm::RS256 | Algorithm::PS256 => {
                KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?
            }
            Algorithm::ES256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
            _ => KeyPair::generate_for(&PKCS_ED25519)?,
        };
        let pem = pair.serialize_pem();
        let mut public_jwk = match algorithm {
            Algorithm::EdDSA => {
                let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key_raw());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA" })
            }
            _ => serde_json::to_value(Jwk::from_encoding_key(
                &encoding(algorithm, &pem)?,
                algorithm,
            )?)?,
        };
        let kid =
            public_jwk["n"].as_str().or(public_jwk["x"].as_str()).context("no public part")?;
        public_jwk["kid"] = kid.chars().take(16).collect::<String>().into();
        public_jwk["use"] = "sig".into();
        Ok(Self { algorithm, pem, public_jwk })
    }

    /// An RSA key that a whole test program shares, since each takes a moment to find.
    #[track_caller]
    pub fn rsa() -> Self {
        static KEY: OnceLock<Key> = OnceLock::new();
        KEY.get_or_init(|| Self::generate(Algorithm::RS256)).clone()
    }

    /// Another one.
    #[track_caller]
    pub fn other_rsa() -> Self {
        static KEY: OnceLock<Key> = OnceLock::new();
        KEY.get_or_init(|| Self::generate(Algorithm::RS256)).clone()
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The private key, as `--private-key-file` takes it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The public key with `kid`, `alg` and `use`.
    pub fn public_jwk(&self) -> &Value {
        &self.public_jwk
    }

    pub fn kid(&self) -> &str {
        self.public_jwk["kid"].as_str().unwrap_or_default()
    }

    /// A header that names the algorithm and this key.
    pub fn header(&self) -> Value {
        json!({ "alg": format!("{:?}", self.algorithm), "kid": self.kid(), "typ": "JWT" })
    }

    /// A JWT with exactly this header, whatever it says.
    #[track_caller]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let sign = || {
            let key = encoding(self.algorithm, &self.pem)?;
            let message = unsigned(header, claims);
            let signature = crypto::sign(message.as_bytes(), &key, self.algorithm)?;
            Ok(format!("{message}.{signature}"))
        };
        sign().unwrap_or_else(|error: anyhow::Error| panic!("cannot sign: {error:#}"))
    }

    /// The claims of a JWT that this key has signed; whether they are right is not looked at.
    pub fn verify(&self, token: &str) -> Result<Value> {
        let jwk: Jwk = serde_json::from_value(self.public_jwk.clone())?;
        let mut validation = Validation::new(self.algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(decode(token, &DecodingKey::from_jwk(&jwk)?, &validation)?.claims)
    }
}

/// A JWT under a shared secret.
#[track_caller]
pub fn hs256(secret: &[u8], header: &Value, claims: &Value) -> String {
    let message = unsigned(header, claims);
    let key = EncodingKey::from_secret(secret);
    match crypto::sign(message.as_bytes(), &key, Algorithm::HS256) {
        Ok(signature) => format!("{message}.{signature}"),
        Err(error) => panic!("cannot sign: {error}"),
    }
}

/// Header and claims of a JWT, without the second dot and a signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string())).join(".")
}

/// Header and claims of a JWT, whoever signed it.
pub fn parts(token: &str) -> Result<(Value, Value)> {
    let mut parts = token.split('.');
    let mut part = || -> Result<Value> {
        let text = parts.next().context("no JWT")?;
        Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text)?)?)
    };
    Ok((part()?, part()?))
}

fn encoding(algorithm: Algorithm, pem: &str) -> Result<EncodingKey> {
    let bytes = pem.as_bytes();
    Ok(match algorithm {
        Algorithm::RS256 | Algorithm::PS256 => EncodingKey::from_rsa_pem(bytes)?,
        Algorithm::ES256 => EncodingKey::from_ec_pem(bytes)?,
        _ => EncodingKey::from_ed_pem(bytes)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_what_its_public_half_verifies() {
        let other = Key::generate(Algorithm::ES256);
        for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
            let key = Key::generate(algorithm);
            let claims = json!({ "sub": "ada", "aud": ["x"] });
            let token = key.sign(&key.header(), &claims);
            assert_eq!(key.verify(&token).unwrap(), claims, "{algorithm:?}");
            assert!(other.verify(&token).is_err(), "{algorithm:?}");
            assert_eq!(parts(&token).unwrap(), (key.header(), claims));
        }
    }
}
