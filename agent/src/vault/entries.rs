//! The entries of a held vault: listed, read, written, removed, and set apart.
//!
//! A file that does not open is never deleted and never written over. Where it is in the way it is
//! moved to `quarantine/`, under the name it had, since its MAC covers that name.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use tokctl_proto::ProfileName;

use super::dir::VaultDir;
use super::entry::Entry;
use super::error::VaultError;
use super::file;
use super::keys::Keys;
use super::seal::{self, Label};

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
        let opened = seal::open(keys, Label::Entry(name), &sealed)
            .map_err(|refused| refused.at(path.clone()))?;
        Entry::from_json(name, opened.body()).map(Some).map_err(|_| VaultError::Malformed { path })
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
        let in_the_way = self.clear_the_way(keys, name)?;
        self.put(keys, name, entry, file::replace)?;
        Ok(in_the_way)
    }

    /// As [`VaultDir::write`], for what exists nowhere else: a refresh token that the provider has
    /// issued must find room. On a full disk the ballast, which [`VaultDir::ensure_ballast`] put
    /// there before the token was asked for, makes way.
    pub fn write_for_good(
        &self,
        keys: &Keys,
        name: &ProfileName,
        entry: &mut Entry,
    ) -> Result<Option<Quarantined>, VaultError> {
        let in_the_way = self.with_ballast_to_spare(|| self.clear_the_way(keys, name))?;
        self.with_ballast_to_spare(|| self.put(keys, name, entry, file::replace))?;
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

    /// Sets apart the file under a profile's name if it does not open.
    fn clear_the_way(
        &self,
        keys: &Keys,
        name: &ProfileName,
    ) -> Result<Option<Quarantined>, VaultError> {
        match self.read(keys, name) {
            Ok(_) => Ok(None),
            Err(newer @ VaultError::Newer { .. }) => Err(newer),
            Err(error) if error.is_unreadable() => self.quarantine(name).map(Some),
            Err(error) => Err(error),
        }
    }

    pub(super) fn put(
        &self,
        keys: &Keys,
        name: &ProfileName,
        entry: &mut Entry,
        store: fn(&Path, &[u8]) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        debug_assert!(entry.is_of(name));
        let path = self.entry_path(name);
        entry.generation += 1;
        let sealed = seal::seal(keys, Label::Entry(name), &entry.to_json());
        self.largest.fetch_max(sealed.len().min(ENTRY_BYTES_MAX), Ordering::Relaxed);
        let stored = match sealed.len() {
            0..=ENTRY_BYTES_MAX => store(&path, &sealed),
            _ => Err(VaultError::TooLarge { path, max: ENTRY_BYTES_MAX }),
        };
        stored.inspect_err(|_| entry.generation -= 1)
    }

    pub(super) fn quarantine(&self, name: &ProfileName) -> Result<Quarantined, VaultError> {
        let moved_to = self.set_apart(&self.entry_path(name), name.as_str())?;
        Ok(Quarantined { name: name.clone(), moved_to })
    }

    /// Moves a file to the quarantine, under a name that begins so.
    pub(super) fn set_apart(&self, path: &Path, name: &str) -> Result<PathBuf, VaultError> {
        let dir = self.quarantine_dir();
        self.make_dir(&dir)?;
        let moved_to = (1..=u32::MAX)
            .map(|n| dir.join(format!("{name}.{n}.age")))
            .find(|path| path.symlink_metadata().is_err())
            .expect("no directory holds four billion files");
        file::move_to(path, &moved_to)?;
        Ok(moved_to)
    }
}
