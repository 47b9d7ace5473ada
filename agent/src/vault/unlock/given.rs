//! An identity that whoever opens the vault brings along, as a CI job does: nothing of it lies in the
//! vault but its recipient, in `identity.recipient`.
//!
//! It comes where a passphrase would. An age identity has a form that nothing else has, so one is told
//! from the other by its text. Who can write to the vault can put another recipient there, and gains a
//! refusal: what decrypts is the identity, never the file.

use tokctl_proto::Secret;
use zeroize::Zeroizing;

use super::Closed;
use crate::vault::keys::Keys;

pub(in crate::vault) const FILE: &str = "identity.recipient";
/// How an X25519 identity of age begins, on a line of its own.
const BEGINS: &str = "AGE-SECRET-KEY-1";

/// Whether a text that came where a passphrase would is an age identity, or the file of one.
pub fn is_identity(text: &Secret) -> bool {
    text.expose().lines().any(|line| line.trim_start().starts_with(BEGINS))
}

/// Takes the identity that was given if it is the recipient's.
pub(in crate::vault) fn unwrap(recipient: &[u8], given: &Secret) -> Result<Keys, Closed> {
    let keys = Keys::parse(given.clone()).ok_or(Closed::NoIdentity)?;
    let recipient = String::from_utf8_lossy(recipient).trim().to_owned();
    match recipient == keys.recipient() {
        true => Ok(keys),
        false => Err(Closed::WrongIdentity { recipient }),
    }
}

/// What is written in place of the identity.
pub(in crate::vault) fn wrap(keys: &Keys) -> Zeroizing<Vec<u8>> {
    Zeroizing::new((keys.recipient() + "\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two identities made for these tests.
    const IDENTITY: &str =
        "AGE-SECRET-KEY-1PMXNXCRTEWHCFRHVD3U6QLY92AMCTHUEXARJ2MPPS7N4R7H2VD2SPXLQ7Y";
    const RECIPIENT: &str = "age12w890ggnqjgnavvc4c2rh6mccfl2h2kmltxsmj4rhezgzupggghscj6ecw";

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn an_identity_is_told_from_a_passphrase_by_its_form() {
        let file = format!("# created: now\r\n# public key: {RECIPIENT}\r\n{IDENTITY}\r\n");
        for (text, is) in [
            (IDENTITY, true),
            (&file, true),
            ("AGE-SECRET-KEY-1CUT", true),
            ("correct horse battery staple", false),
            ("my AGE-SECRET-KEY-1 is", false),
            (RECIPIENT, false),
            ("", false),
        ] {
            assert_eq!(is_identity(&secret(text)), is, "{text}");
        }
    }

    #[test]
    fn only_the_identity_of_the_recipient_opens() {
        let ours = format!("{RECIPIENT}\n");
        for text in [IDENTITY.to_owned(), format!("# mine\n{IDENTITY}\n")] {
            assert_eq!(unwrap(ours.as_bytes(), &secret(&text)).unwrap().recipient(), RECIPIENT);
        }
        for other in ["", "age1other\n", "\0"] {
            let closed = unwrap(other.as_bytes(), &secret(IDENTITY)).unwrap_err();
            assert!(matches!(closed, Closed::WrongIdentity { .. }), "{other:?}");
        }
        for cut in [&IDENTITY[..40], "AGE-SECRET-KEY-1"] {
            let closed = unwrap(ours.as_bytes(), &secret(cut)).unwrap_err();
            assert_eq!(closed, Closed::NoIdentity, "{cut}");
        }
    }
}
