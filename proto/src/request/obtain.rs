//! Requests about one token: with a proof of possession, as it would be asked for, as its provider sees it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Asks for an access token, and for a proof that this user holds its key where it is bound to one (RFC 9449).
/// Answered by `Done::Token3`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get3<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// Scopes to ask for in place of the profile's.
    #[serde(default)]
    pub scope: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub audience: Vec<Cow<'a, str>>,
    #[serde(default)]
    pub resource: Vec<Cow<'a, str>>,
    /// As in `get2`.
    #[serde(default)]
    pub min_valid_s: Option<u32>,
    #[serde(default)]
    pub best_effort: bool,
    #[serde(default)]
    pub refresh: bool,
    /// The whole wait for a token, in milliseconds; absent: 30 s.
    #[serde(default)]
    pub timeout_ms: Option<u32>,
    #[serde(default)]
    pub interactive: bool,
    #[serde(default)]
    pub uses: Option<u32>,
    #[serde(default)]
    pub wait_ms: Option<u32>,
    /// The one HTTP request that the proof is for.
    #[serde(default, borrow)]
    pub dpop: Option<DpopFor<'a>>,
}

/// The HTTP request that a proof is good for (RFC 9449 section 4.2).
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpopFor<'a> {
    /// `GET`, `POST`, ...
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// Absolute; its query and fragment are left out of the proof.
    #[serde(borrow)]
    pub url: Cow<'a, str>,
    /// The newest `DPoP-Nonce` of that server, where it sent one.
    #[serde(default, borrow)]
    pub nonce: Option<Cow<'a, str>>,
}

/// Shows the request that would be sent for a token, without secrets and without sending it: an
/// `Item::HttpRequest` for each, then `Said`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DryRun<'a> {
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

/// Asks the provider what it knows of the token that is held (RFC 7662). Answered by `Done::Inspected`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inspect<'a> {
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
