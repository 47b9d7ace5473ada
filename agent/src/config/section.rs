//! One table of config.toml, read by its list of settings: only known keys, each with a value of
//! its shape.
//!
//! What a value means is not known here; `parse` asks `check` for that and comes back for the line.

use std::collections::BTreeMap;
use std::time::Duration;

use tokctl_proto::setting::{Setting, Shape, find};
use tokctl_proto::time::parse_duration;
use tokctl_proto::token::SET_VALUES_MAX;
use toml_edit::{Item, TableLike, Value};

use super::error::{Broken, ConfigError, key_suggestion, suggestion};
use super::layer::Origins;

/// Where text stands in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<'a> {
    pub(super) offset: usize,
    pub(super) text: &'a str,
}

/// A table whose keys and shapes are right.
pub(super) struct Section<'a> {
    text: &'a str,
    /// Where the table itself stands, for what is missing in it.
    offset: usize,
    entries: BTreeMap<&'static str, Entry<'a>>,
    /// What of it does not stand in the file.
    origins: Option<&'a Origins>,
}

struct Entry<'a> {
    offset: usize,
    content: Content<'a>,
}

enum Content<'a> {
    /// Of one or several texts, by the shape.
    Texts(Vec<Spot<'a>>),
    Flag(bool),
    Duration(Duration),
    Pairs(Vec<(&'a str, Spot<'a>)>),
    /// Read by `parse/agent.rs`.
    Table(&'a dyn TableLike),
    /// Read by `parse/steps.rs`.
    Tables(Vec<&'a dyn TableLike>),
}

impl<'a> Section<'a> {
    /// Reads a table; `title` is how it is called in an error: `[agent]`, `a profile`.
    pub(super) fn read(
        text: &'a str,
        offset: usize,
        title: &str,
        table: &'a dyn TableLike,
        settings: &'static [Setting],
        origins: Option<&'a Origins>,
    ) -> Result<Self, ConfigError> {
        let mut section = Self { text, offset, entries: BTreeMap::new(), origins };
        for (name, item) in table.iter() {
            let offset = section.place(name).unwrap_or_else(|| key_offset(table, name));
            let Some(setting) = find(settings, name) else {
                let known = settings.iter().map(|setting| setting.name);
                let broken = Broken::new(format!("is not a key of {title}"));
                return Err(section.refuse(offset, name, broken.hint(key_suggestion(name, known))));
            };
            let mut content = content(item, offset, setting.shape)
                .map_err(|(offset, broken)| section.refuse(offset, name, broken))?;
            if let Content::Pairs(pairs) = &mut content {
                for (entry, spot) in pairs {
                    spot.offset = section.place(&format!("{name}.{entry}")).unwrap_or(spot.offset);
                }
            }
            section.entries.insert(setting.name, Entry { offset, content });
        }
        Ok(section)
    }

    /// Where that can be changed which does not stand in the file.
    fn place(&self, name: &str) -> Option<usize> {
        self.origins?.get(name).map(|origin| origin.offset)
    }

    /// Where a key stands, if it is there.
    pub(super) fn offset(&self, name: &str) -> Option<usize> {
        self.entries.get(name).map(|entry| entry.offset)
    }

    /// The names of the keys that are there.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.entries.keys().copied()
    }

    pub(super) fn texts(&self, name: &str) -> &[Spot<'a>] {
        match self.entries.get(name).map(|entry| &entry.content) {
            Some(Content::Texts(spots)) => spots,
            _ => &[],
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<Spot<'a>> {
        self.texts(name).first().copied()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.entries.get(name).map(|entry| &entry.content), Some(Content::Flag(true)))
    }

    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        match self.entries.get(name).map(|entry| &entry.content) {
            Some(Content::Duration(duration)) => Some(*duration),
            _ => None,
        }
    }

    pub(super) fn pairs(&self, name: &str) -> &[(&'a str, Spot<'a>)] {
        match self.entries.get(name).map(|entry| &entry.content) {
            Some(Content::Pairs(pairs)) => pairs,
            _ => &[],
        }
    }

    /// The tables of a key that is an array of them.
    pub(super) fn tables(&self, name: &str) -> &[&'a dyn TableLike] {
        match self.entries.get(name).map(|entry| &entry.content) {
            Some(Content::Tables(tables)) => tables,
            _ => &[],
        }
    }

    /// The table of a key that is one, unread.
    pub(super) fn table(&self, name: &str) -> Option<&'a dyn TableLike> {
        match self.entries.get(name).map(|entry| &entry.content) {
            Some(Content::Table(table)) => Some(*table),
            _ => None,
        }
    }

    /// The one text of a key, checked.
    pub(super) fn checked<T>(
        &self,
        name: &str,
        rule: impl Fn(&str) -> Result<T, Broken>,
    ) -> Result<Option<T>, ConfigError> {
        let check = |spot: Spot<'_>| self.obey(name, spot.offset, rule(spot.text));
        self.text(name).map(check).transpose()
    }

    /// All texts of a key, checked.
    pub(super) fn all_checked<T, C: FromIterator<T>>(
        &self,
        name: &str,
        rule: impl Fn(&str) -> Result<T, Broken>,
    ) -> Result<C, ConfigError> {
        let check = |spot: &Spot<'_>| self.obey(name, spot.offset, rule(spot.text));
        self.texts(name).iter().map(check).collect()
    }

    /// Puts a key and a line to a broken rule.
    pub(super) fn obey<T>(
        &self,
        name: &str,
        offset: usize,
        outcome: Result<T, Broken>,
    ) -> Result<T, ConfigError> {
        outcome.map_err(|broken| self.refuse(offset, name, broken))
    }

    pub(super) fn refuse(&self, offset: usize, name: &str, broken: Broken) -> ConfigError {
        let mut broken = broken.of(name);
        let note = self.origins.and_then(|origins| origins.note(name));
        broken.message.extend(note);
        ConfigError::at(self.text, offset, broken)
    }

    /// Something that the whole table lacks.
    pub(super) fn lacks(&self, broken: Broken) -> ConfigError {
        ConfigError::at(self.text, self.offset, broken)
    }
}

/// Where the key `name` of `table` stands.
pub(super) fn key_offset(table: &dyn TableLike, name: &str) -> usize {
    table.get_key_value(name).and_then(|(key, _)| key.span()).map_or(0, |span| span.start)
}

/// Reads a value by its shape; an error comes with its place, which in a list of many lines is not
/// the key's.
fn content(item: &Item, key: usize, shape: Shape) -> Result<Content<'_>, (usize, Broken)> {
    let here = item.span().map_or(key, |span| span.start);
    let wrong = |wanted: &str| {
        (here, Broken::new(format!("must be {wanted}, not {}", with_article(item.type_name()))))
    };
    match shape {
        Shape::Text => {
            let text = item.as_str().ok_or_else(|| wrong("text in quotes"))?;
            Ok(Content::Texts(vec![filled(here, text)?]))
        }
        Shape::Word(words) => {
            let text = item.as_str().ok_or_else(|| wrong("a word in quotes"))?;
            word(text, words).map_err(|broken| (here, broken))?;
            Ok(Content::Texts(vec![Spot { offset: here, text }]))
        }
        Shape::List => Ok(Content::Texts(few(here, list(item, here)?)?)),
        Shape::Scopes => {
            let whole = list(item, here)?;
            let scopes = whole.iter().flat_map(|&Spot { offset, text }| {
                let words = text.split(' ').filter(|word| !word.is_empty());
                words.map(move |text| Spot { offset, text })
            });
            Ok(Content::Texts(few(here, scopes.collect())?))
        }
        Shape::Flag => match item.as_bool() {
            Some(flag) => Ok(Content::Flag(flag)),
            None => Err(wrong("true or false without quotes")),
        },
        Shape::Duration => {
            let typed = match (item.as_str(), item.as_integer()) {
                (Some(text), _) => text.to_owned(),
                (None, Some(seconds)) => seconds.to_string(),
                (None, None) => return Err(wrong("a duration in quotes")),
            };
            match parse_duration(&typed) {
                Ok(Duration::ZERO) => Err((here, Broken::new("must be longer than nothing"))),
                Ok(duration) => Ok(Content::Duration(duration)),
                Err(error) => Err((here, Broken::new(format!("does not fit: {error}")))),
            }
        }
        Shape::Table => {
            let table = item.as_table_like().ok_or_else(|| wrong("a table of text"))?;
            let pairs = table.iter().map(|(name, item)| pair(table, name, item));
            Ok(Content::Pairs(few(here, pairs.collect::<Result<_, _>>()?)?))
        }
        Shape::Hooks => {
            let wanted = "a table with a list for each event";
            Ok(Content::Table(item.as_table_like().ok_or_else(|| wrong(wanted))?))
        }
        Shape::Steps => {
            let wanted = "an array of tables, one for each request";
            Ok(Content::Tables(tables(item).ok_or_else(|| wrong(wanted))?))
        }
    }
}

/// One of the words, or the nearest of them.
pub(super) fn word(text: &str, words: &'static [&'static str]) -> Result<&'static str, Broken> {
    words.iter().find(|word| **word == text).copied().ok_or_else(|| {
        Broken::new(format!("cannot be `{}`", tokctl_proto::escape::shown(text)))
            .hint(suggestion(text, words.iter().copied()))
    })
}

fn list(item: &Item, here: usize) -> Result<Vec<Spot<'_>>, (usize, Broken)> {
    let place = |value: &Value| value.span().map_or(here, |span| span.start);
    let wrong = |offset, kind| {
        (offset, Broken::new(format!("must be text or a list of text, not {}", with_article(kind))))
    };
    match (item.as_str(), item.as_array()) {
        (Some(text), _) => Ok(vec![filled(here, text)?]),
        (None, Some(array)) => array
            .iter()
            .map(|value| match value.as_str() {
                Some(text) => filled(place(value), text),
                None => Err(wrong(place(value), value.type_name())),
            })
            .collect(),
        (None, None) => Err(wrong(here, item.type_name())),
    }
}

fn tables(item: &Item) -> Option<Vec<&dyn TableLike>> {
    if let Some(tables) = item.as_array_of_tables() {
        return Some(tables.iter().map(|table| table as &dyn TableLike).collect());
    }
    let array = item.as_array().filter(|array| !array.is_empty())?;
    array.iter().map(|value| Some(value.as_inline_table()? as &dyn TableLike)).collect()
}

fn filled(offset: usize, text: &str) -> Result<Spot<'_>, (usize, Broken)> {
    match text {
        "" => Err((offset, Broken::new("is empty").hint("remove the key or give it a value"))),
        _ => Ok(Spot { offset, text }),
    }
}

fn pair<'a>(
    table: &'a dyn TableLike,
    name: &'a str,
    item: &'a Item,
) -> Result<(&'a str, Spot<'a>), (usize, Broken)> {
    let offset = key_offset(table, name);
    match item.as_str() {
        Some(text) => Ok((name, Spot { offset, text })),
        None => {
            let kind = with_article(item.type_name());
            Err((offset, Broken::new(format!("must hold text in quotes alone, not {kind}"))))
        }
    }
}

fn few<T>(offset: usize, values: Vec<T>) -> Result<Vec<T>, (usize, Broken)> {
    if values.len() <= SET_VALUES_MAX {
        return Ok(values);
    }
    Err((offset, Broken::new(format!("holds more than {SET_VALUES_MAX} values"))))
}

fn with_article(noun: &str) -> String {
    match noun.bytes().next() {
        Some(b'a' | b'e' | b'i' | b'o' | b'u') => format!("an {noun}"),
        _ => format!("a {noun}"),
    }
}
