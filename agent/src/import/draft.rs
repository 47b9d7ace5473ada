//! A profile as it would be added.

use std::borrow::Cow;

use tokctl_proto::request::Assignment;
use tokctl_proto::secret::SecretStr;
use tokctl_proto::{ProfileName, Secret, WallMs};

use super::names::profile_name;
use crate::config::is_http_loopback;

/// A profile that could be added.
#[derive(Debug)]
pub struct Draft {
    /// A name that fits; another may be chosen.
    pub name: ProfileName,
    pub settings: Vec<Assignment<'static>>,
    pub secrets: Vec<DraftSecret>,
    /// What was left out or needs a look.
    pub notes: Vec<String>,
    /// What still holds a secret once the profile is added, and how to take it out there.
    pub leftover: Option<String>,
    /// The program writes the issuer with a slash at its end, whether the provider does or not.
    pub issuer_may_lack_slash: bool,
}

#[derive(Debug)]
pub struct DraftSecret {
    /// What it is called in an entry.
    pub name: &'static str,
    pub value: Secret,
    pub expires_at: Option<WallMs>,
}

impl Draft {
    /// Without settings yet, named after what the other program calls it.
    pub(super) fn new(title: &str, grant: &str) -> Self {
        let draft = Self::with_preset(title);
        draft.set("grant", grant)
    }

    /// As [`Self::new`]; a preset will say what its grant is.
    pub(super) fn with_preset(title: &str) -> Self {
        Self {
            name: profile_name(title),
            settings: Vec::new(),
            secrets: Vec::new(),
            notes: Vec::new(),
            leftover: None,
            issuer_may_lack_slash: false,
        }
    }

    /// Sets a key, unless the value is empty.
    pub(super) fn set(self, key: &'static str, value: &str) -> Self {
        self.set_all(key, (!value.is_empty()).then_some(value))
    }

    /// Sets an entry of a table, as `authorization_params.prompt`.
    pub(super) fn set_in(mut self, table: &str, name: &str, value: &str) -> Self {
        self.settings.push(Assignment {
            key: Cow::Owned(format!("{table}.{name}")),
            values: vec![Cow::Owned(value.to_owned())],
        });
        self
    }

    /// Sets a key of several values, unless there are none.
    pub(super) fn set_all<'a>(
        mut self,
        key: &'static str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let values: Vec<_> = values.into_iter().map(|value| Cow::Owned(value.to_owned())).collect();
        if !values.is_empty() {
            self.settings.push(Assignment { key: Cow::Borrowed(key), values });
        }
        self
    }

    /// Takes a secret along, unless it is empty.
    pub(super) fn secret(mut self, name: &'static str, value: Option<&SecretStr<'_>>) -> Self {
        if let Some(value) = value.filter(|value| !value.expose().is_empty()) {
            self.secrets.push(DraftSecret { name, value: value.to_secret(), expires_at: None });
        }
        self
    }

    pub(super) fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    pub(super) fn note_if(self, applies: bool, text: impl Into<String>) -> Self {
        if applies { self.note(text) } else { self }
    }

    pub(super) fn leaves(mut self, text: String) -> Self {
        self.leftover = Some(text);
        self
    }

    /// Takes another name, in what is said of it too.
    pub fn rename(&mut self, name: &ProfileName) {
        let (old, new) = (format!(" {}", self.name), format!(" {name}"));
        for command in ["tokctl set", "tokctl login", "tokctl get"] {
            let (old, new) = (format!("{command}{old}"), format!("{command}{new}"));
            for text in self.notes.iter_mut().chain(&mut self.leftover) {
                *text = text.replace(&old, &new);
            }
        }
        self.name = name.clone();
    }

    /// The same with the issuer spelt without a slash at its end.
    pub fn without_slash(mut self) -> Self {
        for assignment in self.settings.iter_mut().filter(|it| it.key == "issuer") {
            for value in &mut assignment.values {
                *value = Cow::Owned(value.trim_end_matches('/').to_owned());
            }
        }
        self
    }

    /// Allows plain http where the file names a provider on this machine, and says so, as `add` does.
    pub(super) fn settle(self) -> Self {
        let is_plain = |assignment: &Assignment<'_>| {
            let is_place = assignment.key == "issuer" || assignment.key.ends_with("_endpoint");
            is_place && assignment.values.iter().any(|value| is_http_loopback(value))
        };
        match self.settings.iter().any(is_plain) {
            true => self.set("allow_http_loopback", "true").note(
                "the provider is plain http on this machine: `allow_http_loopback = true` is set",
            ),
            false => self,
        }
    }
}
