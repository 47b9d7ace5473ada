//! Settings as they are typed: `--scope 'a b'`, `--set params.tenant=x`, `KEY=VALUE`.
//!
//! The table in the protocol says what there is; whether a key or a value holds is the agent's to say,
//! since it knows which line of which file is meant. Here only is done what needs this side: options are
//! made, scopes are split at spaces, and file names are made absolute, as the agent lives elsewhere.

use std::borrow::Cow;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use tokctl_client::proto::request::Assignment;
use tokctl_client::proto::setting::{PROFILE, Setting, Shape, find};
use tokctl_client::proto::time::parse_duration;

/// Keys and their values, in the order in which they came up.
#[derive(Debug, Default)]
pub(crate) struct Assignments(Vec<Assignment<'static>>);

impl Assignments {
    /// Notes what was typed for a key. No text at all removes the key.
    pub(crate) fn put(&mut self, key: &str, typed: &str) {
        let values: Vec<String> = match find(PROFILE, key).map(|setting| setting.shape) {
            Some(Shape::Scopes) => typed.split_whitespace().map(str::to_owned).collect(),
            _ if typed.is_empty() => Vec::new(),
            _ if key == "ca_file" => vec![absolute(typed)],
            _ => vec![typed.to_owned()],
        };
        let values = values.into_iter().map(Cow::Owned);
        match self.0.iter_mut().find(|assignment| assignment.key == key) {
            Some(assignment) => assignment.values.extend(values),
            None => self
                .0
                .push(Assignment { key: Cow::Owned(key.to_owned()), values: values.collect() }),
        }
    }

    /// The first value of a key, if it has one.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        let assignment = self.0.iter().find(|assignment| assignment.key == key)?;
        assignment.values.first().map(|value| &**value)
    }

    /// Whether anything was said of a key, be it that it is to be left out.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|assignment| assignment.key == key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_inner(self) -> Vec<Assignment<'static>> {
        self.0
    }
}

/// Reads `KEY=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// The file's name as somebody else can open it.
pub(crate) fn absolute(path: &str) -> String {
    let absolute = std::path::absolute(path).ok();
    absolute.and_then(|path| path.into_os_string().into_string().ok()).unwrap_or(path.to_owned())
}

/// The options of `add` that the table makes.
#[derive(Debug)]
pub(crate) struct SettingOptions {
    /// Key and text, one for each time an option was given.
    pub(crate) given: Vec<(&'static str, String)>,
}

impl clap::FromArgMatches for SettingOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for setting in PROFILE {
            for value in matches.get_many::<String>(setting.name).into_iter().flatten() {
                given.push((setting.name, value.clone()));
            }
        }
        Ok(Self { given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for SettingOptions {
    fn augment_args(command: Command) -> Command {
        PROFILE.iter().fold(command, |command, setting| command.arg(option(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn option(setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.name)
        .long(setting.name.replace('_', "-"))
        .help(sentence(setting.help))
        .help_heading("Settings")
        .action(ArgAction::Set);
    match setting.shape {
        Shape::Text => arg.value_name("TEXT"),
        Shape::Steps | Shape::Hooks => arg.value_name("TOML"),
        Shape::Word(words) => arg.value_parser(PossibleValuesParser::new(words)).value_name("WORD"),
        Shape::List | Shape::Scopes => arg.value_name("TEXT").action(ArgAction::Append),
        Shape::Flag => arg
            .value_name("true|false")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Shape::Duration => arg
            .value_name("DURATION")
            .value_parser(|typed: &str| parse_duration(typed).map(|_| typed.to_owned())),
        Shape::Table => arg.value_name("KEY=VALUE").action(ArgAction::Append),
    }
}

/// Help texts begin with a capital, as clap's own do.
fn sentence(help: &str) -> String {
    let mut characters = help.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(pairs: &[(&str, &str)]) -> Vec<(String, Vec<String>)> {
        let mut assignments = Assignments::default();
        for (key, value) in pairs {
            assignments.put(key, value);
        }
        let own = |assignment: Assignment<'_>| {
            let values = assignment.values.iter().map(|value| value.to_string()).collect();
            (assignment.key.into_owned(), values)
        };
        assignments.into_inner().into_iter().map(own).collect()
    }

    #[test]
    fn what_was_typed_is_gathered_by_key() {
        for (pairs, key, values) in [
            (&[("scope", "a b"), ("scope", "c")][..], "scope", &["a", "b", "c"][..]),
            (&[("scope", "")], "scope", &[]),
            (&[("audience", "a b")], "audience", &["a b"]),
            (&[("audience", "")], "audience", &[]),
            (&[("params.tenant", "x=y")], "params.tenant", &["x=y"]),
            (&[("ca_file", "/etc/ca.pem")], "ca_file", &["/etc/ca.pem"]),
        ] {
            let values = values.iter().map(|value| value.to_string()).collect();
            assert_eq!(typed(pairs), [(key.to_owned(), values)], "{pairs:?}");
        }
    }

    #[test]
    fn a_file_is_named_for_somebody_in_another_directory() {
        let here = std::env::current_dir().unwrap().join("ca.pem");
        assert_eq!(absolute("ca.pem"), here.to_str().unwrap());
    }

    #[test]
    fn a_pair_has_a_key() {
        for (text, read) in [
            ("a=b", Some(("a", "b"))),
            ("a=b=c", Some(("a", "b=c"))),
            ("a=", Some(("a", ""))),
            ("=b", None),
            ("a", None),
        ] {
            let expected = read.map(|(key, value)| (key.to_owned(), value.to_owned()));
            assert_eq!(pair(text).ok(), expected, "{text}");
        }
    }
}
