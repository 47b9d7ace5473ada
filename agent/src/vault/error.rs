//! What can go wrong with the vault, by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokctl_proto::{ProfileName, escape};

/// The vault did not do what it was asked; what was there before is still there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VaultError {
    /// There is nothing to unlock: `init` first.
    #[error("there is no vault at {}", dir.display())]
    NoVault { dir: PathBuf },
    /// An identity is there already, and writing another over it would lose every entry.
    #[error("there is a vault already: {}", path.display())]
    Exists { path: PathBuf },
    #[error("the vault needs its passphrase")]
    PassphraseRequired,
    #[error("the passphrase does not open this vault")]
    WrongPassphrase,
    /// Nothing of its identity lies in it.
    #[error("the vault opens with an identity, which is kept elsewhere")]
    IdentityRequired,
    #[error("the identity does not open this vault, which is for {}", escape::shown(recipient))]
    WrongIdentity { recipient: String },
    #[error("what was given as an age identity is none: part of it is missing or mistyped")]
    NoIdentity,
    /// Opening it would take hours or the machine's memory, so it was not tried.
    #[error(
        "{} asks for scrypt work factor {required}, above the {} that is accepted",
        path.display(), super::unlock::passphrase::WORK_FACTOR_MAX
    )]
    TooMuchWork { path: PathBuf, required: u8 },
    /// Not an age file of this vault's identity, or changed since it was written.
    #[error("{} does not decrypt with this vault's identity", path.display())]
    Damaged { path: PathBuf },
    /// It decrypts, but anybody who knows the recipient can bring that about.
    #[error(
        "{} was not written by this vault under this name: it was forged, or moved from another profile",
        path.display()
    )]
    Forged { path: PathBuf },
    /// The right identity wrote it, and yet it says nothing that can be used.
    #[error("{} decrypts, but what it says cannot be read", path.display())]
    Malformed { path: PathBuf },
    #[error("{} has format {version}: a newer tokctl wrote it", path.display())]
    Newer { path: PathBuf, version: u64 },
    #[error("there is no entry for {name}")]
    NoEntry { name: ProfileName },
    /// The name that was asked for has an entry already.
    #[error("there is an entry for {name} already")]
    Taken { name: ProfileName },
    #[error("{} would be larger than {max} bytes", path.display())]
    TooLarge { path: PathBuf, max: usize },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// `source` tells a full disk ([`io::ErrorKind::StorageFull`]) from the rest.
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl VaultError {
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }

    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write { path: path.to_owned(), source }
    }

    /// Whether there was no room: on the disk, or in what its owner may use of it.
    pub(super) fn is_for_want_of_room(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Write { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }

    /// Whether a file is there that does not open: it may be set apart, never deleted or written
    /// over.
    pub fn is_unreadable(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Forged { .. }
                | Self::Malformed { .. }
                | Self::Newer { .. }
        )
    }
}
