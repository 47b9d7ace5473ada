//! What the vault holds for one profile: its secrets, where they may go, and its tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use tokctl_core::Token;
use tokctl_proto::{ProfileName, Secret, TokenKey, WallMs};

/// What the vault holds for one profile.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Stays the same through every rename: two files with one id are one entry, and the older is a
    /// leftover.
    pub id: EntryId,
    /// Counts the writes; [`super::VaultDir::write`] alone adds to it.
    pub generation: u64,
    /// Where the secrets may be sent: scheme, host and port, as recorded when they were stored.
    pub origins: BTreeSet<String>,
    /// The way on which they may be sent there.
    pub network: Via,
    pub secrets: BTreeMap<String, Secret>,
    /// The keys name the profile that the entry is stored under.
    pub tokens: BTreeMap<TokenKey, Token>,
    pub(super) kept: Kept,
}

/// The settings that decide who can read what is sent to an origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Via {
    pub ca_file: Option<String>,
    pub proxy: Option<String>,
}

/// 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u128);

/// Unknown fields, by where they were found.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) entry: Further,
    pub(super) network: Further,
    /// With the time at which their token was issued: a token that took its place does not inherit
    /// them.
    pub(super) tokens: BTreeMap<TokenKey, (WallMs, Further)>,
}

/// Unknown fields and the text of their values: one of them may well be a secret.
pub(super) type Further = BTreeMap<String, Secret>;

impl Entry {
    /// An entry with nothing in it.
    pub fn new(id: EntryId) -> Self {
        Self {
            id,
            generation: 0,
            origins: BTreeSet::new(),
            network: Via::default(),
            secrets: BTreeMap::new(),
            tokens: BTreeMap::new(),
            kept: Kept::default(),
        }
    }

    /// The same entry for another profile, which the keys of its tokens name.
    pub(super) fn renamed(mut self, to: &ProfileName) -> Self {
        self.tokens =
            self.tokens.into_iter().map(|(key, token)| (for_profile(key, to), token)).collect();
        self.kept.tokens =
            self.kept.tokens.into_iter().map(|(key, kept)| (for_profile(key, to), kept)).collect();
        self
    }
}

fn for_profile(key: TokenKey, profile: &ProfileName) -> TokenKey {
    TokenKey { profile: profile.clone(), ..key }
}

impl EntryId {
    /// Draws an id from the caller's generator.
    pub fn draw(random: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut bytes = [0; 16];
        random(&mut bytes);
        Self(u128::from_be_bytes(bytes))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let fits =
            text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_what_was_drawn_and_has_one_spelling() {
        let id = EntryId::draw(&mut |bytes| bytes.fill(0xab));
        let text = id.to_string();
        assert_eq!(text, "ab".repeat(16));
        assert_eq!(EntryId::parse(&text), Some(id));
        for text in
            ["", "ab", &text.to_uppercase(), &format!("+{}", &text[1..]), &format!("{text}0")]
        {
            assert_eq!(EntryId::parse(text), None, "{text}");
        }
    }
}
