//! Edits of config.toml's text: text in, text out, comments and order kept.
//!
//! No edit produces a text that [`parse`] refuses: the result is parsed before it is returned. An
//! edit may mend a text that breaks a rule, but not one that is no TOML. Nothing is written here;
//! `file` does that.

mod members;

use std::borrow::Cow;

use thiserror::Error;
use tokctl_proto::ProfileName;
use tokctl_proto::request::Assignment;
use tokctl_proto::setting;
use toml_edit::{DocumentMut, InlineTable, Item, Key, Table, TableLike, Value};

use super::error::{Broken, ConfigError};
use super::layout;
use super::line_ends::LineEnds;
use super::parse;
use super::typed::{Change, changes};

/// How a file begins that tokctl makes.
const HEADER: &str = "\
# The configuration of tokctl. There are no secrets in here: `tokctl set-secret` stores those.
# The agent notices when this file changes; `tokctl set` and `tokctl edit` change it too.
";

#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditError {
    /// The text is invalid as it stands, and the edit does not mend it.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// The edited text would break a rule. There is no line: the text is nowhere to be seen.
    #[error("{message}")]
    Invalid { message: String, hint: Option<String> },
    /// What was typed is no key, or not a value of that key.
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    #[error("there is no profile `{name}`")]
    NoSuchProfile { name: ProfileName, known: Vec<String> },
    /// `add` without `--replace`.
    #[error("there is a profile `{name}` already")]
    Exists { name: ProfileName },
    /// `rename` onto a profile.
    #[error("there is a profile `{name}` already")]
    NameTaken { name: ProfileName },
    /// `remove` of what a pool hands out.
    #[error("`{name}` is a member of the pool `{pool}`")]
    Member { name: ProfileName, pool: String, others: Vec<String> },
}

impl EditError {
    pub(super) fn usage(Broken { message, hint }: Broken) -> Self {
        Self::Usage { message, hint }
    }
}

/// Adds a profile at the end; with `replace`, in the place of one of that name.
pub fn add_profile(
    text: &str,
    name: &ProfileName,
    assignments: &[Assignment<'_>],
    replace: bool,
) -> Result<String, EditError> {
    let changes = changes("a profile", setting::PROFILE, assignments)?;
    let mut draft = Draft::open(text)?;
    match draft.profile(name)? {
        Some(_) if !replace => return Err(EditError::Exists { name: name.clone() }),
        Some(table) => {
            table.clear();
            apply(table, changes);
        }
        None => {
            let mut table = layout::last_table(&mut draft.document);
            apply(&mut table, changes);
            draft.profiles()?.insert(name.as_str(), Item::Table(table));
        }
    }
    draft.close()
}

/// Changes keys of a profile. An assignment without values removes its key.
pub fn set(
    text: &str,
    name: &ProfileName,
    assignments: &[Assignment<'_>],
) -> Result<String, EditError> {
    let changes = changes("a profile", setting::PROFILE, assignments)?;
    let mut draft = Draft::open(text)?;
    apply(draft.existing(name)?, changes);
    draft.close()
}

/// Changes keys of `[agent]`, as [`set`] those of a profile.
pub fn set_agent(text: &str, assignments: &[Assignment<'_>]) -> Result<String, EditError> {
    let changes = changes("[agent]", setting::AGENT, assignments)?;
    let mut draft = Draft::open(text)?;
    if changes.iter().any(|change| change.value.is_some()) && !draft.document.contains_key("agent")
    {
        let table = layout::last_table(&mut draft.document);
        draft.document.insert("agent", Item::Table(table));
    }
    if let Some(item) = draft.document.get_mut("agent") {
        match item.as_table_like_mut() {
            Some(table) => apply(table, changes),
            None => return Err(draft.malformed()),
        }
    }
    draft.close()
}

/// Removes a profile with the comment directly above it. A member of a pool stays: without it the
/// pool would hand out less than somebody counts on.
pub fn remove_profile(text: &str, name: &ProfileName) -> Result<String, EditError> {
    let mut draft = Draft::open(text)?;
    draft.existing(name)?;
    if let Some((pool, others)) = members::pool_with(draft.profiles()?, name) {
        return Err(EditError::Member { name: name.clone(), pool, others });
    }
    if let Some(removed) = draft.profiles()?.remove(name.as_str()) {
        layout::keep_comments(&mut draft.document, &removed);
    }
    draft.close()
}

/// Gives a profile another name, in its place and in the pools that it is a member of.
pub fn rename_profile(
    text: &str,
    from: &ProfileName,
    to: &ProfileName,
) -> Result<String, EditError> {
    let mut draft = Draft::open(text)?;
    draft.existing(from)?;
    if draft.profile(to)?.is_some() {
        return Err(EditError::NameTaken { name: to.clone() });
    }
    let profiles = draft.profiles()?;
    // A key cannot be changed in place, and a removed one comes back at the end: so all of them are
    // moved there in turn, which leaves their order as it was.
    let names: Vec<_> = profiles.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let Some((key, _)) = profiles.get_key_value(&name) else { continue };
        let mut key = key.clone();
        if name == from.as_str() {
            key = Key::new(to.as_str())
                .with_leaf_decor(key.leaf_decor().clone())
                .with_dotted_decor(key.dotted_decor().clone());
        }
        if let Some(item) = profiles.remove(&name) {
            profiles.entry_format(&key).or_insert(item);
        }
    }
    members::rename(profiles, from, to);
    draft.close()
}

/// The `KEY = VALUE` lines of a profile, without comments, as `show` prints them; `None` where
/// there is no such profile.
pub fn profile_toml(text: &str, name: &ProfileName) -> Option<String> {
    let document: DocumentMut = text.parse().ok()?;
    let table = document.get("profiles")?.get(name.as_str())?.as_table_like()?;
    let lines = table.iter().filter_map(|(key, item)| {
        Some(format!("{} = {}\n", Key::new(key).display_repr(), value_toml(item)?))
    });
    Some(lines.collect())
}

/// A value on one line, without comments.
pub(super) fn value_toml(item: &Item) -> Option<String> {
    let mut value = item.clone().into_value().ok()?;
    match &mut value {
        Value::Array(array) => array.fmt(),
        Value::InlineTable(table) => table.fmt(),
        _ => {}
    }
    value.decor_mut().clear();
    Some(value.to_string())
}

/// A text under edit.
struct Draft<'a> {
    line_ends: LineEnds,
    before: Cow<'a, str>,
    /// What is wrong with the text as it stands.
    wrong_before: Option<ConfigError>,
    document: DocumentMut,
}

impl<'a> Draft<'a> {
    fn open(file: &'a str) -> Result<Self, EditError> {
        let before = LineEnds::strip(file);
        let text = if before.trim().is_empty() { HEADER } else { &before };
        match text.parse() {
            Ok(document) => Ok(Self {
                line_ends: LineEnds::of(file),
                wrong_before: parse(&before).err(),
                before,
                document,
            }),
            Err(error) => Err(EditError::File(ConfigError::syntax(text, &error))),
        }
    }

    fn close(self) -> Result<String, EditError> {
        let mut after = self.document.to_string();
        // What stood above a removed first table was its gap to the line before.
        if after.starts_with('\n') && !self.before.starts_with('\n') {
            after = after.trim_start_matches('\n').to_owned();
        }
        match (parse(&after), self.wrong_before) {
            (Ok(_), _) => Ok(self.line_ends.restore(&after)),
            (Err(_), Some(before)) => Err(EditError::File(before)),
            (Err(ConfigError { message, hint, .. }), None) => {
                Err(EditError::Invalid { message, hint })
            }
        }
    }

    /// The text is TOML, but what should be a table is none.
    fn malformed(&self) -> EditError {
        match self.wrong_before.clone() {
            Some(error) => EditError::File(error),
            None => EditError::usage(Broken::new("config.toml has a value in place of a table")),
        }
    }

    fn profiles(&mut self) -> Result<&mut dyn TableLike, EditError> {
        let error = self.malformed();
        let profiles = self.document.entry("profiles").or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        profiles.as_table_like_mut().ok_or(error)
    }

    fn profile(&mut self, name: &ProfileName) -> Result<Option<&mut dyn TableLike>, EditError> {
        let error = self.malformed();
        match self.profiles()?.get_mut(name.as_str()) {
            Some(item) => item.as_table_like_mut().map(Some).ok_or(error),
            None => Ok(None),
        }
    }

    fn existing(&mut self, name: &ProfileName) -> Result<&mut dyn TableLike, EditError> {
        let known = self.profiles()?.iter().map(|(name, _)| name.to_owned()).collect();
        self.profile(name)?.ok_or(EditError::NoSuchProfile { name: name.clone(), known })
    }
}

fn apply(table: &mut dyn TableLike, changes: Vec<Change>) {
    for Change { key, entry, value } in changes {
        match entry {
            None => put(table, key, value),
            Some(entry) => put_entry(table, key, &entry, value),
        }
    }
}

/// Sets or removes a key; what is written behind the old value stays.
fn put(table: &mut dyn TableLike, key: &str, value: Option<Value>) {
    match (table.get_mut(key).and_then(Item::as_value_mut), value) {
        (Some(old), Some(mut new)) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        (None, Some(new)) => {
            table.insert(key, Item::Value(new));
        }
        (_, None) => {
            table.remove(key);
        }
    }
}

fn put_entry(table: &mut dyn TableLike, key: &str, entry: &str, value: Option<Value>) {
    match table.get_mut(key).and_then(Item::as_table_like_mut) {
        Some(inner) => {
            put(inner, entry, value);
            if inner.is_empty() {
                table.remove(key);
            }
        }
        None => {
            if let Some(value) = value {
                let inner: InlineTable = [(entry, value)].into_iter().collect();
                put(table, key, Some(Value::InlineTable(inner)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
