//! `purge`: nothing of tokctl is left on this machine, and as little as can be at providers.
//!
//! Tokens are revoked first, by profiles and by tombstones; what cannot be is told, since nobody will see to it any
//! more. The identity goes first of the files, so that after a crash there is nothing left that could be
//! opened, and the same command does the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use tokctl_core::Cause;
use tokctl_proto::endpoint::Places;
use tokctl_proto::{Failure, Kind, ProfileName};
use tracing::info;

use super::obtain::Means;
use super::reply::ReplyTo;
use super::revoke::{Doomed, Outcome, Warrant, doomed, revoke, words, work_off};
use super::worker::Worker;
use crate::clock;
use crate::config::{Profile, Provider};
use crate::vault::EntryId;

/// Removes everything, and tells what could not be revoked.
pub(super) async fn purge(means: &Means, local: bool, reply: &ReplyTo) -> Result<String, Failure> {
    if !local {
        let mut purge = Purge { means, reply, down: BTreeSet::new() };
        purge.revoke_all().await?;
    }
    means.jobs.ask(remove_all).await?;
    info!("removed everything");
    Ok("removed configuration, vault and state".to_owned())
}

struct Purge<'a> {
    means: &'a Means,
    reply: &'a ReplyTo,
    /// Providers that could not be reached: once is enough.
    down: BTreeSet<String>,
}

/// Whose tokens there are.
struct Survey {
    /// `None` for an entry that has no profile.
    profiles: BTreeMap<ProfileName, Option<Arc<Profile>>>,
    tombstones: Vec<EntryId>,
}

impl Purge<'_> {
    async fn revoke_all(&mut self) -> Result<(), Failure> {
        // Without a vault there is nothing that could be revoked.
        let Some(survey) = self.means.jobs.ask(survey).await? else {
            return Ok(());
        };
        let (survey, warning) = survey;
        if let Some(warning) = warning {
            self.reply.progress(&warning, true);
        }
        for (name, profile) in survey.profiles {
            match self.means.jobs.ask(move |worker| tokens(worker, &name, profile)).await {
                Ok(Tokens { warrant: Some(warrant), doomed, .. }) => {
                    self.revoke(&warrant, doomed).await;
                }
                Ok(Tokens { name, doomed, why, .. }) => self.tell(&name, &doomed, why),
                Err(failure) => self.reply.progress(&told(&failure), true),
            }
        }
        for id in survey.tombstones {
            match self.means.jobs.ask(move |worker| work_off::raise(worker, id)).await {
                Ok(Some((warrant, doomed))) => self.revoke(&warrant, doomed).await,
                Ok(None) => {}
                Err(failure) => self.reply.progress(&told(&failure), true),
            }
        }
        Ok(())
    }

    async fn revoke(&mut self, warrant: &Warrant, tokens: Vec<Doomed>) {
        if tokens.is_empty() {
            return;
        }
        let (name, provider) = (&warrant.name, provider(warrant));
        if self.down.contains(&provider) {
            return self.tell(name, &tokens, "the provider could not be reached");
        }
        match revoke(self.means, warrant, tokens.clone()).await {
            Ok(outcome) => {
                for line in words::left(name, &outcome, clock::now().wall) {
                    self.reply.progress(&line, true);
                }
                let Outcome { revoked, later, trouble, .. } = outcome;
                if let Some(trouble) = trouble {
                    self.tell(name, &later, &trouble.failure.message);
                    if trouble.cause == Cause::Provider {
                        self.down.insert(provider);
                    }
                }
                if !revoked.is_empty() {
                    let said = format!("{name}: revoked {}", words::named(&revoked));
                    self.reply.progress(&said, false);
                }
            }
            Err(failure) => self.tell(name, &tokens, &failure.message),
        }
    }

    /// Tells of tokens that nobody will revoke.
    fn tell(&self, name: &ProfileName, tokens: &[Doomed], why: &str) {
        if !tokens.is_empty() {
            let line = words::given_up(name, tokens, why, clock::now().wall);
            self.reply.progress(&line, true);
        }
    }
}

fn told(failure: &Failure) -> String {
    match &failure.profile {
        Some(profile) => format!("{profile}: {}: its tokens were not revoked", failure.message),
        None => format!("{}: its tokens were not revoked", failure.message),
    }
}

fn provider(warrant: &Warrant) -> String {
    match &warrant.client.provider {
        Provider::Issuer { text, .. } => text.clone(),
        Provider::TokenEndpoint(url) => url.to_string(),
    }
}

/// Every profile that has an entry; with a warning where their settings are not to be had.
fn survey(worker: &mut Worker) -> Result<Option<(Survey, Option<String>)>, Failure> {
    if worker.keys.is_none() {
        return Ok(None);
    }
    let (mut config, warning) = match worker.read_config() {
        Ok(live) => (live.config.profiles.clone(), None),
        Err(failure) => (BTreeMap::new(), Some(failure.message)),
    };
    let (vault, _) = worker.open()?;
    let failed = |error: crate::vault::VaultError| Failure::from(&error);
    let names = vault.entries().map_err(failed)?.into_iter();
    let profiles = names.map(|name| {
        let profile = config.remove(&name).map(Arc::new);
        (name, profile)
    });
    let profiles = profiles.collect();
    let tombstones = vault.tombstones().map_err(failed)?;
    Ok(Some((Survey { profiles, tombstones }, warning)))
}

struct Tokens {
    name: ProfileName,
    doomed: Vec<Doomed>,
    /// `None` where nobody can be asked,
    warrant: Option<Warrant>,
    /// and this is why.
    why: &'static str,
}

fn tokens(
    worker: &Worker,
    name: &ProfileName,
    profile: Option<Arc<Profile>>,
) -> Result<Tokens, Failure> {
    let (vault, keys) = worker.open()?;
    let entry = vault.read(keys, name).map_err(|error| Failure::from(&error).of(name))?;
    let name = name.clone();
    let Some(entry) = entry else {
        return Ok(Tokens { name, doomed: Vec::new(), warrant: None, why: "" });
    };
    let now = clock::now().wall;
    Ok(match profile {
        Some(profile) => Tokens {
            doomed: doomed::doomed(now, &profile, &entry),
            warrant: doomed::warrant(&profile, &entry),
            why: "its provider has no revocation endpoint",
            name,
        },
        None => Tokens {
            doomed: doomed::doomed_of_nobody(now, &entry),
            warrant: None,
            why: "it is not in config.toml, so its provider could not be told",
            name,
        },
    })
}

/// Removes every file of configuration, vault and state. Nothing is written afterwards: there are no keys.
fn remove_all(worker: &mut Worker) -> Result<(), Failure> {
    worker.keys = None;
    worker.known.clear();
    let vault = worker.vault.remove_all().map_err(|error| Failure::from(&error));
    let config = worker.config.path().to_owned();
    let mut failed = vault.err();
    let mut note = |path: &Path, done: io::Result<()>| {
        if let Err(error) = done.or_else(unless_absent) {
            let message = format!("cannot remove {}: {error}", path.display());
            failed.get_or_insert(Failure::new(Kind::Machine, message));
        }
    };
    // A link goes, and not what it leads to: that is kept by somebody, and holds no secret.
    note(&config, fs::remove_file(&config));
    note(&worker.state, fs::remove_dir_all(&worker.state));
    match failed {
        Some(failure) => Err(failure.hint("remove it yourself; the rest is gone")),
        None => Ok(()),
    }
}

fn unless_absent(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }
}

/// Removes the directories that are empty now. For the end, when nobody listens any more.
pub(super) fn sweep(places: &Places) {
    let run = places.run_dir();
    let _absent = fs::remove_file(run.join("start.lock"));
    let parents = [&places.config, &places.vault].map(|path| path.parent());
    let home = places.home.as_deref();
    for directory in [Some(run.as_path()), Some(&places.state), parents[0], parents[1], home] {
        // One that holds anything else is somebody's.
        let _kept = directory.map(fs::remove_dir);
    }
}

#[cfg(test)]
mod tests;
