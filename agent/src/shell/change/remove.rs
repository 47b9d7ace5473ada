//! `remove`: a profile, its secrets and its tokens.
//!
//! The configuration goes first, since that may be refused; a crash between leaves an entry without
//! a profile, which the same command removes.

use tokctl_proto::{Failure, Kind, ProfileName};

use super::Changed;
use crate::config;
use crate::shell::worker::{Refused, Worker};
use crate::vault::Removed;

pub(super) fn remove(worker: &mut Worker, name: &ProfileName) -> Result<Changed, Refused> {
    worker.open()?;
    let live = match worker.edit_config(Some(name), |text| config::remove_profile(text, name)) {
        Ok(live) => Some(live),
        Err(refused) if refused.failure.kind == Kind::NoSuchProfile => {
            let stored = worker.vault.entries().map_err(|error| Failure::from(&error))?;
            if !stored.contains(name) {
                return Err(refused);
            }
            None
        }
        Err(refused) => return Err(refused),
    };
    let (vault, keys) = worker.open()?;
    let removed = vault.remove(keys, name);
    let mut changed = match &removed {
        Ok(_) => Changed::said(format!("removed {name}")),
        // The profile is gone all the same, and the same command does the rest.
        Err(error) => Changed::failed(Failure::from(error).of(name)),
    };
    if let Ok(Removed::Unreadable(apart)) = removed {
        let moved_to = apart.moved_to.display();
        changed.warnings.push(format!("its entry did not open and was moved to {moved_to}"));
    }
    Ok(Changed { live, entries: vec![name.clone()], ..changed })
}
