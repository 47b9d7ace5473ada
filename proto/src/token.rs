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

/// Whether the text is 1*VSCHAR, which is what may be handed out as a token (RFC 6749 appendix A.12): nothing in it can end a
/// line of a header or of an environment file, or drive a terminal. A key that is stored may have spaces in it, as the
/// passwords of some APIs do.
pub fn is_vschar(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Whether the text can be an access token that a provider sent: VSCHAR, and no space, since the header it goes into has
/// none (RFC 6750 section 2.1).
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
    fn tokens_are_visible_ascii_and_keys_may_have_spaces() {
        for (text, token, vschar) in [
            ("abc.DEF-~+/=", true, true),
            ("!", true, true),
            ("~", true, true),
            ("", false, false),
            (" ", false, true),
            ("a b", false, true),
            ("a\nb", false, false),
            ("a\rb", false, false),
            ("a\x1f", false, false),
            ("a\x7f", false, false),
            ("ä", false, false),
        ] {
            assert_eq!((is_token(text), is_vschar(text)), (token, vschar), "{text:?}");
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
