//! What curl is told beside its command line, in a file that is memory and that nobody but curl reads: the token, and
//! what keeps it where it belongs. It comes last, so nothing on the command line goes before it.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use nix::sys::memfd::{MFdFlags, memfd_create};
use tokctl_client::Secret;
use zeroize::Zeroizing;

use super::line::{Part, is_plain};

/// How the token goes along.
#[derive(Debug)]
pub(super) enum Carried {
    /// Whole header lines: the token's, and a proof's.
    Headers(Vec<Secret>),
    /// A parameter of the query, and the token.
    Query(String, Secret),
}

/// The configuration of one operation.
pub(super) fn text(part: &Part, carried: &Carried, quiet_meter: bool) -> Secret {
    let mut lines: Vec<Zeroizing<String>> = Vec::new();
    let mut say = |name: &str, value: &str| lines.push(line(name, value));
    match carried {
        Carried::Headers(headers) => {
            headers.iter().for_each(|header| say("header", header.expose()));
            part.urls.iter().for_each(|url| say("url", url));
        }
        Carried::Query(name, token) => {
            for url in &part.urls {
                say("url", &with_parameter(url, name, token));
            }
        }
    }
    if part.urls.iter().any(|url| is_plain(url)) {
        // On this machine, and in the clear: a proxy would be another.
        say("proto", "=http,https");
        say("proto-redir", "=http,https");
        say("noproxy", "*");
    } else {
        say("proto", "=https");
        say("proto-redir", "=https");
    }
    let meter = if quiet_meter { "no-progress-meter\n" } else { "" };
    // Room for everything at once: a string that grows leaves copies behind.
    let room = lines.iter().map(|line| line.len()).sum::<usize>() + meter.len();
    let mut text = String::with_capacity(room);
    lines.iter().for_each(|line| text.push_str(line));
    text.push_str(meter);
    Secret::new(text)
}

/// A line of the configuration, its value in quotes.
fn line(name: &str, value: &str) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(name.len() + 2 * value.len() + 8));
    line.push_str(name);
    line.push_str(" = \"");
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            line.push('\\');
        }
        line.push(character);
    }
    line.push_str("\"\n");
    line
}

/// The URL with one more parameter, before its fragment.
fn with_parameter(url: &str, name: &str, token: &Secret) -> Zeroizing<String> {
    let (place, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    let joint = match place.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let escaped = percent_encoded(token.expose());
    let room = url.len() + joint.len() + name.len() + 1 + escaped.len();
    let mut whole = Zeroizing::new(String::with_capacity(room));
    for piece in [place, joint, name, "=", &escaped, fragment] {
        whole.push_str(piece);
    }
    whole
}

/// RFC 3986 section 2.1: all but what is unreserved.
pub(super) fn percent_encoded(text: &str) -> Zeroizing<String> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = Zeroizing::new(String::with_capacity(3 * text.len()));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

/// A file of memory that a program which we run can open by its number.
#[derive(Debug)]
pub(super) struct Memory(File);

impl Memory {
    pub(super) fn new(content: &[u8]) -> io::Result<Self> {
        // Without CLOEXEC: it is for the program that is run.
        let descriptor: OwnedFd = memfd_create(c"tokctl", MFdFlags::empty())?;
        let mut file = File::from(descriptor);
        file.write_all(content)?;
        Ok(Self(file))
    }

    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/dev/fd/{}", self.0.as_raw_fd()))
    }

    /// What is in it now.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        use std::os::unix::fs::FileExt;
        let length = self.0.metadata()?.len().min(HEADS_BYTES_MAX);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.0.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

/// The headers of a few answers, several times over.
const HEADS_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::line::Line;
    use super::*;

    fn part(url: &str) -> Line {
        Line::parse(&[OsString::from(url)]).unwrap()
    }

    #[test]
    fn a_token_is_quoted_and_kept_to_https() {
        let headers = Carried::Headers(vec![Secret::new("X-Key: a\"b\\c".to_owned())]);
        let line = part("https://a/");
        assert_eq!(
            text(&line.parts[0], &headers, true).expose(),
            "header = \"X-Key: a\\\"b\\\\c\"\nurl = \"https://a/\"\nproto = \"=https\"\n\
             proto-redir = \"=https\"\nno-progress-meter\n"
        );
        let line = part("http://127.0.0.1/");
        let told = text(&line.parts[0], &headers, false);
        assert!(told.expose().contains("noproxy = \"*\""));
    }

    #[test]
    fn a_parameter_joins_the_query() {
        for (url, whole) in [
            ("https://a/", "https://a/?key=a%2Bb"),
            ("https://a", "https://a?key=a%2Bb"),
            ("https://a/?", "https://a/?key=a%2Bb"),
            ("https://a/?x", "https://a/?x&key=a%2Bb"),
            ("https://a/?x=1&", "https://a/?x=1&key=a%2Bb"),
            ("https://a/?x#y?z", "https://a/?x&key=a%2Bb#y?z"),
            ("https://a/#y", "https://a/?key=a%2Bb#y"),
        ] {
            let token = Secret::new("a+b".to_owned());
            assert_eq!(*with_parameter(url, "key", &token), whole, "{url}");
        }
    }
}
