//! Requests of whoever hands tokens on: where one may be used, what happens to them, sockets for others.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::secret::SecretStr;

/// Asks how a profile's token is used, and whether it may be used at `url`; without a profile, which one has its tokens
/// used there. Answered by `Done::Usage`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage<'a> {
    /// Absent: the one whose `api_urls` fit the URL best.
    #[serde(default, borrow)]
    pub profile: Option<Cow<'a, str>>,
    /// Absolute.
    #[serde(default, borrow)]
    pub url: Option<Cow<'a, str>>,
}

/// Tells what happens to tokens from now on, an `Item::Event` for each thing that does, until it is cancelled.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch<'a> {
    /// Of these alone; none: of all, and of the vault.
    #[serde(default)]
    pub profiles: Vec<Cow<'a, str>>,
}

/// Calls a protected endpoint with a token and without, and tells what that means. Answered by `Done::Probed`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    #[serde(borrow)]
    pub url: Cow<'a, str>,
    /// Absent: `GET`, or `POST` with a body.
    #[serde(default, borrow)]
    pub method: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    pub body: Option<SecretStr<'a>>,
    /// Absent with a body: `application/json`.
    #[serde(default, borrow)]
    pub content_type: Option<Cow<'a, str>>,
    /// Scopes to ask for in place of the profile's.
    #[serde(default)]
    pub scope: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub audience: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub resource: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub interactive: bool,
}

/// Opens a further socket that knows some profiles alone. Without a path it is a private one, told as an
/// `Item::Socket`, and lasts as long as this request; with one it lasts until it is removed or ends, and the request is
/// over.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketCreate<'a> {
    /// Absolute.
    #[serde(default, borrow)]
    pub path: Option<Cow<'a, str>>,
    /// The profiles, at least one.
    #[serde(default)]
    pub only: Vec<Cow<'a, str>>,
    /// The scopes that can be asked for at most, and are where nothing is asked for; none: whatever a caller asks for.
    #[serde(default)]
    pub scope: Vec<Cow<'a, str>>,
    /// A user besides the agent's own.
    #[serde(default)]
    pub allow_uid: Option<u32>,
    /// Seconds after which it is removed.
    #[serde(default)]
    pub expires_s: Option<u64>,
}

/// Lists the further sockets: an `Item::Socket` for each, then `Said`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketList {}

/// Takes a further socket away, and hangs up on who is connected to it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketRemove<'a> {
    #[serde(borrow)]
    pub path: Cow<'a, str>,
}
