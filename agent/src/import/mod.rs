//! The files of other programs: text in, profiles that could be added out.
//!
//! Pure: nothing is read from the disk, no provider is asked, nothing is stored. What cannot be taken over
//! is left out and said in a note of the profile, unless the profile would not work without it: then the
//! file is refused in words for a person. No error and no note holds a secret.

mod aws;
mod dotenv;
mod draft;
mod error;
mod gh;
mod google;
#[cfg(test)]
mod hostile;
mod ini;
mod key_file;
mod names;
mod object;
mod oidc_agent;
mod pizauth;
#[cfg(test)]
mod testing;
mod yaml;

pub use draft::{Draft, DraftSecret};
pub use error::ImportError;

use tokctl_proto::Secret;
use tokctl_proto::escape::shown;

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    OidcAgent,
    Pizauth,
    Google,
    Gh,
    Aws,
    Dotenv,
}

impl Source {
    pub const ALL: [Self; 6] =
        [Self::OidcAgent, Self::Pizauth, Self::Google, Self::Gh, Self::Aws, Self::Dotenv];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::OidcAgent => "oidc-agent",
            Self::Pizauth => "pizauth",
            Self::Google => "google",
            Self::Gh => "gh",
            Self::Aws => "aws",
            Self::Dotenv => "dotenv",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// A file, and what is wanted of it.
#[derive(Debug)]
pub struct File<'a> {
    pub text: &'a Secret,
    /// Where it is, for messages; empty where nobody knows.
    pub path: &'a str,
    /// Of a file that is encrypted.
    pub passphrase: Option<&'a Secret>,
    /// What to take of a file that holds several; none: all.
    pub select: &'a [String],
}

impl File<'_> {
    /// The file as a sentence begins with it.
    fn place(&self) -> String {
        match self.path.is_empty() {
            true => "the file".to_owned(),
            false => shown(self.path),
        }
    }
}

/// Reads a provider's JSON file with a private key in it, a service account's or a GitHub App's.
pub fn read_key_file(text: &Secret) -> Result<Draft, ImportError> {
    key_file::read(text)
}

/// Reads a file. An encrypted one takes a tenth of a second and 64 MiB, so call it where nobody waits for the thread.
pub fn read(source: Source, file: &File<'_>) -> Result<Vec<Draft>, ImportError> {
    match source {
        Source::OidcAgent => oidc_agent::read(file).map(|draft| vec![draft]),
        Source::Pizauth => pizauth::read(file),
        Source::Google => google::read(file).map(|draft| vec![draft]),
        Source::Gh => gh::read(file),
        Source::Aws => aws::read(file),
        Source::Dotenv => dotenv::read(file),
    }
}
