//! The name of a profile.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Longest name: with `.age` behind it, it stays a file name everywhere.
pub const NAME_BYTES_MAX: usize = 64;

/// A profile's name: `[a-z0-9][a-z0-9._-]{0,63}`. It is a file name too, so nothing else is let in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfileName(Arc<str>);

/// The text is not a profile name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a profile name: use 1 to 64 of a-z, 0-9, `.`, `_`, `-`, starting with a letter or a digit"
)]
pub struct NameError(String);

impl ProfileName {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let body = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = match text.as_bytes() {
            [] => false,
            [first, rest @ ..] => {
                rest.len() < NAME_BYTES_MAX
                    && body(*first)
                    && rest.iter().all(|&byte| body(byte) || b"._-".contains(&byte))
            }
        };
        if fits { Ok(Self(text.into())) } else { Err(NameError(crate::escape::shown(text))) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for ProfileName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_file_names() {
        let longest = "a".repeat(64);
        let too_long = "a".repeat(65);
        for (name, fits) in [
            ("a", true),
            ("0", true),
            ("acme-prod_2.eu", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            (".", false),
            ("..", false),
            (".hidden", false),
            ("-flag", false),
            ("Acme", false),
            ("a/b", false),
            ("a b", false),
            ("ä", false),
            ("a\n", false),
        ] {
            assert_eq!(ProfileName::parse(name).is_ok(), fits, "{name:?}");
        }
    }
}
