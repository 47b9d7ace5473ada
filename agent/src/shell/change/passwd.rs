//! `passwd`: the same identity under another passphrase, or under none.
//!
//! The present passphrase is tried on the identity itself, never compared with anything.

use tokctl_core::{Vault, VaultChange};
use tokctl_proto::{Failure, Kind, Secret};

use super::Changed;
use crate::shell::worker::{Refused, Worker};
use crate::vault::{VaultError, is_identity};

pub(super) fn passwd(
    worker: &mut Worker,
    passphrase: Option<Secret>,
    new_passphrase: Option<Secret>,
) -> Result<Changed, Refused> {
    if new_passphrase.as_ref().is_some_and(Secret::is_empty) {
        return Err(Failure::new(Kind::Usage, "the new passphrase is empty")
            .hint("`--no-passphrase` takes the passphrase away")
            .into());
    }
    if new_passphrase.as_ref().is_some_and(is_identity) {
        return Err(Failure::new(Kind::Usage, "the new passphrase is an age identity")
            .hint(
                "a vault that opens with an identity is made by `tokctl init --identity-file FILE`",
            )
            .into());
    }
    let keys = worker.vault.unlock(passphrase.as_ref()).map_err(|error| match error {
        // Even while the vault is open: who finds an unlocked terminal must not take the vault over.
        VaultError::PassphraseRequired | VaultError::IdentityRequired => {
            Failure::new(Kind::WrongPassphrase, "the present passphrase is needed to change it")
                .hint("give it beside the new one, as `--passphrase-file FILE`")
        }
        error => Failure::from(&error),
    })?;
    worker.vault.rewrap(&keys, new_passphrase.as_ref()).map_err(|error| Failure::from(&error))?;
    worker.keys = Some(keys);
    let (said, vault) = match new_passphrase {
        Some(_) => ("the vault has a new passphrase", Vault::Passphrase),
        None => ("the vault opens without a passphrase now", Vault::Bare),
    };
    Ok(Changed { vault: Some(VaultChange::Rewrapped(vault)), ..Changed::said(said) })
}
