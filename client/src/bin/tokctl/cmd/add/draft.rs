//! A profile as far as it is known: by options first, by answers then.

use std::path::{Path, PathBuf};

use tokctl_client::proto::setting::is_login;
use tokctl_client::{ProfileName, Secret};

use super::Named;
use crate::cmd::presets::Preset;
use crate::exit::Stop;
use crate::secret_input::KeyFile;
use crate::session::Session;
use crate::settings::Assignments;

/// A file of JSON that a provider hands out, with settings and a private key in it.
#[derive(Debug)]
pub(super) struct JsonFile {
    pub(super) path: PathBuf,
    pub(super) text: Secret,
}

impl JsonFile {
    pub(super) fn read(path: &Path, session: &Session) -> Result<Self, Stop> {
        Ok(Self { path: path.to_owned(), text: KeyFile::read(path, session)? })
    }
}

#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) profile: &'a ProfileName,
    pub(super) settings: Assignments,
    pub(super) secrets: Vec<Named>,
    /// What its client proves itself by is a key that is made, or a certificate that is given.
    pub(super) has_proof: bool,
    /// The JSON file of a service account or of a GitHub App, in place of both.
    pub(super) from_json: Option<JsonFile>,
    pub(super) preset: Option<Preset>,
}

impl Draft<'_> {
    /// The grant that it will have; `None` where nothing says so.
    pub(super) fn grant(&self) -> Option<&str> {
        self.settings.value("grant").or_else(|| Some(&self.preset.as_ref()?.grant))
    }

    /// Whether a person has to log in before there is a token.
    pub(super) fn is_login(&self) -> bool {
        !self.settings.has("pool") && self.grant().is_some_and(is_login)
    }

    pub(super) fn has_secret(&self, name: &str) -> bool {
        self.secrets.iter().any(|(given, _)| *given == name)
    }
}
