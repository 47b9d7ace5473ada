//! The entries of a held vault: listed, read, written, renamed, removed, and set apart.
//!
//! A file that does not open is never deleted and never written over. Where it is in the way it is
//! moved to `quarantine/`, under the name it had, since its MAC covers that name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tokctl_proto::ProfileName;

use super::dir::VaultDir;
use super::entry::{Entry, EntryId};
use super::error::VaultError;
use super::file;
use super::keys::Keys;
use super::seal::{self, Refused};

/// Largest entry file: 32 tokens of 64 KiB, raw answers and keys beside them, with room to spare.
const ENTRY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A file that was set apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    pub name: ProfileName,
    pub moved_to: PathBuf,
}

/// What [`VaultDir::remove`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    Nothing,
    Entry,
    /// It did not open, so it was set apart.
    Unreadable(Quarantined),
}

impl VaultDir {
    /// The profiles that have an entry, sorted. Nothing is opened, so this works sealed; files that
    /// no profile could have, such as the copies of a sync tool, are not listed.
    pub fn entries(&self) -> Result<Vec<ProfileName>, VaultError> {
        let dir = self.entries_dir();
        let mut names = Vec::new();
        for found in fs::read_dir(&dir).map_err(VaultError::read(&dir))? {
            let found = found.map_err(VaultError::read(&dir))?.file_name();
            let name = found.to_str().and_then(|name| name.strip_suffix(".age"));
            names.extend(name.and_then(|name| ProfileName::parse(name).ok()));
        }
        names.sort();
        Ok(names)
    }

    /// Opens a profile's entry; `None` when it has none.
    pub fn read(&self, keys: &Keys, name: &ProfileName) -> Result<Option<Entry>, VaultError> {
        let path = self.entry_path(name);
        let Some(sealed) = file::read(&path, ENTRY_BYTES_MAX)? else {
            return Ok(None);
        };
        let path = || path.clone();
        let opened = seal::open(keys, name, &sealed).map_err(|refused| match refused {
            Refused::Damaged => VaultError::Damaged { path: path() },
            Refused::Forged => VaultError::Forged { path: path() },
            Refused::Newer { version } => VaultError::Newer { path: path(), version },
        })?;
        Entry::from_json(name, opened.body())
            .map(Some)
            .map_err(|_| VaultError::Malformed { path: path() })
    }

    /// Stores a profile's entry as the next generation, which the entry has afterwards. When this
    /// returns, it is on the disk; when it fails, the entry is as it was, and the file is either
    /// the old or the new one, whole.
    ///
    /// A file in the way that does not open is set apart and reported: what is to be saved may be a
    /// refresh token that exists nowhere else. One of a newer format is left, with
    /// [`VaultError::Newer`].
    pub fn write(
        &self,
        keys: &Keys,
        name: &ProfileName,
        entry: &mut Entry,
    ) -> Result<Option<Quarantined>, VaultError> {
        debug_assert!(entry.tokens.keys().all(|key| key.profile == *name));
        let in_the_way = match self.read(keys, name) {
            Ok(_) => None,
            Err(newer @ VaultError::Newer { .. }) => return Err(newer),
            Err(error) if error.is_unreadable() => Some(self.quarantine(name)?),
            Err(error) => return Err(error),
        };
        self.put(keys, name, entry, file::replace)?;
        Ok(in_the_way)
    }

    /// Removes a profile's entry.
    pub fn remove(&self, keys: &Keys, name: &ProfileName) -> Result<Removed, VaultError> {
        match self.read(keys, name) {
            Ok(None) => Ok(Removed::Nothing),
            Ok(Some(_)) => file::remove(&self.entry_path(name)).map(|_| Removed::Entry),
            Err(error) if error.is_unreadable() => self.quarantine(name).map(Removed::Unreadable),
            Err(error) => Err(error),
        }
    }

    /// Gives an entry another name. The new file is complete before the old one goes; a crash
    /// between leaves two with one id, for [`VaultDir::reconcile`].
    pub fn rename(
        &self,
        keys: &Keys,
        from: &ProfileName,
        to: &ProfileName,
    ) -> Result<(), VaultError> {
        let entry =
            self.read(keys, from)?.ok_or_else(|| VaultError::NoEntry { name: from.clone() })?;
        self.put(keys, to, &mut entry.renamed(to), file::create).map_err(|error| match error {
            VaultError::Exists { .. } => VaultError::Taken { name: to.clone() },
            error => error,
        })?;
        let old = self.entry_path(from);
        file::remove(&old).map(|_| ()).inspect_err(|_| {
            // Two of one id must not live on side by side: the next write to the older would make
            // it the newer. But an error may also come after the old name is gone, and then the new
            // one is all there is.
            if old.exists() {
                drop(file::remove(&self.entry_path(to)));
            }
        })
    }

    /// Sets apart the leftovers of renames that a crash cut short: of entries with one id, every
    /// generation but the newest. For the caller to do once after unlocking; it opens every entry,
    /// at 0.2 ms each.
    pub fn reconcile(&self, keys: &Keys) -> Result<Vec<Quarantined>, VaultError> {
        let mut found: BTreeMap<EntryId, Vec<(u64, ProfileName)>> = BTreeMap::new();
        for name in self.entries()? {
            match self.read(keys, &name) {
                Ok(Some(entry)) => {
                    found.entry(entry.id).or_default().push((entry.generation, name));
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

    fn put(
        &self,
        keys: &Keys,
        name: &ProfileName,
        entry: &mut Entry,
        store: fn(&Path, &[u8]) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        let path = self.entry_path(name);
        entry.generation += 1;
        let sealed = seal::seal(keys, name, &entry.to_json());
        let stored = match sealed.len() {
            0..=ENTRY_BYTES_MAX => store(&path, &sealed),
            _ => Err(VaultError::TooLarge { path, max: ENTRY_BYTES_MAX }),
        };
        stored.inspect_err(|_| entry.generation -= 1)
    }

    fn quarantine(&self, name: &ProfileName) -> Result<Quarantined, VaultError> {
        let dir = self.quarantine_dir();
        self.make_dir(&dir)?;
        let moved_to = (1..=u32::MAX)
            .map(|n| dir.join(format!("{name}.{n}.age")))
            .find(|path| path.symlink_metadata().is_err())
            .expect("no directory holds four billion files");
        file::move_to(&self.entry_path(name), &moved_to)?;
        Ok(Quarantined { name: name.clone(), moved_to })
    }
}
