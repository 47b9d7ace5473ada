//! Whether a client has proved itself, and its key (RFC 9449).

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokctl_tests::keys::{self, Key};
use tokctl_tests::provider::Received;

use super::{CLIENT_ID, CLIENT_SECRET, Request, Shared, State};

/// What proofs must hold where nonces are asked for.
pub(super) const NONCE: &str = "a-nonce-of-this-server";
/// FAPI 2.0 Security Profile section 5.3.2.1: an assertion is for the moment.
const ASSERTION_LASTS_AT_MOST_S: i64 = 300;
const CLOCKS_DIFFER_BY_S: i64 = 60;

/// How the client proves itself, and how alone.
pub(crate) enum Client {
    Basic,
    /// With this key.
    PrivateKey(Key),
    Certificate,
}

impl Client {
    /// As metadata call it.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::PrivateKey(_) => "private_key_jwt",
            Self::Certificate => "tls_client_auth",
        }
    }
}

/// Says why the client is not who it should be.
pub(super) fn client(shared: &Shared, state: &mut State, request: &Request) -> Result<(), String> {
    let received = &request.received;
    let in_body = received.param("client_secret").is_some();
    match &shared.script.client {
        Client::Basic => {
            let expected = Some((CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned()));
            check(received.basic == expected && !in_body, "basic, and nothing else")
        }
        Client::Certificate => {
            let is_named = received.param("client_id") == Some(CLIENT_ID);
            let has_more = in_body || received.basic.is_some();
            check(request.certificate && is_named && !has_more, "its certificate, and nothing else")
        }
        Client::PrivateKey(key) => assertion(shared, state, received, key),
    }
}

/// RFC 7523 section 3, as FAPI 2.0 narrows it: for the issuer alone.
fn assertion(
    shared: &Shared,
    state: &mut State,
    received: &Received,
    key: &Key,
) -> Result<(), String> {
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    check(received.param("client_assertion_type") == Some(kind), "the type of the assertion")?;
    let assertion = received.param("client_assertion").unwrap_or_default();
    let claims = key.verify(assertion).map_err(|error| format!("the signature: {error:#}"))?;
    for (name, expected) in [("iss", CLIENT_ID), ("sub", CLIENT_ID), ("aud", &shared.issuer)] {
        check(claims[name] == expected, &format!("`{name}`: {claims}"))?;
    }
    let (now, time) = (now_s(), |name: &str| claims[name].as_i64().unwrap_or_default());
    let lasts = now..=now + ASSERTION_LASTS_AT_MOST_S;
    check(lasts.contains(&time("exp")), &format!("`exp`: {claims}"))?;
    check(time("iat") <= now, &format!("`iat`: {claims}"))?;
    once(state, &claims)
}

/// Checks the proof of a request (RFC 9449 section 4.3), and gives the thumbprint of its key.
pub(super) fn possession(
    state: &mut State,
    received: &Received,
    (method, url): (&str, &str),
    token: Option<&str>,
) -> Result<String, String> {
    let mut proofs = received.headers.iter().filter(|(name, _)| name == "dpop");
    let (Some((_, proof)), None) = (proofs.next(), proofs.next()) else {
        return Err("there is to be one proof".to_owned());
    };
    let (header, _) = keys::parts(proof).map_err(|error| format!("{error:#}"))?;
    check(header["typ"] == "dpop+jwt" && header["alg"] == "ES256", "the header")?;
    check(header["jwk"].get("d").is_none(), "a private key")?;
    let jwk: Jwk =
        serde_json::from_value(header["jwk"].clone()).map_err(|error| error.to_string())?;
    let claims = verified(proof, &jwk)?;
    check(claims["htm"] == method && claims["htu"] == url, &format!("what for: {claims}"))?;
    let age_s = now_s() - claims["iat"].as_i64().unwrap_or_default();
    check(age_s.abs() <= CLOCKS_DIFFER_BY_S, &format!("`iat`: {claims}"))?;
    let hash = token.map(|token| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token)));
    check(claims["ath"].as_str() == hash.as_deref(), &format!("`ath`: {claims}"))?;
    once(state, &claims)?;
    jwk.thumbprint(ThumbprintHash::SHA256).map_err(|error| error.to_string())
}

/// Whether the proof holds what the server has asked for.
pub(super) fn holds_nonce(received: &Received) -> bool {
    let mut proofs = received.headers.iter().filter(|(name, _)| name == "dpop");
    let claims = proofs.next().and_then(|(_, proof)| keys::parts(proof).ok());
    claims.is_some_and(|(_, claims)| claims["nonce"] == NONCE)
}

fn verified(proof: &str, jwk: &Jwk) -> Result<Value, String> {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
    let decoded = decode(proof, &key, &validation).map_err(|error| error.to_string())?;
    Ok(decoded.claims)
}

fn once(state: &mut State, claims: &Value) -> Result<(), String> {
    let unique = claims["jti"].as_str().unwrap_or_default();
    check(!unique.is_empty() && state.seen.insert(unique.to_owned()), "`jti`, used twice")
}

fn check(holds: bool, what: &str) -> Result<(), String> {
    match holds {
        true => Ok(()),
        false => Err(format!("expected otherwise: {what}")),
    }
}

pub(super) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or_default()
}
