//! The end of a vault: every file of it, and of those that `init --replace` has set aside.
//!
//! The identities go first. What a crash leaves is then a heap of bytes that nobody can open, and no vault any more,
//! so that doing it again completes it. The lock goes last. What the bytes were may still be on the disk's
//! blocks: that is not for a file system to promise.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::dir::{LOCK, VaultDir};
use super::error::VaultError;
use super::set_aside;

impl VaultDir {
    /// Removes everything. The lock is held still, though nobody can see that any more.
    pub fn remove_all(&self) -> Result<(), VaultError> {
        // The vault's own name, where a link leads to it.
        let vault = fs::canonicalize(self.path()).map_err(VaultError::read(self.path()))?;
        let aside = set_aside::siblings(&vault)?;
        let all: Vec<&PathBuf> = aside.iter().chain([&vault]).collect();
        for directory in &all {
            remove_within(directory, |name| name.starts_with("identity."))?;
        }
        for directory in &all {
            remove_within(directory, |name| name != LOCK)?;
            remove_within(directory, |_| true)?;
            remove_directory(directory)?;
        }
        match vault == self.path() {
            true => Ok(()),
            false => gone(fs::remove_file(self.path())).map_err(VaultError::write(self.path())),
        }
    }
}

/// Removes what has such a name, directories with all that is in them. Links are removed, not followed.
fn remove_within(directory: &Path, goes: impl Fn(&str) -> bool) -> Result<(), VaultError> {
    let found = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.map_err(VaultError::read(directory))?,
    };
    for found in found {
        let found = found.map_err(VaultError::read(directory))?;
        if !goes(&found.file_name().to_string_lossy()) {
            continue;
        }
        let path = found.path();
        let is_directory = found.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_directory { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        gone(removed).map_err(VaultError::write(&path))?;
    }
    Ok(())
}

/// Removes an empty directory, unless it is a mount point, which is not ours to take away.
fn remove_directory(directory: &Path) -> Result<(), VaultError> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == ErrorKind::ResourceBusy => Ok(()),
        removed => gone(removed).map_err(VaultError::write(directory)),
    }
}

fn gone(removed: std::io::Result<()>) -> std::io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
