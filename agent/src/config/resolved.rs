//! The settings of a profile that are in effect, each with the layer that it comes from: the profile, its preset,
//! `[agent]`, or what tokctl does of itself.
//!
//! What depends on more than settings has no line here: how a client proves itself where metadata says it, how long a
//! token lives.

use std::time::Duration;

use tokctl_proto::ProfileName;
use tokctl_proto::setting::{AGENT, PROFILE};
use toml_edit::{Document, Item, TableLike};

use super::edit::value_toml;
use super::layer::{Layered, Origins};
use super::profile::HEADER_DEFAULT;
use super::{ConfigError, Grant, Profile, Provider, parse, preset};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Of a table `key.entry`.
    pub key: String,
    /// As TOML.
    pub value: String,
    pub layer: Layer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Profile,
    Preset,
    Agent,
    Default,
}

impl Layer {
    /// As it is called on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Preset => "preset",
            Self::Agent => "agent",
            Self::Default => "default",
        }
    }
}

/// The settings of that profile, in the order of the manual; `None` where there is no such profile.
pub fn resolved(text: &str, name: &ProfileName) -> Result<Option<Vec<Effective>>, ConfigError> {
    let config = parse(text)?;
    let Some(profile) = config.profiles.get(name) else { return Ok(None) };
    let document = Document::parse(text).map_err(|error| ConfigError::syntax(text, &error))?;
    let table = |path: &[&str]| {
        let start = document.as_table() as &dyn TableLike;
        path.iter().try_fold(start, |table, name| table.get(name)?.as_table_like())
    };
    let Some(own) = table(&["profiles", name.as_str()]) else { return Ok(None) };
    let layered = Layered::read(text, 0, own)?;
    let mut found = written(layered.table(), layered.origins());
    if profile.grant.network().is_some() {
        found.extend(table(&["agent"]).into_iter().flat_map(|agent| inherited(agent, own)));
    }
    let is_said = |key: &str| {
        found.iter().any(|one| one.key == key || one.key.starts_with(&format!("{key}.")))
    };
    let unsaid: Vec<_> = defaults(profile)
        .into_iter()
        .filter(|(key, _)| !is_said(key))
        .map(|(key, value)| Effective {
            key: key.to_owned(),
            value: toml_edit::Value::from(value).to_string(),
            layer: Layer::Default,
        })
        .collect();
    found.extend(unsaid);
    let rank = |key: &str| {
        let key = key.split('.').next().unwrap_or_default();
        PROFILE.iter().position(|setting| setting.name == key).unwrap_or(PROFILE.len())
    };
    found.sort_by_key(|one| rank(&one.key));
    Ok(Some(found))
}

/// What the profile and its preset say.
fn written(table: &dyn TableLike, origins: Option<&Origins>) -> Vec<Effective> {
    let one = |key: String, item: &Item| {
        let layer = match origins.and_then(|origins| origins.get(&key)) {
            Some(_) => Layer::Preset,
            None => Layer::Profile,
        };
        Some(Effective { value: value_toml(item)?, key, layer })
    };
    let mut found = Vec::new();
    for (key, item) in table.iter() {
        match item.as_table_like().filter(|_| preset::is_table(key)) {
            Some(entries) => {
                let entry = |(name, item): (&str, &Item)| one(format!("{key}.{name}"), item);
                found.extend(entries.iter().filter_map(entry));
            }
            None => found.extend(one(key.to_owned(), item)),
        }
    }
    found
}

/// What holds of `[agent]` beside a profile's own.
fn inherited(agent: &dyn TableLike, own: &dyn TableLike) -> Vec<Effective> {
    let keys = AGENT.iter().map(|setting| setting.name).filter(|key| !own.contains_key(key));
    let one = |key: &str| {
        let value = value_toml(agent.get(key)?)?;
        Some(Effective { key: key.to_owned(), value, layer: Layer::Agent })
    };
    keys.filter_map(one).collect()
}

/// What is done where nobody says anything.
fn defaults(profile: &Profile) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if profile.query.is_none() {
        found.push(("header", HEADER_DEFAULT.to_owned()));
    }
    let mut say = |key, value: &str| found.push((key, value.to_owned()));
    let seconds = |duration: Duration| format!("{}s", duration.as_secs());
    if !matches!(profile.grant, Grant::ApiKey | Grant::Pool(_)) {
        say("refresh_ahead", "20%");
        say("refresh_ahead_max", "10m");
        say("keep", "used");
    }
    if profile.grant.has_refresh_token() {
        say("keep_idle", "7d");
        say("rotation", "strict");
    }
    if let Some(client) = profile.grant.client() {
        say("body", "form");
        say("scope_separator", client.quirks.scope_separator());
        match (&client.provider, client.client_auth) {
            (Provider::TokenEndpoint(_), None) if client.client_id.is_empty() => {
                say("client_auth", "none");
            }
            (Provider::TokenEndpoint(_), None) => say("client_auth", "basic"),
            _ => {}
        }
    }
    match &profile.grant {
        Grant::JwtBearer(client) if !client.client_id.is_empty() => say("iss", &client.client_id),
        Grant::AwsWebIdentity(role) => {
            say("token_endpoint", role.endpoint.as_str());
            say("role_session_name", &role.session_name);
            if let Some(audience) = &role.subject_audience {
                say("subject_audience", audience);
            }
        }
        Grant::GithubApp(app) => say("token_endpoint", app.api.as_str()),
        Grant::Command(program) => say("command_timeout", &seconds(program.timeout)),
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let name = ProfileName::parse("acme").unwrap();
        let found = resolved(text, &name).unwrap().unwrap();
        let line = |one: Effective| format!("{} = {} # {}", one.key, one.value, one.layer.name());
        found.into_iter().map(line).collect()
    }

    #[test]
    fn every_setting_says_where_it_is_from() {
        let text = "[agent]\nproxy = \"http://p.example:1\"\nca_file = \"/agent.pem\"\n\
                    [profiles.acme]\npreset = \"zoom\"\nclient_id = \"c\"  # mine\nca_file = \"/own.pem\"\n\
                    vars = { account_id = \"A1\" }\nparams = { more = \"x\" }\nscope = [\"b\",\"a\"]\n";
        assert_eq!(
            lines(text),
            [
                "preset = \"zoom\" # profile",
                "vars.account_id = \"A1\" # profile",
                "grant = \"client_credentials\" # preset",
                "token_endpoint = \"https://zoom.us/oauth/token\" # preset",
                "revocation_endpoint = \"https://zoom.us/oauth/revoke\" # preset",
                "client_id = \"c\" # profile",
                "client_auth = \"basic\" # preset",
                "scope = [\"b\", \"a\"] # profile",
                "params.more = \"x\" # profile",
                "params.account_id = \"A1\" # preset",
                "grant_type = \"account_credentials\" # preset",
                "body = \"form\" # default",
                "scope_separator = \" \" # default",
                "refresh_ahead = \"20%\" # default",
                "refresh_ahead_max = \"10m\" # default",
                "keep = \"used\" # default",
                "header = \"Authorization: Bearer {token}\" # default",
                "api_urls = [\"https://api.zoom.us/\"] # preset",
                "ca_file = \"/own.pem\" # profile",
                "proxy = \"http://p.example:1\" # agent",
            ]
        );
    }

    #[test]
    fn a_key_that_is_stored_has_no_way_and_no_renewal() {
        let text =
            "[agent]\nproxy = \"http://p.example:1\"\n[profiles.acme]\ngrant = \"api_key\"\n";
        assert_eq!(
            lines(text),
            [
                "grant = \"api_key\" # profile",
                "header = \"Authorization: Bearer {token}\" # default"
            ]
        );
    }

    #[test]
    fn who_is_not_there_has_no_settings_and_what_does_not_hold_has_none_either() {
        let name = ProfileName::parse("acme").unwrap();
        assert_eq!(resolved("", &name), Ok(None));
        assert!(resolved("[profiles.acme]\n", &name).is_err());
    }
}
