//! ~/.cargo/config.toml: the `credential-provider` of a registry.

use super::change::{self, Change};
use super::sections;
use super::{Entry, Tool, Wanted, file};
use crate::exit::Stop;
use std::path::PathBuf;

pub(super) const LINK: &str = "cargo-credential-tokctl";
const KEY: &str = "credential-provider";

fn path() -> Result<PathBuf, Stop> {
    match std::env::var_os("CARGO_HOME").filter(|value| !value.is_empty()) {
        Some(directory) => Ok(PathBuf::from(directory).join("config.toml")),
        None => file(None, ".cargo/config.toml"),
    }
}

pub(super) fn install(wanted: &Wanted<'_>) -> Result<Change, Stop> {
    let path = path()?;
    let before = change::read(&path)?;
    let text = before.as_deref().unwrap_or_default();
    let section = section(wanted.name);
    let value = format!("[\"{LINK}\", \"{}\"]", wanted.profile);
    Ok(match is_plain(text, &section) {
        true => {
            let after = sections::set(text, &section, KEY, &value);
            Change::edit(path, before, after)
        }
        false => Change::ByHand {
            place: path.display().to_string(),
            text: format!("[{section}]\n{KEY} = {value}\n"),
        },
    })
}

/// A dot in a name would be a table of its own.
fn section(name: &str) -> String {
    match name.contains('.') {
        true => format!("registries.\"{name}\""),
        false => format!("registries.{name}"),
    }
}

/// Whether a section can be added as text: every registry is in a section of its own, and this one in no other spelling
/// of it that TOML has.
fn is_plain(text: &str, section: &str) -> bool {
    let bare = |name: &str| name.replace(['"', '\'', ' '], "");
    text.lines().map(str::trim).filter(|line| !line.starts_with('#')).all(|line| {
        let is_about = line.contains("registries");
        match sections::heading(line) {
            Some(name) if is_about => {
                name.starts_with("registries.") && (name == section || bare(name) != bare(section))
            }
            _ => !is_about,
        }
    })
}

pub(super) fn uninstall(entries: &[Entry]) -> Result<Change, Stop> {
    let path = path()?;
    let before = change::read(&path)?;
    let text = before.clone().unwrap_or_default();
    let after =
        entries.iter().fold(text, |text, entry| sections::remove(&text, &section(&entry.at), KEY));
    Ok(Change::edit(path, before, after))
}

pub(super) fn entries() -> Result<Vec<Entry>, Stop> {
    Ok(registries(&change::read(&path()?)?.unwrap_or_default()))
}

fn registries(text: &str) -> Vec<Entry> {
    let entry = |(section, value): (&str, &str)| {
        let name = section.strip_prefix("registries.")?.trim_matches('"');
        let words: Vec<&str> = value
            .split(|character: char| "[]\", ".contains(character))
            .filter(|word| !word.is_empty())
            .collect();
        let profile = match words.as_slice() {
            [program] if program.ends_with(LINK) => None,
            [program, profile, ..] if program.ends_with(LINK) => Some((*profile).to_owned()),
            _ => return None,
        };
        Some(Entry { program: Tool::Cargo, at: name.to_owned(), profile })
    };
    sections::find(text, KEY).into_iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_that_ask_us_are_known() {
        let text = "[registries.acme]\ncredential-provider = [\"cargo-credential-tokctl\", \"acme\"]\n\
                    [registries.\"a.b\"]\ncredential-provider = \"cargo-credential-tokctl\"\n\
                    [registries.other]\ncredential-provider = \"cargo:token\"\n[registry]\n\
                    credential-provider = \"cargo-credential-tokctl\"\n";
        let entry = |at: &str, profile: Option<&str>| Entry {
            program: Tool::Cargo,
            at: at.to_owned(),
            profile: profile.map(str::to_owned),
        };
        assert_eq!(registries(text), [entry("acme", Some("acme")), entry("a.b", None)]);
    }

    #[test]
    fn a_file_with_registries_in_other_forms_is_left_to_its_owner() {
        for (text, plain) in [
            ("", true),
            ("[build]\njobs = 2\n", true),
            ("[registries.other]\nindex = \"x\"\n", true),
            ("[registries.acme] # ours\nindex = \"x\"\n", true),
            ("# registries\n[registry]\ndefault = \"acme\"\n", true),
            ("[registries.\"acme\"]\nindex = \"x\"\n", false),
            ("[ registries . acme ]\nindex = \"x\"\n", false),
            ("registries.acme.index = \"x\"\n", false),
            ("[registries]\nacme = { index = \"x\" }\n", false),
        ] {
            assert_eq!(is_plain(text, "registries.acme"), plain, "{text:?}");
        }
    }
}
