//! JSON Object Signing (RFC 7515, 7517, 7518): what is signed here and what is checked here.
//!
//! Signing and checking is the work of aws-lc-rs; a JWT around it is two pieces of base64 and a signature. There is
//! no encryption, no `alg` of none, no compression, and nothing that a header names is fetched (RFC 8725 sections
//! 3.1 and 3.10). Time and identifiers come in as arguments; the library draws the randomness that a signature
//! or a new key takes.

pub mod assertion;
mod der;
pub mod dpop;
pub mod jwk;
pub mod jwks;
pub mod jws;
pub mod key;
pub(super) mod pem;

pub use assertion::Assertion;
pub use jwks::{Jwks, PublicKey};
pub use key::{KeyError, PrivateKey};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Base64url without padding (RFC 7515 section 2).
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of base64url without padding.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
