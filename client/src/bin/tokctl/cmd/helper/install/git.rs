//! git's own configuration, edited by `git config --global`: a helper for each URL.
//!
//! An empty helper goes before ours, as `gh` has it too: it takes back those that are for all hosts, which would keep a
//! token beyond its end.

use std::process::Stdio;

use super::change::{Change, typed};
use super::{Entry, Tool, Wanted, on_path, ourselves};
use crate::exit::Stop;
use crate::identity;

const LINK: &str = "git-credential-tokctl";

pub(super) fn install(wanted: &Wanted<'_>) -> Result<Change, Stop> {
    let helper = match on_path(LINK) {
        Some(_) => format!("tokctl {}", wanted.profile),
        None => {
            let words = [ourselves()?, "helper".into(), "git".into(), wanted.profile.to_string()];
            format!("!{}", typed(&words))
        }
    };
    let values = values()?;
    let commands: Vec<_> =
        wanted.api_urls.iter().flat_map(|url| for_url(url, &helper, &values)).collect();
    Ok(made_of(commands))
}

/// What makes git ask the helper about a URL.
fn for_url(url: &str, helper: &str, values: &[(String, String)]) -> Vec<Vec<String>> {
    let url = url.trim_end_matches('/');
    let key = format!("credential.{url}.helper");
    let has = |value: Option<&str>| {
        values.iter().any(|(name, text)| *name == key && value.is_none_or(|value| value == text))
    };
    let mut commands = Vec::new();
    if !has(None) {
        commands.push(config(&["--add", &key, ""]));
    }
    if !has(Some(helper)) {
        commands.push(config(&["--add", &key, helper]));
    }
    // Without it git tells the host alone.
    let has_path = url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    let path_key = format!("credential.{url}.useHttpPath");
    let is_told = values.iter().any(|(name, _)| name.eq_ignore_ascii_case(&path_key));
    if has_path && !is_told {
        commands.push(config(&[&path_key, "true"]));
    }
    commands
}

pub(super) fn uninstall(entries: &[Entry]) -> Change {
    let values = values().unwrap_or_default();
    made_of(entries.iter().flat_map(|entry| without(entry, &values)).collect())
}

/// What takes our helper of an entry back, and the empty one where there is no other.
fn without(entry: &Entry, values: &[(String, String)]) -> Vec<Vec<String>> {
    let key = format!("credential.{}.helper", entry.at);
    let of_key = || values.iter().filter(|(name, _)| *name == key).map(|(_, value)| value);
    let is_this = |value: &String| ours(value) == Some(entry.profile.clone());
    let mut commands = match of_key().any(|value| !value.is_empty() && !is_this(value)) {
        false => vec![config(&["--unset-all", &key])],
        true => of_key()
            .filter(|value| is_this(value))
            .map(|value| config(&["--fixed-value", "--unset-all", &key, value]))
            .collect(),
    };
    let path_key = format!("credential.{}.useHttpPath", entry.at);
    if values.iter().any(|(name, _)| name.eq_ignore_ascii_case(&path_key)) {
        commands.push(config(&["--unset-all", &path_key]));
    }
    commands
}

fn config(words: &[&str]) -> Vec<String> {
    ["git", "config", "--global"].iter().chain(words).map(|&word| word.to_owned()).collect()
}

fn made_of(commands: Vec<Vec<String>>) -> Change {
    match commands.is_empty() {
        true => Change::Nothing,
        false => Change::Commands { what: "git's configuration".to_owned(), commands },
    }
}

pub(super) fn entries() -> Result<Vec<Entry>, Stop> {
    let values = values()?;
    let entry = |(key, value): &(String, String)| {
        let at = key.strip_prefix("credential.")?.strip_suffix(".helper")?;
        Some(Entry { program: Tool::Git, at: at.to_owned(), profile: ours(value)? })
    };
    Ok(values.iter().filter_map(entry).collect())
}

/// Whether a helper is ours, and the profile that it names.
fn ours(helper: &str) -> Option<Option<String>> {
    let words: Vec<&str> = helper.split_whitespace().collect();
    let rest = match words.as_slice() {
        ["tokctl", rest @ ..] => rest,
        [program, "helper", "git", rest @ ..] if program.trim_matches('\'').ends_with("tokctl") => {
            rest
        }
        _ => return None,
    };
    Some(rest.last().map(|profile| (*profile).to_owned()))
}

/// The keys below `credential` with their values; none where there is no git.
fn values() -> Result<Vec<(String, String)>, Stop> {
    if on_path("git").is_none() {
        return Ok(Vec::new());
    }
    let arguments =
        ["config", "--global", "-z", "--get-regexp", "^credential\\..*\\.(helper|usehttppath)$"];
    let output = identity::program("git").args(arguments).stderr(Stdio::null()).output();
    let output = output.map_err(|error| Stop::machine(format!("cannot run `git`: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let pair = |one: &str| {
        let (key, value) = one.split_once('\n').unwrap_or((one, ""));
        (key.to_owned(), value.to_owned())
    };
    Ok(text.split('\0').filter(|one| !one.is_empty()).map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(values: &[(&str, &str)]) -> Vec<(String, String)> {
        values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn lines(commands: &[Vec<String>]) -> Vec<String> {
        commands.iter().map(|words| typed(&words[3..])).collect()
    }

    #[test]
    fn a_url_gets_our_helper_alone() {
        let key = "credential.https://a.example.helper";
        for (url, values, expected) in [
            (
                "https://a.example/",
                &[][..],
                &[
                    "--add credential.https://a.example.helper ''",
                    "--add credential.https://a.example.helper 'tokctl acme'",
                ][..],
            ),
            ("https://a.example/", &[(key, ""), (key, "tokctl acme")], &[]),
            (
                "https://a.example/",
                &[(key, "other")],
                &["--add credential.https://a.example.helper 'tokctl acme'"],
            ),
            (
                "https://a.example/team",
                &[("credential.https://a.example/team.helper", "tokctl acme")],
                &["credential.https://a.example/team.useHttpPath true"],
            ),
        ] {
            assert_eq!(lines(&for_url(url, "tokctl acme", &pairs(values))), expected, "{url}");
        }
    }

    #[test]
    fn our_helper_is_taken_back_and_no_other() {
        let key = "credential.https://a.example.helper";
        let entry = Entry {
            program: Tool::Git,
            at: "https://a.example".to_owned(),
            profile: Some("acme".to_owned()),
        };
        for (values, expected) in [
            (
                &[(key, ""), (key, "tokctl acme")][..],
                &["--unset-all credential.https://a.example.helper"][..],
            ),
            (
                &[(key, "other"), (key, "tokctl acme")],
                &["--fixed-value --unset-all credential.https://a.example.helper 'tokctl acme'"],
            ),
        ] {
            assert_eq!(lines(&without(&entry, &pairs(values))), expected);
        }
    }

    #[test]
    fn our_helpers_are_known() {
        for (helper, expected) in [
            ("tokctl", Some(None)),
            ("tokctl acme", Some(Some("acme"))),
            ("!tokctl helper git acme", Some(Some("acme"))),
            ("!'/opt/tokctl' helper git acme", Some(Some("acme"))),
            ("!/opt/tokctl helper git --username bot acme", Some(Some("acme"))),
            ("store", None),
            ("", None),
        ] {
            let expected = expected.map(|profile: Option<&str>| profile.map(str::to_owned));
            assert_eq!(ours(helper), expected, "{helper}");
        }
    }
}
