//! Tombstones worked off: one at a time, long after whoever laid them has gone.
//!
//! When it is tried is the driver's to say. What cannot be done at all is given up with a line in the log: nobody is
//! there to be told.

use std::collections::BTreeMap;
use std::time::Duration;

use tokctl_core::Trouble;
use tokctl_proto::{Failure, Kind, ProfileName};
use tracing::{info, warn};

use super::words::{count, counted, given_up};
use super::{Doomed, Outcome, Warrant, bury, revoke};
use crate::clock;
use crate::config;
use crate::oauth::about_token::TokenKind;
use crate::shell::obtain::Means;
use crate::shell::worker::Worker;
use crate::vault::{EntryId, Tombstone, VaultError};

/// A tombstone that waits, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub profile: ProfileName,
    pub tokens: usize,
}

/// What became of one that was tried.
#[derive(Debug)]
pub enum Tried {
    /// There is nothing left of it.
    Over,
    /// It is to be tried again, not before so long where the provider asked for that.
    Again { waiting: Option<Waiting>, retry_after: Option<Duration>, why: String },
}

/// Every tombstone of the vault that is still of use; the others go.
pub(in crate::shell) fn find(worker: &Worker) -> Result<BTreeMap<EntryId, Waiting>, Failure> {
    let (vault, _) = worker.open()?;
    let ids = vault.tombstones().map_err(|error| Failure::from(&error))?;
    let mut found = BTreeMap::new();
    for id in ids {
        match look(worker, id) {
            Ok(Some(tombstone)) => drop(found.insert(id, waiting(&tombstone))),
            Ok(None) => {}
            Err(failure) => warn!(%id, problem = %failure.message, "cannot look at a tombstone"),
        }
    }
    Ok(found)
}

fn waiting(tombstone: &Tombstone) -> Waiting {
    let tokens: Vec<Doomed> = tombstone.tokens.iter().filter_map(raised).collect();
    Waiting { profile: tombstone.profile.clone(), tokens: count(&tokens) }
}

/// Tries one.
pub(in crate::shell) async fn work_off(means: Means, id: EntryId) -> Tried {
    let again =
        |failure: Failure| Tried::Again { waiting: None, retry_after: None, why: failure.message };
    let (warrant, doomed) = match means.jobs.ask(move |worker| raise(worker, id)).await {
        Ok(Some(raised)) => raised,
        Ok(None) => return Tried::Over,
        Err(failure) => return again(failure),
    };
    let outcome = match revoke(&means, &warrant, doomed.clone()).await {
        Ok(outcome) => outcome,
        // What the provider says of itself or of the client stays as it is: the secret is that of then.
        Err(failure) if matches!(failure.kind, Kind::ProviderRefused | Kind::SecretRequired) => {
            let why = given_up(&warrant.name, &doomed, &failure.message, clock::now().wall);
            warn!("gave a revocation up: {why}");
            Outcome::default()
        }
        Err(failure) => return again(failure),
    };
    match means.jobs.ask(move |worker| note(worker, id, outcome)).await {
        Ok(tried) => tried,
        Err(failure) => again(failure),
    }
}

/// Who revokes by what a tombstone says, and what; `None` when it is of no use any more.
pub(in crate::shell) fn raise(
    worker: &Worker,
    id: EntryId,
) -> Result<Option<(Warrant, Vec<Doomed>)>, Failure> {
    let Some(tombstone) = look(worker, id)? else { return Ok(None) };
    let doomed = tombstone.tokens.iter().filter_map(raised).collect();
    Ok(Some((warrant(&tombstone)?, doomed)))
}

/// Reads a tombstone, without what has died by itself. One that is of no use any more goes; then there is none.
fn look(worker: &Worker, id: EntryId) -> Result<Option<Tombstone>, Failure> {
    let (vault, keys) = worker.open()?;
    let mut tombstone = match vault.read_tombstone(keys, id) {
        Ok(Some(tombstone)) => tombstone,
        Ok(None) => return Ok(None),
        Err(newer @ VaultError::Newer { .. }) => return Err(Failure::from(&newer)),
        Err(error) if error.is_unreadable() => {
            let moved_to = vault.quarantine_tombstone(id).map_err(|error| Failure::from(&error))?;
            let moved_to = moved_to.display();
            warn!(%error, %moved_to, "a tombstone did not open and was set apart");
            return Ok(None);
        }
        Err(error) => return Err(Failure::from(&error)),
    };
    let now = clock::now().wall;
    let profile = tombstone.profile.clone();
    let died = tombstone.drop_expired(now);
    if died > 0 {
        info!(%profile, "gave the revocation of {} up: dead by now without it", counted(died));
    }
    let entry = vault.read(keys, &profile);
    let why = match entry {
        _ if tombstone.tokens.is_empty() => "nothing is left to be revoked",
        _ if tombstone.is_given_up(now) => "the provider could not be reached for thirty days",
        Ok(Some(entry)) if bury::is_held(&entry, &tombstone) => "the profile has its tokens still",
        _ => return Ok(Some(tombstone)),
    };
    warn!(%profile, "a revocation that was put off is over: {why}");
    vault.remove_tombstone(id).map_err(|error| Failure::from(&error))?;
    Ok(None)
}

/// Who revokes, by what the tombstone says.
fn warrant(tombstone: &Tombstone) -> Result<Warrant, Failure> {
    let name = &tombstone.profile;
    let mut config = config::parse(&tombstone.settings).map_err(Failure::from)?;
    let profile = config.profiles.remove(name);
    let client = profile.as_ref().and_then(|profile| profile.grant.client());
    let (Some(profile), Some(client)) = (&profile, client) else {
        return Err(Failure::new(Kind::Internal, "a tombstone names no client").of(name));
    };
    Ok(Warrant {
        name: name.clone(),
        grant: profile.grant.name(),
        client: client.clone(),
        origins: tombstone.origins.clone(),
        way: tombstone.network.clone(),
        secrets: tombstone.secrets.clone(),
    })
}

fn raised(buried: &crate::vault::Buried) -> Option<Doomed> {
    let kind = TokenKind::of_hint(&buried.hint)?;
    Some(Doomed { kind, token: buried.token.clone(), expires_at: buried.expires_at })
}

/// Writes down what came of it.
fn note(worker: &Worker, id: EntryId, outcome: Outcome) -> Result<Tried, Failure> {
    let (vault, keys) = worker.open()?;
    let read = vault.read_tombstone(keys, id).map_err(|error| Failure::from(&error))?;
    let Some(mut tombstone) = read else { return Ok(Tried::Over) };
    let profile = tombstone.profile.clone();
    let now = clock::now().wall;
    if !outcome.revoked.is_empty() {
        info!(%profile, "revoked {}, put off before", counted(count(&outcome.revoked)));
    }
    for line in super::words::left(&profile, &outcome, now) {
        warn!("gave a revocation up: {line}");
    }
    let of = |error: VaultError| Failure::from(&error).of(&profile);
    let Outcome { later, trouble, .. } = outcome;
    if later.is_empty() {
        vault.remove_tombstone(id).map_err(of)?;
        return Ok(Tried::Over);
    }
    if later.len() != tombstone.tokens.len() {
        tombstone.tokens = later.iter().map(Doomed::buried).collect();
        vault.write_tombstone(keys, id, &tombstone).map_err(of)?;
    }
    let Trouble { failure, retry_after, .. } = trouble.unwrap_or_else(|| super::too_slow(&profile));
    let waiting = Some(waiting(&tombstone));
    Ok(Tried::Again { waiting, retry_after, why: failure.message })
}
