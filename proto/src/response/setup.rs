//! What is told of profiles while they are set up.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The public half of a key that was made, to be registered at the provider.
#[derive(Debug, Serialize, Deserialize)]
pub struct PublicKey<'a> {
    /// A JWK (RFC 7517), one JSON object.
    #[serde(borrow)]
    pub jwk: Cow<'a, str>,
    /// The same as PEM (SubjectPublicKeyInfo), for providers that take no JWK.
    #[serde(borrow)]
    pub pem: Cow<'a, str>,
}

/// A request that would be sent, every secret in it replaced.
#[derive(Debug, Serialize, Deserialize)]
pub struct HttpRequest<'a> {
    /// Request line, headers, an empty line and the body.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// A profile that was added from another program's file, or would be.
#[derive(Debug, Serialize, Deserialize)]
pub struct Imported<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// `KEY = VALUE` lines of TOML.
    #[serde(borrow)]
    pub toml: Cow<'a, str>,
    /// Names of the secrets.
    pub secrets: Vec<String>,
    /// What was left out or needs a look.
    pub notes: Vec<String>,
    /// Why it was not added.
    #[serde(borrow)]
    pub error: Option<Cow<'a, str>>,
}

/// A setting that is in effect.
#[derive(Debug, Serialize, Deserialize)]
pub struct Setting<'a> {
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// As TOML.
    #[serde(borrow)]
    pub value: Cow<'a, str>,
    /// `profile`, `preset`, `agent` or `default`; text, so that it can grow.
    #[serde(borrow)]
    pub layer: Cow<'a, str>,
}

/// What is known of a provider.
#[derive(Debug, Serialize, Deserialize)]
pub struct Preset<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub title: Cow<'a, str>,
    /// The grant unless another is named.
    #[serde(borrow)]
    pub grant: Cow<'a, str>,
    /// Whether it was tried with a provider of this shape.
    pub verified: bool,
    #[serde(borrow)]
    pub setup_url: Cow<'a, str>,
    /// What to click, what to register, what to copy back.
    pub setup: Vec<String>,
    /// What is left open: keys of a profile, `vars.NAME` among them.
    pub ask: Vec<Question>,
    /// Names of the secrets it takes.
    pub secrets: Vec<String>,
}

/// A key that a preset leaves open.
#[derive(Debug, Serialize, Deserialize)]
pub struct Question {
    pub key: String,
    pub prompt: String,
    /// An empty answer leaves it out.
    pub optional: bool,
}
