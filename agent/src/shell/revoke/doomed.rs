//! The tokens of an entry that are alive at its provider, as far as is known.

use std::sync::Arc;

use tokctl_core::Outcome;
use tokctl_proto::{Secret, TokenKey, WallMs};

use super::Warrant;
use crate::config::Profile;
use crate::oauth::about_token::TokenKind;
use crate::shell::live::revision;
use crate::shell::obtain::{self, Answer};
use crate::vault::{Buried, Entry};

/// A token that is to be revoked.
#[derive(Clone, Debug)]
pub(in crate::shell) struct Doomed {
    pub(in crate::shell) kind: TokenKind,
    pub(in crate::shell) token: Secret,
    /// When it dies by itself, where that is known.
    pub(in crate::shell) expires_at: Option<WallMs>,
}

impl Doomed {
    pub(in crate::shell) fn refresh(token: Secret, expires_at: Option<WallMs>) -> Self {
        Self { kind: TokenKind::Refresh, token, expires_at }
    }

    pub(in crate::shell) fn access(token: &tokctl_core::Token) -> Self {
        let expires_at = token.expires_at;
        Self { kind: TokenKind::Access, token: token.access_token.clone(), expires_at }
    }

    /// As it goes into a tombstone.
    pub(in crate::shell) fn buried(&self) -> Buried {
        let hint = self.kind.hint().to_owned();
        Buried { hint, token: self.token.clone(), expires_at: self.expires_at }
    }
}

/// Every token of an entry that may be alive, in the order in which they are revoked. An answer that was saved
/// and never read may hold the newest of them.
pub(in crate::shell) fn doomed(now: WallMs, profile: &Arc<Profile>, entry: &Entry) -> Vec<Doomed> {
    let mut doomed = unread(profile, entry);
    if let Some(refresh) = &entry.refresh {
        doomed.push(Doomed::refresh(refresh.token.clone(), refresh.expires_at));
        doomed.extend(refresh.previous.clone().map(|token| Doomed::refresh(token, None)));
    }
    let is_pinned = is_pinned(entry);
    let revision = revision(profile);
    let tokens = entry.tokens.values().filter(|token| is_pinned || token.revision == revision);
    doomed.extend(tokens.map(Doomed::access));
    doomed.retain(|token| token.expires_at.is_none_or(|at| at > now));
    doomed.sort_by_key(|token| token.kind);
    doomed
}

/// The token of one key, if it may be alive.
pub(in crate::shell) fn doomed_of(
    now: WallMs,
    profile: &Profile,
    entry: &Entry,
    key: &TokenKey,
) -> Option<Doomed> {
    let token = entry.tokens.get(key)?;
    let is_ours = is_pinned(entry) || token.revision == revision(profile);
    let is_alive = token.expires_at.is_none_or(|at| at > now);
    (is_ours && is_alive).then(|| Doomed::access(token))
}

/// The tokens of an entry that has no profile, which nobody can revoke.
pub(in crate::shell) fn doomed_of_nobody(now: WallMs, entry: &Entry) -> Vec<Doomed> {
    let refresh = entry.refresh.iter();
    let refresh = refresh.map(|it| Doomed::refresh(it.token.clone(), it.expires_at));
    let mut doomed: Vec<Doomed> =
        refresh.chain(entry.tokens.values().map(Doomed::access)).collect();
    doomed.retain(|token| token.expires_at.is_none_or(|at| at > now));
    doomed
}

/// Whether it was recorded where what the entry holds may go.
fn is_pinned(entry: &Entry) -> bool {
    !entry.origins.is_empty() || !entry.secrets.is_empty() || entry.refresh.is_some()
}

/// What answers hold that were saved and never read: a refresh token even where one is useless otherwise.
fn unread(profile: &Arc<Profile>, entry: &Entry) -> Vec<Doomed> {
    let renewal = entry.refresh.as_ref().and_then(|refresh| refresh.answer.as_ref());
    let answers = entry.unread_login().into_iter().chain(renewal).filter_map(|raw| {
        Answer::from_raw(raw.clone(), Arc::clone(profile), entry.secrets_to_send())
    });
    let held = answers.flat_map(|answer| {
        let (token, successor) = match obtain::classify(&answer) {
            Outcome::Tokens(obtained) => (Some(obtained.token), obtained.successor),
            Outcome::Failed(trouble) => (None, trouble.successor.map(|token| *token)),
        };
        let successor = successor.map(|token| Doomed::refresh(token.secret, token.expires_at));
        successor.into_iter().chain(token.as_ref().map(Doomed::access)).collect::<Vec<_>>()
    });
    held.collect()
}

/// Who revokes them: the profile's client with what its entry holds.
pub(in crate::shell) fn warrant(profile: &Profile, entry: &Entry) -> Option<Warrant> {
    Some(Warrant {
        name: profile.name.clone(),
        grant: profile.grant.name(),
        client: profile.grant.client()?.clone(),
        origins: entry.origins.clone(),
        way: entry.network.clone(),
        secrets: entry.secrets.clone(),
    })
}
