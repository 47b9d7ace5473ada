//! PEM (RFC 7468), read into memory that is wiped and written from it.
//!
//! It is read as it comes out of files, variables and JSON: the lines may be of any length, may end in CRLF or in
//! the two characters `\n`, or may have become one. What stands around the blocks is passed over.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokctl_proto::Secret;
use zeroize::Zeroizing;

/// How long a line is (RFC 7468 section 2).
const LINE_BYTES: usize = 64;
const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// One block.
#[derive(Debug)]
pub(in crate::oauth) struct Block<'a> {
    pub(in crate::oauth) label: &'a str,
    body: &'a str,
}

/// The blocks of a text; the last one may lack its end.
pub(in crate::oauth) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    text.split(BEGIN).skip(1).filter_map(|rest| {
        let (label, rest) = rest.split_once(DASHES)?;
        let (body, _) = rest.split_once("-----END ")?;
        Some(Block { label, body })
    })
}

impl Block<'_> {
    /// Whether a passphrase is needed for it: PKCS#8's way and OpenSSL's old one (RFC 1421 section 4.6.1.1).
    pub(in crate::oauth) fn is_encrypted(&self) -> bool {
        self.label.contains("ENCRYPTED") || self.body.contains("ENCRYPTED")
    }

    /// What it holds; `None` if that is not base64.
    pub(in crate::oauth) fn der(&self) -> Option<Zeroizing<Vec<u8>>> {
        // Room for all of it at once: a buffer that grows leaves its old self behind.
        let mut base64 = Zeroizing::new(Vec::with_capacity(self.body.len()));
        let mut characters = self.body.bytes();
        while let Some(byte) = characters.next() {
            match byte {
                byte if byte.is_ascii_whitespace() => {}
                b'\\' => match characters.next()? {
                    b'n' | b'r' => {}
                    _ => return None,
                },
                byte => base64.push(byte),
            }
        }
        let mut der = Zeroizing::new(vec![0; base64.len().div_ceil(4) * 3]);
        let length = STANDARD.decode_slice(&*base64, &mut der).ok()?;
        der.truncate(length);
        Some(der)
    }
}

/// Writes one block.
pub(in crate::oauth) fn write(label: &str, der: &[u8]) -> Secret {
    let mut base64 = Zeroizing::new(String::with_capacity(der.len().div_ceil(3) * 4));
    STANDARD.encode_string(der, &mut base64);
    let lines = base64.len().div_ceil(LINE_BYTES);
    let mut text = String::with_capacity(base64.len() + lines + 2 * label.len() + 64);
    text.extend([BEGIN, label, "-----\n"]);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(LINE_BYTES));
        text.extend([line, "\n"]);
        rest = behind;
    }
    text.extend(["-----END ", label, "-----\n"]);
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, Option<Vec<u8>>)> {
        let owned = |block: Block<'_>| {
            (block.label.to_owned(), block.der().map(|der| der.as_slice().to_vec()))
        };
        blocks(text).map(owned).collect()
    }

    #[test]
    fn a_block_is_read_however_its_lines_end() {
        let plain = "-----BEGIN X-----\nAQID\nBAU=\n-----END X-----\n";
        for text in [
            plain.to_owned(),
            plain.replace('\n', "\r\n"),
            plain.replace('\n', "\\n"),
            plain.replace('\n', "\\r\\n"),
            plain.replace('\n', " "),
            plain.replace('\n', ""),
            plain.replace('\n', "\n   "),
            format!("# a note\n{plain}and more"),
        ] {
            assert_eq!(read(&text), [("X".to_owned(), Some(vec![1, 2, 3, 4, 5]))], "{text}");
        }
    }

    #[test]
    fn what_is_not_whole_is_no_block() {
        for (text, blocks) in [
            ("", 0),
            ("-----BEGIN X", 0),
            ("-----BEGIN X-----\nAQID", 0),
            ("-----BEGIN X-----\nAQID\n-----END X-----\n-----BEGIN Y-----", 1),
            (
                "-----BEGIN X-----\nAQID\n-----END X-----\n-----BEGIN Y-----\nAQ==\n-----END Y-----",
                2,
            ),
        ] {
            assert_eq!(read(text).len(), blocks, "{text}");
        }
        for body in ["?", "AQI", "A\\x", "A\\", "Proc-Type: 4,ENCRYPTED\n\nAQID"] {
            let text = format!("-----BEGIN X-----\n{body}\n-----END X-----");
            assert_eq!(read(&text), [("X".to_owned(), None)], "{body}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(der in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = write("PRIVATE KEY", &der);
            prop_assert!(text.expose().lines().all(|line| line.len() <= LINE_BYTES));
            prop_assert_eq!(read(text.expose()), [("PRIVATE KEY".to_owned(), Some(der))]);
        }
    }
}
