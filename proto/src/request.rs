//! What a client asks. Every struct is frozen: a new field is a new variant at the end of [`Request`].
//!
//! As JSON the same types travel as one object per line, `{"get":{"profile":"acme"}}`: fields that are
//! left out take their defaults, an unknown one is an error.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::secret::SecretStr;

mod hand_over;
mod login;
mod obtain;
mod setup;

pub use hand_over::{Probe, SocketCreate, SocketList, SocketRemove, Usage, Watch};
pub use login::{Login, Logout, Purge, Remove2, Revoke};
pub use obtain::{DpopFor, DryRun, Get3, Inspect};
pub use setup::{Add3, Import, Presets, Show2};

/// One request. `Answer` and `Cancel` belong to the request under way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request<'a> {
    #[serde(borrow)]
    Get(Get<'a>),
    #[serde(borrow)]
    Init(Init<'a>),
    #[serde(borrow)]
    Add(Add<'a>),
    #[serde(borrow)]
    Set(Set<'a>),
    #[serde(borrow)]
    SetSecret(SetSecret<'a>),
    List(List),
    #[serde(borrow)]
    Show(Show<'a>),
    #[serde(borrow)]
    Rename(Rename<'a>),
    #[serde(borrow)]
    Remove(Remove<'a>),
    Status(Status),
    Lock(Lock),
    #[serde(borrow)]
    Unlock(Unlock<'a>),
    #[serde(borrow)]
    Passwd(Passwd<'a>),
    ConfigRead(ConfigRead),
    #[serde(borrow)]
    ConfigWrite(ConfigWrite<'a>),
    AgentStatus(AgentStatus),
    AgentStop(AgentStop),
    AgentReload(AgentReload),
    /// The answer to an `Ask`.
    #[serde(borrow)]
    Answer(Answer<'a>),
    /// Ends the request under way; the agent answers it with an error of kind `cancelled`.
    Cancel(Cancel),
    #[serde(borrow)]
    Get2(Get2<'a>),
    #[serde(borrow)]
    Refresh(Refresh<'a>),
    #[serde(borrow)]
    Report(Report<'a>),
    #[serde(borrow)]
    Why(Why<'a>),
    Status2(Status2),
    #[serde(borrow)]
    SetSecret2(SetSecret2<'a>),
    #[serde(borrow)]
    Add2(Add2<'a>),
    #[serde(borrow)]
    Get3(Get3<'a>),
    #[serde(borrow)]
    Login(Login<'a>),
    #[serde(borrow)]
    Revoke(Revoke<'a>),
    #[serde(borrow)]
    Logout(Logout<'a>),
    #[serde(borrow)]
    Remove2(Remove2<'a>),
    Purge(Purge),
    #[serde(borrow)]
    Add3(Add3<'a>),
    #[serde(borrow)]
    Import(Import<'a>),
    #[serde(borrow)]
    Show2(Show2<'a>),
    #[serde(borrow)]
    Presets(Presets<'a>),
    #[serde(borrow)]
    DryRun(DryRun<'a>),
    #[serde(borrow)]
    Inspect(Inspect<'a>),
    #[serde(borrow)]
    Usage(Usage<'a>),
    #[serde(borrow)]
    Watch(Watch<'a>),
    #[serde(borrow)]
    Probe(Probe<'a>),
    #[serde(borrow)]
    SocketCreate(SocketCreate<'a>),
    SocketList(SocketList),
    #[serde(borrow)]
    SocketRemove(SocketRemove<'a>),
}

/// Asks for an access token.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// Scopes to ask for in place of the profile's.
    #[serde(default)]
    pub scope: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub audience: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub resource: Vec<Cow<'a, str>>,
    /// Least validity in seconds; absent: 60 s or a tenth of the lifetime, whichever is less.
    #[serde(default)]
    pub min_valid_s: Option<u32>,
    /// Serve what there is even below an explicit `min_valid_s`.
    #[serde(default)]
    pub best_effort: bool,
    /// Ask the provider for a new token.
    #[serde(default)]
    pub refresh: bool,
    /// The whole wait, in milliseconds; absent: 30 s.
    #[serde(default)]
    pub timeout_ms: Option<u32>,
    /// Whether this client can answer an `Ask`.
    #[serde(default)]
    pub interactive: bool,
}

/// Asks for an access token, which may come from a pool. Answered by `Done::Token2`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get2<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// Scopes to ask for in place of the profile's.
    #[serde(default)]
    pub scope: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub audience: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub resource: Vec<Cow<'a, str>>,
    /// Least validity in seconds; absent: 60 s or a tenth of the lifetime, whichever is less.
    #[serde(default)]
    pub min_valid_s: Option<u32>,
    /// Serve what there is even below an explicit `min_valid_s`, and even while the API said to slow down.
    #[serde(default)]
    pub best_effort: bool,
    /// Ask the provider for a new token.
    #[serde(default)]
    pub refresh: bool,
    /// The whole wait for a token, in milliseconds; absent: 30 s.
    #[serde(default)]
    pub timeout_ms: Option<u32>,
    /// Whether this client can answer an `Ask`.
    #[serde(default)]
    pub interactive: bool,
    /// Uses that are booked against a rate limit; absent: one.
    #[serde(default)]
    pub uses: Option<u32>,
    /// How long to wait for a free slot or for the end of a cool-down, in milliseconds; absent: not at all.
    #[serde(default)]
    pub wait_ms: Option<u32>,
}

/// Renews a token now. Answered by `Said`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    #[serde(default)]
    pub scope: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub audience: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub resource: Vec<Cow<'a, str>>,
    /// The whole wait, in milliseconds; absent: 30 s.
    #[serde(default)]
    pub timeout_ms: Option<u32>,
    #[serde(default)]
    pub interactive: bool,
}

/// Tells what an API said to a token. Answered by `Said`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// The member of a pool that it happened to; absent: found by the token.
    #[serde(default, borrow)]
    pub member: Option<Cow<'a, str>>,
    /// 401, 403 or 429.
    pub status: u16,
    /// From the API's Retry-After, in seconds.
    #[serde(default)]
    pub retry_after_s: Option<u32>,
    /// The token itself,
    #[serde(default, borrow)]
    pub token: Option<SecretStr<'a>>,
    /// or its SHA-256 in hex; a 401 needs one of the two.
    #[serde(default, borrow)]
    pub token_sha256: Option<Cow<'a, str>>,
}

/// Asks what a profile has been doing: an `Item` for each attempt, oldest first, then `Done::Why`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
}

/// The state of every profile, one `Item::Status2` each.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status2 {}

/// Stores a secret of a profile, for the origins that its configuration names now.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetSecret2<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// Absent: the grant's own, `client_secret`, `refresh_token` or `key`.
    #[serde(borrow, default)]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub value: SecretStr<'a>,
    /// Beside the present one: it is tried when that is refused, and takes its place when it works.
    #[serde(default)]
    pub next: bool,
    /// When it ends, Unix seconds.
    #[serde(default)]
    pub expires_at: Option<i64>,
    #[serde(default)]
    pub interactive: bool,
}

/// A secret, what it is called in its entry, and when it ends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatedSecret<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub value: SecretStr<'a>,
    /// Unix seconds.
    #[serde(default)]
    pub expires_at: Option<i64>,
}

/// Adds a profile with its secrets.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add2<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    #[serde(default)]
    pub settings: Vec<Assignment<'a>>,
    #[serde(default, borrow)]
    pub secrets: Vec<DatedSecret<'a>>,
    /// Takes the place of a profile of that name.
    #[serde(default)]
    pub replace: bool,
    #[serde(default)]
    pub interactive: bool,
}

/// Makes the vault. Without a passphrase the identity is stored bare.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Init<'a> {
    #[serde(borrow, default)]
    pub passphrase: Option<SecretStr<'a>>,
    /// Moves an existing vault aside.
    #[serde(default)]
    pub replace: bool,
    /// `[agent]` settings taken over from the client's environment.
    #[serde(default)]
    pub network: Vec<Assignment<'a>>,
}

/// A key and its values as they were typed. No value removes the key.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assignment<'a> {
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    #[serde(default)]
    pub values: Vec<Cow<'a, str>>,
}

/// A secret and what it is called in its entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedSecret<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub value: SecretStr<'a>,
}

/// Adds a profile with its secrets.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    #[serde(default)]
    pub settings: Vec<Assignment<'a>>,
    #[serde(default, borrow)]
    pub secrets: Vec<NamedSecret<'a>>,
    /// Takes the place of a profile of that name.
    #[serde(default)]
    pub replace: bool,
    #[serde(default)]
    pub interactive: bool,
}

/// Changes settings of a profile.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    #[serde(default)]
    pub assignments: Vec<Assignment<'a>>,
}

/// Stores a secret of a profile, for the origins that its configuration names now.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetSecret<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// Absent: the grant's own, `client_secret` or `key`.
    #[serde(borrow, default)]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub value: SecretStr<'a>,
    #[serde(default)]
    pub interactive: bool,
}

/// Lists the profiles, one `Item` each.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {}

/// Shows a profile's settings and the names of its secrets.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Show<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename<'a> {
    #[serde(borrow)]
    pub from: Cow<'a, str>,
    #[serde(borrow)]
    pub to: Cow<'a, str>,
    #[serde(default)]
    pub interactive: bool,
}

/// Removes a profile with its secrets and tokens.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remove<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    #[serde(default)]
    pub interactive: bool,
}

/// The state of every profile, one `Item` each.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {}

/// Seals the vault: keys and tokens leave the agent's memory.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {}

/// Opens the vault. Without a passphrase an interactive client is asked for it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlock<'a> {
    #[serde(borrow, default)]
    pub passphrase: Option<SecretStr<'a>>,
    #[serde(default)]
    pub interactive: bool,
}

/// Puts the identity under another passphrase, or under none.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passwd<'a> {
    /// The present passphrase; absent where there is none.
    #[serde(borrow, default)]
    pub passphrase: Option<SecretStr<'a>>,
    /// Absent: the identity is stored bare from now on.
    #[serde(borrow, default)]
    pub new_passphrase: Option<SecretStr<'a>>,
}

/// The text of config.toml.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigRead {}

/// Replaces the text of config.toml if it is still the one that was read, and if it parses.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigWrite<'a> {
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// From the answer to `ConfigRead`.
    #[serde(borrow)]
    pub fingerprint: Cow<'a, str>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentStatus {}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentStop {}

/// Reads config.toml again.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentReload {}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer<'a> {
    #[serde(borrow)]
    pub text: SecretStr<'a>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    #[test]
    fn the_documented_line_is_a_request() {
        let Request::Get(get) = codec::decode_line(br#"{"get":{"profile":"acme"}}"#).unwrap()
        else {
            panic!("not a get")
        };
        assert_eq!((get.profile.as_ref(), get.min_valid_s, get.refresh), ("acme", None, false));
    }

    #[test]
    fn an_unknown_key_in_a_request_is_an_error() {
        let line = br#"{"get":{"profile":"acme","min_ttl":3}}"#;
        let refused = codec::decode_line::<Request<'_>>(line).unwrap_err().to_string();
        assert!(refused.contains("min_ttl"), "{refused}");
    }

    #[test]
    fn a_get_without_a_profile_is_an_error() {
        assert!(codec::decode_line::<Request<'_>>(br#"{"get":{}}"#).is_err());
    }
}
