//! A command line of curl, read as curl reads it: which words are URLs, what is sent, and what must not stand beside a
//! token.
//!
//! An option that is not known is refused rather than guessed at: a URL that was taken for its value would be called
//! without having been checked. So are abbreviations, which mean another thing to another curl.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use tokctl_client::proto::escape::shown;
use tokctl_client::proto::{Failure, Kind};

use super::options;

/// What the words say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// With `--next` between them.
    pub(super) parts: Vec<Part>,
}

/// One operation, up to a `--next`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// Options and their values as they were, without `--disable`, which is always said.
    pub(super) words: Vec<OsString>,
    pub(super) urls: Vec<String>,
    /// The names of headers, in lower case.
    pub(super) headers: Vec<String>,
    /// By their long names, with `no-` where they are turned off.
    pub(super) options: Vec<String>,
    method: Option<String>,
    /// Something of it cannot be read a second time.
    pub(super) is_spent: bool,
    /// What `write-out` and `referer` say may hold a URL.
    pub(super) tells_url: bool,
}

/// Options whose value is a file, or `-`, that is read and sent.
const READING: &[&str] = &[
    "data",
    "data-ascii",
    "data-binary",
    "data-urlencode",
    "json",
    "form",
    "header",
    "upload-file",
    "cookie",
    "url-query",
    "write-out",
    "proxy-header",
];

/// What does not go together with a token that must neither be seen nor be sent elsewhere, and why.
const REFUSED: &[(&str, &str)] = &[
    ("config", "names a file whose options and URLs are not looked at"),
    ("variable", "makes options that are not looked at"),
    ("location-trusted", "sends the token wherever a redirect points"),
    ("request-target", "asks for another place than the URL says"),
    ("trace", "writes the token into a file"),
    ("trace-ascii", "writes the token into a file"),
    ("trace-config", "writes the token down"),
    ("libcurl", "writes the token into a file"),
    ("user", "is another credential than the token"),
    ("oauth2-bearer", "is another credential than the token"),
    ("aws-sigv4", "is another credential than the token"),
    ("netrc", "is another credential than the token"),
    ("netrc-file", "is another credential than the token"),
    ("netrc-optional", "is another credential than the token"),
    ("anyauth", "is another credential than the token"),
    ("digest", "is another credential than the token"),
    ("negotiate", "is another credential than the token"),
    ("ntlm", "is another credential than the token"),
    ("ntlm-wb", "is another credential than the token"),
    ("ipfs-gateway", "is no place that was looked at"),
    ("help", "needs no token: run curl itself"),
    ("manual", "needs no token: run curl itself"),
    ("version", "needs no token: run curl itself"),
];

/// What could lead a request in the clear to another machine.
const DETOURS: &[&str] = &[
    "connect-to",
    "resolve",
    "unix-socket",
    "abstract-unix-socket",
    "dns-servers",
    "doh-url",
    "preproxy",
    "socks4",
    "socks4a",
    "socks5",
    "socks5-hostname",
    "proxy1.0",
    "alt-svc",
];

impl Line {
    pub(super) fn parse(words: &[OsString]) -> Result<Self, Failure> {
        let mut parts = vec![Part::default()];
        let mut rest = words.iter();
        let mut are_options = true;
        while let Some(word) = rest.next() {
            let part = parts.last_mut().expect("there is one from the start");
            match word.as_bytes() {
                b"--" if are_options => are_options = false,
                [b'-', b'-', long @ ..] if are_options => {
                    let name = text(OsStr::from_bytes(long))?;
                    match name {
                        "next" => parts.push(Part::default()),
                        "disable" => {}
                        name => part.long(name, word, &mut rest)?,
                    }
                }
                b"-:" if are_options => parts.push(Part::default()),
                [b'-', letters @ ..] if are_options && !letters.is_empty() => {
                    part.letters(letters, word, &mut rest)?;
                }
                _ => part.urls.push(text(word)?.to_owned()),
            }
        }
        if parts.iter().any(|part| part.urls.is_empty()) {
            return Err(usage("there is no URL to call").hint("write it out, with https://"));
        }
        for part in &parts {
            part.check()?;
        }
        Ok(Self { parts })
    }

    /// The one URL that is called, where it is one, and the method.
    pub(super) fn single(&self) -> Option<(&str, String)> {
        match self.parts.as_slice() {
            [part] if !part.has("parallel") => match part.urls.as_slice() {
                [url] if part.has("globoff") || !is_glob(url) => Some((url, part.method())),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn urls(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(|part| &part.urls).map(String::as_str)
    }

    pub(super) fn has(&self, option: &str) -> bool {
        self.parts.iter().any(|part| part.has(option))
    }
}

impl Part {
    pub(super) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|one| one == option)
    }

    /// As curl chooses it.
    fn method(&self) -> String {
        let sends = ["data", "data-ascii", "data-binary", "data-raw", "data-urlencode", "json"];
        match &self.method {
            Some(method) => method.clone(),
            None if self.has("head") => "HEAD".to_owned(),
            None if self.has("upload-file") => "PUT".to_owned(),
            None if self.has("get") => "GET".to_owned(),
            None if self.has("form") || self.has("form-string") => "POST".to_owned(),
            None if sends.iter().any(|option| self.has(option)) => "POST".to_owned(),
            None => "GET".to_owned(),
        }
    }

    fn long<'a>(
        &mut self,
        name: &str,
        word: &OsString,
        rest: &mut impl Iterator<Item = &'a OsString>,
    ) -> Result<(), Failure> {
        let (plain, is_on) = match name.strip_prefix("no-") {
            Some(plain) if options::takes_value(plain) == Some(false) => (plain, false),
            _ => (name, true),
        };
        match options::takes_value(plain) {
            Some(false) => {
                self.words.push(word.clone());
                self.flag(plain, is_on)
            }
            Some(true) => {
                let value = rest.next().ok_or_else(|| lacks_value(name))?;
                if plain != "url" {
                    self.words.extend([word.clone(), value.clone()]);
                }
                self.valued(plain, value)
            }
            None => Err(unknown(&format!("--{name}"))),
        }
    }

    /// `-sSXPOST`, `-o`, `FILE`.
    fn letters<'a>(
        &mut self,
        letters: &[u8],
        word: &OsString,
        rest: &mut impl Iterator<Item = &'a OsString>,
    ) -> Result<(), Failure> {
        // `-q` is curl's first word already, where alone it counts.
        if letters != b"q" {
            self.words.push(word.clone());
        }
        let mut left = letters;
        while let Some((&letter, after)) = left.split_first() {
            let letter = char::from(letter);
            let name = options::long(letter).ok_or_else(|| unknown(&format!("-{letter}")))?;
            if name == "next" {
                return Err(usage("`-:` stands alone").hint("write `--next`"));
            }
            match options::takes_value(name) {
                Some(true) if after.is_empty() => {
                    let value = rest.next().ok_or_else(|| lacks_value(name))?;
                    self.words.push(value.clone());
                    return self.valued(name, value);
                }
                Some(true) => {
                    return self.valued(name, &OsString::from_vec(after.to_vec()));
                }
                // What is on by itself has a letter that turns it off.
                _ => self.flag(name, name != "buffer")?,
            }
            left = after;
        }
        Ok(())
    }

    fn flag(&mut self, name: &str, is_on: bool) -> Result<(), Failure> {
        if is_on {
            refuse(name)?;
        } else {
            self.options.retain(|option| option != name);
        }
        self.options.push(if is_on { name.to_owned() } else { format!("no-{name}") });
        Ok(())
    }

    fn valued(&mut self, name: &str, value: &OsString) -> Result<(), Failure> {
        refuse(name)?;
        let bytes = value.as_bytes();
        match name {
            "url" => match bytes.first() {
                Some(b'@') => {
                    return Err(usage("`--url` of a file names URLs that are not looked at"));
                }
                _ => self.urls.push(text(value)?.to_owned()),
            },
            "request" => self.method = Some(text(value)?.to_owned()),
            "header" => self.header(value)?,
            "write-out" => {
                let lower = value.to_string_lossy().to_ascii_lowercase();
                self.tells_url |= ["url", "json", "@"].iter().any(|word| lower.contains(word));
            }
            "referer" => self.tells_url |= bytes.ends_with(b";auto"),
            _ => {}
        }
        self.is_spent |= READING.contains(&name) && !can_be_read_twice(name, value);
        self.options.push(name.to_owned());
        Ok(())
    }

    fn header(&mut self, value: &OsStr) -> Result<(), Failure> {
        let line = value.to_string_lossy();
        if line.starts_with('@') {
            return Ok(());
        }
        let name = line.split([':', ';']).next().unwrap_or_default().trim().to_ascii_lowercase();
        if name == "host" {
            return Err(usage("a header `Host` asks for another place than the URL says"));
        }
        self.headers.push(name);
        Ok(())
    }

    /// What is only wrong together.
    fn check(&self) -> Result<(), Failure> {
        for url in &self.urls {
            if !self.has("globoff") {
                check_glob(url)?;
            }
            let detour = DETOURS.iter().find(|option| self.has(option));
            if let Some(option) = detour.filter(|_| is_plain(url)) {
                let message = format!("`--{option}` could lead plain http to another machine");
                return Err(usage(message).hint("use https, or leave it out"));
            }
        }
        if self.has("verbose") && self.has("stderr") {
            return Err(usage("`--verbose` with `--stderr` writes the token into a file")
                .hint("redirect stderr instead: there the token is masked"));
        }
        Ok(())
    }
}

fn refuse(name: &str) -> Result<(), Failure> {
    match REFUSED.iter().find(|(refused, _)| *refused == name) {
        Some((_, reason)) => Err(usage(format!("curl's `--{name}` {reason}"))),
        None => Ok(()),
    }
}

/// Whether a URL goes in the clear.
pub(super) fn is_plain(url: &str) -> bool {
    url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))
}

/// Whether curl makes several URLs of it. What stands in brackets as a host is an address.
fn is_glob(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) if host.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':') => {
            rest
        }
        _ => rest,
    };
    rest.contains(['{', '}', '[', ']'])
}

/// Several places in one URL cannot be looked at one by one; several queries need not be.
fn check_glob(url: &str) -> Result<(), Failure> {
    match is_glob(url.split('?').next().unwrap_or_default()) {
        true => {
            Err(usage("braces and brackets before the query of a URL stand for several places")
                .hint("name each URL, or use `--globoff` where they are meant as they are"))
        }
        false => Ok(()),
    }
}

/// Whether what an option names is there again for a second request: not stdin, no pipe.
fn can_be_read_twice(name: &str, value: &OsStr) -> bool {
    let bytes = value.as_bytes();
    let path = match name {
        "upload-file" | "cookie" => bytes,
        "form" => match bytes.iter().position(|byte| matches!(byte, b'@' | b'<')) {
            Some(at) => {
                bytes[at + 1..].split(|byte| matches!(byte, b';' | b',')).next().unwrap_or_default()
            }
            None => return true,
        },
        "data-urlencode" => match bytes.iter().position(|byte| matches!(byte, b'@' | b'=')) {
            Some(at) if bytes[at] == b'@' => &bytes[at + 1..],
            _ => return true,
        },
        _ => match bytes.strip_prefix(b"@") {
            Some(path) => path,
            None => return true,
        },
    };
    match path {
        b"-" | b"." => false,
        // A file that is not there fails the same every time; a cookie may be a value and no file at all.
        path => {
            Path::new(OsStr::from_bytes(path)).metadata().is_ok_and(|file| file.is_file())
                || name == "cookie"
        }
    }
}

fn text(word: &OsStr) -> Result<&str, Failure> {
    word.to_str().ok_or_else(|| usage(format!("`{}` is not text", shown(&word.to_string_lossy()))))
}

fn lacks_value(name: &str) -> Failure {
    usage(format!("curl's `--{name}` lacks its value"))
}

fn unknown(option: &str) -> Failure {
    usage(format!("`{}` is no option of curl that is known here", shown(option))).hint(
        "write it in full, its value as a word of its own; or run curl with `tokctl get --header`",
    )
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Usage, message)
}

#[cfg(test)]
mod tests;
