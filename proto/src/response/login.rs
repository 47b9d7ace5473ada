//! What a login wants of a person, and what an exchange wants of the client's environment.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What the person is to do. A later one takes the place of the one before.
#[derive(Debug, Serialize, Deserialize)]
pub struct LoginStep<'a> {
    /// `browser`: open `url`, the agent waits for the redirect. `paste`: open `url`; an `Ask` for the address
    /// that the browser ends at follows. `device`: open `url` and type `code`.
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    #[serde(borrow)]
    pub url: Cow<'a, str>,
    /// The user code of a device login.
    #[serde(borrow)]
    pub code: Option<Cow<'a, str>>,
    /// The URL with the code in it, for a QR code (RFC 8628 section 3.3.1).
    #[serde(borrow)]
    pub url_complete: Option<Cow<'a, str>>,
    /// When it ends without a login, Unix seconds.
    pub expires_at: i64,
    /// Whether this client is the one to open the browser: of several that wait, one does.
    pub opens: bool,
}

/// A subject token that only the client can bring, since it is in its environment. Answered by an `Answer` with
/// the token, or for `github-actions` with two lines: the URL to ask for one and the token that opens it.
#[derive(Debug, Serialize, Deserialize)]
pub struct AskSubject<'a> {
    /// `env:NAME`, `gitlab` or `github-actions`.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    #[serde(borrow)]
    pub profile: Cow<'a, str>,
}
