//! A profile over its preset: what the profile says goes before what the preset says of the same key, and of
//! tables before the same entry.
//!
//! A preset knows one provider. Who names another issuer or token endpoint takes no address from it; who names
//! another grant takes nothing that means nothing with that grant. `[agent]` lies below both and is no business of
//! this file.

use std::collections::{BTreeMap, BTreeSet};

use tokctl_proto::nearest::nearest;
use toml_edit::{Item, Table, TableLike};

use super::error::{Broken, ConfigError};
use super::preset::{self, Preset, Unfilled, VARS};
use super::section::key_offset;
use super::{misplaced, pool};

/// The key that names a preset.
pub(super) const KEY: &str = "preset";
/// What a preset says of where its provider is, and of where its tokens are for.
const PLACES: &[&str] = &[
    "issuer",
    "token_endpoint",
    "authorization_endpoint",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "refresh_endpoint",
    "api_urls",
];

/// The settings of a profile, its preset's among them.
pub(super) enum Layered<'a> {
    Plain(&'a dyn TableLike),
    Over(Table, Origins),
}

/// What came from a preset.
#[derive(Debug)]
pub(super) struct Origins {
    pub(super) preset: &'static Preset,
    /// By key, of tables by `key.entry`.
    places: BTreeMap<String, Origin>,
}

/// Where somebody could change it.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) offset: usize,
    /// The `vars` that it was filled from.
    vars: BTreeSet<String>,
}

impl Origins {
    /// Of a key, or of an entry of a table.
    pub(super) fn get(&self, key: &str) -> Option<&Origin> {
        self.places.get(key)
    }

    /// What to say of a value that breaks a rule.
    pub(super) fn note(&self, key: &str) -> Option<String> {
        let origin = self.get(key)?;
        let vars: Vec<_> = origin.vars.iter().map(|name| format!("`vars.{name}`")).collect();
        let filled = if vars.is_empty() { "" } else { ", filled from " };
        Some(format!(" (from the preset `{}`{filled}{})", self.preset.name, vars.join(", ")))
    }
}

impl<'a> Layered<'a> {
    /// Puts a profile's table over its preset, if it has one.
    pub(super) fn read(
        text: &str,
        offset: usize,
        own: &'a dyn TableLike,
    ) -> Result<Self, ConfigError> {
        // What is of the wrong shape is told by the section, with its line.
        let (Some(name), Some(vars)) = (own.get(KEY).and_then(Item::as_str), preset::vars(own))
        else {
            return match own.contains_key(VARS) && !own.contains_key(KEY) {
                true => Err(without_preset(text, own)),
                false => Ok(Self::Plain(own)),
            };
        };
        let here = own.get(KEY).and_then(Item::span).map_or(offset, |span| span.start);
        let preset =
            preset::find(name).map_err(|broken| ConfigError::at(text, here, broken.of(KEY)))?;
        check_vars(text, own, &vars, preset)?;
        let layers = Layers { own, vars: &vars, preset, here };
        match layers.merge() {
            Ok((table, origins)) => Ok(Self::Over(table, origins)),
            Err(Unfilled(hole)) => {
                Err(ConfigError::at(text, here, unfilled(preset, &hole).of(KEY)))
            }
        }
    }

    pub(super) fn table(&self) -> &dyn TableLike {
        match self {
            Self::Plain(table) => *table,
            Self::Over(table, _) => table,
        }
    }

    pub(super) fn origins(&self) -> Option<&Origins> {
        match self {
            Self::Plain(_) => None,
            Self::Over(_, origins) => Some(origins),
        }
    }
}

struct Layers<'a> {
    own: &'a dyn TableLike,
    vars: &'a BTreeMap<&'a str, &'a str>,
    preset: &'static Preset,
    /// Where the preset is named.
    here: usize,
}

impl Layers<'_> {
    fn merge(&self) -> Result<(Table, Origins), Unfilled> {
        let mut table = Table::new();
        for (name, item) in self.own.iter() {
            put(&mut table, self.own, name, item.clone());
        }
        let mut places = BTreeMap::new();
        let kept = self.preset.profile.iter().filter(|(key, _)| self.is_kept(key));
        for (key, item) in kept {
            match (item.as_table_like(), table.get(key)) {
                (Some(entries), own) if preset::is_table(key) => {
                    let Some(merged) = self.merge_table(key, entries, own, &mut places)? else {
                        continue;
                    };
                    match table.get_mut(key) {
                        Some(own) => *own = merged,
                        None => {
                            table.insert(key, merged);
                        }
                    }
                }
                (_, Some(_)) => {}
                (_, None) => {
                    let (filled, origin) = self.fill(item)?;
                    table.insert(key, filled);
                    places.insert(key.to_owned(), origin);
                }
            }
        }
        Ok((table, Origins { preset: self.preset, places }))
    }

    /// The entries of both; `None` where the profile has something else than a table, which its section will say.
    fn merge_table(
        &self,
        key: &str,
        entries: &dyn TableLike,
        own: Option<&Item>,
        places: &mut BTreeMap<String, Origin>,
    ) -> Result<Option<Item>, Unfilled> {
        let mut table = Table::new();
        match own.map(Item::as_table_like) {
            Some(Some(own)) => {
                own.iter().for_each(|(name, item)| put(&mut table, own, name, item.clone()));
            }
            Some(None) => return Ok(None),
            None => {}
        }
        for (name, item) in entries.iter().filter(|(name, _)| {
            own.and_then(Item::as_table_like).is_none_or(|own| !own.contains_key(name))
        }) {
            let (filled, origin) = self.fill(item)?;
            table.insert(name, filled);
            places.insert(format!("{key}.{name}"), origin);
        }
        Ok(Some(Item::Table(table)))
    }

    fn fill(&self, item: &Item) -> Result<(Item, Origin), Unfilled> {
        let value_of =
            |hole: &str| self.vars.get(hole).copied().or_else(|| self.preset.default_of(hole));
        let mut vars = BTreeSet::new();
        let filled = preset::fill(item, &value_of, &mut vars)?;
        vars.retain(|name| self.vars.contains_key(name.as_str()));
        // Whoever filled a hole wrongly is told of that line.
        let place = |name: &String| {
            let own = self.own.get(VARS)?.as_table_like()?;
            Some(key_offset(own, name)).filter(|offset| *offset > 0)
        };
        let offset = vars.first().and_then(place).unwrap_or(self.here);
        Ok((filled, Origin { offset, vars }))
    }

    /// Whether what the preset says of a key holds beside what the profile says of others.
    fn is_kept(&self, key: &str) -> bool {
        // A token is used in one way.
        let other_way = match key {
            "header" => "query",
            "query" => "header",
            _ => "",
        };
        if self.own.contains_key(other_way) {
            return false;
        }
        if self.own.contains_key(pool::KEY) {
            return key != "grant" && misplaced::fits_pool(key);
        }
        let names_provider =
            self.own.contains_key("issuer") || self.own.contains_key("token_endpoint");
        let own_grant = self.own.get("grant").and_then(Item::as_str);
        let grant = own_grant.unwrap_or_else(|| self.preset.grant());
        !(names_provider && PLACES.contains(&key))
            && misplaced::fits(grant, key)
            && preset::holds_for(self.preset, grant, key)
    }
}

/// Puts an item in under a key that knows where it stands.
fn put(table: &mut Table, from: &dyn TableLike, name: &str, item: Item) {
    match from.get_key_value(name) {
        Some((key, _)) => table.insert_formatted(key, item),
        None => table.insert(name, item),
    };
}

fn check_vars(
    text: &str,
    own: &dyn TableLike,
    vars: &BTreeMap<&str, &str>,
    preset: &Preset,
) -> Result<(), ConfigError> {
    let holes = preset.holes();
    for (name, value) in vars {
        let outcome = match holes.contains(name) {
            true => preset::var(value),
            false => Err(unknown_var(preset, &holes, name)),
        };
        outcome.map_err(|broken| {
            let table = own.get(VARS).and_then(Item::as_table_like);
            let offset = table.map_or(0, |table| key_offset(table, name));
            ConfigError::at(text, offset, broken.of(&format!("vars.{name}")))
        })?;
    }
    Ok(())
}

fn unknown_var(preset: &Preset, holes: &BTreeSet<&str>, name: &str) -> Broken {
    let broken = Broken::new(format!("fills nothing in the preset `{}`", preset.name));
    let all: Vec<_> = holes.iter().map(|hole| format!("`vars.{hole}`")).collect();
    match nearest(name, holes.iter().copied()) {
        Some(meant) => broken.hint(format!("did you mean `vars.{meant}`?")),
        None if all.is_empty() => broken.hint("remove it: this preset leaves nothing open there"),
        None => broken.hint(format!("it takes {}", all.join(", "))),
    }
}

fn unfilled(preset: &Preset, hole: &str) -> Broken {
    let key = format!("vars.{hole}");
    let asked = preset.ask.iter().find(|question| question.key == key);
    let what = asked.map(|question| format!(", the {}", question.prompt)).unwrap_or_default();
    Broken::new(format!("is `{}`, which needs `{key}`{what}", preset.name))
        .hint(format!("add `{key} = \"\u{2026}\"` to the profile"))
}

fn without_preset(text: &str, own: &dyn TableLike) -> ConfigError {
    let broken = Broken::new("means nothing without `preset`").hint("remove `vars`");
    ConfigError::at(text, key_offset(own, VARS), broken.of(VARS))
}
