//! Providers that are known: data, one file each in `preset/`.
//!
//! A preset is the profile of a client at one provider, with holes where only its owner knows what belongs there,
//! and what to click at the provider to find out. It holds no secret and is not looked up anywhere: what is in the
//! program is all there is. A file is parsed when somebody first asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use tokctl_proto::escape::shown;
use tokctl_proto::setting::{PROFILE, Shape, find as find_setting, is_login, secret_of};
use tokctl_proto::{Failure, Kind};
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use super::error::{Broken, suggestion};

/// Braces with these names are somebody else's: of headers, and of claims (`oauth/grant/jwt_bearer.rs`).
const NOT_HOLES: &[&str] = &["token", "basic", "scope"];
/// The table of a preset's defaults for its holes, and of what a profile fills them with.
pub(super) const VARS: &str = "vars";

/// What is known of a provider.
#[derive(Debug)]
pub struct Preset {
    pub name: &'static str,
    pub title: String,
    /// Where the provider documents it.
    pub source: String,
    /// When it was compared with that, `YYYY-MM-DD`; `None` where it was written from memory alone.
    pub checked: Option<String>,
    /// Whether it was compared, and a test of ours plays a provider of this shape.
    pub verified: bool,
    pub setup_url: String,
    /// What to click, what to register, what to copy back.
    pub setup: Vec<String>,
    /// What it leaves open, in the order in which it is asked.
    pub ask: Vec<Question>,
    /// Keys of a profile, with `{name}` for what is in its `vars`.
    pub(super) profile: Table,
}

/// A key that a preset leaves open: of a profile, or `vars.NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub key: String,
    pub prompt: String,
    /// An empty answer leaves it out.
    pub optional: bool,
}

struct Source {
    name: &'static str,
    text: &'static str,
    read: OnceLock<Preset>,
}

macro_rules! sources {
    ($($name:literal)*) => {
        [$(Source {
            name: $name,
            text: include_str!(concat!("preset/", $name, ".toml")),
            read: OnceLock::new(),
        }),*]
    };
}

static SOURCES: [Source; 31] = sources! {
    "anthropic" "atlassian" "auth0" "box" "cloudflare" "digitalocean" "discord" "docusign" "dropbox" "github"
    "github-app" "gitlab" "google" "google-service-account" "google-workload-identity" "huggingface" "keycloak"
    "linear" "microsoft" "notion" "okta" "openai" "paypal" "reddit" "salesforce" "slack" "snowflake" "spotify"
    "stripe" "twitch" "zoom"
};

/// All there are, by name.
pub fn all() -> impl Iterator<Item = &'static Preset> {
    SOURCES.iter().map(Source::preset)
}

/// The preset of that name, for somebody who typed it.
pub fn named(name: &str) -> Result<&'static Preset, Failure> {
    find(name).map_err(|broken| {
        let broken = broken.of(super::layer::KEY);
        let failure = Failure::new(Kind::Usage, broken.message);
        Failure { hint: broken.hint, ..failure }
    })
}

/// The preset of that name, or the nearest.
pub(super) fn find(name: &str) -> Result<&'static Preset, Broken> {
    match SOURCES.iter().find(|source| source.name == name) {
        Some(source) => Ok(source.preset()),
        None => Err(Broken::new(format!("cannot be `{}`: no such provider is known", shown(name)))
            .hint(suggestion(name, SOURCES.iter().map(|source| source.name)))),
    }
}

impl Source {
    fn preset(&self) -> &Preset {
        let read = || Preset::read(self.name, self.text);
        self.read.get_or_init(|| read().expect("a test reads every preset"))
    }
}

impl Preset {
    /// The grant unless a profile names another.
    pub fn grant(&self) -> &str {
        self.text("grant").unwrap_or_default()
    }

    /// What to do at the provider, and how far that is to be believed.
    pub fn setup_as_told(&self) -> Vec<String> {
        let doubt = match &self.checked {
            Some(_) => None,
            None => Some(format!(
                "This was written from memory and not compared with {}: where they differ, that page is right.",
                self.source
            )),
        };
        self.setup.iter().cloned().chain(doubt).collect()
    }

    /// The names of the secrets that it takes.
    pub fn secrets(&self) -> Vec<String> {
        let name = match (self.grant(), self.text("client_auth")) {
            ("steps" | "command" | "aws_web_identity", _) => return Vec::new(),
            (grant, _) if secret_of(grant) != "client_secret" => secret_of(grant),
            (_, Some("none" | "federated" | "tls")) => return Vec::new(),
            (_, Some("private_key_jwt")) => "private_key",
            (grant, _) => secret_of(grant),
        };
        vec![name.to_owned()]
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.profile.get(key)?.as_str()
    }

    /// The names of its holes.
    pub(super) fn holes(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        let texts = self
            .profile
            .iter()
            .filter(|(key, _)| *key != VARS)
            .flat_map(|(_, item)| texts_of(item));
        texts.for_each(|text| names.extend(holes_in(text)));
        names
    }

    /// What stands in a hole unless a profile says otherwise.
    pub(super) fn default_of(&self, hole: &str) -> Option<&str> {
        self.profile.get(VARS)?.as_table_like()?.get(hole)?.as_str()
    }

    fn read(name: &'static str, text: &str) -> Result<Self, String> {
        // What it says stands in no file that a user could look into, so its places are forgotten.
        let mut document: DocumentMut = text.parse().map_err(|error| format!("{error}"))?;
        let checked = document.remove("checked");
        let mut take =
            |key: &str| document.remove(key).ok_or_else(|| format!("there is no `{key}`"));
        let text = |item: Item| match item.as_str() {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(format!("`{item}` is no text")),
        };
        let setup = take("setup")?;
        let setup = setup.as_array().ok_or("`setup` is no array")?;
        let line = |value: &Value| value.as_str().map(str::to_owned).ok_or("`setup` has no text");
        let ask = take("ask")?;
        let ask = ask.as_table().ok_or("`ask` is no table")?;
        let read = Self {
            name,
            title: text(take("title")?)?,
            source: text(take("source")?)?,
            checked: checked.map(text).transpose()?,
            verified: take("verified")?.as_bool().ok_or("`verified` is no flag")?,
            setup_url: text(take("setup_url")?)?,
            setup: setup.iter().map(line).collect::<Result<_, _>>()?,
            ask: ask.iter().map(|(key, item)| question(key, item)).collect::<Result<_, _>>()?,
            profile: take("profile")?.into_table().map_err(|_| "`profile` is no table")?,
        };
        match document.iter().next() {
            Some((unknown, _)) => Err(format!("a preset has no `{unknown}`")),
            None => Ok(read),
        }
    }
}

/// The prompt alone, or with `optional`.
fn question(key: &str, item: &Item) -> Result<Question, String> {
    let table = item.as_table_like();
    let get = |name: &str| table.and_then(|table| table.get(name));
    let prompt = item.as_str().or_else(|| get("prompt")?.as_str());
    let prompt = prompt.ok_or_else(|| format!("`ask.{key}` has no prompt"))?;
    let optional = get("optional").and_then(Item::as_bool).unwrap_or_default();
    Ok(Question { key: key.to_owned(), prompt: prompt.to_owned(), optional })
}

/// Whether what a preset says of `key` for its own grant holds for another that a profile names.
pub(super) fn holds_for(preset: &Preset, grant: &str, key: &str) -> bool {
    let own = preset.grant();
    let is_person = |grant: &str| is_login(grant) || grant == "refresh_token";
    if own == grant || (is_person(own) && is_person(grant)) {
        return true;
    }
    match key {
        // What the grant is called, and what goes with that.
        "grant_type" | "params" => false,
        // What a person is asked for is not what a machine is given.
        "scope" => is_person(own) == is_person(grant),
        // A client that proves nothing gets nothing for itself.
        "client_auth" => grant != "client_credentials" || preset.text(key) != Some("none"),
        _ => true,
    }
}

/// A hole without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfilled(pub(super) String);

/// The item with its holes filled; `used` gets the names of those.
pub(super) fn fill<'a>(
    item: &Item,
    value_of: &impl Fn(&str) -> Option<&'a str>,
    used: &mut BTreeSet<String>,
) -> Result<Item, Unfilled> {
    let mut item = item.clone();
    match &mut item {
        Item::Value(value) => fill_value(value, value_of, used)?,
        Item::Table(table) => {
            for (_, item) in table.iter_mut() {
                *item = fill(item, value_of, used)?;
            }
        }
        Item::None | Item::ArrayOfTables(_) => {}
    }
    Ok(item)
}

fn fill_value<'a>(
    value: &mut Value,
    value_of: &impl Fn(&str) -> Option<&'a str>,
    used: &mut BTreeSet<String>,
) -> Result<(), Unfilled> {
    match value {
        Value::String(text) => *value = fill_text(text.value(), value_of, used)?.into(),
        Value::Array(values) => {
            for value in values.iter_mut() {
                fill_value(value, value_of, used)?;
            }
        }
        Value::InlineTable(table) => {
            for (_, value) in table.iter_mut() {
                fill_value(value, value_of, used)?;
            }
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
    Ok(())
}

fn fill_text<'a>(
    text: &str,
    value_of: &impl Fn(&str) -> Option<&'a str>,
    used: &mut BTreeSet<String>,
) -> Result<String, Unfilled> {
    let mut filled = text.to_owned();
    for name in holes_in(text) {
        let value = value_of(name).ok_or_else(|| Unfilled(name.to_owned()))?;
        filled = filled.replace(&format!("{{{name}}}"), value);
        used.insert(name.to_owned());
    }
    Ok(filled)
}

/// The names in braces that are holes of a preset; `{secret:x}` and `{key:sha256}` are none.
fn holes_in(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    inside.filter(|name| is_hole(name) && !NOT_HOLES.contains(name))
}

fn is_hole(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.bytes().next().is_some_and(|first| first.is_ascii_lowercase()) && name.bytes().all(fits)
}

/// What fills a hole: it must not open another.
pub(super) fn var(text: &str) -> Result<(), Broken> {
    match text {
        "" => Err(Broken::new("is empty")),
        _ if text.contains(['{', '}']) || text.chars().any(char::is_control) => {
            Err(Broken::new("must not hold braces or control characters"))
        }
        _ => Ok(()),
    }
}

fn texts_of(item: &Item) -> Vec<&str> {
    match item {
        Item::Value(value) => texts_of_value(value),
        Item::Table(table) => table.iter().flat_map(|(_, item)| texts_of(item)).collect(),
        Item::None | Item::ArrayOfTables(_) => Vec::new(),
    }
}

fn texts_of_value(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text.value()],
        Value::Array(values) => values.iter().flat_map(texts_of_value).collect(),
        Value::InlineTable(table) => {
            table.iter().flat_map(|(_, value)| texts_of_value(value)).collect()
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => Vec::new(),
    }
}

/// Whether entries of a key add up over layers, rather than the key as a whole.
pub(super) fn is_table(key: &str) -> bool {
    find_setting(PROFILE, key).is_some_and(|setting| setting.shape == Shape::Table)
}

/// The values that a profile has for holes; `None` where that is no table of text, which its section will say.
pub(super) fn vars(table: &dyn TableLike) -> Option<BTreeMap<&str, &str>> {
    let Some(item) = table.get(VARS) else { return Some(BTreeMap::new()) };
    item.as_table_like()?.iter().map(|(name, item)| Some((name, item.as_str()?))).collect()
}

#[cfg(test)]
mod tests;
