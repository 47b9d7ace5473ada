//! The vault's directory, held: one agent at a time, and nobody else's eyes.
//!
//! The lock is flock(2) on `lock`, a file that is never renamed, nor deleted but with the whole vault:
//! a second file of that name would be a second lock. The kernel releases it when the holder dies,
//! however it dies.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use thiserror::Error;
use tokctl_proto::ProfileName;
use tokctl_proto::endpoint::Holder;

use super::error::VaultError;
use super::file;

pub(super) const LOCK: &str = "lock";
const ENTRIES: &str = "entries";
const QUARANTINE: &str = "quarantine";
const TOMBSTONES: &str = "tombstones";
/// Ours alone.
const DIR_MODE: u32 = 0o700;

/// A vault's directory that this process holds; dropping it lets go.
#[derive(Debug)]
pub struct VaultDir {
    path: PathBuf,
    /// Size of the largest entry written by this holder, for the ballast.
    pub(super) largest: AtomicUsize,
    #[expect(dead_code, reason = "holds the lock until it is dropped")]
    lock: Flock<File>,
}

/// The vault cannot be held.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// Another process holds it; where it listens, if it has said so.
    #[error("another agent holds the vault{}", .0.as_ref().map(pid).unwrap_or_default())]
    Held(Option<Holder>),
    #[error("{} belongs to user {owner}", path.display())]
    NotOurs { path: PathBuf, owner: u32 },
    #[error("cannot prepare {}", path.display())]
    Prepare { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Sweep(#[from] VaultError),
}

fn pid(holder: &Holder) -> String {
    format!(" (pid {})", holder.pid)
}

impl VaultDir {
    /// Makes the directory (its path is absolute) where there is none, closes it to others, takes
    /// the lock without waiting, writes the holder into it, and clears away what a crash has left
    /// half written.
    pub fn acquire(path: &Path, holder: &Holder) -> Result<Self, AcquireError> {
        // A link may lead to the vault, if it is ours: another user's could lead us to any
        // directory of our own.
        if let Ok(found) = path.symlink_metadata()
            && found.is_symlink()
        {
            must_own(path, found.uid())?;
        }
        private_dir(path)?;
        let lock = take_lock(path, holder)?;
        let vault = Self { path: path.to_owned(), largest: AtomicUsize::new(0), lock };
        private_dir(&vault.entries_dir())?;
        file::sweep(&vault.path)?;
        file::sweep(&vault.entries_dir())?;
        if vault.tombstones_dir().is_dir() {
            file::sweep(&vault.tombstones_dir())?;
        }
        Ok(vault)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn entries_dir(&self) -> PathBuf {
        self.path.join(ENTRIES)
    }

    pub(super) fn entry_path(&self, name: &ProfileName) -> PathBuf {
        self.entries_dir().join(format!("{name}.age"))
    }

    pub(super) fn quarantine_dir(&self) -> PathBuf {
        self.path.join(QUARANTINE)
    }

    pub(super) fn tombstones_dir(&self) -> PathBuf {
        self.path.join(TOMBSTONES)
    }

    /// Makes a directory of the vault that is not always there.
    pub(super) fn make_dir(&self, path: &Path) -> Result<(), VaultError> {
        private_dir(path).map_err(|error| match error {
            AcquireError::Prepare { path, source } => VaultError::Write { path, source },
            _ => VaultError::Write {
                path: path.to_owned(),
                source: ErrorKind::PermissionDenied.into(),
            },
        })
    }
}

fn take_lock(dir: &Path, holder: &Holder) -> Result<Flock<File>, AcquireError> {
    let path = dir.join(LOCK);
    let prepare = |source| AcquireError::Prepare { path: path.clone(), source };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(&path)
        .map_err(prepare)?;
    let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => lock,
        Err((_, Errno::EWOULDBLOCK)) => return Err(AcquireError::Held(Holder::read(dir))),
        Err((_, errno)) => return Err(prepare(errno.into())),
    };
    if lock.metadata().map_err(prepare)?.nlink() == 0 {
        // A holder that removed the whole vault has just let go of it: this is not the file of that name.
        return Err(prepare(ErrorKind::NotFound.into()));
    }
    // Written before it is cut to length: a client that reads in between finds the new lines, never
    // none.
    let text = holder.to_bytes();
    lock.write_all_at(&text, 0).and_then(|()| lock.set_len(text.len() as u64)).map_err(prepare)?;
    Ok(lock)
}

/// Makes a directory, parents too, or closes to others the one that is there.
fn private_dir(path: &Path) -> Result<(), AcquireError> {
    let prepare = |source| AcquireError::Prepare { path: path.to_owned(), source };
    make_durably(path).map_err(prepare)?;
    let dir = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_DIRECTORY.bits())
        .open(path)
        .map_err(prepare)?;
    let found = dir.metadata().map_err(prepare)?;
    must_own(path, found.uid())?;
    if found.mode() & 0o777 != DIR_MODE {
        dir.set_permissions(Permissions::from_mode(DIR_MODE)).map_err(prepare)?;
    }
    Ok(())
}

/// Makes what is missing of a path, each name synced in its parent: a vault that a power cut can
/// take away as a whole would make syncing its files pointless.
fn make_durably(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIR_MODE).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => {
            let parent = path.parent().filter(|_| error.kind() == ErrorKind::NotFound);
            make_durably(parent.ok_or(error)?)?;
            return make_durably(path);
        }
    }
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn must_own(path: &Path, owner: u32) -> Result<(), AcquireError> {
    if owner == nix::unistd::geteuid().as_raw() {
        Ok(())
    } else {
        Err(AcquireError::NotOurs { path: path.to_owned(), owner })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{chown, lchown, symlink};

    use super::*;

    fn holder() -> Holder {
        Holder { pid: 42, socket: "/run/user/1000/tokctl/agent.sock".into() }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_vault_is_made_with_its_parents_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("share/tokctl/vault");
        let vault = VaultDir::acquire(&path, &holder()).unwrap();
        for path in [home.path().join("share"), path.clone(), vault.entries_dir()] {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
        }
        assert_eq!(mode(&path.join("lock")), 0o600);
        assert_eq!(Holder::read(&path), Some(holder()));
    }

    #[test]
    fn a_vault_that_others_could_enter_is_closed_to_them() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("vault");
        fs::create_dir_all(path.join("entries")).unwrap();
        for dir in [path.clone(), path.join("entries")] {
            fs::set_permissions(dir, Permissions::from_mode(0o777)).unwrap();
        }
        let vault = VaultDir::acquire(&path, &holder()).unwrap();
        assert_eq!((mode(&path), mode(&vault.entries_dir())), (0o700, 0o700));
    }

    #[test]
    fn one_vault_has_one_holder_and_names_it() {
        let home = tempfile::tempdir().unwrap();
        let first = VaultDir::acquire(home.path(), &holder()).unwrap();
        let other = Holder { pid: 7, socket: "/other".into() };
        match VaultDir::acquire(home.path(), &other).unwrap_err() {
            AcquireError::Held(Some(named)) => assert_eq!(named, holder()),
            error => panic!("{error:?}"),
        }
        drop(first);
        // Shorter than what was there: nothing of the first is left.
        let second = VaultDir::acquire(home.path(), &other).unwrap();
        assert_eq!(fs::read(home.path().join("lock")).unwrap(), other.to_bytes());
        drop(second);
    }

    #[test]
    fn the_lock_holds_against_other_programs() {
        let home = tempfile::tempdir().unwrap();
        let vault = VaultDir::acquire(home.path(), &holder()).unwrap();
        let try_lock = || {
            std::process::Command::new("flock")
                .args(["--nonblock", "--conflict-exit-code", "9"])
                .arg(home.path().join("lock"))
                .arg("true")
                .status()
                .expect("flock of util-linux is not installed")
                .code()
        };
        assert_eq!(try_lock(), Some(9));
        drop(vault);
        assert_eq!(try_lock(), Some(0));
    }

    #[test]
    fn an_own_link_may_lead_to_the_vault() {
        let home = tempfile::tempdir().unwrap();
        symlink(home.path().join("real"), home.path().join("vault")).unwrap();
        fs::create_dir(home.path().join("real")).unwrap();
        VaultDir::acquire(&home.path().join("vault"), &holder()).unwrap();
        assert_eq!(mode(&home.path().join("real")), 0o700);
    }

    #[test]
    fn another_users_directory_or_link_is_refused_untouched() {
        // Who can give a directory away does; everybody else has root's at hand.
        let home = tempfile::tempdir().unwrap();
        let [dir, own, link] = ["foreign", "own", "link"].map(|name| home.path().join(name));
        for path in [&dir, &own] {
            fs::create_dir(path).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        symlink(&own, &link).unwrap();
        let mut foreign =
            match chown(&dir, Some(1), Some(1)).and_then(|()| lchown(&link, Some(1), Some(1))) {
                Ok(()) => vec![dir, link],
                // Only for those who could not change it if this went wrong.
                Err(_) if !nix::unistd::geteuid().is_root() => vec![PathBuf::from("/usr")],
                Err(error) => panic!("nothing here belongs to another user: {error}"),
            };
        symlink(&foreign[0], home.path().join("way")).unwrap();
        foreign.push(home.path().join("way"));
        for path in foreign {
            let before = mode(&path);
            let refused = VaultDir::acquire(&path, &holder()).unwrap_err();
            assert!(matches!(refused, AcquireError::NotOurs { .. }), "{refused:?}");
            assert_eq!(mode(&path), before);
            assert!(!path.join("lock").exists());
        }
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("vault");
        fs::write(&path, "text").unwrap();
        let refused = VaultDir::acquire(&path, &holder()).unwrap_err();
        assert!(matches!(refused, AcquireError::Prepare { .. }), "{refused:?}");
        assert_eq!(fs::read(&path).unwrap(), b"text");
    }

    #[test]
    fn leftovers_of_a_crash_are_cleared_when_the_vault_is_taken() {
        let home = tempfile::tempdir().unwrap();
        drop(VaultDir::acquire(home.path(), &holder()).unwrap());
        let leftovers =
            [home.path().join(".identity.age.3.new"), home.path().join("entries/.acme.age.9.new")];
        for path in &leftovers {
            fs::write(path, "half").unwrap();
        }
        let vault = VaultDir::acquire(home.path(), &holder()).unwrap();
        assert!(leftovers.iter().all(|path| !path.exists()));
        assert!(vault.entries().unwrap().is_empty());
    }
}
