//! Errors of the vault and of files, in words for the user.

use std::io;
use std::path::Path;

use tokctl_proto::{Failure, Kind};

use crate::vault::VaultError;

impl From<&VaultError> for Failure {
    fn from(error: &VaultError) -> Self {
        let message = match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        match error {
            VaultError::NoVault { .. } => {
                Self::new(Kind::NoVault, message).hint("run `tokctl init`")
            }
            VaultError::Exists { .. } => Self::new(Kind::VaultExists, message)
                .hint("`tokctl init --replace` moves it aside and makes a new one"),
            VaultError::PassphraseRequired => {
                Self::new(Kind::VaultSealed, message).hint("run `tokctl unlock`")
            }
            VaultError::WrongPassphrase => Self::new(Kind::WrongPassphrase, message),
            VaultError::IdentityRequired => Self::new(Kind::VaultSealed, message)
                .hint("set TOKCTL_IDENTITY, or run `tokctl unlock --identity-file FILE`"),
            VaultError::WrongIdentity { .. } | VaultError::NoIdentity => {
                Self::new(Kind::WrongPassphrase, message).hint(
                    "TOKCTL_IDENTITY or `--identity-file` must give the identity that the vault was made for: \
                     `age-keygen -y FILE` prints whom a file is for",
                )
            }
            VaultError::Taken { .. } => Self::new(Kind::ProfileExists, message)
                .hint("`tokctl list` shows it; `tokctl remove` removes it"),
            VaultError::NoEntry { name } => Self::new(Kind::SecretRequired, message)
                .hint(format!("run `tokctl set-secret {name}`")),
            error if error.is_unreadable() => Self::new(Kind::EntryDamaged, message).hint(
                "`tokctl set-secret` stores the secret anew; the file is kept in `quarantine`",
            ),
            VaultError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Self::new(Kind::Machine, message).hint("free some space; nothing was lost")
            }
            _ => Self::new(Kind::Machine, message),
        }
    }
}

/// Replaces a file that holds no secret, whole or not at all.
pub(super) fn replace_plain(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, path)
}
