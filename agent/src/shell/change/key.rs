//! A private key that is made for a profile as it is added, and what a key says of the settings beside it.
//!
//! Nobody ever sees the key: its public half is told once, and by that the provider knows the client. So none is made
//! where another would be lost by it, and the settings name the key as it is told.

use tokctl_proto::{Failure, Kind, ProfileName, Secret};

use super::add::checked;
use super::{Assignment, NewProfile, NewSecret, secrets};
use crate::config::{Algorithm, Client, ClientAuth, Grant, Jwt, Profile};
use crate::oauth::client_auth::{CLIENT_SECRET, PRIVATE_KEY};
use crate::oauth::jose::PrivateKey;
use crate::oauth::jose::jwk::PublicJwk;
use crate::shell::worker::{Refused, Worker, bug};

/// What a provider is told of a key.
#[derive(Clone, Debug)]
pub struct PublicHalf {
    /// One JSON object.
    pub jwk: String,
    /// SubjectPublicKeyInfo.
    pub pem: String,
}

/// The profile with the settings that a key beside them calls for: that it proves the client, and how it signs.
pub(super) fn completed(worker: &Worker, mut new: NewProfile) -> Result<NewProfile, Refused> {
    if new.generate_key.is_none() && !has_typed_key(&new) {
        return Ok(new);
    }
    let (profile, _) = checked(worker, &new)?;
    if let Some(algorithm) = new.generate_key {
        fits(&new, &profile.grant, algorithm).map_err(|failure| failure.of(&new.name))?;
        if jwt(&profile.grant).and_then(|jwt| jwt.alg) != Some(algorithm) {
            put(&mut new.settings, "alg", algorithm.name());
        }
    }
    if proves_itself(&profile.grant).is_some_and(|client| client.client_auth.is_none()) {
        put(&mut new.settings, "client_auth", "private_key_jwt");
    }
    Ok(new)
}

/// Whether somebody typed a key that could prove a client: no parameter is made of it, and there is no secret.
fn has_typed_key(new: &NewProfile) -> bool {
    let has = |name: &str| new.secrets.iter().any(|secret| secret.name == name);
    let is_filled_in =
        new.settings.iter().flat_map(|it| &it.values).any(|value| value.contains("{secret:key}"));
    has("key") && !has(CLIENT_SECRET) && !is_filled_in
}

/// The client that a private key would prove. With `jwt_bearer` it signs what the client presents.
fn proves_itself(grant: &Grant) -> Option<&Client> {
    match grant {
        Grant::JwtBearer(_) => None,
        grant => grant.client(),
    }
}

/// What is signed with a profile's private key.
fn jwt(grant: &Grant) -> Option<&Jwt> {
    match grant {
        Grant::SelfSignedJwt(jwt) => Some(jwt),
        grant => grant.client().map(|client| &client.jwt),
    }
}

/// Whether a key for this algorithm would be signed with.
fn fits(new: &NewProfile, grant: &Grant, algorithm: Algorithm) -> Result<(), Failure> {
    let usage = |message: String, hint: &str| Err(Failure::new(Kind::Usage, message).hint(hint));
    match (grant, proves_itself(grant).map(|client| client.client_auth)) {
        (Grant::JwtBearer(_) | Grant::SelfSignedJwt(_), _)
        | (_, Some(None | Some(ClientAuth::PrivateKeyJwt))) => {}
        (_, Some(Some(_))) => {
            return usage(
                "the client would prove itself otherwise, and never use the key".to_owned(),
                "use `--client-auth private_key_jwt`, or leave out `--generate-key`",
            );
        }
        (Grant::GithubApp(_), None) => {
            return usage(
                "GitHub takes no key of others for its apps: it makes them itself".to_owned(),
                "make one in the settings of the app, and give it with `--key-file FILE`",
            );
        }
        (grant, None) => {
            let message = format!("nothing is signed with `grant = \"{}\"`", grant.name());
            return usage(message, "leave out `--generate-key`");
        }
    }
    let typed = new.settings.iter().filter(|it| it.key == "alg").flat_map(|it| &it.values);
    if let Some(other) = typed.map(|value| &**value).find(|value| *value != algorithm.name()) {
        let message = format!("`alg` is {other}, and the key would be for {}", algorithm.name());
        return usage(message, "leave out one of the two");
    }
    let is_key = |secret: &NewSecret| secrets::stored_name(grant, &secret.name) == PRIVATE_KEY;
    match new.secrets.iter().any(is_key) {
        true => usage(
            "there is a private key already, and another would be made".to_owned(),
            "leave out one of the two",
        ),
        false => Ok(()),
    }
}

/// Refuses to make a key where an entry without a profile has one, which somebody may have registered.
pub(super) fn loses_none(worker: &Worker, new: &NewProfile) -> Result<(), Failure> {
    if new.generate_key.is_none() || new.replace {
        return Ok(());
    }
    let (vault, keys) = worker.open()?;
    let entry = match vault.read(keys, &new.name) {
        Ok(entry) => entry,
        Err(error) if error.is_unreadable() => None,
        Err(error) => return Err(Failure::from(&error).of(&new.name)),
    };
    match entry.is_some_and(|entry| entry.secrets.contains_key(PRIVATE_KEY)) {
        true => Err(has_one(&new.name)),
        false => Ok(()),
    }
}

fn has_one(name: &ProfileName) -> Failure {
    Failure::new(Kind::Usage, "the vault has a private key for this profile, which would be lost")
        .of(name)
        .hint("leave out `--generate-key` to use it, or add `--replace` to lose it")
}

/// A key that was made.
#[derive(Debug)]
pub(super) struct Made {
    algorithm: Algorithm,
    private: Secret,
    public: PublicJwk,
    pem: String,
}

/// Makes a key beside everything else: a prime for RSA takes its time to be found.
pub(super) async fn make(algorithm: Algorithm) -> Result<Made, Failure> {
    let making = tokio::task::spawn_blocking(move || {
        let private = PrivateKey::generate(algorithm)?;
        let key = PrivateKey::asymmetric(&private).ok()?;
        let (public, pem) = (key.public()?, key.public_pem()?);
        Some(Made { algorithm, private, public, pem })
    });
    making.await.ok().flatten().ok_or_else(bug)
}

impl Made {
    /// Puts the key into what is added, and its name into the settings, unless they have one.
    pub(super) fn put_into(self, new: &mut NewProfile, planned: &Profile) -> PublicHalf {
        let Self { algorithm, private, public, pem } = self;
        let mut jwk = public.for_signing(algorithm);
        match jwt(&planned.grant).and_then(|jwt| jwt.kid.as_deref()) {
            Some(kid) => jwk["kid"] = kid.into(),
            None => put(&mut new.settings, "kid", &public.thumbprint()),
        }
        new.secrets.push(NewSecret {
            name: PRIVATE_KEY.to_owned(),
            value: private,
            expires_at: None,
        });
        PublicHalf { jwk: jwk.to_string(), pem }
    }
}

/// Sets a key, whatever was said of it.
fn put(settings: &mut Vec<Assignment>, key: &'static str, value: &str) {
    settings.retain(|setting| setting.key != key);
    settings.push(Assignment { key: key.into(), values: vec![value.to_owned().into()] });
}
