//! The configuration in use, and what it means to the core.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokctl_core::{Lanes, Source};
use tokctl_proto::ProfileName;

use crate::config::{Config, Fingerprint, Grant, Profile};

/// A configuration that was checked, and the bytes it was read from.
#[derive(Clone, Debug)]
pub struct Live {
    pub config: Arc<Config>,
    pub fingerprint: Fingerprint,
    /// Counts readings of the file, from 1: of two, the greater is what is there now.
    pub reading: u64,
}

impl Live {
    pub fn new(config: Config, fingerprint: Fingerprint, reading: u64) -> Self {
        Self { config: Arc::new(config), fingerprint, reading }
    }

    /// In place of a configuration, for an agent that starts on a file it cannot use.
    pub fn none() -> Self {
        Self::new(Config::default(), Fingerprint::of(b""), 0)
    }

    /// Whether no configuration has been good since the agent started.
    pub fn is_none(&self) -> bool {
        self.reading == 0
    }

    /// The profiles as the core sees them.
    pub fn profiles(&self) -> BTreeMap<ProfileName, tokctl_core::Profile> {
        self.config
            .profiles
            .iter()
            .map(|(name, profile)| {
                let core =
                    tokctl_core::Profile { source: source(profile), revision: revision(profile) };
                (name.clone(), core)
            })
            .collect()
    }
}

fn source(profile: &Profile) -> Source {
    match profile.grant {
        Grant::ApiKey => Source::Stored,
        // Nothing is spent by asking twice, so keys need not wait for one another.
        Grant::ClientCredentials(_) => Source::Provider(Lanes::PerKey),
    }
}

/// Names the settings that a profile's tokens depend on: how they are used is not among them. It is
/// stored beside each token, so a token from before an edit is not served after it, restart or not.
/// It is made of the settings' debug text: a version of tokctl that knows more of them obtains its
/// tokens anew once.
pub fn revision(profile: &Profile) -> u64 {
    let digest = Sha256::digest(format!("{:?}", profile.grant));
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}
