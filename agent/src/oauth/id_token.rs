//! The checks on an id_token (OpenID Connect Core sections 3.1.3.7 and 12.2).
//!
//! It says who logged in, and is believed only after every rule here. Nothing is fetched: the keys come in, and a
//! refusal says whether newer keys could change it. What the token says is used for two things alone, that a login
//! is the one that was begun and that a renewal is of the same person; it never leaves the agent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha512};
use thiserror::Error;
use tokctl_proto::escape::shown;
use tokctl_proto::{Secret, WallMs};

use crate::config::Algorithm;
use crate::oauth::jose::Jwks;
use crate::oauth::jose::jws::{Malformed, Parsed};
use crate::oauth::state::Unguessable;

/// What clocks may differ by, both ways.
const LEEWAY_S: i64 = 60;
/// What is taken where the profile names no algorithm. HS256 is not among them: its key is the client's secret,
/// which many a client has told many a program.
const ALGORITHMS: &[Algorithm] =
    &[Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

/// What an id_token is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Exactly as the metadata spells it.
    pub issuer: &'a str,
    pub client_id: &'a str,
    /// As the profile has it; `None`: any of the usual ones.
    pub algorithm: Option<Algorithm>,
    /// The client's secret, for HS256.
    pub client_secret: Option<&'a Secret>,
    /// How far the provider's clock is ahead of ours, in seconds.
    pub clock_ahead_s: i64,
    /// What the token belongs to.
    pub to: To<'a>,
    /// The access token beside it, whose hash may be in it.
    pub access_token: Option<&'a Secret>,
}

/// What the token belongs to.
#[derive(Clone, Copy, Debug)]
pub enum To<'a> {
    /// A login, which drew this nonce.
    Login(&'a Unguessable),
    /// A login that an earlier run began and did not come to read: its nonce is gone with it.
    Recovered,
}

/// Who an id_token is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub iss: String,
    pub sub: String,
}

/// Which rule is broken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refused {
    #[error("the id_token {0}")]
    Malformed(#[from] Malformed),
    #[error("the id_token is signed with `{}`, which is not what was agreed on", shown(.0))]
    Algorithm(String),
    #[error("no key of the provider's has signed the id_token")]
    Signature {
        /// None of the keys at hand is the one that it names: newer ones may have it.
        newer_keys_may_help: bool,
    },
    #[error("the id_token lacks `{0}`")]
    Missing(&'static str),
    #[error("the id_token is of another issuer, `{}`", shown(.0))]
    Issuer(String),
    #[error("the id_token is for another client")]
    Audience,
    #[error("the id_token was issued to another client (`azp`)")]
    AuthorizedParty,
    #[error("the id_token had expired when it came")]
    Expired,
    #[error("the id_token is from the future: compare `date` with a clock")]
    NotYet,
    #[error("the id_token does not belong to this login (`nonce`)")]
    Nonce,
    #[error("the id_token does not belong to this access token (`at_hash`)")]
    AccessToken,
    #[error("the provider answered for another person")]
    OtherPerson,
}

impl Refused {
    /// Whether the provider's keys should be fetched anew, once.
    pub fn newer_keys_may_help(&self) -> bool {
        matches!(self, Self::Signature { newer_keys_may_help: true })
    }
}

/// The algorithm that a token must be signed with, before its keys are looked for.
pub fn algorithm(token: &Secret, expected: &Expected<'_>) -> Result<Algorithm, Refused> {
    allowed(&Parsed::read(token.expose())?, expected)
}

fn allowed(parsed: &Parsed<'_>, expected: &Expected<'_>) -> Result<Algorithm, Refused> {
    let named = Algorithm::named(&parsed.alg);
    let fits = |algorithm: &Algorithm| match expected.algorithm {
        Some(agreed) => *algorithm == agreed,
        None => ALGORITHMS.contains(algorithm),
    };
    named.filter(fits).ok_or_else(|| Refused::Algorithm(parsed.alg.clone()))
}

/// Checks a token against the provider's keys, and says whom it is about.
pub fn check(
    now: WallMs,
    token: &Secret,
    keys: &Jwks,
    expected: &Expected<'_>,
) -> Result<Person, Refused> {
    let parsed = Parsed::read(token.expose())?;
    let algorithm = allowed(&parsed, expected)?;
    signature(&parsed, algorithm, keys, expected)?;
    claims(now, algorithm, &parsed.claims, expected)
}

/// Checks a token whose signature cannot be: it came over TLS from the token endpoint, which may stand for it
/// (section 3.1.3.7 point 6).
pub fn check_unsigned(
    now: WallMs,
    token: &Secret,
    expected: &Expected<'_>,
) -> Result<Person, Refused> {
    let parsed = Parsed::read(token.expose())?;
    let algorithm = allowed(&parsed, expected)?;
    claims(now, algorithm, &parsed.claims, expected)
}

/// Checks that the token of a renewal is of the same person (section 12.2). It came over TLS from the token endpoint,
/// and nothing else is decided on it, so nothing else of it is looked at: some providers repeat the token of the
/// login, which has long expired.
pub fn check_renewed(token: &Secret, before: &Person, client_id: &str) -> Result<(), Refused> {
    let parsed = Parsed::read(token.expose())?;
    let text = |name: &'static str| {
        parsed.claims.get(name).and_then(Value::as_str).ok_or(Refused::Missing(name))
    };
    let (iss, sub) = (text("iss")?, text("sub")?);
    audience(&parsed.claims, client_id)?;
    match () {
        () if iss != before.iss => Err(Refused::Issuer(iss.to_owned())),
        () if sub != before.sub => Err(Refused::OtherPerson),
        () => Ok(()),
    }
}

fn signature(
    parsed: &Parsed<'_>,
    algorithm: Algorithm,
    keys: &Jwks,
    expected: &Expected<'_>,
) -> Result<(), Refused> {
    if algorithm == Algorithm::Hs256 {
        return match expected.client_secret.is_some_and(|secret| parsed.is_signed_with(secret)) {
            true => Ok(()),
            false => Err(Refused::Signature { newer_keys_may_help: false }),
        };
    }
    let candidates = keys.candidates(algorithm, parsed.kid.as_deref());
    match candidates.iter().any(|key| parsed.is_signed_by(algorithm, key)) {
        true => Ok(()),
        // A key may have been replaced under its name, or without one.
        false => Err(Refused::Signature {
            newer_keys_may_help: candidates.is_empty() || parsed.kid.is_none(),
        }),
    }
}

fn claims(
    now: WallMs,
    algorithm: Algorithm,
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
) -> Result<Person, Refused> {
    let text = |name: &'static str| {
        let text = claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or(Refused::Missing(name))
    };
    let iss = text("iss")?;
    if iss != expected.issuer {
        return Err(Refused::Issuer(iss.to_owned()));
    }
    let sub = text("sub")?;
    audience(claims, expected.client_id)?;
    times(now, claims, expected.clock_ahead_s)?;
    let person = Person { iss: iss.to_owned(), sub: sub.to_owned() };
    match expected.to {
        To::Login(nonce) if !nonce.is(text("nonce")?) => return Err(Refused::Nonce),
        To::Login(_) | To::Recovered => {}
    }
    if let (Some(hash), Some(token)) = (claims.get("at_hash"), expected.access_token)
        && !half_hashes(algorithm, token).iter().any(|half| hash.as_str() == Some(half))
    {
        return Err(Refused::AccessToken);
    }
    Ok(person)
}

/// `aud` holds the client, and where it holds others too, `azp` says that it was issued to this one.
fn audience(claims: &Map<String, Value>, client_id: &str) -> Result<(), Refused> {
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Err(Refused::Missing("aud")),
    };
    if !audiences.contains(&client_id) {
        return Err(Refused::Audience);
    }
    match claims.get("azp") {
        Some(azp) if azp.as_str() != Some(client_id) => Err(Refused::AuthorizedParty),
        None if audiences.len() > 1 => Err(Refused::AuthorizedParty),
        _ => Ok(()),
    }
}

fn times(now: WallMs, claims: &Map<String, Value>, clock_ahead_s: i64) -> Result<(), Refused> {
    let time = |name: &'static str| claims.get(name).and_then(Value::as_f64);
    // By the clock that wrote them.
    let now_s = (now.unix_s() + clock_ahead_s) as f64;
    let leeway_s = LEEWAY_S as f64;
    let expires_at = time("exp").ok_or(Refused::Missing("exp"))?;
    let issued_at = time("iat").ok_or(Refused::Missing("iat"))?;
    if expires_at + leeway_s <= now_s {
        return Err(Refused::Expired);
    }
    let earliest = time("nbf").map_or(issued_at, |not_before| not_before.max(issued_at));
    match earliest > now_s + leeway_s {
        true => Err(Refused::NotYet),
        false => Ok(()),
    }
}

/// The left half of the access token's hash (section 3.1.3.6), with the hash of the algorithm. For EdDSA no
/// standard names one: Ed25519 itself hashes with SHA-512, and some providers take SHA-256.
fn half_hashes(algorithm: Algorithm, token: &Secret) -> Vec<String> {
    let mut halves = vec![URL_SAFE_NO_PAD.encode(&Sha256::digest(token.expose())[..16])];
    if algorithm == Algorithm::EdDsa {
        halves.push(URL_SAFE_NO_PAD.encode(&Sha512::digest(token.expose())[..32]));
    }
    halves
}

#[cfg(test)]
mod tests;
