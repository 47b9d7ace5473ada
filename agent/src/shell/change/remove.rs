//! `remove`: a profile, its secrets and its tokens.
//!
//! First a logout, unless it is local. Then the configuration, since that may be refused; a crash between leaves an
//! entry without a profile, which the same command removes. What can be refused is looked at before the provider
//! is told anything.

use tokctl_proto::{Failure, Kind, ProfileName};

use super::logout::{self, Ended, Plan};
use super::{Changed, on_vault, profile};
use crate::config;
use crate::shell::obtain::Means;
use crate::shell::revoke::bury::Which;
use crate::shell::worker::{Refused, Worker};
use crate::vault::Removed;

pub(super) async fn remove(means: Means, name: ProfileName, local: bool) -> Changed {
    if local {
        return on_vault(&means, move |worker| take_away(worker, &name)).await;
    }
    let of = name.clone();
    let (plan, mut warnings) = match means.jobs.ask(move |worker| Ok(plan(worker, &of))).await {
        Ok(Ok(planned)) => planned,
        Ok(Err(Refused { failure, paste })) => {
            return Changed { paste, ..Changed::failed(failure) };
        }
        Err(failure) => return Changed::failed(failure),
    };
    let ended = match plan {
        Some(plan) => logout::end(&means, plan, Which::All, false).await,
        None => Ok(Ended::default()),
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(failure) => {
            let command = format!("tokctl remove {name}");
            return Changed::failed(logout::or_local(failure, &command));
        }
    };
    let of = name.clone();
    let removed = on_vault(&means, move |worker| take_away(worker, &of)).await;
    warnings.extend(ended.warnings);
    warnings.extend(removed.warnings);
    // Logged out it is, even where the rest was refused.
    let mut entries = removed.entries;
    if entries.is_empty() {
        entries.push(name.clone());
    }
    Changed {
        warnings,
        entries,
        forget: vec![name],
        laid: ended.laid.into_iter().collect(),
        ..removed
    }
}

/// Whose tokens are revoked, if any are, and what to say where they cannot be.
fn plan(worker: &mut Worker, name: &ProfileName) -> Result<(Option<Plan>, Vec<String>), Refused> {
    worker.open()?;
    match worker.dry_edit(name, |text| config::remove_profile(text, name)) {
        Ok(_) => {}
        Err(refused) if refused.failure.kind == Kind::NoSuchProfile => {
            let warning = format!(
                "{name} is not in config.toml, so its provider cannot be told: tokens of it that it \
                 still has live on"
            );
            // Where there is no entry either, it is said when it is to be taken away.
            return Ok((None, vec![warning]));
        }
        Err(refused) => return Err(refused),
    }
    let profile = profile(worker, name)?;
    match logout::read(worker, name) {
        Ok(entry) => Ok((Some(Plan { profile: profile.into(), entry }), Vec::new())),
        // It is set apart when it is taken away.
        Err(failure) if failure.kind == Kind::EntryDamaged => {
            let warning = format!("{name}: {}: its tokens were not revoked", failure.message);
            Ok((None, vec![warning]))
        }
        Err(failure) => Err(failure.into()),
    }
}

fn take_away(worker: &mut Worker, name: &ProfileName) -> Result<Changed, Refused> {
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
