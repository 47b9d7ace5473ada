//! `rename`: a profile and its entry, whose MAC covers the name.
//!
//! The entry goes first. A crash between leaves the entry under the new name and the profile under
//! the old one; the same command then finds no old entry and completes the rest.

use tokctl_proto::{Failure, ProfileName};
use tracing::error;

use super::{Changed, profile};
use crate::config;
use crate::shell::worker::{Refused, Worker};

pub(super) fn rename(
    worker: &mut Worker,
    from: &ProfileName,
    to: &ProfileName,
) -> Result<Changed, Refused> {
    worker.open()?;
    profile(worker, from)?;
    worker.dry_edit(from, |text| config::rename_profile(text, from, to))?;
    let (vault, keys) = worker.open()?;
    let stored = vault.entries().map_err(|error| Failure::from(&error))?.contains(from);
    if stored {
        vault.rename(keys, from, to).map_err(|error| Failure::from(&error).of(from))?;
    }
    let edited = worker.edit_config(Some(from), |text| config::rename_profile(text, from, to));
    let live = match edited {
        Ok(live) => live,
        Err(refused) => {
            if stored {
                move_back(worker, from, to);
            }
            return Err(refused);
        }
    };
    Ok(Changed {
        live: Some(live),
        entries: vec![from.clone(), to.clone()],
        ..Changed::said(format!("{from} is now {to}"))
    })
}

/// The profile keeps its old name, so its entry must too.
fn move_back(worker: &Worker, from: &ProfileName, to: &ProfileName) {
    let Ok((vault, keys)) = worker.open() else { return };
    if let Err(error) = vault.rename(keys, to, from) {
        error!(profile = %from, %error, "cannot give the entry its old name back");
    }
}
