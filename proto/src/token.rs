//! What a token is known by, and what a token may look like.

use std::collections::BTreeSet;
use std::fmt;

use crate::profile::ProfileName;

/// Keys that one profile may have at a time; the least recently used goes first.
pub const KEYS_PER_PROFILE_MAX: usize = 32;
/// Values in one of the sets of a key. No provider takes nearly as many.
pub const SET_VALUES_MAX: usize = 64;

/// What a token is known by: callers of one key share one request. The sets are sorted, so the order in
/// which scopes were typed does not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenKey {
    pub profile: ProfileName,
    pub scope: BTreeSet<String>,
    pub audience: BTreeSet<String>,
    /// RFC 8707.
    pub resource: BTreeSet<String>,
}

impl TokenKey {
    /// The key of a profile's plain token: nothing asked for beyond what the profile says.
    pub fn plain(profile: ProfileName) -> Self {
        Self {
            profile,
            scope: BTreeSet::new(),
            audience: BTreeSet::new(),
            resource: BTreeSet::new(),
        }
    }
}

impl fmt::Display for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.profile)?;
        for (name, set) in
            [("scope", &self.scope), ("audience", &self.audience), ("resource", &self.resource)]
        {
            if !set.is_empty() {
                let values: Vec<_> = set.iter().map(String::as_str).collect();
                write!(f, " {name}={}", values.join(","))?;
            }
        }
        Ok(())
    }
}

/// Whether the text can be an access token: 1*VSCHAR (RFC 6749 appendix A.12). A provider that sends a line
/// feed, an escape or a space gets no chance to write headers, environments or terminals.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte))
}

/// Whether the text can be one scope: `1*( %x21 / %x23-5B / %x5D-7E )` (RFC 6749 section 3.3).
pub fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_visible_ascii() {
        for (text, fits) in [
            ("abc.DEF-~+/=", true),
            ("!", true),
            ("~", true),
            ("", false),
            (" ", false),
            ("a b", false),
            ("a\nb", false),
            ("a\x7f", false),
            ("ä", false),
        ] {
            assert_eq!(is_token(text), fits, "{text:?}");
        }
    }

    #[test]
    fn scopes_have_no_quotes_or_backslashes() {
        for (text, fits) in
            [("read:data", true), ("a\"b", false), ("a\\b", false), ("", false), ("a b", false)]
        {
            assert_eq!(is_scope(text), fits, "{text:?}");
        }
    }
}
