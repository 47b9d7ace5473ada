//! Proofs of possession (RFC 9449): whoever shows a token that is bound to a key shows that it has the key.
//!
//! A proof is for one method and one URL, now. It is never made ahead (section 11.2): nobody who takes one can use
//! it for long.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokctl_proto::{Secret, WallMs};
use url::Url;

use super::{KeyError, PrivateKey, base64url, jws};

/// The name of the key in an entry.
pub const DPOP_KEY: &str = "dpop_key";

/// What a proof is for.
#[derive(Clone, Debug)]
pub struct Proof<'a> {
    pub method: &'a str,
    pub url: &'a Url,
    /// The token that is shown with it; `None` at the token endpoint.
    pub token: Option<&'a Secret>,
    /// The newest `DPoP-Nonce` of that server (section 8).
    pub nonce: Option<&'a str>,
    /// Makes it the only one of its kind.
    pub unique: [u8; 16],
}

impl Proof<'_> {
    /// Signs the proof (section 4.2).
    pub fn sign(&self, now: WallMs, key: &PrivateKey) -> Result<Secret, KeyError> {
        let algorithm = key.algorithm();
        let jwk = key.public().map(|public| public.bare());
        let header = Map::from_iter([
            ("typ".to_owned(), json!("dpop+jwt")),
            ("jwk".to_owned(), jwk.unwrap_or_default()),
        ]);
        let mut claims = Map::from_iter([
            ("jti".to_owned(), json!(base64url(&self.unique))),
            ("htm".to_owned(), json!(self.method)),
            ("htu".to_owned(), json!(target(self.url))),
            ("iat".to_owned(), json!(now.unix_s())),
        ]);
        let hash = |token: &Secret| base64url(&Sha256::digest(token.expose()));
        let optional = [("ath", self.token.map(hash)), ("nonce", self.nonce.map(str::to_owned))];
        for (name, value) in optional {
            claims.extend(value.map(|value| (name.to_owned(), Value::String(value))));
        }
        jws::sign(key, algorithm, header, &claims)
    }
}

/// The URL without query and fragment, as `htu` has it.
fn target(url: &Url) -> String {
    let mut target = url.clone();
    target.set_query(None);
    target.set_fragment(None);
    target.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Algorithm;
    use crate::oauth::jose::Jwks;

    #[test]
    fn a_proof_is_for_one_request_and_one_token() {
        let key = PrivateKey::generate(Algorithm::Es256).unwrap();
        let key = PrivateKey::asymmetric(&key).unwrap();
        let url = Url::parse("https://api.example/v1?secret=1#x").unwrap();
        // RFC 9449 section 7.1 has this token and its hash.
        let token = Secret::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".to_owned());
        let now = WallMs(1_800_000_000_000);
        let proof = Proof {
            method: "GET",
            url: &url,
            token: Some(&token),
            nonce: Some("n-1"),
            unique: [1; 16],
        };
        let signed = proof.sign(now, &key).unwrap();
        let parsed = jws::Parsed::read(signed.expose()).unwrap();
        assert_eq!((parsed.typ.as_deref(), parsed.alg.as_str()), (Some("dpop+jwt"), "ES256"));
        for (name, value) in [
            ("htm", json!("GET")),
            ("htu", json!("https://api.example/v1")),
            ("iat", json!(1_800_000_000)),
            ("ath", json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo")),
            ("nonce", json!("n-1")),
            ("jti", json!(base64url(&[1; 16]))),
        ] {
            assert_eq!(parsed.claims[name], value, "{name}");
        }
        let jwks = json!({ "keys": [key.public().unwrap().bare()] }).to_string();
        let jwks = Jwks::parse(jwks.as_bytes()).unwrap();
        let public = jwks.candidates(Algorithm::Es256, None)[0];
        assert!(parsed.is_signed_by(Algorithm::Es256, public));

        let bare = Proof { token: None, nonce: None, ..proof }.sign(now, &key).unwrap();
        let claims = jws::Parsed::read(bare.expose()).unwrap().claims;
        assert!(!claims.contains_key("ath") && !claims.contains_key("nonce"));
    }

    #[test]
    fn the_header_shows_the_public_half_alone() {
        let key = PrivateKey::generate(Algorithm::Rs256).unwrap();
        let key = PrivateKey::asymmetric(&key).unwrap();
        let url = Url::parse("https://api.example/").unwrap();
        let proof = Proof { method: "GET", url: &url, token: None, nonce: None, unique: [0; 16] };
        let signed = proof.sign(WallMs(0), &key).unwrap();
        let header = signed.expose().split('.').next().unwrap();
        let header: Value =
            serde_json::from_slice(&crate::oauth::jose::from_base64url(header).unwrap()).unwrap();
        let names: Vec<_> = header["jwk"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["e", "kty", "n"]);
    }
}
