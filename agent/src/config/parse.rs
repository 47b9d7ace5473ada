//! Text in, a checked [`Config`] out, or the first thing that is wrong with its line.
//!
//! Nothing is defaulted that a reader of the file would be surprised by, and nothing unknown is
//! skipped: a misspelt key that is ignored is a setting that silently does not hold.

use std::collections::BTreeMap;

use tokctl_proto::ProfileName;
use tokctl_proto::escape::shown;
use tokctl_proto::nearest::nearest;
use tokctl_proto::setting::{self, find};
use toml_edit::{Document, Item, TableLike};

use super::error::{Broken, ConfigError, suggestion};
use super::layer::Layered;
use super::policy::policy;
use super::profile::HEADER_DEFAULT;
use super::section::{Section, key_offset};
use super::{Config, Grant, Network, Profile};
use super::{address, check, misplaced, pool, subject, template};

mod agent;
mod client;
mod machine;
mod steps;

/// The tables at the top.
const TABLES: &[&str] = &["agent", "profiles"];

/// Reads the text of config.toml.
pub fn parse(text: &str) -> Result<Config, ConfigError> {
    let document = Document::parse(text).map_err(|error| ConfigError::syntax(text, &error))?;
    let root = document.as_table();
    for (name, _) in root {
        if !TABLES.contains(&name) {
            return Err(ConfigError::at(text, key_offset(root, name), unknown_table(name)));
        }
    }
    let (network, notify) = match root.get("agent") {
        Some(item) => agent::agent(text, root, item)?,
        None => Default::default(),
    };
    let mut profiles = BTreeMap::new();
    let mut pools = Vec::new();
    let mut dependent = Vec::new();
    let layered = match root.get("profiles") {
        Some(item) => layered(text, root, item)?,
        None => Vec::new(),
    };
    for (name, offset, layered) in &layered {
        let (table, origins) = (layered.table(), layered.origins());
        let settings = setting::PROFILE;
        let section = Section::read(text, *offset, "a profile", table, settings, origins)?;
        let profile = profile(name.clone(), &section, &network)?;
        if matches!(profile.grant, Grant::Pool(_)) {
            pools.push(section);
        } else if profile.grant.subject().is_some() {
            dependent.push((name.clone(), section));
        }
        profiles.insert(name.clone(), profile);
    }
    for section in &pools {
        pool::check_members(section, &profiles)?;
    }
    for (name, section) in &dependent {
        subject::check(section, name, &profiles)?;
    }
    Ok(Config { network, notify, profiles })
}

/// The tables of all profiles, each over its preset.
fn layered<'a>(
    text: &str,
    root: &dyn TableLike,
    item: &'a Item,
) -> Result<Vec<(ProfileName, usize, Layered<'a>)>, ConfigError> {
    let tables = table_of(text, key_offset(root, "profiles"), "profiles", item)?;
    let read = |(name, item): (&'a str, &'a Item)| {
        let offset = key_offset(tables, name);
        let table = table_of(text, offset, &format!("profiles.{}", shown(name)), item)?;
        let name = ProfileName::parse(name)
            .map_err(|error| ConfigError::at(text, offset, Broken::new(error.to_string())))?;
        Ok((name, offset, Layered::read(text, offset, table)?))
    };
    tables.iter().map(read).collect()
}

fn unknown_table(name: &str) -> Broken {
    let broken = Broken::new("is not a table of config.toml").of(name);
    if find(setting::PROFILE, name).is_some() {
        return broken.hint("the keys of a profile stand below `[profiles.NAME]`");
    }
    match nearest(name, TABLES.iter().copied()) {
        Some(meant) => broken.hint(format!("did you mean `{meant}`?")),
        None => broken.hint("the tables are `[agent]` and `[profiles.NAME]`"),
    }
}

fn table_of<'a>(
    text: &str,
    offset: usize,
    name: &str,
    item: &'a Item,
) -> Result<&'a dyn TableLike, ConfigError> {
    item.as_table_like().ok_or_else(|| {
        ConfigError::at(text, offset, Broken::new(format!("must be a table, `[{name}]`")).of(name))
    })
}

fn profile(
    name: ProfileName,
    section: &Section<'_>,
    agent: &Network,
) -> Result<Profile, ConfigError> {
    let allow_http_loopback = section.flag("allow_http_loopback");
    misplaced::check(section)?;
    let grant = match section.text("grant").map(|spot| spot.text) {
        Some("client_credentials") => Grant::ClientCredentials(client::client(section, agent)?),
        Some("authorization_code") => Grant::AuthorizationCode(client::of_login(section, agent)?),
        Some("device_code") => Grant::DeviceCode(client::of_login(section, agent)?),
        Some("refresh_token") => Grant::RefreshToken(client::client(section, agent)?),
        Some("jwt_bearer") => Grant::JwtBearer(client::of_assertion(section, agent)?),
        Some("token_exchange") => Grant::TokenExchange(client::of_exchange(section, agent)?),
        Some("aws_web_identity") => Grant::AwsWebIdentity(machine::aws_role(section, agent)?),
        Some("github_app") => Grant::GithubApp(machine::github_app(section, agent)?),
        Some("self_signed_jwt") => Grant::SelfSignedJwt(machine::self_signed(section)?),
        Some("steps") => Grant::Steps(steps::steps(section, agent)?),
        Some("command") => Grant::Command(machine::program(section)?),
        Some("api_key") => Grant::ApiKey,
        _ if section.offset(pool::KEY).is_some() => Grant::Pool(pool::pool(section)?),
        _ => {
            let known = suggestion("", setting::GRANTS.iter().copied());
            return Err(section.lacks(lacking("`grant`").hint(known)));
        }
    };
    let api_url = |text: &str| address::api_url(text, allow_http_loopback);
    let api_urls: Vec<_> = section.all_checked("api_urls", api_url)?;
    if let (Some(offset), true) = (section.offset("api_urls"), api_urls.is_empty()) {
        let broken = Broken::new("names no place at all").hint("remove it to allow every place");
        return Err(section.refuse(offset, "api_urls", broken));
    }
    Ok(Profile {
        name,
        grant,
        policy: policy(section)?,
        header: section
            .checked("header", template::header)?
            .unwrap_or_else(|| HEADER_DEFAULT.to_owned()),
        query: query(section)?,
        api_urls,
        allow_http_loopback,
    })
}

/// The parameter that holds the token. It takes the place of a header, and a token that is bound to a key needs one.
fn query(section: &Section<'_>) -> Result<Option<String>, ConfigError> {
    let Some(name) = section.checked("query", template::query)? else { return Ok(None) };
    let offset = section.offset("query").unwrap_or_default();
    let beside = match (section.offset("header"), section.flag("dpop")) {
        (Some(_), _) => "header",
        (None, true) => "dpop",
        (None, false) => return Ok(Some(name)),
    };
    let broken = Broken::new(format!("cannot stand beside `{beside}`"));
    Err(section.refuse(offset, "query", broken.hint("remove one of the two")))
}

/// The way to a provider: the profile's own settings, else those of all profiles.
fn network(section: &Section<'_>, agent: &Network) -> Result<Network, ConfigError> {
    Ok(Network {
        ca_file: section.checked("ca_file", check::ca_file)?.or_else(|| agent.ca_file.clone()),
        proxy: section.checked("proxy", address::proxy)?.or_else(|| agent.proxy.clone()),
        no_proxy: agent.no_proxy.clone(),
        allow_http_loopback: section.flag("allow_http_loopback"),
    })
}

/// The text of a key without which the grant cannot be.
fn required(section: &Section<'_>, name: &str) -> Result<String, ConfigError> {
    let text = section.checked(name, check::plain_text)?;
    text.ok_or_else(|| section.lacks(lacking(&format!("`{name}`"))))
}

fn lacking(what: &str) -> Broken {
    Broken::new(format!("the profile has no {what}"))
}

#[cfg(test)]
mod tests;
