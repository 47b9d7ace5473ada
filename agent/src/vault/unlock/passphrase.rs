//! A passphrase: `identity.age`, what `age-keygen | age -p` makes.
//!
//! scrypt is CPU and memory for a second, and on purpose: call it where nobody waits for the
//! thread.

use std::io::Read;
use std::iter;

use age::{DecryptError, Decryptor, Encryptor, scrypt};
use secrecy::SecretString;
use tokctl_proto::Secret;
use zeroize::Zeroizing;

use super::Closed;

pub(in crate::vault) const FILE: &str = "identity.age";
/// N = 2^18: about a second and 256 MiB, age's own choice. Fixed, since measuring gives a different
/// one each time.
pub(in crate::vault) const WORK_FACTOR: u8 = 18;
/// Highest that is read: four seconds and 1 GiB. Above it a file is an attack, or was made for
/// another machine.
pub(in crate::vault) const WORK_FACTOR_MAX: u8 = 20;

pub(in crate::vault) fn wrap(text: &Secret, passphrase: &Secret) -> Vec<u8> {
    wrap_with(WORK_FACTOR, text, passphrase)
}

fn wrap_with(work_factor: u8, text: &Secret, passphrase: &Secret) -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(secret_string(passphrase));
    recipient.set_work_factor(work_factor);
    let encryptor = Encryptor::with_recipients(iter::once(&recipient as _))
        .expect("a passphrase is alone in its file");
    let mut bytes = Vec::new();
    age_writes(encryptor, text.expose().as_bytes(), &mut bytes).expect("a Vec takes every write");
    bytes
}

fn age_writes(encryptor: Encryptor, plain: &[u8], bytes: &mut Vec<u8>) -> std::io::Result<()> {
    let mut writer = encryptor.wrap_output(bytes)?;
    std::io::Write::write_all(&mut writer, plain)?;
    writer.finish().map(|_| ())
}

pub(in crate::vault) fn unwrap(bytes: &[u8], passphrase: &Secret) -> Result<Secret, Closed> {
    let decryptor = Decryptor::new_buffered(bytes).map_err(|_| Closed::Damaged)?;
    if !decryptor.is_scrypt() {
        return Err(Closed::Damaged);
    }
    let mut identity = scrypt::Identity::new(secret_string(passphrase));
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    let mut reader =
        decryptor.decrypt(iter::once(&identity as _)).map_err(|error| match error {
            DecryptError::ExcessiveWork { required, .. } => Closed::TooMuchWork { required },
            // The passphrase's own box: damage to it looks the same, and a mistyped passphrase is
            // likelier.
            DecryptError::DecryptionFailed => Closed::WrongPassphrase,
            _ => Closed::Damaged,
        })?;
    // As large as the file, so that it never grows and leaves no copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    reader.read_to_end(&mut plain).map_err(|_| Closed::Damaged)?;
    super::text(&mut plain)
}

fn secret_string(passphrase: &Secret) -> SecretString {
    SecretString::from(passphrase.expose().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    /// With almost no work, since no test here is about the work.
    fn wrapped() -> Vec<u8> {
        wrap_with(1, &secret("identity"), &secret("hunter2"))
    }

    #[test]
    fn only_the_passphrase_opens() {
        let bytes = wrapped();
        assert_eq!(unwrap(&bytes, &secret("hunter2")).unwrap().expose(), "identity");
        for passphrase in ["", "hunter", "Hunter2", "hunter2 "] {
            let closed = unwrap(&bytes, &secret(passphrase)).unwrap_err();
            assert_eq!(closed, Closed::WrongPassphrase, "{passphrase}");
        }
    }

    #[test]
    fn a_file_that_asks_for_too_much_work_is_not_tried() {
        let text = String::from_utf8_lossy(&wrapped()).into_owned();
        for required in [21, 30, 63] {
            // The header's MAC no longer holds, but the work comes first.
            let (head, tail) = text.split_once(" 1\n").unwrap();
            let crafted = format!("{head} {required}\n{tail}");
            let closed = unwrap(crafted.as_bytes(), &secret("hunter2")).unwrap_err();
            assert_eq!(closed, Closed::TooMuchWork { required });
        }
    }

    #[test]
    fn no_changed_or_cut_file_opens() {
        let bytes = wrapped();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(unwrap(&flipped, &secret("hunter2")).is_err(), "byte {at}");
            assert!(unwrap(&bytes[..at], &secret("hunter2")).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_kind_of_age_file_is_damage() {
        let recipient = age::x25519::Identity::generate().to_public();
        let bytes = age::encrypt(&recipient, b"identity").unwrap();
        for bytes in [bytes.as_slice(), b"", b"hello", b"age-encryption.org/v2\n"] {
            assert_eq!(unwrap(bytes, &secret("hunter2")).unwrap_err(), Closed::Damaged);
        }
    }
}
