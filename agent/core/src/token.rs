//! An access token as the agent holds it.

use std::time::Duration;

use tokctl_proto::{Secret, WallMs};

/// An access token and what is known of it.
#[derive(Clone, Debug)]
pub struct Token {
    pub access_token: Secret,
    /// As the provider wrote it, or `Bearer` where it wrote none.
    pub token_type: String,
    /// When the request for it was sent: a lifetime counts from there, so transit can only shorten it.
    pub issued_at: WallMs,
    /// `None` when it never expires or nobody knows when.
    pub expires_at: Option<WallMs>,
    /// The granted scope, space-delimited, where the provider named it (RFC 6749 section 3.3).
    pub scope: Option<String>,
    /// The provider's further fields: the text of one JSON object, or empty.
    pub extra: Secret,
    /// The revision of the profile it was asked for with.
    pub revision: u64,
}

impl Token {
    /// The whole lifetime it was granted; `None` when it has no known end.
    pub fn lifetime(&self) -> Option<Duration> {
        self.expires_at.map(|end| end.since(self.issued_at))
    }
}
