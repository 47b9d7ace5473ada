//! What a request can change in configuration and vault, one file each.
//!
//! A change runs on the vault thread, where nothing else writes. What has to be asked of a provider
//! is asked before. Each says in its own file what a crash between any two of its steps leaves
//! behind.

mod add;
mod certificate;
mod config_write;
mod init;
pub(super) mod issuer;
mod key;
mod login;
mod logout;
mod passwd;
mod remove;
mod rename;
mod revoke;
pub(super) mod secrets;
mod set;
mod set_secret;
#[cfg(test)]
pub(super) mod tests;

use tokctl_core::{VaultChange, no_such_profile};
use tokctl_proto::{Failure, Kind, ProfileName, Secret, TokenKey, WallMs};

pub(in crate::shell) use add::{Preview, preview};
pub(in crate::shell) use certificate::check as check_certificate;
pub use key::PublicHalf;
pub use logout::Laid;

use super::live::Live;
use super::login::Finished;
use super::obtain::Means;
use super::worker::{Refused, Worker};
use crate::config::{Algorithm, Profile};

/// A key and its values, detached from the request they came in.
pub type Assignment = tokctl_proto::request::Assignment<'static>;

/// A change that was asked for.
#[derive(Debug)]
pub enum Change {
    Init {
        passphrase: Option<Secret>,
        replace: bool,
        network: Vec<Assignment>,
    },
    Add(NewProfile),
    Set {
        name: ProfileName,
        assignments: Vec<Assignment>,
    },
    SetSecret {
        name: ProfileName,
        secret_name: Option<String>,
        value: Secret,
        /// Beside the present client secret, for when that is refused.
        next: bool,
        expires_at: Option<WallMs>,
    },
    Rename {
        from: ProfileName,
        to: ProfileName,
    },
    /// One access token.
    Revoke(TokenKey),
    Logout {
        name: ProfileName,
        /// No provider is asked.
        local: bool,
    },
    Remove {
        name: ProfileName,
        local: bool,
    },
    Passwd {
        passphrase: Option<Secret>,
        new_passphrase: Option<Secret>,
    },
    /// What a login brought. No client asks for it: it is how a login ends.
    Login(Box<Finished>),
    ConfigWrite {
        text: String,
        fingerprint: String,
    },
}

/// A profile to be added.
#[derive(Clone, Debug)]
pub struct NewProfile {
    pub name: ProfileName,
    pub settings: Vec<Assignment>,
    pub secrets: Vec<NewSecret>,
    /// It takes the place of one of this name.
    pub replace: bool,
    /// A private key is made for this algorithm, which is not HMAC.
    pub generate_key: Option<Algorithm>,
}

/// A secret to be stored.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// What it is called in its entry.
    pub name: String,
    pub value: Secret,
    /// When it ends, where somebody said so.
    pub expires_at: Option<WallMs>,
}

impl Change {
    /// The profile of which no request may be under way meanwhile: what comes back from a provider
    /// belongs to what the entry held when it was sent, and to its name. One that is added may have been
    /// taken out of the file by hand a moment ago.
    pub fn alone(&self) -> Option<ProfileName> {
        match self {
            Self::Login(finished) => Some(finished.profile.name.clone()),
            Self::Add(NewProfile { name, .. })
            | Self::SetSecret { name, .. }
            | Self::Rename { from: name, .. }
            | Self::Logout { name, .. }
            | Self::Remove { name, .. } => Some(name.clone()),
            Self::Revoke(key) => Some(key.profile.clone()),
            _ => None,
        }
    }
}

/// What a change came to, whether it succeeded or not.
#[derive(Debug)]
pub struct Changed {
    pub result: Result<String, Failure>,
    /// The configuration afterwards, where it changed.
    pub live: Option<Live>,
    /// Entries that were written or removed.
    pub entries: Vec<ProfileName>,
    /// Profiles whose tokens are not to be served any more.
    pub forget: Vec<ProfileName>,
    /// Tombstones that were laid.
    pub laid: Vec<Laid>,
    pub vault: Option<VaultChange>,
    /// Things to know although it succeeded.
    pub warnings: Vec<String>,
    /// TOML for the user to put in by hand.
    pub paste: Option<String>,
    /// The public half of a key that was made.
    pub public_key: Option<PublicHalf>,
}

impl Changed {
    pub(super) fn failed(failure: Failure) -> Self {
        Self {
            result: Err(failure),
            live: None,
            entries: Vec::new(),
            forget: Vec::new(),
            laid: Vec::new(),
            vault: None,
            warnings: Vec::new(),
            paste: None,
            public_key: None,
        }
    }

    fn said(text: impl Into<String>) -> Self {
        Self { result: Ok(text.into()), ..Self::failed(Failure::new(Kind::Internal, "")) }
    }
}

/// Carries a change out.
pub async fn carry_out(means: Means, change: Change) -> Changed {
    match change {
        Change::Add(new) => add::add(means, new).await,
        Change::SetSecret { name, secret_name, value, next, expires_at } => {
            let given = set_secret::Given { secret_name, value, next, expires_at };
            set_secret::set_secret(means, name, given).await
        }
        Change::Init { passphrase, replace, network } => {
            on_vault(&means, move |worker| init::init(worker, passphrase, replace, &network)).await
        }
        Change::Set { name, assignments } => {
            on_vault(&means, move |worker| set::set(worker, &name, &assignments)).await
        }
        Change::Rename { from, to } => {
            on_vault(&means, move |worker| rename::rename(worker, &from, &to)).await
        }
        Change::Revoke(key) => revoke::revoke(means, key).await,
        Change::Logout { name, local } => logout::logout(means, name, local).await,
        Change::Remove { name, local } => remove::remove(means, name, local).await,
        Change::Passwd { passphrase, new_passphrase } => {
            on_vault(&means, move |worker| passwd::passwd(worker, passphrase, new_passphrase)).await
        }
        Change::Login(finished) => {
            on_vault(&means, move |worker| login::login(worker, *finished)).await
        }
        Change::ConfigWrite { text, fingerprint } => {
            on_vault(&means, move |worker| config_write::config_write(worker, &text, &fingerprint))
                .await
        }
    }
}

/// Runs a change on the vault thread.
async fn on_vault(
    means: &Means,
    job: impl FnOnce(&mut Worker) -> Result<Changed, Refused> + Send + 'static,
) -> Changed {
    match means.jobs.ask(move |worker| Ok(job(worker))).await {
        Ok(Ok(changed)) => changed,
        Ok(Err(Refused { failure, paste })) => Changed { paste, ..Changed::failed(failure) },
        Err(failure) => Changed::failed(failure),
    }
}

/// The checked profile of that name in the configuration as it is on disk now.
pub(super) fn profile(worker: &mut Worker, name: &ProfileName) -> Result<Profile, Failure> {
    let live = worker.read_config()?;
    live.config
        .profiles
        .get(name)
        .cloned()
        .ok_or_else(|| no_such_profile(name, live.config.profiles.keys().map(ProfileName::as_str)))
}

/// The settings are not those that were looked at a moment ago.
fn changed_meanwhile(name: &ProfileName) -> Failure {
    Failure::new(Kind::Machine, "the configuration was changed meanwhile")
        .of(name)
        .hint("look at the file, then try again")
}
