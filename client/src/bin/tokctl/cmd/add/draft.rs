//! A profile as far as it is known: by options first, by answers then.

use tokctl_client::proto::setting::is_login;
use tokctl_client::{ProfileName, Secret};

use super::Named;
use crate::cmd::presets::Preset;
use crate::settings::Assignments;

#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) profile: &'a ProfileName,
    pub(super) settings: Assignments,
    pub(super) secrets: Vec<Named>,
    /// What its client proves itself by is a key that is made, or a certificate that is given.
    pub(super) has_proof: bool,
    /// The JSON file of a service account or of a GitHub App, in place of both.
    pub(super) from_json: Option<Secret>,
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
