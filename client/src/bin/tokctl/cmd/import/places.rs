//! Where other programs keep their files, and how a place is shown.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use tokctl_client::proto::{Failure, Kind};

use crate::exit::Stop;

/// Files in oidc-agent's directory that are no accounts.
const NO_ACCOUNTS: [&str; 4] = [".config", ".clientconfig", ".stats", ".log"];

fn set(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn home() -> Option<PathBuf> {
    set("HOME")
}

fn config() -> Option<PathBuf> {
    set("XDG_CONFIG_HOME").or_else(|| Some(home()?.join(".config")))
}

pub(super) fn pizauth() -> Option<PathBuf> {
    Some(config()?.join("pizauth.conf"))
}

pub(super) fn gh() -> Option<PathBuf> {
    let directory = set("GH_CONFIG_DIR").or_else(|| Some(config()?.join("gh")));
    Some(directory?.join("hosts.yml"))
}

pub(super) fn aws() -> Option<PathBuf> {
    set("AWS_CONFIG_FILE").or_else(|| Some(home()?.join(".aws/config")))
}

/// The file of an account of oidc-agent: the one that is named, or the only one there is.
pub(super) fn account(named: Option<&Path>) -> Result<PathBuf, Stop> {
    let directories: Vec<PathBuf> = [
        set("OIDC_CONFIG_DIR"),
        home().map(|home| home.join(".config/oidc-agent")),
        home().map(|home| home.join(".oidc-agent")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let is_path = |name: &&Path| *name == Path::new("-") || name.components().count() > 1;
    if let Some(path) = named.filter(is_path) {
        return Ok(path.to_owned());
    }
    if let Some(name) = named {
        let found = directories.iter().map(|directory| directory.join(name));
        let found = found.into_iter().find(|path| path.is_file());
        let here = Some(name.to_owned()).filter(|path| path.is_file());
        if let Some(path) = found.or(here) {
            return Ok(path);
        }
    }
    let mut accounts: Vec<PathBuf> = directories.iter().flat_map(|it| accounts_of(it)).collect();
    let names: Vec<String> = accounts
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let message = match named {
        None if accounts.len() == 1 => return Ok(accounts.remove(0)),
        None if accounts.is_empty() => "oidc-agent has no account here".to_owned(),
        None => "oidc-agent has several accounts here".to_owned(),
        Some(name) => format!("oidc-agent has no account `{}`", name.display()),
    };
    let hint = match names.is_empty() {
        true => "name the file of one".to_owned(),
        false => format!("name one of them: {}", names.join(", ")),
    };
    Err(Failure::new(Kind::Usage, message).hint(hint).into())
}

fn accounts_of(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let is_account = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        path.is_file() && name != "config" && !NO_ACCOUNTS.iter().any(|end| name.ends_with(end))
    };
    let mut found: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_account).collect();
    found.sort();
    found
}

/// The names that a `.env` seems to set, to be asked about. What they hold is for the agent to read.
pub(super) fn variables(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let Some((name, value)) = line.split_once('=') else { continue };
        let name = name.trim();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_name = !name.is_empty() && name.bytes().all(fits);
        if is_name && !value.trim().is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// A path as a person writes it.
pub(super) fn shown(path: &Path) -> String {
    if path == Path::new("-") {
        return "stdin".to_owned();
    }
    match home().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(below) => format!("~/{}", below.display()),
        None => path.display().to_string(),
    }
}
