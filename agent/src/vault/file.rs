//! Files that are there whole or not at all, also after a crash or a power cut.
//!
//! A new content goes to a file of its own beside the old one, is synced, and takes the name in one
//! step; then the directory is synced. After an error the new file is given up, never synced again:
//! the kernel has marked its pages clean, and a second fsync would succeed without having written
//! them.
//!
//! Leftovers of a crash are called `.<name>.<n>.new`; no profile's entry can be called so.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use super::error::VaultError;

const NEW_SUFFIX: &str = ".new";

/// Reads a whole file; `None` when there is none. The buffer never grows, so no copy stays behind.
pub(super) fn read(
    path: &Path,
    bytes_max: usize,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(VaultError::read(path)(error)),
    };
    let size = file.metadata().map_err(VaultError::read(path))?.len();
    let size = usize::try_from(size).ok().filter(|&size| size <= bytes_max);
    let Some(size) = size else {
        return Err(VaultError::Damaged { path: path.to_owned() });
    };
    let mut bytes = Zeroizing::new(vec![0; size]);
    file.read_exact(&mut bytes).map_err(VaultError::read(path))?;
    Ok(Some(bytes))
}

/// Puts the bytes under the path, in place of what was there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let new = write_beside(path, bytes)?;
    fs::rename(&new, path).map_err(|error| give_up(&new, path, error))?;
    crash_point();
    sync_parent(path)
}

/// Puts the bytes under the path, or fails with [`VaultError::Exists`]: link(2) is the one step
/// that never takes a name away from another file. When it fails, the path is as it was.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), VaultError> {
    let new = write_beside(path, bytes)?;
    match fs::hard_link(&new, path) {
        Ok(()) => {
            crash_point();
            fs::remove_file(&new)
                .map_err(VaultError::write(&new))
                .and_then(|()| sync_parent(path))
                .inspect_err(|_| drop(fs::remove_file(path)))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            give_up(&new, path, error);
            Err(VaultError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(give_up(&new, path, error)),
    }
}

/// Reads a file that must be there, if only behind a link.
pub(super) fn read_present(
    path: &Path,
    bytes_max: usize,
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let absent = || VaultError::read(path)(io::ErrorKind::NotFound.into());
    read(path, bytes_max)?.ok_or_else(absent)
}

/// Removes a file; false when there was none.
pub(super) fn remove(path: &Path) -> Result<bool, VaultError> {
    match fs::remove_file(path) {
        Ok(()) => {
            crash_point();
            sync_parent(path).map(|()| true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(VaultError::write(path)(error)),
    }
}

/// Moves a file or a directory to a name that the caller has found free. The new name is made
/// durable before the old one's absence, so that a power cut may show both and never neither.
pub(super) fn move_to(from: &Path, to: &Path) -> Result<(), VaultError> {
    fs::rename(from, to).map_err(VaultError::write(to))?;
    sync_parent(to)?;
    sync_parent(from)
}

/// Removes what a crash left half written; there is none of ours under way, since the caller holds
/// the lock.
pub(super) fn sweep(dir: &Path) -> Result<(), VaultError> {
    for found in fs::read_dir(dir).map_err(VaultError::read(dir))? {
        let found = found.map_err(VaultError::read(dir))?;
        let name = found.file_name();
        let is_leftover =
            name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(NEW_SUFFIX));
        if is_leftover {
            fs::remove_file(found.path()).map_err(VaultError::write(&found.path()))?;
        }
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), VaultError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(VaultError::write(dir))
}

fn sync_parent(path: &Path) -> Result<(), VaultError> {
    sync_dir(path.parent().expect("every path of the vault lies in its directory"))
}

/// Writes and syncs a new file in the same directory, and says where.
fn write_beside(path: &Path, bytes: &[u8]) -> Result<PathBuf, VaultError> {
    let (new, mut file) = open_beside(path).map_err(VaultError::write(path))?;
    crash_point();
    match file.write_all(bytes).and_then(|()| file.sync_all()) {
        Ok(()) => {
            crash_point();
            Ok(new)
        }
        Err(error) => {
            drop(file);
            Err(give_up(&new, path, error))
        }
    }
}

fn open_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    // Two threads that write one path get a file each; the later rename wins whole.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().expect("every path of the vault has a name").to_string_lossy();
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let new = path.with_file_name(format!(".{name}.{n}{NEW_SUFFIX}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (new, file)),
        }
    }
}

/// Removes the new file as far as that works (the sweep at the next start does the rest) and tells
/// why.
fn give_up(new: &Path, path: &Path, error: io::Error) -> VaultError {
    drop(fs::remove_file(new));
    VaultError::write(path)(error)
}

/// Where what is on the disk has changed, so that a test may end the process there.
#[cfg(not(test))]
const fn crash_point() {}

#[cfg(test)]
use crash::crash_point;

/// A process that dies at any step, in a test: what follows a panic is as little done as what
/// follows a kill.
#[cfg(test)]
pub(super) mod crash {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    thread_local!(static STEPS_LEFT: Cell<Option<u32>> = const { Cell::new(None) });

    /// Runs until so many steps are done; whether there were so many.
    pub(in crate::vault) fn after<T>(steps: u32, run: impl FnOnce() -> T) -> bool {
        STEPS_LEFT.set(Some(steps));
        let ended = catch_unwind(AssertUnwindSafe(run));
        let left = STEPS_LEFT.take();
        assert!(ended.is_ok() || left == Some(0), "it panicked by itself");
        ended.is_err()
    }

    pub(super) fn crash_point() {
        let Some(left) = STEPS_LEFT.get() else { return };
        assert_ne!(left, 0, "the process ends here");
        STEPS_LEFT.set(Some(left - 1));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|found| found.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acme.age");
        for text in [&b"first"[..], b"", b"the third"] {
            replace(&path, text).unwrap();
            assert_eq!(read(&path, 100).unwrap().unwrap().as_slice(), text);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(names(dir.path()), ["acme.age"]);
    }

    #[test]
    fn a_created_file_takes_nobodys_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.txt");
        create(&path, b"first").unwrap();
        assert!(matches!(create(&path, b"second"), Err(VaultError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names(dir.path()), ["identity.txt"]);
    }

    #[test]
    fn one_of_many_that_create_at_once_wins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.txt");
        let won = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for n in 0..8 {
                let (path, won) = (&path, &won);
                scope.spawn(move || match create(path, &[n]) {
                    Ok(()) => won.fetch_add(1, Ordering::Relaxed),
                    Err(VaultError::Exists { .. }) => 0,
                    Err(error) => panic!("{error:?}"),
                });
            }
        });
        assert_eq!(won.into_inner(), 1);
        assert_eq!(names(dir.path()), ["identity.txt"]);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_leftover() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        fs::create_dir(&taken).unwrap();
        let error = replace(&taken, b"text").unwrap_err();
        assert!(matches!(error, VaultError::Write { path, .. } if path == taken));
        assert_eq!(names(dir.path()), ["taken"]);
        let nowhere = dir.path().join("absent/acme.age");
        assert!(matches!(replace(&nowhere, b"text"), Err(VaultError::Write { .. })));
    }

    #[test]
    fn a_file_above_the_limit_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acme.age");
        fs::write(&path, [0; 5]).unwrap();
        for (bytes_max, fits) in [(4, false), (5, true), (6, true)] {
            assert_eq!(read(&path, bytes_max).is_ok(), fits, "{bytes_max}");
        }
    }

    #[test]
    fn leftovers_of_a_crash_go_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".acme.age.7.new", "acme.age", "acme.new", ".hidden"] {
            fs::write(dir.path().join(name), "text").unwrap();
        }
        sweep(dir.path()).unwrap();
        assert_eq!(names(dir.path()), [".hidden", "acme.age", "acme.new"]);
    }
}
