//! The steps of a rotation that are written down, one job of the vault thread each. What a step
//! changes in an entry is in `vault/rotation.rs`; when it is due is the core's to say.
//!
//! Before anything is sent, the intent is on the disk and room is taken for what may come back. What
//! came back is on the disk before anybody reads it.

use tokctl_core::{Burial, Kept, Token};
use tokctl_proto::token::KEYS_PER_PROFILE_MAX;
use tokctl_proto::{Failure, Kind, ProfileName, TokenKey};
use tracing::{error, warn};

use super::obtain::Answer;
use super::stored;
use super::worker::Worker;
use crate::clock;
use crate::oauth::client_auth::CLIENT_SECRET;
use crate::vault::{Entry, NoRefreshToken, Quarantined, VaultError};

/// Notes that the present refresh token is about to be sent. When this fails, the entry is as it was,
/// and nothing must be sent.
pub(super) fn save_intent(worker: &Worker, name: &ProfileName, tries: u32) -> Result<(), Failure> {
    let (vault, keys) = worker.open()?;
    let of = |error: VaultError| Failure::from(&error).of(name);
    let mut entry = vault.read(keys, name).map_err(of)?.ok_or_else(|| missing(name))?;
    let mut before = entry.clone();
    entry.intend(clock::now().wall, tries).map_err(|none| no_refresh_token(name, none))?;
    vault.write(keys, name, &mut entry).map_err(of)?;
    vault.ensure_ballast().map_err(|full| {
        before.generation = entry.generation;
        if let Err(error) = vault.write(keys, name, &mut before) {
            // Read as a request that was cut short: the next one is the last without a person.
            error!(profile = %name, %error, "cannot take back the intent of a request");
        }
        of(full)
    })
}

/// Keeps an answer as it came.
pub(super) fn save_answer(worker: &Worker, answer: &Answer) -> Result<(), Failure> {
    let name = &answer.key.profile;
    let (vault, keys) = worker.open()?;
    let of = |error: VaultError| Failure::from(&error).of(name);
    let Some(mut entry) = vault.read(keys, name).map_err(of)? else { return Ok(()) };
    // Without a refresh token there is nothing to go on from after a crash.
    if entry.receive(answer.to_raw()) {
        report_quarantined(vault.write_for_good(keys, name, &mut entry).map_err(of)?);
    }
    Ok(())
}

/// Puts what was obtained into its profile's entry.
pub(super) fn save_tokens(worker: &Worker, key: &TokenKey, kept: &Kept) -> Result<(), Failure> {
    let name = &key.profile;
    // Removed or renamed while it was on its way: there is nobody to save it for. An entry without a
    // profile is kept, though, and so is its refresh token.
    let token = kept.token.as_ref().filter(|_| worker.known.contains(name));
    if token.is_none() && kept.refresh.is_none() && !kept.promote {
        return Ok(());
    }
    let (vault, keys) = worker.open()?;
    let of = |error: VaultError| Failure::from(&error).of(name);
    let successor = kept.refresh.as_ref().and_then(|refreshed| refreshed.successor.as_deref());
    let mut entry = match vault.read(keys, name) {
        Ok(Some(entry)) => entry,
        Ok(None) if !worker.known.contains(name) => return Ok(()),
        Ok(None) => Entry::new(stored::new_id()?),
        // The write sets it apart: what is to be saved exists nowhere else.
        Err(error) if error.is_unreadable() && successor.is_some() => Entry::new(stored::new_id()?),
        Err(error) => return Err(of(error)),
    };
    if kept.refresh.is_some() {
        let successor = successor.map(|found| (found.secret.clone(), found.expires_at));
        entry.rotate(clock::now().wall, successor);
    }
    if kept.promote {
        entry.promote(CLIENT_SECRET);
    }
    if let Some(token) = token {
        put_token(&mut entry, key, token);
    }
    let written = match kept.refresh.is_some() {
        true => vault.write_for_good(keys, name, &mut entry),
        false => vault.write(keys, name, &mut entry),
    };
    report_quarantined(written.map_err(of)?);
    Ok(())
}

/// A token beside those of other keys and in the place of its own.
fn put_token(entry: &mut Entry, key: &TokenKey, token: &Token) {
    entry.tokens.retain(|_, held| held.revision == token.revision);
    entry.tokens.insert(key.clone(), token.clone());
    let plain = TokenKey::plain(key.profile.clone());
    while entry.tokens.len() > KEYS_PER_PROFILE_MAX {
        // As in memory the plain one stays.
        let others = entry.tokens.iter().filter(|(held, _)| **held != plain && *held != key);
        let oldest = others.min_by_key(|(_, held)| held.issued_at);
        let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
        entry.tokens.remove(&oldest);
    }
}

/// Takes an intent back to so many tries, with its answer.
pub(super) fn withdraw(worker: &Worker, name: &ProfileName, tries: u32) -> Result<(), Failure> {
    let (vault, keys) = worker.open()?;
    let of = |error: VaultError| Failure::from(&error).of(name);
    let Some(mut entry) = vault.read(keys, name).map_err(of)? else { return Ok(()) };
    entry.withdraw(tries);
    vault.write(keys, name, &mut entry).map(drop).map_err(of)
}

/// Marks the refresh token that was presented as dead, if the entry holds it still.
pub(super) fn bury(worker: &Worker, name: &ProfileName) -> Result<Burial, Failure> {
    let (vault, keys) = worker.open()?;
    let of = |error: VaultError| Failure::from(&error).of(name);
    let Some(mut entry) = vault.read(keys, name).map_err(of)? else {
        return Ok(Burial::Superseded);
    };
    let burial = match entry.bury() {
        true => Burial::Dead,
        false => Burial::Superseded,
    };
    vault.write(keys, name, &mut entry).map_err(of)?;
    Ok(burial)
}

/// Removes a token that an API has refused, unless another has taken its place.
pub(super) fn drop_token(worker: &Worker, key: &TokenKey, token: &Token) -> Result<(), Failure> {
    let name = &key.profile;
    let (vault, keys) = worker.open()?;
    let of = |error: VaultError| Failure::from(&error).of(name);
    let Some(mut entry) = vault.read(keys, name).map_err(of)? else { return Ok(()) };
    let held = entry.tokens.get(key);
    if held.is_none_or(|held| held.access_token.expose() != token.access_token.expose()) {
        return Ok(());
    }
    entry.tokens.remove(key);
    vault.write(keys, name, &mut entry).map(drop).map_err(of)
}

fn missing(name: &ProfileName) -> Failure {
    no_refresh_token(name, NoRefreshToken::Absent)
}

/// The failure of a profile that has nothing to present.
pub(super) fn no_refresh_token(name: &ProfileName, none: NoRefreshToken) -> Failure {
    Failure::new(Kind::SecretRequired, none.to_string())
        .of(name)
        .hint(format!("run `tokctl set-secret {name} --name refresh_token`"))
}

pub(super) fn report_quarantined(apart: Option<Quarantined>) {
    if let Some(apart) = apart {
        let moved_to = apart.moved_to.display();
        warn!(profile = %apart.name, %moved_to, "the entry did not open and was set apart");
    }
}
