//! `init`: a new vault, open at once.
//!
//! The identity is written last of the vault's own files, so a crash leaves either no vault or a
//! whole one.

use tokctl_core::VaultChange;
use tokctl_proto::{Failure, Kind, Secret};

use super::{Assignment, Changed};
use crate::clock;
use crate::config;
use crate::shell::worker::{Refused, Worker};
use crate::vault::{Keys, Presence, is_identity};

pub(super) fn init(
    worker: &mut Worker,
    passphrase: Option<Secret>,
    replace: bool,
    network: &[Assignment],
) -> Result<Changed, Refused> {
    if passphrase.as_ref().is_some_and(Secret::is_empty) {
        return Err(Failure::new(Kind::Usage, "the passphrase is empty")
            .hint("`--no-passphrase` makes a vault without one")
            .into());
    }
    let is_given = passphrase.as_ref().is_some_and(is_identity);
    // Before the old vault is moved out of the way.
    if is_given && passphrase.clone().and_then(Keys::parse).is_none() {
        let message =
            "what was given as an age identity is none: part of it is missing or mistyped";
        return Err(Failure::new(Kind::Usage, message)
            .hint("`age-keygen` makes one; it is the line that begins with AGE-SECRET-KEY-1")
            .into());
    }
    let mut text = String::new();
    let present = worker.vault.presence().map_err(|error| Failure::from(&error))?;
    if replace && present != Presence::Absent {
        let aside = worker.vault.set_aside().map_err(|error| Failure::from(&error))?;
        worker.keys = None;
        text = format!("the old vault is in {}", aside.moved_to.display());
        if !aside.profiles.is_empty() {
            let names: Vec<&str> = aside.profiles.iter().map(|name| name.as_str()).collect();
            text.push_str("\nthese need their secret again (`tokctl set-secret NAME`): ");
            text.push_str(&names.join(" "));
        }
        text.push('\n');
    }
    let keys = worker
        .vault
        .init(clock::now().wall, passphrase.as_ref())
        .map_err(|error| with_what_was_done(Failure::from(&error), &text))?;
    text.push_str(&format!("made the vault {}", worker.vault.path().display()));
    if is_given {
        text.push_str(&format!(
            "; it opens with the identity of {} alone, which is not in it",
            keys.recipient()
        ));
    }
    worker.keys = Some(keys);
    let made = worker.vault.presence().map_err(|error| Failure::from(&error))?;

    let mut changed = Changed::said(text);
    changed.vault = Some(VaultChange::Made(made.into()));
    if !network.is_empty() {
        match worker.edit_config(None, |text| config::set_agent(text, network)) {
            Ok(live) => changed.live = Some(live),
            Err(refused) => changed.warnings.push(format!(
                "the network settings of this terminal were not taken over: {}",
                refused.failure.message
            )),
        }
    }
    Ok(changed)
}

/// The old vault may be out of the way already when the new one cannot be made.
fn with_what_was_done(failure: Failure, done: &str) -> Failure {
    match done.lines().next() {
        Some(done) => Failure { message: format!("{}; {done}", failure.message), ..failure },
        None => failure,
    }
}
