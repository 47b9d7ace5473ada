//! The key that a profile's tokens are bound to (RFC 9449): made when tokens are first asked for, and on the disk before
//! anything is.
//!
//! A refresh token of a public client is worth nothing without its key (section 5), so the two lie in one entry and
//! go together. The key itself is never sent, and never leaves the agent.

use tokctl_core::Trouble;
use tokctl_proto::{Failure, ProfileName, Secret};

use super::obtain::Means;
use super::pin::{During, Pin, holds_secrets};
use super::stored;
use super::worker::Worker;
use crate::config::{Algorithm, Profile};
use crate::oauth::grant::refused;
use crate::oauth::jose::PrivateKey;
use crate::oauth::jose::dpop::DPOP_KEY;
use crate::vault::{Entry, VaultError};

/// What every server that takes such proofs takes them signed with.
const ALGORITHM: Algorithm = Algorithm::Es256;

/// Sees to it that the profile's entry holds a key, if its tokens are to be bound to one.
pub(super) async fn ensure(means: &Means, profile: &Profile) -> Result<(), Trouble> {
    if !profile.grant.client().is_some_and(|client| client.dpop) {
        return Ok(());
    }
    let name = profile.name.clone();
    let held = means.jobs.ask(move |worker| Ok(entry(worker, &name)?.is_some_and(|it| is_in(&it))));
    if held.await.map_err(refused)? {
        return Ok(());
    }
    let pin = Pin::of(profile, &means.http, &means.metadata, During::SetSecret).await;
    let (pin, name) = (pin.map_err(refused)?, profile.name.clone());
    means.jobs.ask(move |worker| make(worker, &name, pin)).await.map_err(refused)
}

/// The key of a profile whose token is bound to one.
pub(super) fn of(worker: &Worker, name: &ProfileName) -> Result<Option<Secret>, Failure> {
    let secrets = entry(worker, name)?.map(|entry| entry.secrets);
    Ok(secrets.and_then(|mut secrets| secrets.remove(DPOP_KEY)))
}

fn entry(worker: &Worker, name: &ProfileName) -> Result<Option<Entry>, Failure> {
    let (vault, keys) = worker.open()?;
    vault.read(keys, name).map_err(|error| Failure::from(&error).of(name))
}

fn is_in(entry: &Entry) -> bool {
    entry.secrets.get(DPOP_KEY).is_some_and(|key| !key.is_empty())
}

fn make(worker: &mut Worker, name: &ProfileName, pin: Pin) -> Result<(), Failure> {
    let mut entry = match entry(worker, name)? {
        // Somebody was faster.
        Some(entry) if is_in(&entry) => return Ok(()),
        Some(entry) => entry,
        None => Entry::new(stored::new_id()?),
    };
    if !holds_secrets(&entry) {
        pin.record(&mut entry);
    }
    let key = PrivateKey::generate(ALGORITHM).expect("ES256 is not HMAC");
    entry.secrets.insert(DPOP_KEY.to_owned(), key);
    let (vault, keys) = worker.open()?;
    let of = |error: VaultError| Failure::from(&error).of(name);
    vault.write(keys, name, &mut entry).map(drop).map_err(of)
}
