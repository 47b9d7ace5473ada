//! The header of HTTP Basic (RFC 7617 section 2), in the two ways that providers read it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokctl_proto::Secret;

use crate::oauth::buffer::Buffer;
use crate::oauth::form;

/// RFC 6749 section 2.3.1: both halves are form-encoded before they meet.
pub(super) fn encoded(client_id: &str, secret: &Secret) -> Secret {
    let mut pair = Buffer::default();
    form::push_form_encoded(&mut pair, client_id);
    pair.push_str(":");
    form::push_form_encoded(&mut pair, secret.expose());
    header(pair)
}

/// The same without the encoding, for providers that do not decode.
pub(super) fn raw(client_id: &str, secret: &Secret) -> Secret {
    let mut pair = Buffer::default();
    pair.push_str(client_id);
    pair.push_str(":");
    pair.push_str(secret.expose());
    header(pair)
}

/// RFC 7617 section 2.
fn header(pair: Buffer) -> Secret {
    let pair = pair.into_bytes();
    let scheme = "Basic ";
    // Room for all of it at once: a String that grows leaves its old self behind.
    let mut value = String::with_capacity(scheme.len() + pair.len().div_ceil(3) * 4);
    value.push_str(scheme);
    STANDARD.encode_string(&pair, &mut value);
    Secret::new(value)
}
