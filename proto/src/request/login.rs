//! Requests about a login: its beginning, and its end at the provider.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Logs in: an `Item::Login` says what the person is to do, an `Ask` may follow, then `Said`. Who asks while a
/// login of the profile is pending joins it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// Scopes beyond the profile's.
    #[serde(default)]
    pub scope: Vec<Cow<'a, str>>,
    /// `browser`, `device` or `paste`; absent: whichever fits.
    #[serde(default, borrow)]
    pub method: Option<Cow<'a, str>>,
    /// Whether this client can open a browser for the person.
    #[serde(default)]
    pub has_browser: bool,
    #[serde(default)]
    pub interactive: bool,
}

/// Revokes one access token at the provider (RFC 7009) and forgets it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoke<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    #[serde(default)]
    pub scope: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub audience: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub resource: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub interactive: bool,
}

/// Revokes and forgets a profile's refresh token and access tokens; the profile and its client's secret stay.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logout<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// Forgets them without a word to the provider.
    #[serde(default)]
    pub local: bool,
    #[serde(default)]
    pub interactive: bool,
}

/// A logout, then the profile goes with its secrets.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remove2<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// Removes it without a word to the provider.
    #[serde(default)]
    pub local: bool,
    #[serde(default)]
    pub interactive: bool,
}

/// Removes everything: a logout of each profile, then configuration, vault and state. What could not be revoked is
/// told as `Progress`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// Removes it without a word to any provider.
    #[serde(default)]
    pub local: bool,
    #[serde(default)]
    pub interactive: bool,
}
