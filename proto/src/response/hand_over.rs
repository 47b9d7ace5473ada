//! What is told to whoever hands tokens on.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// How a profile's token is used.
#[derive(Debug, Serialize, Deserialize)]
pub struct Usage<'a> {
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
    /// A header line with `{token}` or `{basic}` in it; of no use where `query` is set.
    #[serde(borrow)]
    pub header: Cow<'a, str>,
    /// The parameter of the URL's query that holds the token in place of a header.
    #[serde(borrow)]
    pub query: Option<Cow<'a, str>>,
    /// Where it may be used; none: wherever its owner sends it.
    pub api_urls: Vec<String>,
}

/// Something that happened to the tokens of a profile, or to the vault.
#[derive(Debug, Serialize, Deserialize)]
pub struct Event<'a> {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// `renewed`, `failed`, `login_needed`, `locked`, `unlocked`; text, so that it can grow.
    #[serde(borrow)]
    pub what: Cow<'a, str>,
    /// Null where it is about the vault.
    #[serde(borrow)]
    pub profile: Option<Cow<'a, str>>,
    /// The scopes that were asked for in place of the profile's, separated by spaces.
    #[serde(borrow)]
    pub scope: Cow<'a, str>,
    /// When the new token ends, Unix seconds.
    pub expires_at: Option<i64>,
    /// Of a failure, as in an error: the kind,
    #[serde(borrow)]
    pub kind: Option<Cow<'a, str>>,
    /// what happened,
    #[serde(borrow)]
    pub message: Option<Cow<'a, str>>,
    /// and what to do.
    #[serde(borrow)]
    pub hint: Option<Cow<'a, str>>,
}

/// A socket besides the agent's own.
#[derive(Debug, Serialize, Deserialize)]
pub struct Socket<'a> {
    #[serde(borrow)]
    pub path: Cow<'a, str>,
    pub only: Vec<String>,
    pub scope: Vec<String>,
    pub allow_uid: Option<u32>,
    /// Unix seconds.
    pub expires_at: Option<i64>,
    pub connections: u32,
}

/// What came of a call with a token and of the same without.
#[derive(Debug, Serialize, Deserialize)]
pub struct Probed<'a> {
    #[serde(borrow)]
    pub with: Answered<'a>,
    #[serde(borrow)]
    pub without: Answered<'a>,
    /// What that means, one sentence.
    #[serde(borrow)]
    pub verdict: Cow<'a, str>,
    /// What to do about it.
    #[serde(borrow)]
    pub hint: Option<Cow<'a, str>>,
    /// Scopes, separated by spaces.
    #[serde(borrow)]
    pub asked: Cow<'a, str>,
    #[serde(borrow)]
    pub granted: Cow<'a, str>,
    pub audience: Vec<String>,
}

/// What an API answered.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answered<'a> {
    /// Absent where there was none: `problem` says why.
    pub status: Option<u16>,
    #[serde(borrow)]
    pub problem: Option<Cow<'a, str>>,
    /// RFC 9110 section 11.6.1.
    #[serde(borrow)]
    pub www_authenticate: Option<Cow<'a, str>>,
    pub retry_after_s: Option<u32>,
    /// The beginning, 300 characters at most, without the token.
    #[serde(borrow)]
    pub body: Cow<'a, str>,
}
