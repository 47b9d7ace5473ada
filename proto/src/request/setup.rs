//! Requests that set profiles up: with keys made here, from presets, from the files of other programs.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Assignment, DatedSecret};
use crate::secret::SecretStr;

/// Adds a profile with its secrets.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add3<'a> {
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
    /// Makes a private key for this algorithm (`ES256`, `EdDSA`, `RS256`, `PS256`); its public half comes as
    /// `Item::PublicKey`.
    #[serde(default, borrow)]
    pub generate_key: Option<Cow<'a, str>>,
    /// A service account's JSON file, from which settings and key are taken.
    #[serde(default, borrow)]
    pub from_json: Option<SecretStr<'a>>,
    /// Changes nothing and sends nothing; the request that would be sent comes as `Item::HttpRequest`.
    #[serde(default)]
    pub dry_run: bool,
}

/// Adds profiles from the text of another program's file: an `Item::Imported` for each, then `Said`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import<'a> {
    /// `oidc-agent`, `pizauth`, `google`, `gh`, `aws` or `dotenv`.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    #[serde(borrow)]
    pub text: SecretStr<'a>,
    /// Where the file is, for messages.
    #[serde(default, borrow)]
    pub path: Cow<'a, str>,
    /// Of a file that is encrypted.
    #[serde(default, borrow)]
    pub passphrase: Option<SecretStr<'a>>,
    /// What to take of a file that holds several: accounts, sections, variables; none: all.
    #[serde(default)]
    pub select: Vec<Cow<'a, str>>,
    /// The name of the profile, where there is one alone.
    #[serde(default, borrow)]
    pub name: Option<Cow<'a, str>>,
    #[serde(default)]
    pub replace: bool,
    /// Only tells what would be added.
    #[serde(default)]
    pub dry_run: bool,
    #[serde(default)]
    pub interactive: bool,
}

/// The settings that are in effect, an `Item::Setting` each, then `Said`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Show2<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
}

/// What is known of providers, an `Item::Preset` each, then `Said`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presets<'a> {
    /// One of them; absent: all.
    #[serde(default, borrow)]
    pub name: Option<Cow<'a, str>>,
}
