//! An entry gets another name, and a crash on the way leaves no second entry.
//!
//! No file system renames and rewrites in one step, and the MAC covers the name, so for a moment
//! there are two entries with one id. Living on side by side they would present one refresh token
//! twice. So a marker says which two names to look at: finding them by opening every entry would
//! take seconds in a large vault, and would decrypt what nobody has asked for.
//!
//! The marker is not secret and not trusted: all it can bring about is that two entries are looked
//! at.

use std::collections::BTreeMap;

use tokctl_proto::ProfileName;
use tracing::warn;

use super::dir::VaultDir;
use super::entries::Quarantined;
use super::entry::{Entry, EntryId};
use super::error::VaultError;
use super::file;
use super::keys::Keys;

/// Holds two lines, the old name and the new. It is there before the new entry is, and goes after
/// the old one.
pub(super) const MARKER: &str = "renaming";
/// Two profile names of 64 bytes, and a margin that tells a foreign file.
const MARKER_BYTES_MAX: usize = 256;

impl VaultDir {
    /// Gives an entry another name. The new file is complete before the old one goes; a crash
    /// between leaves two with one id, for [`VaultDir::reconcile`].
    pub fn rename(
        &self,
        keys: &Keys,
        from: &ProfileName,
        to: &ProfileName,
    ) -> Result<(), VaultError> {
        // A marker may be left of one that failed, and the next would write over it.
        for apart in self.reconcile(keys)? {
            let moved_to = apart.moved_to.display();
            warn!(profile = %apart.name, %moved_to, "an older copy of an entry was set apart");
        }
        let entry =
            self.read(keys, from)?.ok_or_else(|| VaultError::NoEntry { name: from.clone() })?;
        let taken = || VaultError::Taken { name: to.clone() };
        if self.entry_path(to).symlink_metadata().is_ok() {
            return Err(taken());
        }
        file::replace(&self.marker_path(), format!("{from}\n{to}\n").as_bytes())?;
        self.put(keys, to, &mut entry.renamed(to), file::create).map_err(|error| match error {
            VaultError::Exists { .. } => taken(),
            error => error,
        })?;
        let old = self.entry_path(from);
        file::remove(&old).inspect_err(|_| {
            // The marker may be read much later, and until then a write to the older of two would
            // make it the newer. But an error may also come after the old name is gone,
            // and then the new one is all there is.
            if old.exists() {
                drop(file::remove(&self.entry_path(to)));
            }
        })?;
        // It is done; a marker that stays is looked into once more.
        drop(file::remove(&self.marker_path()));
        Ok(())
    }

    /// Sets apart the leftover of a rename that a crash cut short: of two entries with one id, the
    /// older generation. For the caller to do once after unlocking. Without a marker nothing is
    /// opened; with a marker that cannot be read every entry is, since any two may be the ones.
    pub fn reconcile(&self, keys: &Keys) -> Result<Vec<Quarantined>, VaultError> {
        let path = self.marker_path();
        let names = match file::read(&path, MARKER_BYTES_MAX) {
            Ok(None) => return Ok(Vec::new()),
            Ok(Some(text)) => parse(&text),
            Err(VaultError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        let names = match names {
            Some(names) => names,
            None => {
                let path = path.display();
                warn!(%path, "the marker of a rename cannot be read: looking through every entry");
                self.entries()?
            }
        };
        let moved = self.set_older_apart(keys, names)?;
        file::remove(&path)?;
        Ok(moved)
    }

    fn set_older_apart(
        &self,
        keys: &Keys,
        names: Vec<ProfileName>,
    ) -> Result<Vec<Quarantined>, VaultError> {
        let mut found: BTreeMap<EntryId, Vec<(u64, ProfileName)>> = BTreeMap::new();
        for name in names {
            match self.read(keys, &name) {
                Ok(Some(Entry { id, generation, .. })) => {
                    found.entry(id).or_default().push((generation, name));
                }
                Ok(None) => {}
                // Whoever asks for it is told; it is no leftover of ours.
                Err(error) if error.is_unreadable() => {}
                Err(error) => return Err(error),
            }
        }
        let mut moved = Vec::new();
        for same in found.into_values() {
            let newest = same.iter().map(|(generation, _)| *generation).max().unwrap_or_default();
            for (_, name) in same.iter().filter(|(generation, _)| *generation < newest) {
                moved.push(self.quarantine(name)?);
            }
        }
        Ok(moved)
    }

    fn marker_path(&self) -> std::path::PathBuf {
        self.path().join(MARKER)
    }
}

fn parse(text: &[u8]) -> Option<Vec<ProfileName>> {
    let (from, to) = std::str::from_utf8(text).ok()?.strip_suffix('\n')?.split_once('\n')?;
    Some(vec![ProfileName::parse(from).ok()?, ProfileName::parse(to).ok()?])
}
