//! Where a secret comes from when nobody types it: stdin, a file, a descriptor, a variable.
//!
//! A secret is never the value of an option, since every user of the machine can read the arguments of
//! every process. One trailing line feed (or CR LF) is not part of a secret; nothing else is taken off.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use tokctl_client::Secret;
use zeroize::{Zeroize, Zeroizing};

use crate::exit::Stop;
use crate::session::Session;

/// Longer than any key, and with the rest of its request short enough for a frame.
const SECRET_BYTES_MAX: usize = 60 * 1024;

/// One kind of secret, and what it is called on the command line and in messages.
pub(crate) trait Kind {
    const OPTION: &'static str;
    const WORDS: &'static str;
}

macro_rules! kinds {
    ($($kind:ident = $option:literal, $words:literal;)*) => {
        $(
            #[derive(Debug)]
            pub(crate) enum $kind {}
            impl Kind for $kind {
                const OPTION: &'static str = $option;
                const WORDS: &'static str = $words;
            }
        )*

        /// What the options of all kinds begin with.
        pub(crate) const KINDS: &[&str] = &[$($option),*];
    };
}

kinds! {
    ClientSecret = "secret", "the secret";
    Key = "key", "the API key or the private key";
    Passphrase = "passphrase", "the passphrase";
    Identity = "identity", "the age identity of the vault";
    AccessToken = "token", "the token";
    RefreshToken = "refresh-token", "the refresh token";
    NewPassphrase = "new-passphrase", "the new passphrase";
}

/// The options `--X-stdin`, `--X-file`, `--X-fd` and `--X-env` of one kind of secret.
#[derive(Debug)]
pub(crate) struct SecretInput<K> {
    source: Option<Source>,
    kind: PhantomData<K>,
}

#[derive(Debug)]
enum Source {
    Stdin,
    File(PathBuf),
    Descriptor(RawFd),
    Variable(OsString),
}

impl<K: Kind> SecretInput<K> {
    /// Whether one of the options was given.
    pub(crate) fn is_given(&self) -> bool {
        self.source.is_some()
    }

    /// Takes stdin where none of the options was given.
    pub(crate) fn or_stdin(self) -> Self {
        Self { source: self.source.or(Some(Source::Stdin)), ..self }
    }

    /// Reads the secret from a file that was named in an answer.
    pub(crate) fn from_file(path: &Path, session: &Session) -> Result<Secret, Stop> {
        secret::<K>(read_file::<K>(path, session)?)
    }

    /// Reads the secret from wherever the option says; `None` without one.
    pub(crate) fn read(&self, session: &Session) -> Result<Option<Secret>, Stop> {
        let Some(source) = &self.source else { return Ok(None) };
        let bytes = match source {
            // Opening another user's pipe by its number would fail, as after `su`.
            Source::Stdin | Source::Descriptor(0) => {
                if session.stdin_is_taken.replace(true) {
                    return Err(Stop::usage("only one secret can come from stdin"));
                }
                read_all::<K>(io::stdin().lock(), "stdin")?
            }
            Source::File(path) => read_file::<K>(path, session)?,
            Source::Descriptor(number) => {
                let shown = format!("descriptor {number}");
                let file = File::open(format!("/dev/fd/{number}"))
                    .map_err(|error| cannot_read::<K>(&shown, &error))?;
                read_all::<K>(file, &shown)?
            }
            Source::Variable(name) => {
                session.withheld.borrow_mut().push(name.clone());
                let value = std::env::var_os(name).ok_or_else(|| {
                    Stop::usage(format!("the variable `{}` is not set", name.display()))
                })?;
                value.into_vec()
            }
        };
        secret::<K>(bytes).map(Some)
    }
}

/// A whole file that holds a secret among other things. It comes by a name alone: nobody types or pipes such a file.
pub(crate) enum KeyFile {}

impl Kind for KeyFile {
    const OPTION: &'static str = "from-json";
    const WORDS: &'static str = "the JSON file";
}

impl KeyFile {
    pub(crate) fn read(path: &Path, session: &Session) -> Result<Secret, Stop> {
        secret::<Self>(read_file::<Self>(path, session)?)
    }
}

/// A client's certificate, which anybody may read.
pub(crate) enum CertificateFile {}

impl Kind for CertificateFile {
    const OPTION: &'static str = "certificate";
    const WORDS: &'static str = "the certificate";
}

impl CertificateFile {
    pub(crate) fn read(path: &Path) -> Result<Secret, Stop> {
        let shown = path.display().to_string();
        let file = File::open(path).map_err(|error| cannot_read::<Self>(&shown, &error))?;
        secret::<Self>(read_all::<Self>(file, &shown)?)
    }
}

/// The private key of a client's certificate, which comes by a name as the certificate does.
pub(crate) enum CertificateKeyFile {}

impl Kind for CertificateKeyFile {
    const OPTION: &'static str = "certificate-key";
    const WORDS: &'static str = "the certificate's key";
}

impl CertificateKeyFile {
    pub(crate) fn read(path: &Path, session: &Session) -> Result<Secret, Stop> {
        secret::<Self>(read_file::<Self>(path, session)?)
    }
}

fn read_file<K: Kind>(path: &Path, session: &Session) -> Result<Vec<u8>, Stop> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|error| cannot_read::<K>(&shown, &error))?;
    warn_of_others(session, &file, &shown);
    read_all::<K>(file, &shown)
}

fn descriptor_number(typed: &str) -> Result<RawFd, String> {
    let number = typed.parse().ok().filter(|&number| number >= 0);
    number.ok_or_else(|| "write the number of an open descriptor, as in `3< file`".to_owned())
}

/// Reads at most what a secret may be, into a buffer that never moves.
fn read_all<K: Kind>(source: impl Read, shown: &str) -> Result<Vec<u8>, Stop> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX + 2));
    source
        .take(SECRET_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| cannot_read::<K>(shown, &error))?;
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(Stop::usage(format!(
            "{} from {shown} is longer than {SECRET_BYTES_MAX} bytes",
            K::WORDS
        )));
    }
    Ok(std::mem::take(&mut *bytes))
}

fn secret<K: Kind>(mut bytes: Vec<u8>) -> Result<Secret, Stop> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.is_empty() {
        return Err(Stop::usage(format!("{} is empty", K::WORDS)));
    }
    if bytes.contains(&0) {
        bytes.zeroize();
        return Err(Stop::usage(format!("{} is not text", K::WORDS)));
    }
    Secret::from_utf8(bytes).ok_or_else(|| Stop::usage(format!("{} is not text", K::WORDS)))
}

fn cannot_read<K: Kind>(shown: &str, error: &io::Error) -> Stop {
    Stop::usage(format!("cannot read {} from {shown}: {error}", K::WORDS))
}

fn warn_of_others(session: &Session, file: &File, shown: &str) {
    match file.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.mode() & 0o044 != 0 => {
            session.output.warn(&format!("other users can read {shown}; run `chmod 600 {shown}`"));
        }
        _ => {}
    }
}

impl<K: Kind> clap::FromArgMatches for SecretInput<K> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let [stdin, file, descriptor, variable] = options::<K>();
        let source = if matches.get_flag(&stdin) {
            Some(Source::Stdin)
        } else if let Some(path) = matches.get_one::<PathBuf>(&file) {
            Some(Source::File(path.clone()))
        } else if let Some(&number) = matches.get_one::<RawFd>(&descriptor) {
            Some(Source::Descriptor(number))
        } else {
            matches.get_one::<OsString>(&variable).cloned().map(Source::Variable)
        };
        Ok(Self { source, kind: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<K: Kind> clap::Args for SecretInput<K> {
    fn augment_args(command: Command) -> Command {
        let [stdin, file, descriptor, variable] = options::<K>();
        let group = ArgGroup::new(K::OPTION).multiple(false).args(options::<K>());
        let words = K::WORDS;
        let option = |name: String, value: &'static str| {
            Arg::new(name.clone()).long(name).value_name(value).help_heading("Secrets")
        };
        command
            .arg(
                Arg::new(stdin.clone())
                    .long(stdin)
                    .action(ArgAction::SetTrue)
                    .help_heading("Secrets")
                    .help(format!("Read {words} from stdin")),
            )
            .arg(
                option(file, "FILE")
                    .value_parser(value_parser!(PathBuf))
                    .help(format!("Read {words} from a file")),
            )
            .arg(
                option(descriptor, "N")
                    .value_parser(descriptor_number)
                    .help(format!("Read {words} from an open file descriptor")),
            )
            .arg(
                option(variable, "NAME")
                    .value_parser(value_parser!(OsString))
                    .help(format!("Read {words} from a variable of the environment")),
            )
            .group(group)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn options<K: Kind>() -> [String; 4] {
    ["stdin", "file", "fd", "env"].map(|source| format!("{}-{source}", K::OPTION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_taken_off_and_nothing_else() {
        for (bytes, text) in [
            (&b"hunter2"[..], Some("hunter2")),
            (b"hunter2\n", Some("hunter2")),
            (b"hunter2\r\n", Some("hunter2")),
            (b"hunter2\n\n", Some("hunter2\n")),
            (b"hunter2\r", Some("hunter2\r")),
            (b" hunter2 \n", Some(" hunter2 ")),
            (b"two\nlines\n", Some("two\nlines")),
            (b"", None),
            (b"\n", None),
            (b"\r\n", None),
            (b"\xff", None),
            (b"a\0b", None),
        ] {
            let read = secret::<Passphrase>(bytes.to_vec()).ok();
            assert_eq!(read.as_ref().map(Secret::expose), text, "{bytes:?}");
        }
    }

    #[test]
    fn a_secret_may_be_as_long_as_the_limit() {
        for (length, fits) in [(SECRET_BYTES_MAX, true), (SECRET_BYTES_MAX + 1, false)] {
            let bytes = vec![b'x'; length];
            assert_eq!(read_all::<Key>(&*bytes, "a test").is_ok(), fits, "{length}");
        }
    }
}
