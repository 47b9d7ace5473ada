//! What is written after tokens were revoked, or could not be: first the tombstone of those that are still to be
//! revoked, then the entry without any of them.
//!
//! A crash between the two leaves both. Then the command was not carried out: the entry has its tokens as before,
//! and the tombstone goes when it is looked at next.

use tokctl_proto::{Failure, Kind, ProfileName, TokenKey};

use super::{Doomed, Warrant};
use crate::clock;
use crate::config;
use crate::oauth::client_auth::{CLIENT_SECRET, CLIENT_SECRET_NEXT};
use crate::shell::stored::new_id;
use crate::shell::worker::Worker;
use crate::vault::{Entry, EntryId, TOMBSTONES_MAX, Tombstone};

/// Which tokens of an entry go.
#[derive(Clone, Debug)]
pub(in crate::shell) enum Which {
    All,
    One(TokenKey),
}

/// Buries tokens that are still to be revoked; `None` where there are none.
pub(in crate::shell) fn bury(
    worker: &Worker,
    warrant: &Warrant,
    later: &[Doomed],
) -> Result<Option<EntryId>, Failure> {
    if later.is_empty() {
        return Ok(None);
    }
    let name = &warrant.name;
    let (vault, keys) = worker.open()?;
    let of = |error: crate::vault::VaultError| Failure::from(&error).of(name);
    let refused = |message: String| Failure::new(Kind::ProviderUnreachable, message).of(name);
    if vault.tombstones().map_err(of)?.len() >= TOMBSTONES_MAX {
        return Err(refused(format!(
            "the provider could not be reached, and {TOMBSTONES_MAX} revocations wait already"
        )));
    }
    let settings = config::excerpt(name, warrant.grant, &warrant.client).ok_or_else(|| {
        refused("the provider could not be reached, and only you can prove the client".to_owned())
    })?;
    let mut tombstone = Tombstone::new(name.clone(), clock::now().wall, settings);
    tombstone.origins = warrant.origins.clone();
    tombstone.network = warrant.way.clone();
    tombstone.secrets = warrant.secrets.clone();
    tombstone.secrets.retain(|secret, _| is_needed(secret, warrant));
    tombstone.tokens = later.iter().map(Doomed::buried).collect();
    let id = new_id()?;
    vault.write_tombstone(keys, id, &tombstone).map_err(of)?;
    Ok(Some(id))
}

/// Whether a request about a token is made with this secret.
fn is_needed(secret: &str, warrant: &Warrant) -> bool {
    let is_proof = [CLIENT_SECRET, CLIENT_SECRET_NEXT, "private_key", "tls_key", "tls_certificate"]
        .contains(&secret);
    let hole = format!("{{secret:{secret}}}");
    is_proof || warrant.client.quirks.headers.values().any(|header| header.contains(&hole))
}

/// Takes tokens out of a profile's entry.
pub(in crate::shell) fn forget(
    worker: &Worker,
    name: &ProfileName,
    which: &Which,
) -> Result<(), Failure> {
    let (vault, keys) = worker.open()?;
    let of = |error: crate::vault::VaultError| Failure::from(&error).of(name);
    let Some(mut entry) = vault.read(keys, name).map_err(of)? else { return Ok(()) };
    match which {
        Which::All => entry.forget_tokens(),
        Which::One(key) => drop(entry.tokens.remove(key)),
    }
    vault.write(keys, name, &mut entry).map(drop).map_err(of)
}

/// Whether an entry holds a token that a tombstone speaks of: then whoever laid it did not get to the end.
pub(super) fn is_held(entry: &Entry, tombstone: &Tombstone) -> bool {
    let refresh = entry.refresh.iter().flat_map(|it| [Some(&it.token), it.previous.as_ref()]);
    let access = entry.tokens.values().map(|token| Some(&token.access_token));
    let mut held = refresh.chain(access).flatten();
    held.any(|held| tombstone.tokens.iter().any(|it| it.token.expose() == held.expose()))
}
