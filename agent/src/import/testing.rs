//! What the tests of all readers look at.

use tokctl_proto::Secret;

use super::{Draft, File, ImportError, Source, read};
use crate::config;

pub(super) fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// Reads a text without a passphrase.
pub(super) fn read_all(source: Source, text: &str) -> Result<Vec<Draft>, ImportError> {
    read_some(source, text, &[])
}

pub(super) fn read_some(
    source: Source,
    text: &str,
    select: &[&str],
) -> Result<Vec<Draft>, ImportError> {
    let select: Vec<String> = select.iter().map(|&name| name.to_owned()).collect();
    let text = secret(text);
    read(source, &File { text: &text, path: "~/file", passphrase: None, select: &select })
}

/// Reads a text that makes one profile.
pub(super) fn read_one(source: Source, text: &str) -> Draft {
    let mut drafts = read_all(source, text).unwrap();
    assert_eq!(drafts.len(), 1);
    drafts.pop().unwrap()
}

/// The error of a text that is not taken, and its hint.
pub(super) fn refused(source: Source, text: &str) -> (String, Option<String>) {
    let error = read_all(source, text).unwrap_err();
    (error.to_string(), error.hint())
}

impl Draft {
    /// The lines that `add` would write; the configuration has to take them.
    pub(super) fn toml(&self) -> String {
        let text = config::add_profile("", &self.name, &self.settings, false).unwrap();
        config::profile_toml(&text, &self.name).unwrap()
    }

    pub(super) fn held(&self, name: &str) -> Option<&str> {
        let secret = self.secrets.iter().find(|secret| secret.name == name)?;
        Some(secret.value.expose())
    }
}
