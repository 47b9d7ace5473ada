//! `logout`: a profile's tokens are revoked at the provider, the refresh token first, and then forgotten.
//!
//! The order is the RFC's (RFC 7009): a token is deleted after the provider has said that it is worth nothing. A
//! crash before that leaves all as it was, and the command can be given again. What could not be revoked for
//! want of an answer is forgotten too, and a tombstone sees to it.

use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::{Failure, Kind, ProfileName};

use super::{Changed, profile};
use crate::clock;
use crate::config::{Grant, Profile};
use crate::shell::obtain::Means;
use crate::shell::revoke::bury::{self, Which};
use crate::shell::revoke::work_off::Waiting;
use crate::shell::revoke::{Doomed, Left, Outcome, doomed, revoke, words};
use crate::shell::worker::Worker;
use crate::vault::{Entry, EntryId};

/// A tombstone that was laid.
#[derive(Debug)]
pub struct Laid {
    pub id: EntryId,
    pub waiting: Waiting,
    pub why: String,
    /// The provider is not to be asked before so long has passed.
    pub retry_after: Option<Duration>,
}

/// Whose tokens are to go.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) profile: Arc<Profile>,
    pub(super) entry: Option<Entry>,
}

/// What was done with them.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Worth nothing any more.
    pub(super) revoked: Vec<Doomed>,
    /// Whether there was anything at all.
    pub(super) had_tokens: bool,
    pub(super) warnings: Vec<String>,
    pub(super) laid: Option<Laid>,
}

pub(super) async fn logout(means: Means, name: ProfileName, local: bool) -> Changed {
    let of = name.clone();
    let plan = match means.jobs.ask(move |worker| plan(worker, &of)).await {
        Ok(plan) => plan,
        Err(failure) => return Changed::failed(failure),
    };
    match end(&means, plan, Which::All, local).await {
        Ok(ended) => {
            let said = match (ended.had_tokens, ended.revoked.is_empty()) {
                (false, _) => format!("{name} holds no tokens"),
                (true, true) => format!("forgot the tokens of {name}"),
                (true, false) => {
                    format!("logged out of {name}: revoked {}", words::named(&ended.revoked))
                }
            };
            ended.changed(name, said)
        }
        Err(failure) => Changed::failed(or_local(failure, &format!("tokctl logout {name}"))),
    }
}

fn plan(worker: &mut Worker, name: &ProfileName) -> Result<Plan, Failure> {
    worker.open()?;
    let profile = profile(worker, name)?;
    refuse_without_login(&profile)?;
    let entry = read(worker, name)?;
    Ok(Plan { profile: profile.into(), entry })
}

/// There is nothing to revoke where nothing was issued.
pub(super) fn refuse_without_login(profile: &Profile) -> Result<(), Failure> {
    let usage = |message: &str| Failure::new(Kind::Usage, message).of(&profile.name);
    let name = &profile.name;
    match &profile.grant {
        Grant::Pool(_) => Err(usage("a pool has no tokens of its own: its members have theirs")
            .hint("name a member of it")),
        Grant::ApiKey => {
            Err(usage("its key is stored as it is: no provider has issued it to tokctl")
                .hint(format!("revoke it where you got it, then run `tokctl remove {name}`")))
        }
        _ => Ok(()),
    }
}

pub(super) fn read(worker: &Worker, name: &ProfileName) -> Result<Option<Entry>, Failure> {
    let (vault, keys) = worker.open()?;
    vault.read(keys, name).map_err(|error| Failure::from(&error).of(name))
}

/// Revokes tokens, buries those that are to be revoked later, and forgets them all. An error is a refusal:
/// nothing was forgotten.
pub(super) async fn end(
    means: &Means,
    plan: Plan,
    which: Which,
    local: bool,
) -> Result<Ended, Failure> {
    let Plan { profile, entry } = plan;
    let Some(entry) = entry else { return Ok(Ended::default()) };
    let now = clock::now().wall;
    let tokens = match &which {
        Which::All => doomed::doomed(now, &profile, &entry),
        Which::One(key) => doomed::doomed_of(now, &profile, &entry, key).into_iter().collect(),
    };
    let had_tokens = !tokens.is_empty();
    let warrant = doomed::warrant(&profile, &entry);
    let outcome = match &warrant {
        _ if local || !had_tokens => Outcome::default(),
        Some(warrant) => revoke(means, warrant, tokens).await?,
        None => {
            let left = tokens.into_iter().map(|token| (token, Left::NoEndpoint));
            Outcome { left: left.collect(), ..Outcome::default() }
        }
    };
    let name = profile.name.clone();
    let mut warnings = words::left(&name, &outcome, clock::now().wall);
    warnings.extend(words::later(&name, &outcome));
    let Outcome { revoked, later, trouble, .. } = outcome;
    let tokens = words::count(&later);
    let job = move |worker: &mut Worker| {
        let laid = match &warrant {
            Some(warrant) => bury::bury(worker, warrant, &later)?,
            None => None,
        };
        bury::forget(worker, &name, &which).map(|()| laid)
    };
    let laid = means.jobs.ask(job).await?.zip(trouble).map(|(id, trouble)| Laid {
        id,
        waiting: Waiting { profile: profile.name.clone(), tokens },
        why: trouble.failure.message,
        retry_after: trouble.retry_after,
    });
    Ok(Ended { revoked, had_tokens, warnings, laid })
}

impl Ended {
    /// What the rest of the agent is told of it.
    pub(super) fn changed(self, name: ProfileName, said: String) -> Changed {
        Changed {
            entries: vec![name.clone()],
            forget: vec![name],
            warnings: self.warnings,
            laid: self.laid.into_iter().collect(),
            ..Changed::said(said)
        }
    }
}

/// A refusal leaves everything as it was; there is a way to have it forgotten all the same.
pub(super) fn or_local(failure: Failure, command: &str) -> Failure {
    let refusals = [
        Kind::ProviderRefused,
        Kind::ProviderFailed,
        Kind::ProviderUnreachable,
        Kind::SecretRequired,
        Kind::OriginChanged,
        Kind::ConfigInvalid,
    ];
    if !refusals.contains(&failure.kind) {
        return failure;
    }
    let local = format!("`{command} --local` goes on without the provider");
    let hint = match &failure.hint {
        Some(hint) => format!("{hint}; {local}"),
        None => local,
    };
    Failure { message: format!("{}; nothing was forgotten", failure.message), ..failure }.hint(hint)
}
