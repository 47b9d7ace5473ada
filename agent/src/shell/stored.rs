//! Tokens in entries: read when they are needed, written when they are new. Runs on the vault
//! thread.

use tokctl_core::Token;
use tokctl_proto::token::KEYS_PER_PROFILE_MAX;
use tokctl_proto::{Failure, Secret, TokenKey};
use tracing::warn;

use super::pin;
use super::worker::Worker;
use crate::clock;
use crate::config::{Grant, Profile};
use crate::entropy;
use crate::vault::{Entry, EntryId, Keys, RecipientFile};

/// The tokens that a profile's entry holds; a stored key is a token without an end.
pub(super) fn load(
    worker: &Worker,
    profile: &Profile,
    revision: u64,
) -> Result<Vec<(TokenKey, Token)>, Failure> {
    let (vault, keys) = worker.open()?;
    let entry = vault.read(keys, &profile.name).map_err(|error| Failure::from(&error))?;
    let Some(mut entry) = entry else { return Ok(Vec::new()) };
    match &profile.grant {
        Grant::ClientCredentials(_) => Ok(entry.tokens.into_iter().collect()),
        Grant::ApiKey => {
            let Some(key) = entry.secrets.remove("key") else { return Ok(Vec::new()) };
            pin::check_handed_out(&profile.name, &entry)?;
            Ok(vec![(TokenKey::plain(profile.name.clone()), stored_key(key, revision))])
        }
    }
}

fn stored_key(key: Secret, revision: u64) -> Token {
    Token {
        access_token: key,
        token_type: "Bearer".to_owned(),
        issued_at: clock::now().wall,
        expires_at: None,
        scope: None,
        extra: Secret::default(),
        revision,
    }
}

/// Puts a token into its profile's entry, beside those of other keys and in the place of its own.
pub(super) fn save_token(worker: &Worker, key: &TokenKey, token: &Token) -> Result<(), Failure> {
    // Removed or renamed while it was on its way: there is nobody to save it for.
    if !worker.known.contains(&key.profile) {
        return Ok(());
    }
    let (vault, keys) = worker.open()?;
    let name = &key.profile;
    let entry = vault.read(keys, name).map_err(|error| Failure::from(&error).of(name))?;
    let mut entry = match entry {
        Some(entry) => entry,
        None => Entry::new(new_id()?),
    };
    entry.tokens.retain(|_, held| held.revision == token.revision);
    entry.tokens.insert(key.clone(), token.clone());
    let plain = TokenKey::plain(name.clone());
    while entry.tokens.len() > KEYS_PER_PROFILE_MAX {
        // As in memory the plain one stays.
        let others = entry.tokens.iter().filter(|(held, _)| **held != plain && *held != key);
        let oldest = others.min_by_key(|(_, held)| held.issued_at);
        let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
        entry.tokens.remove(&oldest);
    }
    vault.write(keys, name, &mut entry).map_err(|error| Failure::from(&error).of(name))?;
    Ok(())
}

fn new_id() -> Result<EntryId, Failure> {
    let mut drawn = Ok(());
    let id = EntryId::draw(&mut |bytes| drawn = entropy::fill(bytes));
    drawn.map(|()| id).map_err(|error| Failure::new(tokctl_proto::Kind::Machine, error.to_string()))
}

/// What is looked at once when the vault has been opened.
pub(super) fn opened(worker: &Worker, keys: &Keys) {
    match worker.vault.reconcile(keys) {
        Ok(apart) => {
            for apart in apart {
                let moved_to = apart.moved_to.display();
                warn!(profile = %apart.name, %moved_to, "an older copy of an entry was set apart");
            }
        }
        Err(error) => warn!(%error, "cannot look through the entries"),
    }
    if let Ok(RecipientFile::Differs(found)) = worker.vault.recipient_file(keys) {
        warn!(found, "recipient.txt does not name this vault's recipient: do not encrypt to it");
    }
}
