//! A token with a proof that its holder has the key it is bound to, and what its provider knows of it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::secret::SecretStr;

/// An access token, good now.
#[derive(Debug, Serialize, Deserialize)]
pub struct Token3<'a> {
    #[serde(borrow)]
    pub access_token: SecretStr<'a>,
    #[serde(borrow)]
    pub token_type: Cow<'a, str>,
    /// Unix seconds; null when it never expires or the provider does not say.
    pub expires_at: Option<i64>,
    /// Seconds left when the agent answered.
    pub expires_in: Option<i64>,
    /// The granted scopes where the provider named them, else those asked for, separated by spaces.
    #[serde(borrow)]
    pub scope: Cow<'a, str>,
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// How the token is used, with `{token}` or `{basic}` in it.
    #[serde(borrow)]
    pub header: Cow<'a, str>,
    /// False when the provider gives no token that lives as long as was wanted.
    pub min_valid_met: bool,
    /// For stderr.
    #[serde(borrow)]
    pub warning: Option<Cow<'a, str>>,
    /// The provider's further fields, one JSON object as text; empty when there are none.
    #[serde(borrow)]
    pub extra: SecretStr<'a>,
    /// The member whose token it is, where the profile is a pool.
    #[serde(borrow)]
    pub member: Option<Cow<'a, str>>,
    /// The proof for the one HTTP request that was named (RFC 9449); null for a token that is not bound.
    #[serde(borrow)]
    pub dpop: Option<SecretStr<'a>>,
}

/// What is known of a token.
#[derive(Debug, Serialize, Deserialize)]
pub struct Inspected<'a> {
    /// The provider's answer (RFC 7662 section 2.2), one JSON object; empty where it has no such endpoint.
    #[serde(borrow)]
    pub introspection: SecretStr<'a>,
    /// The claims of a token that is a JWT, unverified; empty where it is none.
    #[serde(borrow)]
    pub claims: SecretStr<'a>,
    /// `active` of the answer; null where nobody was asked.
    pub active: Option<bool>,
}
