//! ~/.aws/config: the `credential_process` of a profile.

use super::change::{self, Change};
use super::sections;
use super::{Entry, Tool, Wanted, file, ourselves};
use crate::exit::Stop;
use std::path::PathBuf;

const KEY: &str = "credential_process";

fn path() -> Result<PathBuf, Stop> {
    file(Some("AWS_CONFIG_FILE"), ".aws/config")
}

pub(super) fn install(wanted: &Wanted<'_>) -> Result<Change, Stop> {
    let path = path()?;
    let before = change::read(&path)?;
    let program = match ourselves()? {
        // As AWS has it quoted.
        path if path.contains(' ') => format!("\"{path}\""),
        path => path,
    };
    let value = format!("{program} helper aws {}", wanted.profile);
    let text = before.as_deref().unwrap_or_default();
    let after = sections::set(text, &section(wanted.name), KEY, &value);
    Ok(Change::edit(path, before, after))
}

fn section(name: &str) -> String {
    match name {
        "default" => name.to_owned(),
        name => format!("profile {name}"),
    }
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
    Ok(profiles(&change::read(&path()?)?.unwrap_or_default()))
}

fn profiles(text: &str) -> Vec<Entry> {
    let entry = |(section, value): (&str, &str)| {
        let (program, profile) = value.rsplit_once(" helper aws ")?;
        let is_ours = program.trim_matches('"').ends_with("tokctl");
        let at = section.strip_prefix("profile ").unwrap_or(section).trim().to_owned();
        let profile = Some(profile.trim().to_owned());
        is_ours.then_some(Entry { program: Tool::Aws, at, profile })
    };
    sections::find(text, KEY).into_iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_that_ask_us_are_known() {
        let text = "[default]\ncredential_process = tokctl helper aws ci\n[profile a]\n\
                    credential_process = \"/opt/my bin/tokctl\" helper aws b\n[profile c]\n\
                    credential_process = other helper aws ci\n";
        let entry = |at: &str, profile: &str| Entry {
            program: Tool::Aws,
            at: at.to_owned(),
            profile: Some(profile.to_owned()),
        };
        assert_eq!(profiles(text), [entry("default", "ci"), entry("a", "b")]);
    }
}
