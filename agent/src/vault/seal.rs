//! One file's bytes: encrypted to the vault's identity, and marked as written by its holder.
//!
//! An age file does not say who wrote it: anybody who knows the recipient can make one. So the
//! plaintext opens with `tokctl-entry 1 <hex HMAC-SHA256>`, and the MAC covers the profile's name,
//! a NUL, and every byte after that line. An entry put under another name does not pass either, nor
//! does a tombstone in the place of an entry. Nothing is looked at before all of it is read: the last
//! chunk is what shows that none is missing.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::iter;
use std::path::PathBuf;

use age::{Decryptor, Encryptor};
use hmac::Mac;
use tokctl_proto::ProfileName;
use zeroize::Zeroizing;

use super::entry::EntryId;
use super::error::VaultError;
use super::keys::Keys;

/// What a file is: its first line says so, and the MAC covers its name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label<'a> {
    Entry(&'a ProfileName),
    Tombstone(EntryId),
}

impl Label<'_> {
    fn magic(self) -> &'static str {
        match self {
            Self::Entry(_) => "tokctl-entry",
            Self::Tombstone(_) => "tokctl-tombstone",
        }
    }

    /// No profile's name holds a slash.
    fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Entry(name) => name.as_str().into(),
            Self::Tombstone(id) => format!("tombstone/{id}").into(),
        }
    }
}

/// The format that is written, and the newest that is read.
const VERSION: u64 = 1;
const MAC_BYTES: usize = 32;

/// Why the bytes are not to be trusted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Not for this identity, or not as it was written.
    Damaged,
    /// It decrypts, but who holds the identity did not write it, or not under this name.
    Forged,
    /// Written by a newer tokctl; nothing is known of its MAC.
    Newer { version: u64 },
}

impl Refused {
    /// The same of the file at that place.
    pub(super) fn at(self, path: PathBuf) -> VaultError {
        match self {
            Self::Damaged => VaultError::Damaged { path },
            Self::Forged => VaultError::Forged { path },
            Self::Newer { version } => VaultError::Newer { path, version },
        }
    }
}

/// Encrypts a file's body.
pub(super) fn seal(keys: &Keys, label: Label<'_>, body: &[u8]) -> Vec<u8> {
    let writer = keys.writer();
    let mac = writer.mac(&label.name(), body).finalize().into_bytes();
    let encryptor = Encryptor::with_recipients(iter::once(writer.recipient() as _))
        .expect("one X25519 recipient is always taken");
    let mut sealed = Vec::new();
    let write = || -> std::io::Result<()> {
        let mut plain = encryptor.wrap_output(&mut sealed)?;
        write!(plain, "{} {VERSION} ", label.magic())?;
        mac.iter().try_for_each(|byte| write!(plain, "{byte:02x}"))?;
        plain.write_all(b"\n")?;
        plain.write_all(body)?;
        plain.finish().map(|_| ())
    };
    write().expect("a Vec takes every write");
    sealed
}

/// A file's plaintext, checked.
pub(super) struct Opened {
    plain: Zeroizing<Vec<u8>>,
    body_at: usize,
}

impl Opened {
    pub(super) fn body(&self) -> &[u8] {
        &self.plain[self.body_at..]
    }
}

/// Decrypts a file and checks who wrote it, and as what.
pub(super) fn open(keys: &Keys, label: Label<'_>, sealed: &[u8]) -> Result<Opened, Refused> {
    let plain = decrypt(keys, sealed).ok_or(Refused::Damaged)?;
    let (version, rest) = version(label, &plain).ok_or(Refused::Forged)?;
    match version {
        0 => return Err(Refused::Forged),
        VERSION => {}
        version => return Err(Refused::Newer { version }),
    }
    let (line, body) = split_line(rest).ok_or(Refused::Forged)?;
    let mac = parse_hex(line).ok_or(Refused::Forged)?;
    // verify_slice compares in constant time.
    if !keys.readers().any(|key| key.mac(&label.name(), body).verify_slice(&mac).is_ok()) {
        return Err(Refused::Forged);
    }
    let body_at = plain.len() - body.len();
    Ok(Opened { plain, body_at })
}

fn decrypt(keys: &Keys, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let decryptor = Decryptor::new_buffered(sealed).ok()?;
    let mut reader = decryptor.decrypt(keys.readers().map(|key| &key.identity as _)).ok()?;
    // As large as the file, so that it never grows and leaves no copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.read_to_end(&mut plain).ok()?;
    Some(plain)
}

/// The version of the format, and what follows it.
fn version<'a>(label: Label<'_>, plain: &'a [u8]) -> Option<(u64, &'a [u8])> {
    let rest = plain.strip_prefix(label.magic().as_bytes())?.strip_prefix(b" ")?;
    let end = rest.iter().position(|&byte| byte == b' ' || byte == b'\n')?;
    let digits = rest[..end].iter().all(u8::is_ascii_digit).then(|| &rest[..end])?;
    let version = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((version, &rest[end + 1..]))
}

fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|&byte| byte == b'\n')?;
    Some((&text[..end], &text[end + 1..]))
}

fn parse_hex(text: &[u8]) -> Option<[u8; MAC_BYTES]> {
    let mut bytes = [0; MAC_BYTES];
    if text.len() != 2 * MAC_BYTES {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        });
        *byte = high? << 4 | low?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use tokctl_proto::WallMs;

    use super::*;

    fn name(text: &str) -> ProfileName {
        ProfileName::parse(text).unwrap()
    }

    fn keys() -> Keys {
        Keys::generate(WallMs(0))
    }

    fn refused(keys: &Keys, sealed: &[u8]) -> Refused {
        match open(keys, Label::Entry(&name("acme")), sealed) {
            Err(refused) => refused,
            Ok(_) => panic!("it opened"),
        }
    }

    /// What anybody can do who knows the recipient.
    fn encrypt(keys: &Keys, plain: &[u8]) -> Vec<u8> {
        age::encrypt(keys.writer().recipient(), plain).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_to_the_same_bytes() {
        let keys = keys();
        // Around one and two of age's chunks of 64 KiB, and a body that holds line feeds.
        for length in [0, 1, 65_000, 65_536 - 80, 65_536, 131_072, 200_000] {
            let body: Vec<u8> = (0..length).map(|n| (n % 11) as u8).collect();
            let sealed = seal(&keys, Label::Entry(&name("acme")), &body);
            assert_eq!(
                open(&keys, Label::Entry(&name("acme")), &sealed).ok().unwrap().body(),
                body,
                "{length}"
            );
        }
    }

    #[test]
    fn no_flipped_bit_opens() {
        let keys = keys();
        let sealed = seal(&keys, Label::Entry(&name("acme")), b"{}");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(refused(&keys, &flipped), Refused::Damaged, "bit {bit}");
        }
    }

    #[test]
    fn nothing_cut_or_appended_opens() {
        let keys = keys();
        let sealed = seal(&keys, Label::Entry(&name("acme")), b"{}");
        for length in 0..sealed.len() {
            assert_eq!(refused(&keys, &sealed[..length]), Refused::Damaged, "cut at {length}");
        }
        let longer = [&sealed[..], b"\0"].concat();
        assert_eq!(refused(&keys, &longer), Refused::Damaged);
    }

    #[test]
    fn a_cut_between_two_chunks_does_not_open() {
        let keys = keys();
        let sealed = seal(&keys, Label::Entry(&name("acme")), &vec![b' '; 200_000]);
        let chunk = 64 * 1024 + 16;
        let payload_at = sealed.len() - (200_000 + 80 + 4 * 16);
        assert_eq!(refused(&keys, &sealed[..payload_at + chunk]), Refused::Damaged);
    }

    #[test]
    fn another_identity_does_not_open_it() {
        let sealed = seal(&keys(), Label::Entry(&name("acme")), b"{}");
        assert_eq!(refused(&keys(), &sealed), Refused::Damaged);
    }

    #[test]
    fn an_entry_under_another_name_is_forged() {
        let keys = keys();
        let sealed = seal(&keys, Label::Entry(&name("other")), b"{}");
        assert_eq!(refused(&keys, &sealed), Refused::Forged);
    }

    #[test]
    fn an_entry_is_no_tombstone_and_no_tombstone_is_an_entry() {
        let (keys, id) = (keys(), EntryId::draw(&mut |bytes| bytes.fill(0xab)));
        let tombstone = Label::Tombstone(id);
        let sealed = seal(&keys, tombstone, b"{}");
        assert!(open(&keys, tombstone, &sealed).is_ok());
        let other = Label::Tombstone(EntryId::draw(&mut |bytes| bytes.fill(1)));
        // An id is a profile's name too.
        let of_that_name = name(&id.to_string());
        for label in [other, Label::Entry(&of_that_name), Label::Entry(&name("tombstone"))] {
            assert!(matches!(open(&keys, label, &sealed), Err(Refused::Forged)), "{label:?}");
        }
        let sealed = seal(&keys, Label::Entry(&of_that_name), b"{}");
        assert!(matches!(open(&keys, tombstone, &sealed), Err(Refused::Forged)));
    }

    #[test]
    fn knowing_the_recipient_is_not_enough_to_write() {
        let keys = keys();
        let zeros = "0".repeat(64);
        for plain in [
            String::new(),
            "{}".to_owned(),
            "tokctl-entry".to_owned(),
            "tokctl-entry 1\n{}".to_owned(),
            "tokctl-entry 1 \n{}".to_owned(),
            format!("tokctl-entry 1 {zeros}\n{{}}"),
            format!("tokctl-entry 1 {zeros}"),
            format!("tokctl-entry 1 {}\n{{}}", "é".repeat(32)),
            format!("tokctl-entry 0 {zeros}\n{{}}"),
            format!("tokctl-entry +1 {zeros}\n{{}}"),
            format!("tokctl-entry  {zeros}\n{{}}"),
        ] {
            assert_eq!(
                refused(&keys, &encrypt(&keys, plain.as_bytes())),
                Refused::Forged,
                "{plain}"
            );
        }
    }

    #[test]
    fn the_mac_covers_every_byte_after_its_line() {
        let keys = keys();
        let mac: String = keys
            .writer()
            .mac("acme", b"{}")
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        for (body, opens) in [("{}", true), ("{} ", false), ("\n{}", false), ("{", false)] {
            let sealed = encrypt(&keys, format!("tokctl-entry 1 {mac}\n{body}").as_bytes());
            assert_eq!(
                open(&keys, Label::Entry(&name("acme")), &sealed).is_ok(),
                opens,
                "{body:?}"
            );
        }
        let upper = format!("tokctl-entry 1 {}\n{{}}", mac.to_uppercase());
        assert_eq!(refused(&keys, &encrypt(&keys, upper.as_bytes())), Refused::Forged);
    }

    #[test]
    fn a_newer_format_says_its_version() {
        let keys = keys();
        for (line, version) in [("2 abc", 2), ("3", 3), ("18446744073709551615 x y z", u64::MAX)] {
            let sealed = encrypt(&keys, format!("tokctl-entry {line}\n{{}}").as_bytes());
            assert_eq!(refused(&keys, &sealed), Refused::Newer { version });
        }
    }

    #[test]
    fn an_older_identity_reads_and_only_the_first_writes() {
        let (old, new) = (keys(), keys());
        let sealed = seal(&old, Label::Entry(&name("acme")), b"{}");
        let both = [new.text().expose(), old.text().expose()].concat();
        let both = Keys::parse(tokctl_proto::Secret::new(both)).unwrap();
        assert!(open(&both, Label::Entry(&name("acme")), &sealed).is_ok());
        let sealed = seal(&both, Label::Entry(&name("acme")), b"{}");
        assert!(open(&new, Label::Entry(&name("acme")), &sealed).is_ok());
        assert_eq!(refused(&old, &sealed), Refused::Damaged);
    }
}
