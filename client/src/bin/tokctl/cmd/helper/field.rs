//! What may stand in a field of a helper's protocol, and what a URL has to look like.
//!
//! Lines and headers are made of these fields: a line feed in one would be a field of somebody else's choosing
//! (CVE-2020-5260, CVE-2024-52006). A host that two parsers may read as two hosts is no host.

use std::io::{self, Read};

use tokctl_client::proto::{Failure, Kind};
use zeroize::Zeroizing;

use crate::exit::Stop;

/// More than git's longest line (65,535 bytes) with all the others.
const INPUT_BYTES_MAX: u64 = 256 * 1024;

/// Refuses what could end a field.
pub(super) fn checked<'a>(name: &str, text: &'a str) -> Result<&'a str, Stop> {
    match text.contains(['\r', '\n', '\0']) {
        true => Err(refused(format!("there is a line end or a NUL in `{name}`"))),
        false => Ok(text),
    }
}

pub(super) fn refused(message: impl Into<String>) -> Stop {
    Failure::new(Kind::Usage, message).into()
}

/// All that the caller says.
pub(super) fn stdin() -> Result<Zeroizing<Vec<u8>>, Stop> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let read = io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| Stop::machine(format!("cannot read stdin: {error}")))?;
    match bytes.len() as u64 > INPUT_BYTES_MAX {
        true => Err(refused("what is asked on stdin is too long")),
        false => Ok(bytes),
    }
}

/// What was read, as text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Stop> {
    std::str::from_utf8(bytes).map_err(|_| refused("what is asked on stdin is not text"))
}

/// Whether every parser takes the text for a host, with or without a port.
pub(super) fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

/// Whether every parser takes the text for a URL of the same host.
pub(super) fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_scheme && is_host(host) && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// A path, which may hold anything, as a URL has it.
pub(super) fn escaped(path: &str) -> String {
    let mut url = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte) {
            true => url.push(char::from(byte)),
            false => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_ends_where_its_line_ends() {
        for (text, fits) in [
            ("", true),
            ("git.acme.example", true),
            ("a b=c\tä", true),
            ("a\n", false),
            ("a\nhost=b", false),
            ("a\r", false),
            ("\0", false),
        ] {
            assert_eq!(checked("host", text).is_ok(), fits, "{text:?}");
        }
    }

    #[test]
    fn a_host_is_one_to_every_parser() {
        for (text, fits) in [
            ("git.acme.example", true),
            ("git.acme.example:8443", true),
            ("[::1]:8080", true),
            ("", false),
            ("ada@git.acme.example", false),
            ("git.acme.example/x", false),
            ("git.acme.example\\@evil.example", false),
            ("git.acme.example#x", false),
            ("git acme", false),
            ("gít.example", false),
        ] {
            assert_eq!(is_host(text), fits, "{text:?}");
        }
    }

    #[test]
    fn a_url_has_one_host() {
        for (text, fits) in [
            ("https://git.acme.example/a/b?c=d@e", true),
            ("https://git.acme.example", true),
            ("https://ada@git.acme.example/", false),
            ("https://good.example\\@evil.example/", false),
            ("https://good.example/\\..\\x", false),
            ("https:///x", false),
            ("git.acme.example", false),
            ("https://git.acme.example/a b", false),
            ("unix:/run/x", false),
        ] {
            assert_eq!(is_url(text), fits, "{text:?}");
        }
    }

    #[test]
    fn a_path_stays_a_path() {
        assert_eq!(escaped("a b/c%2f?d#e"), "a%20b/c%252f%3Fd%23e");
    }
}
