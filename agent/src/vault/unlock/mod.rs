//! The ways to an identity, one file each: what wraps its text, and what gets it back.
//!
//! A further method is a file here and an `identity.<method>.age` in the vault. A passphrase must
//! be alone in an age file, so methods never share one.

pub(super) mod bare;
pub(super) mod given;
pub(super) mod passphrase;

use tokctl_proto::Secret;

/// Largest identity file that is read: room for a hundred identities and their comments.
pub(super) const IDENTITY_BYTES_MAX: usize = 64 * 1024;

/// Why a wrapped identity stays closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Closed {
    WrongPassphrase,
    TooMuchWork {
        required: u8,
    },
    Damaged,
    /// It is for whoever has the identity of this recipient.
    WrongIdentity {
        recipient: String,
    },
    /// It begins as an identity does, and is none.
    NoIdentity,
}

/// Takes over what came out of a file.
fn text(bytes: &mut Vec<u8>) -> Result<Secret, Closed> {
    Secret::from_utf8(std::mem::take(bytes)).ok_or(Closed::Damaged)
}
