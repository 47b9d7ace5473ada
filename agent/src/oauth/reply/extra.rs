//! The provider's further fields, for those who need them: Salesforce's `instance_url`, Slack's
//! `team`.
//!
//! They leave through the socket beside the access token, so nothing that must stay inside may be
//! among them: refresh tokens, id tokens and client secrets are dropped at every depth, however
//! they are spelt.

use tokctl_proto::Secret;

use crate::oauth::buffer::Buffer;
use crate::oauth::reply::fields::Fields;

/// More than this is left out whole: a token without extras can be served, one beyond a frame
/// cannot.
pub(super) const EXTRA_BYTES_MAX: usize = 16 * 1024;

/// Fields that the token itself holds already.
const KNOWN: &[&str] = &["access_token", "token_type", "expires_in", "scope"];
/// Fields that never leave, by their letters alone.
const KEPT_INSIDE: &[&str] = &["refreshtoken", "idtoken", "clientsecret"];

/// The text of one JSON object, or nothing when no field is left.
pub(super) fn of(fields: &mut Fields) -> Secret {
    KNOWN.iter().for_each(|name| fields.remove(name));
    fields.remove_at_every_depth(&stays_inside);
    if fields.as_map().is_empty() {
        return Secret::default();
    }
    let mut text = Buffer::default();
    serde_json::to_writer(&mut text, fields.as_map())
        .expect("JSON encodes and the buffer takes all");
    if text.len() > EXTRA_BYTES_MAX {
        return Secret::default();
    }
    text.into_secret().expect("JSON is UTF-8")
}

fn stays_inside(name: &str) -> bool {
    let letters: String = name
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    KEPT_INSIDE.contains(&letters.as_str())
}
