//! Makes room for a new vault where there is one, and loses nothing of the old.
//!
//! Everything but the lock goes to a directory beside the vault's, `vault.replaced-<n>`. The
//! identity is copied there first and removed here last, so that after a crash at any point what
//! was moved has its identity beside it, and doing it again completes it.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tokctl_proto::ProfileName;

use super::dir::VaultDir;
use super::error::VaultError;
use super::file;
use super::identity::RECIPIENT_FILE;
use super::rename::MARKER;
use super::unlock::IDENTITY_BYTES_MAX;

/// What [`VaultDir::set_aside`] has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// A whole vault: the recovery path works in it.
    pub moved_to: PathBuf,
    /// The profiles whose entries lie there.
    pub profiles: Vec<ProfileName>,
}

impl VaultDir {
    /// Moves identity and entries out of the way of [`VaultDir::init`]; the lock stays held. A
    /// vault that is a mount point of its own cannot be set aside ([`ErrorKind::CrossesDevices`]).
    pub fn set_aside(&mut self) -> Result<SetAside, VaultError> {
        let profiles = self.entries()?;
        let moved_to = self.free_sibling()?;
        let companions = self.companions()?;
        for path in &companions {
            let bytes = file::read_present(path, IDENTITY_BYTES_MAX)?;
            file::create(&moved_to.join(file_name(path)), &bytes)?;
        }
        for dir in [self.entries_dir(), self.quarantine_dir(), self.tombstones_dir()] {
            if dir.exists() {
                file::move_to(&dir, &moved_to.join(file_name(&dir)))?;
            }
        }
        for path in &companions {
            file::remove(path)?;
        }
        self.make_dir(&self.entries_dir())?;
        Ok(SetAside { moved_to, profiles })
    }

    fn free_sibling(&self) -> Result<PathBuf, VaultError> {
        // The vault's own name, where a link leads to it: a rename must stay on one file system.
        let vault = fs::canonicalize(self.path()).map_err(VaultError::read(self.path()))?;
        let name = aside_name(&vault);
        for n in 1..=u32::MAX {
            let path = vault.with_file_name(format!("{name}{n}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    file::sync_dir(vault.parent().unwrap_or(&vault))?;
                    return Ok(path);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(VaultError::write(&path)(error)),
            }
        }
        unreachable!("no directory holds four billion files")
    }

    /// Whatever belongs to an identity, of every unlock method, and what tells of a rename under
    /// way among the entries. The ballast stays: it is room, whoever needs it.
    fn companions(&self) -> Result<Vec<PathBuf>, VaultError> {
        let mut paths = Vec::new();
        for found in fs::read_dir(self.path()).map_err(VaultError::read(self.path()))? {
            let found = found.map_err(VaultError::read(self.path()))?;
            let name = found.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("identity.") || name == RECIPIENT_FILE || name == MARKER {
                paths.push(found.path());
            }
        }
        Ok(paths)
    }
}

/// How the directories begin that vaults are set aside in.
fn aside_name(vault: &Path) -> String {
    format!("{}.replaced-", file_name(vault).to_string_lossy())
}

/// Every vault that was set aside beside this one.
pub(super) fn siblings(vault: &Path) -> Result<Vec<PathBuf>, VaultError> {
    let Some(parent) = vault.parent() else { return Ok(Vec::new()) };
    let begins = aside_name(vault);
    let mut siblings = Vec::new();
    for found in fs::read_dir(parent).map_err(VaultError::read(parent))? {
        let found = found.map_err(VaultError::read(parent))?;
        let name = found.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(&begins));
        let is_number = number.is_some_and(|number| number.parse::<u32>().is_ok());
        if is_number && found.file_type().is_ok_and(|kind| kind.is_dir()) {
            siblings.push(found.path());
        }
    }
    Ok(siblings)
}

fn file_name(path: &Path) -> &std::ffi::OsStr {
    path.file_name().expect("every path of the vault has a name")
}
