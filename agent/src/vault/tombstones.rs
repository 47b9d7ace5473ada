//! The tombstones of a held vault: listed, laid, read and removed. Each is a file of its own that is replaced
//! whole, as entries are.

use std::fs;
use std::path::PathBuf;

use super::dir::VaultDir;
use super::entry::EntryId;
use super::error::VaultError;
use super::file;
use super::keys::Keys;
use super::seal::{self, Label};
use super::tombstone::Tombstone;

/// So many at a time: more profiles than anybody logs out of while a provider is away.
pub const TOMBSTONES_MAX: usize = 256;
/// As large as the largest entry: its tokens are those of one.
const TOMBSTONE_BYTES_MAX: usize = 8 * 1024 * 1024;

impl VaultDir {
    /// Every tombstone, in no particular order. Nothing is opened, so this works sealed.
    pub fn tombstones(&self) -> Result<Vec<EntryId>, VaultError> {
        let dir = self.tombstones_dir();
        let found = match fs::read_dir(&dir) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(VaultError::read(&dir)(error)),
        };
        let mut ids = Vec::new();
        for found in found {
            let name = found.map_err(VaultError::read(&dir))?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".age"));
            ids.extend(id.and_then(EntryId::parse));
        }
        Ok(ids)
    }

    /// Opens a tombstone; `None` when there is none of that id.
    pub fn read_tombstone(
        &self,
        keys: &Keys,
        id: EntryId,
    ) -> Result<Option<Tombstone>, VaultError> {
        let path = self.tombstone_path(id);
        let Some(sealed) = file::read(&path, TOMBSTONE_BYTES_MAX)? else { return Ok(None) };
        let opened = seal::open(keys, Label::Tombstone(id), &sealed)
            .map_err(|refused| refused.at(path.clone()))?;
        Tombstone::from_json(opened.body()).map(Some).map_err(|_| VaultError::Malformed { path })
    }

    /// Stores a tombstone, in place of one of that id. When this returns, it is on the disk.
    pub fn write_tombstone(
        &self,
        keys: &Keys,
        id: EntryId,
        tombstone: &Tombstone,
    ) -> Result<(), VaultError> {
        self.make_dir(&self.tombstones_dir())?;
        let path = self.tombstone_path(id);
        let sealed = seal::seal(keys, Label::Tombstone(id), &tombstone.to_json());
        match sealed.len() {
            0..=TOMBSTONE_BYTES_MAX => file::replace(&path, &sealed),
            _ => Err(VaultError::TooLarge { path, max: TOMBSTONE_BYTES_MAX }),
        }
    }

    /// Removes a tombstone; false when there was none.
    pub fn remove_tombstone(&self, id: EntryId) -> Result<bool, VaultError> {
        file::remove(&self.tombstone_path(id))
    }

    /// Sets apart a tombstone that does not open, and says where it is now.
    pub fn quarantine_tombstone(&self, id: EntryId) -> Result<PathBuf, VaultError> {
        self.set_apart(&self.tombstone_path(id), &format!("tombstone.{id}"))
    }

    fn tombstone_path(&self, id: EntryId) -> PathBuf {
        self.tombstones_dir().join(format!("{id}.age"))
    }
}
