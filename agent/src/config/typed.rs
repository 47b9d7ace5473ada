//! What was typed, `KEY=VALUE`, as TOML values of the shape that the key has.
//!
//! Only shapes are checked here; whether a value makes sense is decided when the edited text is
//! parsed.

use std::collections::BTreeMap;

use tokctl_proto::escape::shown;
use tokctl_proto::request::Assignment;
use tokctl_proto::setting::{Setting, Shape, find};
use tokctl_proto::time::{DurationError, parse_duration};
use toml_edit::{Array, Value};

use super::edit::EditError;
use super::error::{Broken, key_suggestion};
use super::section::word;

/// One thing to do to a table.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) key: &'static str,
    /// Within a table-shaped key, the entry that is meant.
    pub(super) entry: Option<String>,
    /// `None` removes.
    pub(super) value: Option<Value>,
}

/// Turns assignments into changes, in the order of the settings. One key that was assigned several
/// times has all the values, as repeated options do.
pub(super) fn changes(
    title: &str,
    settings: &'static [Setting],
    assignments: &[Assignment<'_>],
) -> Result<Vec<Change>, EditError> {
    let mut typed: BTreeMap<(usize, Option<&str>), Vec<&str>> = BTreeMap::new();
    for assignment in assignments {
        let (setting, entry) = target(title, settings, &assignment.key)?;
        let rank = settings.iter().position(|one| one.name == setting.name).unwrap_or_default();
        let values = typed.entry((rank, entry)).or_default();
        values.extend(assignment.values.iter().map(AsRef::as_ref));
    }
    let change = |((rank, entry), values): ((usize, Option<&str>), Vec<&str>)| {
        let setting = &settings[rank];
        let key =
            entry.map_or(setting.name.to_owned(), |entry| format!("{}.{entry}", setting.name));
        let value = value(setting.shape, entry.is_some(), &values)
            .map_err(|broken| EditError::usage(broken.of(&key)))?;
        Ok(Change { key: setting.name, entry: entry.map(str::to_owned), value })
    };
    typed.into_iter().map(change).collect()
}

/// The setting that a typed key means, and the entry in it: `params.organization`.
fn target<'a>(
    title: &str,
    settings: &'static [Setting],
    key: &'a str,
) -> Result<(&'static Setting, Option<&'a str>), EditError> {
    if let Some(name) = key.strip_suffix('.').filter(|name| is_table(settings, name)) {
        let broken = Broken::new("names no entry").of(key);
        return Err(EditError::usage(broken.hint(format!("write `{name}.KEY=VALUE`"))));
    }
    let whole = find(settings, key).map(|setting| (setting, None));
    let part = || {
        let (name, entry) = key.split_once('.')?;
        let setting = find(settings, name).filter(|setting| setting.shape == Shape::Table)?;
        Some((setting, Some(entry)))
    };
    whole.or_else(part).ok_or_else(|| {
        let name = key.split_once('.').map_or(key, |(name, _)| name);
        let known = settings.iter().map(|setting| setting.name);
        let broken = Broken::new(format!("is not a key of {title}")).of(key);
        EditError::usage(broken.hint(key_suggestion(name, known)))
    })
}

fn is_table(settings: &'static [Setting], name: &str) -> bool {
    find(settings, name).is_some_and(|setting| setting.shape == Shape::Table)
}

fn value(shape: Shape, in_table: bool, typed: &[&str]) -> Result<Option<Value>, Broken> {
    if typed.is_empty() {
        return Ok(None);
    }
    Ok(Some(match shape {
        Shape::Table if in_table => single(typed)?.into(),
        Shape::Table => {
            return Err(
                Broken::new("is a table").hint("set one of its entries: `params.KEY=VALUE`")
            );
        }
        Shape::Text => filled(single(typed)?)?.into(),
        Shape::Word(words) => word(single(typed)?, words)?.into(),
        Shape::List => array(typed.iter().copied())?.into(),
        Shape::Scopes => {
            let scopes = typed.iter().flat_map(|text| text.split(' '));
            let scopes: Vec<_> = scopes.filter(|scope| !scope.is_empty()).collect();
            filled(scopes.first().copied().unwrap_or_default())?;
            array(scopes.into_iter())?.into()
        }
        Shape::Flag => flag(single(typed)?)?.into(),
        Shape::Duration => {
            let text = single(typed)?;
            parse_duration(text).map_err(|error| {
                let message = format!("cannot be `{}`", shown(text));
                Broken::new(message).hint(match error {
                    DurationError::Form(_) => "write a duration as 90, 90s, 5m, 8h or 7d",
                    DurationError::TooLong(_) => "the maximum is ten years, 3650d",
                })
            })?;
            text.into()
        }
        Shape::Steps => steps(single(typed)?)?,
        Shape::Hooks => {
            return Err(Broken::new("is written in config.toml itself").hint("run `tokctl edit`"));
        }
    }))
}

/// TOML as it stands behind `steps =`.
fn steps(text: &str) -> Result<Value, Broken> {
    let is_tables = |value: &Value| {
        let array = value.as_array().filter(|array| !array.is_empty());
        array.is_some_and(|array| array.iter().all(Value::is_inline_table))
    };
    text.parse().ok().filter(is_tables).ok_or_else(|| {
        Broken::new("must be an array of tables, as TOML").hint(
            "as in `steps=[{ url = \"https://api.example/login\", form = { user = \"ada\" } }]`",
        )
    })
}

fn single<'a>(typed: &[&'a str]) -> Result<&'a str, Broken> {
    match typed {
        [one] => Ok(one),
        _ => Err(Broken::new("takes one value")),
    }
}

fn filled(text: &str) -> Result<&str, Broken> {
    if text.is_empty() { Err(Broken::new("is empty")) } else { Ok(text) }
}

fn array<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Array, Broken> {
    texts.map(filled).collect()
}

fn flag(text: &str) -> Result<bool, Broken> {
    match text {
        "true" | "yes" => Ok(true),
        "false" | "no" => Ok(false),
        _ => Err(Broken::new(format!("cannot be `{}`", shown(text))).hint("write true or false")),
    }
}

#[cfg(test)]
mod tests {
    use tokctl_proto::setting;

    use super::*;

    fn typed(key: &str, values: &[&str]) -> Result<String, String> {
        let assignment = Assignment {
            key: key.into(),
            values: values.iter().map(|value| (*value).into()).collect(),
        };
        match changes("a profile", setting::PROFILE, &[assignment]) {
            Ok(changes) => {
                let value = changes[0].value.as_ref();
                Ok(value.map_or("-".into(), |value| value.to_string().trim().to_owned()))
            }
            Err(EditError::Usage { message, hint }) => {
                Err(hint.map_or(message.clone(), |hint| format!("{message}; {hint}")))
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn values_have_the_shape_of_their_key() {
        for (key, values, toml) in [
            ("client_id", vec!["a\"b"], "'a\"b'"),
            ("client_id", vec!["42"], "\"42\""),
            ("client_id", vec![], "-"),
            ("grant", vec!["api_key"], "\"api_key\""),
            ("audience", vec!["a b"], "[\"a b\"]"),
            ("audience", vec!["a", "b"], "[\"a\", \"b\"]"),
            ("scope", vec!["a b", " c "], "[\"a\", \"b\", \"c\"]"),
            ("allow_http_loopback", vec!["yes"], "true"),
            ("allow_http_loopback", vec!["true"], "true"),
            ("allow_http_loopback", vec!["no"], "false"),
            ("allow_http_loopback", vec!["false"], "false"),
            ("assume_ttl", vec!["5m"], "\"5m\""),
            ("params.organization", vec!["acme"], "\"acme\""),
            ("params.a.b", vec![""], "\"\""),
            ("params", vec![], "-"),
        ] {
            assert_eq!(typed(key, &values).as_deref(), Ok(toml), "{key} {values:?}");
        }
    }

    #[test]
    fn what_does_not_fit_says_why() {
        for (key, values, said) in [
            ("scopes", vec!["a"], "`scopes` is not a key of a profile; did you mean `scope`?"),
            ("parms.a", vec!["a"], "`parms.a` is not a key of a profile; did you mean `params`?"),
            ("scope.a", vec!["a"], "`scope.a` is not a key of a profile; did you mean `scope`?"),
            ("params.", vec![], "`params.` names no entry; write `params.KEY=VALUE`"),
            ("params.", vec!["x"], "`params.` names no entry; write `params.KEY=VALUE`"),
            ("client_id", vec!["a", "b"], "`client_id` takes one value"),
            ("client_id", vec![""], "`client_id` is empty"),
            ("scope", vec![" "], "`scope` is empty"),
            ("audience", vec!["a", ""], "`audience` is empty"),
            ("body", vec!["jsno"], "`body` cannot be `jsno`; did you mean `json`?"),
            (
                "allow_http_loopback",
                vec!["1"],
                "`allow_http_loopback` cannot be `1`; write true or false",
            ),
            (
                "assume_ttl",
                vec!["soon"],
                "`assume_ttl` cannot be `soon`; write a duration as 90, 90s, 5m, 8h or 7d",
            ),
            (
                "assume_ttl",
                vec!["8000d"],
                "`assume_ttl` cannot be `8000d`; the maximum is ten years, 3650d",
            ),
            (
                "params",
                vec!["a=b"],
                "`params` is a table; set one of its entries: `params.KEY=VALUE`",
            ),
        ] {
            assert_eq!(typed(key, &values), Err(said.to_owned()), "{key} {values:?}");
        }
    }

    #[test]
    fn repeated_keys_add_up_and_stand_in_the_order_of_the_settings() {
        let assignments = [("scope", "b"), ("grant", "api_key"), ("scope", "a")]
            .map(|(key, value)| Assignment { key: key.into(), values: vec![value.into()] });
        let changes = changes("a profile", setting::PROFILE, &assignments).unwrap();
        let keys: Vec<_> = changes.iter().map(|change| change.key).collect();
        assert_eq!(keys, ["grant", "scope"]);
        let scope = changes[1].value.as_ref().unwrap().to_string();
        assert_eq!(scope.trim(), "[\"b\", \"a\"]");
    }
}
