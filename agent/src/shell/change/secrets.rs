//! A profile's secrets in its entry. All of them were stored for one pin: what was stored for
//! another does not follow, and who stores a secret is told what went.

use std::collections::BTreeMap;

use tokctl_proto::{Failure, Kind, ProfileName, Secret};
use tracing::error;

use crate::entropy;
use crate::shell::pin::Pin;
use crate::shell::worker::Worker;
use crate::vault::{Entry, EntryId};

/// What was stored, and what was there before.
pub(super) struct Stored {
    pub(super) warnings: Vec<String>,
    before: Option<Entry>,
}

/// Stores secrets beside those that the entry holds for the same pin, or alone.
pub(super) fn store(
    worker: &Worker,
    name: &ProfileName,
    secrets: Vec<(String, Secret)>,
    pin: Pin,
    replace: bool,
) -> Result<Stored, Failure> {
    let (vault, keys) = worker.open()?;
    let before = match vault.read(keys, name) {
        Ok(before) => before,
        // The old file is set apart by the write, so this is the way out of a damaged entry.
        Err(error) if error.is_unreadable() => None,
        Err(error) => return Err(Failure::from(&error).of(name)),
    };
    let mut entry = match &before {
        Some(before) if !replace => before.clone(),
        _ => Entry::new(new_id()?),
    };
    if !pin.is_of(&entry) {
        entry.secrets.clear();
        entry.tokens.clear();
    }
    entry.secrets.extend(secrets);
    pin.record(&mut entry);
    let gone = before.iter().flat_map(|before| before.secrets.keys());
    let gone: Vec<&str> =
        gone.filter(|old| !entry.secrets.contains_key(*old)).map(String::as_str).collect();
    let mut warnings = Vec::new();
    if !gone.is_empty() {
        let gone = gone.join(", ");
        warnings.push(format!("{name}: what was stored before is gone: {gone}"));
    }
    let apart =
        vault.write(keys, name, &mut entry).map_err(|error| Failure::from(&error).of(name))?;
    if let Some(apart) = apart {
        let moved_to = apart.moved_to.display();
        warnings.push(format!("{name}: the entry that did not open is now {moved_to}"));
    }
    Ok(Stored { warnings, before })
}

/// Puts back what was there, because the rest of the change failed. If that fails too, the new
/// secrets stay: they are pinned, so the settings of before do not send them anywhere else.
pub(super) fn put_back(worker: &Worker, name: &ProfileName, stored: Stored) {
    let Ok((vault, keys)) = worker.open() else { return };
    let result = match stored.before {
        Some(mut before) => vault.write(keys, name, &mut before).map(drop),
        None => vault.remove(keys, name).map(drop),
    };
    if let Err(error) = result {
        error!(profile = %name, %error, "cannot put back what was stored before");
    }
}

/// The names of secrets that can be stored: they stand in `{secret:NAME}` too.
pub(super) fn check(secrets: &BTreeMap<&str, &Secret>) -> Result<(), Failure> {
    for (name, value) in secrets {
        if !crate::config::is_secret_name(name) {
            let shown = tokctl_proto::escape::shown(name);
            let message = format!("`{shown}` is not a name for a secret");
            return Err(Failure::new(Kind::Usage, message).hint("use a-z, 0-9 and `_`"));
        }
        if value.is_empty() {
            return Err(Failure::new(Kind::Usage, format!("the secret `{name}` is empty")));
        }
    }
    Ok(())
}

fn new_id() -> Result<EntryId, Failure> {
    let mut drawn = Ok(());
    let id = EntryId::draw(&mut |bytes| drawn = entropy::fill(bytes));
    drawn.map(|()| id).map_err(|error| Failure::new(Kind::Machine, error.to_string()))
}
