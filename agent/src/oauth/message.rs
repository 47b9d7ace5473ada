//! An HTTP exchange as values: what a grant wants sent, and what came back.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use tokctl_proto::{Secret, WallMs};
use url::Url;
use zeroize::Zeroizing;

use crate::oauth::buffer::Buffer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

impl Method {
    /// As it is written on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A request to be sent exactly once, to exactly this URL: redirects are not followed.
#[derive(Debug)]
pub struct HttpRequest {
    pub method: Method,
    pub url: Url,
    /// Values are secrets since one of them is usually a credential.
    pub headers: Vec<(Cow<'static, str>, Secret)>,
    pub body: Secret,
}

/// Reads a field of a reply that is a secret.
pub(super) fn secret<'de, D: Deserializer<'de>>(field: D) -> Result<Secret, D::Error> {
    String::deserialize(field).map(Secret::new)
}

/// A token as an Authorization header carries it (RFC 9110 section 11.6.2).
pub fn authorization(scheme: &str, token: &Secret) -> Secret {
    let mut value = Buffer::default();
    value.push_str(scheme);
    value.push_str(" ");
    value.push_str(token.expose());
    value.into_secret().expect("made of text alone")
}

/// A whole reply; its body is at most 1 MiB.
#[derive(Clone)]
pub struct HttpReply {
    pub status: u16,
    /// Without parameters, lower case.
    pub content_type: Option<String>,
    pub retry_after: Option<String>,
    /// The provider's clock when it answered, as it wrote it (RFC 9110 section 6.6.1).
    pub date: Option<String>,
    /// When the request was sent.
    pub sent_at: WallMs,
    /// When the head of the reply was there.
    pub received_at: WallMs,
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for HttpReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpReply({}, {} bytes)", self.status, self.body.len())
    }
}
