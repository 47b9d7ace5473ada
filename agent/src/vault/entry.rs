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
    /// When secrets end, by their names, where somebody said so.
    pub secrets_expire: BTreeMap<String, WallMs>,
    pub refresh: Option<Refresh>,
    /// Who logged in last, where the provider said so.
    pub subject: Option<Subject>,
    /// What came back at the end of a login, before anybody has read it.
    pub(super) login: Option<RawAnswer>,
    /// The keys name the profile that the entry is stored under.
    pub tokens: BTreeMap<TokenKey, Token>,
    /// The refresh token that was under way when another was stored, by its fingerprint: what it
    /// brings must not take the place of that one. Gone with the next intent, which begins only
    /// after the request has ended.
    pub(super) overtaken: Option<[u8; 16]>,
    /// A success that nobody could read, perhaps with a refresh token in it. It is kept for a person, or for a
    /// version that can, until a renewal has worked.
    pub(super) undeciphered: Option<RawAnswer>,
    pub(super) kept: Kept,
}

/// A refresh token, and how far the use of it has come.
#[derive(Clone, Debug)]
pub struct Refresh {
    pub token: Secret,
    /// The one before it, kept until this one has worked. It is never sent by itself.
    pub previous: Option<Secret>,
    pub obtained_at: WallMs,
    /// When it was last presented with success.
    pub used_at: Option<WallMs>,
    pub expires_at: Option<WallMs>,
    /// The provider refused it.
    pub is_dead: bool,
    /// It is about to be sent, or was.
    pub intent: Option<Intent>,
    /// What came back, before anybody has read it.
    pub answer: Option<RawAnswer>,
}

/// The intent to present a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Names the token that is presented: the first half of its SHA-256.
    pub of: [u8; 16],
    /// How often it was sent without an answer on the disk, this time included.
    pub tries: u32,
    pub at: WallMs,
}

/// Whom an id_token was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub iss: String,
    pub sub: String,
}

/// A provider's answer as it came.
#[derive(Clone, Debug)]
pub struct RawAnswer {
    /// What was asked for.
    pub key: TokenKey,
    pub revision: u64,
    pub endpoint: String,
    pub sent_at: WallMs,
    pub received_at: WallMs,
    pub status: u16,
    pub content_type: Option<String>,
    pub retry_after: Option<String>,
    pub date: Option<String>,
    /// Base64 of the body, since a body need not be text.
    pub body: Secret,
}

/// The settings that decide who can read what is sent to an origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Via {
    pub ca_file: Option<String>,
    pub proxy: Option<String>,
}

/// 128 random bits that name an entry through every rename, or a tombstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(u128);

/// Unknown fields, by where they were found.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) entry: Further,
    pub(super) network: Further,
    /// With the time at which their refresh token was obtained, by the rule of `tokens`.
    pub(super) refresh: Option<(WallMs, Further)>,
    /// With the intent, which another replaces as a whole.
    pub(super) intent: Option<(Intent, Further)>,
    /// With the time at which their answer came.
    pub(super) answer: Option<(WallMs, Further)>,
    /// Likewise, of the answer to a login and of what is told beside it.
    pub(super) login: Option<(WallMs, (Further, Further))>,
    /// With whom they are about.
    pub(super) subject: Option<(Subject, Further)>,
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
            secrets_expire: BTreeMap::new(),
            refresh: None,
            subject: None,
            login: None,
            tokens: BTreeMap::new(),
            overtaken: None,
            undeciphered: None,
            kept: Kept::default(),
        }
    }

    /// All that a request may carry: its secrets and the refresh token.
    pub fn secrets_to_send(&self) -> Vec<Secret> {
        let refresh = self.refresh.iter().map(|refresh| &refresh.token);
        self.secrets.values().chain(refresh).cloned().collect()
    }

    /// Takes out every token, and whatever tells of one under way or of whose they were. Secrets stay, and where
    /// they may be sent.
    pub fn forget_tokens(&mut self) {
        self.refresh = None;
        self.subject = None;
        self.login = None;
        self.overtaken = None;
        self.undeciphered = None;
        self.tokens.clear();
    }

    /// Whether every key in it names this profile; the text that is stored does not name one.
    pub(super) fn is_of(&self, name: &ProfileName) -> bool {
        let answer = self.refresh.iter().filter_map(|refresh| refresh.answer.as_ref());
        let answered = answer.chain(&self.undeciphered).chain(&self.login);
        let answered = answered.map(|answer| &answer.key);
        self.tokens.keys().chain(answered).all(|key| key.profile == *name)
    }

    /// The same entry for another profile, which the keys of its tokens name.
    pub(super) fn renamed(mut self, to: &ProfileName) -> Self {
        self.tokens =
            self.tokens.into_iter().map(|(key, token)| (for_profile(key, to), token)).collect();
        self.kept.tokens =
            self.kept.tokens.into_iter().map(|(key, kept)| (for_profile(key, to), kept)).collect();
        if let Some(Refresh { answer: Some(answer), .. }) = &mut self.refresh {
            answer.key.profile = to.clone();
        }
        for answer in self.undeciphered.iter_mut().chain(&mut self.login) {
            answer.key.profile = to.clone();
        }
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
