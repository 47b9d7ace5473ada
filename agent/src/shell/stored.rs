//! What entries hold, read when it is needed. Runs on the vault thread.

use std::sync::Arc;

use tokctl_core::{Contents, RefreshToken, Token};
use tokctl_proto::{Failure, Kind, Secret, TokenKey, WallMs};
use tracing::{info, warn};

use super::life;
use super::login::finish::{self, Recovered};
use super::obtain::Answer;
use super::pin;
use super::rotate;
use super::worker::{Worker, bug};
use crate::clock;
use crate::config::{Grant, Profile};
use crate::entropy;
use crate::oauth::client_auth::CLIENT_SECRET_NEXT;
use crate::vault::{Entry, EntryId, Keys, RecipientFile, Refresh};

/// What was read of an entry.
#[derive(Debug, Default)]
pub struct Loaded {
    pub contents: Contents,
    /// An answer that was saved and never read, for the driver to give a handle to.
    pub unread: Option<Box<Answer>>,
}

/// What a profile's entry holds; a stored key is a token without an end.
pub(super) fn load(
    worker: &Worker,
    profile: Arc<Profile>,
    revision: u64,
) -> Result<Loaded, Failure> {
    let (vault, keys) = worker.open()?;
    if worker.is_ephemeral {
        // Here, where a refresh token would come to be known: none is presented that was not read.
        life::check(&profile)?;
    }
    let entry = vault.read(keys, &profile.name).map_err(|error| Failure::from(&error))?;
    let Some(mut entry) = entry else { return Ok(Loaded::default()) };
    finish_login(worker, &profile, &mut entry);
    let expiring = std::mem::take(&mut entry.secrets_expire).into_iter().collect();
    let has_next = entry.secrets.contains_key(CLIENT_SECRET_NEXT);
    let mut contents = Contents { expiring, has_next, ..Contents::default() };
    let mut unread = None;
    match &profile.grant {
        grant if grant.has_refresh_token() => {
            contents.refresh = entry.refresh.as_ref().map(standing);
            unread = unread_answer(&mut entry, &profile);
            contents.tokens = entry.tokens.into_iter().collect();
        }
        Grant::Pool(_) => return Ok(Loaded::default()),
        Grant::ApiKey => {
            contents.has_next = false;
            if let Some(key) = entry.secrets.remove("key") {
                pin::check_handed_out(&profile.name, &entry)?;
                let plain = TokenKey::plain(profile.name.clone());
                let ends = contents.expiring.iter().find(|(name, _)| name == "key");
                let ends = ends.map(|(_, at)| *at);
                contents.tokens = vec![(plain, stored_key(key, ends, revision))];
            }
        }
        _ => contents.tokens = entry.tokens.into_iter().collect(),
    }
    Ok(Loaded { contents, unread })
}

/// Reads the answer to a login that a crash has left unread. What is under way in this run is left
/// to whoever carries it out.
fn finish_login(worker: &Worker, profile: &Arc<Profile>, entry: &mut Entry) {
    let name = &profile.name;
    let Some(raw) = entry.unread_login().filter(|_| !worker.logins.contains(name)) else { return };
    let (raw, sent) = (raw.clone(), entry.secrets_to_send());
    let recovered = match Answer::from_raw(raw, Arc::clone(profile), sent) {
        Some(answer) => finish::recover(&answer),
        None => Recovered::Unreadable(bug()),
    };
    match recovered {
        Recovered::Login(login) => {
            info!(profile = %name, "finished a login that an earlier run had begun");
            entry.log_in(clock::now().wall, *login);
        }
        Recovered::Refused(failure) => {
            let problem = &failure.message;
            warn!(profile = %name, %problem, "a login of an earlier run came to nothing");
            entry.forget_login();
        }
        Recovered::Unreadable(failure) => {
            let problem = &failure.message;
            warn!(profile = %name, %problem, "an answer to a login that was saved cannot be read");
            return;
        }
    }
    // When this fails it is done again at the next load, with the same result.
    let written = worker.open().and_then(|(vault, keys)| {
        vault.write_for_good(keys, name, entry).map_err(|error| Failure::from(&error))
    });
    match written {
        Ok(apart) => rotate::report_quarantined(apart),
        Err(failure) => warn!(profile = %name, problem = %failure.message, "cannot save a login"),
    }
}

/// A refresh token as far as the core knows it.
fn standing(refresh: &Refresh) -> RefreshToken {
    RefreshToken {
        obtained_at: refresh.obtained_at,
        used_at: refresh.used_at,
        expires_at: refresh.expires_at,
        tries: refresh.intent.map_or(0, |intent| intent.tries),
        is_dead: refresh.is_dead,
    }
}

fn unread_answer(entry: &mut Entry, profile: &Arc<Profile>) -> Option<Box<Answer>> {
    let raw = entry.refresh.as_mut()?.answer.take()?;
    let answer = Answer::from_raw(raw, Arc::clone(profile), entry.secrets_to_send());
    let answer = answer.map(|answer| Answer { subject: entry.subject.clone(), ..answer });
    if answer.is_none() {
        warn!(profile = %profile.name, "an answer that was saved cannot be read");
    }
    answer.map(Box::new)
}

fn stored_key(key: Secret, expires_at: Option<WallMs>, revision: u64) -> Token {
    Token {
        access_token: key,
        token_type: "Bearer".to_owned(),
        issued_at: clock::now().wall,
        expires_at,
        scope: None,
        extra: Secret::default(),
        revision,
    }
}

pub(super) fn new_id() -> Result<EntryId, Failure> {
    let mut drawn = Ok(());
    let id = EntryId::draw(&mut |bytes| drawn = entropy::fill(bytes));
    drawn.map(|()| id).map_err(|error| Failure::new(Kind::Machine, error.to_string()))
}

/// What is looked at once when the vault has been opened. No entry is opened for it, unless a rename
/// was cut short.
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
