//! What is wrong with config.toml, and on which line.

use std::ops::Range;

use thiserror::Error;
use tokctl_proto::escape::shown;
use tokctl_proto::nearest::nearest;
use toml_edit::TomlError;

/// The first thing that is wrong with the text.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("config.toml:{line}: {message}")]
pub struct ConfigError {
    /// From 1.
    pub line: usize,
    /// Lower case, no full stop, safe to show.
    pub message: String,
    pub hint: Option<String>,
}

impl ConfigError {
    pub(super) fn at(text: &str, offset: usize, broken: Broken) -> Self {
        Self { line: line_of(text, offset), message: broken.message, hint: broken.hint }
    }

    pub(super) fn syntax(text: &str, error: &TomlError) -> Self {
        let offset = error.span().map_or(text.len(), |Range { start, .. }| start);
        Self::at(text, offset, Broken::new(format!("not TOML: {}", shown(error.message()))))
    }
}

/// A rule that a value breaks, before anybody knows on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// As a value's rule writes it, the predicate alone: `must be an absolute path`.
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Broken {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts the key before the predicate.
    pub(super) fn of(mut self, key: &str) -> Self {
        self.message = format!("`{}` {}", shown(key), self.message);
        self
    }
}

/// Says which of `known` was probably meant, or what there is to choose from.
pub(super) fn suggestion<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    match nearest(typed, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let all: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
            format!("known are {}", all.join(", "))
        }
    }
}

/// As [`suggestion`], of keys: a secret has its place elsewhere.
pub(super) fn key_suggestion<'a>(
    typed: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    const SECRETS: &[&str] =
        &["secret", "client_secret", "key", "api_key", "password", "token", "refresh_token"];
    match SECRETS.contains(&typed) {
        true => "`tokctl set-secret PROFILE` stores secrets; none are kept here".to_owned(),
        false => suggestion(typed, known),
    }
}

/// The line of a byte; the last line for whatever is missing at the end.
fn line_of(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    let line = text.as_bytes()[..offset].iter().filter(|&&byte| byte == b'\n').count() + 1;
    line.min(text.lines().count().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one_and_end_with_the_text() {
        for (text, offset, line) in [
            ("", 0, 1),
            ("", 9, 1),
            ("a\nb", 0, 1),
            ("a\nb", 1, 1),
            ("a\nb", 2, 2),
            ("a\nb\n", 4, 2),
            ("a\r\nb", 3, 2),
        ] {
            assert_eq!(line_of(text, offset), line, "{text:?} {offset}");
        }
    }

    #[test]
    fn a_secret_is_sent_to_where_secrets_are() {
        for (typed, said) in [
            ("client_secret", "`tokctl set-secret PROFILE` stores secrets; none are kept here"),
            ("clientid", "did you mean `client_id`?"),
        ] {
            assert_eq!(key_suggestion(typed, ["client_id", "scope"]), said);
        }
    }

    #[test]
    fn a_slip_is_corrected_and_a_stranger_is_told_the_choice() {
        for (typed, said) in
            [("postt", "did you mean `post`?"), ("saml", "known are `basic`, `post`")]
        {
            assert_eq!(suggestion(typed, ["basic", "post"]), said);
        }
    }
}
