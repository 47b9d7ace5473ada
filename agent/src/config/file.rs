//! config.toml on the disk: read whole, replaced atomically, never over somebody else's edit.
//!
//! A file that its owner made read-only is not replaced, although a rename would work: generated
//! files are marked so, and their next generation would undo the edit. Between the last look and
//! the rename there is a moment in which an edit is lost; no file system offers better.

use std::fmt::{self, Write as _};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::{AccessFlags, access};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::links::{hops, parent};

/// Far more than a thousand profiles take, and small enough to be parsed at once.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How often an edit is tried again because the file was changed meanwhile.
pub const TRIES_MAX: usize = 5;

/// Left-over temporary files of killed agents that are stepped over.
const TEMPORARY_NAMES_MAX: usize = 16;

/// The bytes of a file, told apart from others: SHA-256 as hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub fn of(bytes: &[u8]) -> Self {
        let mut hex = String::with_capacity(64);
        for byte in Sha256::digest(bytes) {
            write!(hex, "{byte:02x}").expect("writing to a String does not fail");
        }
        Self(hex)
    }

    /// A fingerprint that somebody sent back. It is only ever compared.
    pub fn claimed(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The file as it was at one moment; an absent file is an empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub text: String,
    pub fingerprint: Fingerprint,
}

impl Snapshot {
    fn new(text: String) -> Self {
        Self { fingerprint: Fingerprint::of(text.as_bytes()), text }
    }
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is not a file", path.display())]
    NotAFile { path: PathBuf },
    #[error("config.toml:{line}: not UTF-8")]
    NotText { line: usize },
    #[error("{} must not be larger than {FILE_BYTES_MAX} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} is read-only", path.display())]
    ReadOnly { path: PathBuf },
    /// The bytes are not those that the edit was made for.
    #[error("{} was changed meanwhile", path.display())]
    Changed { path: PathBuf },
}

/// Why [`ConfigFile::update`] changed nothing.
#[derive(Debug, Error)]
pub enum UpdateError<E> {
    #[error(transparent)]
    File(FileError),
    #[error(transparent)]
    Edit(E),
}

/// The place of config.toml.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    path: PathBuf,
}

impl ConfigFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the directory, for its owner alone, where there is none.
    pub fn make_directory(&self) -> Result<(), FileError> {
        make_directory(parent(&self.path))
    }

    /// Reads the whole file.
    pub fn read(&self) -> Result<Snapshot, FileError> {
        let bytes = read(&self.path)?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Snapshot::new(text)),
            Err(error) => {
                let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = good.iter().filter(|&&byte| byte == b'\n').count() + 1;
                Err(FileError::NotText { line })
            }
        }
    }

    /// Replaces the file, or what its symbolic link leads to, if its bytes are still those of
    /// `expected`.
    pub fn replace(&self, expected: &Fingerprint, new_text: &str) -> Result<(), FileError> {
        let target = self.writable()?;
        if new_text.len() > FILE_BYTES_MAX {
            return Err(FileError::TooLarge { path: target });
        }
        let present = metadata(&target)?;
        let write = |source| write_error(&target, source);
        let temporary = Temporary::beside(&target).map_err(write)?;
        temporary.fill(new_text.as_bytes(), present.as_ref()).map_err(write)?;
        if Fingerprint::of(&read(&target)?) != *expected {
            return Err(FileError::Changed { path: target });
        }
        temporary.rename_to(&target).map_err(write)
    }

    /// The file that would be replaced, if it may be: for those who have something else to write
    /// first.
    pub fn writable(&self) -> Result<PathBuf, FileError> {
        let links = |source| FileError::Read { path: self.path.clone(), source };
        let target = hops(&self.path).map_err(links)?.pop().unwrap_or_else(|| self.path.clone());
        let directory = parent(&target);
        make_directory(directory)?;
        for path in [directory, &target] {
            if metadata(path)?.is_some_and(|metadata| !is_writable(path, &metadata)) {
                return Err(FileError::ReadOnly { path: path.to_owned() });
            }
        }
        Ok(target)
    }

    /// Edits the file, anew where somebody else was faster, at most [`TRIES_MAX`] times. An edit
    /// that changes nothing writes nothing.
    pub fn update<E>(
        &self,
        edit: impl Fn(&str) -> Result<String, E>,
    ) -> Result<Snapshot, UpdateError<E>> {
        let mut tries = 0;
        loop {
            let before = self.read().map_err(UpdateError::File)?;
            let text = edit(&before.text).map_err(UpdateError::Edit)?;
            if text == before.text {
                return Ok(before);
            }
            tries += 1;
            match self.replace(&before.fingerprint, &text) {
                Ok(()) => return Ok(Snapshot::new(text)),
                Err(FileError::Changed { .. }) if tries < TRIES_MAX => {}
                Err(error) => return Err(UpdateError::File(error)),
            }
        }
    }
}

/// A file that takes another's place, and is gone when it did not.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    /// A new file in the directory of `target`: a rename does not reach across file systems.
    fn beside(target: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut tries = 0;
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!(".config.toml.{}-{count}", std::process::id());
            let path = parent(target).join(name);
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => return Ok(Self { path, file }),
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists
                        && tries < TEMPORARY_NAMES_MAX =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn fill(&self, bytes: &[u8], like: Option<&Metadata>) -> io::Result<()> {
        (&self.file).write_all(bytes)?;
        if let Some(like) = like {
            let own = self.file.metadata()?;
            if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
                // Only root may give a file away; for others a file of their own is as good.
                fchown(&self.file, Some(like.uid()), Some(like.gid())).or_else(unless_refused)?;
            }
            self.file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o777))?;
        }
        self.file.sync_all()
    }

    fn rename_to(self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        // The name is what was changed, and it is the directory that holds names.
        File::open(parent(target))?.sync_all()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename there is nothing of that name. A failure leaves a small file without
        // secrets.
        drop(fs::remove_file(&self.path));
    }
}

fn unless_refused(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::PermissionDenied { Ok(()) } else { Err(error) }
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    // Looked at before it is opened: opening a named pipe waits for its writer.
    match metadata(path)? {
        None => return Ok(Vec::new()),
        Some(metadata) if !metadata.is_file() => {
            return Err(FileError::NotAFile { path: path.to_owned() });
        }
        Some(_) => {}
    }
    let mut bytes = Vec::new();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(bytes),
        Err(error) => return Err(failed(error)),
    };
    file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

fn metadata(path: &Path) -> Result<Option<Metadata>, FileError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
    }
}

fn make_directory(path: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| write_error(path, source))
}

/// Whether the owner's write bit is set, which binds root too here, and the system agrees.
fn is_writable(path: &Path, metadata: &Metadata) -> bool {
    metadata.mode() & 0o200 != 0 && access(path, AccessFlags::W_OK).is_ok()
}

fn write_error(path: &Path, source: io::Error) -> FileError {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    let path = path.to_owned();
    match source.kind() {
        PermissionDenied | ReadOnlyFilesystem => FileError::ReadOnly { path },
        _ => FileError::Write { path, source },
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn home() -> (TempDir, ConfigFile) {
        let home = tempfile::tempdir().unwrap();
        let file = ConfigFile::new(home.path().join("config.toml"));
        (home, file)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_absent_file_reads_empty_and_is_made_private() {
        let (home, _) = home();
        let file = ConfigFile::new(home.path().join("a/b/config.toml"));
        let snapshot = file.read().unwrap();
        assert_eq!(snapshot.text, "");
        file.replace(&snapshot.fingerprint, "# new\n").unwrap();
        assert_eq!(file.read().unwrap().text, "# new\n");
        assert_eq!(mode(file.path()), 0o600);
        assert_eq!(mode(&home.path().join("a/b")), 0o700);
        assert_eq!(names(&home.path().join("a/b")), ["config.toml"]);
    }

    #[test]
    fn a_fingerprint_is_sha256_in_hex() {
        assert_eq!(
            Fingerprint::of(b"").to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(Fingerprint::claimed(&Fingerprint::of(b"x").to_string()), Fingerprint::of(b"x"));
    }

    #[test]
    fn the_mode_is_kept() {
        for kept in [0o600, 0o640, 0o644, 0o660] {
            let (_home, file) = home();
            fs::write(file.path(), "a").unwrap();
            set_mode(file.path(), kept);
            file.replace(&Fingerprint::of(b"a"), "b").unwrap();
            assert_eq!(mode(file.path()), kept);
        }
    }

    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let (home, file) = home();
        let target = home.path().join("dotfiles/tokctl.toml");
        symlink("dotfiles/tokctl.toml", file.path()).unwrap();
        // The link may be there before what it leads to.
        file.replace(&Fingerprint::of(b""), "a").unwrap();
        file.replace(&Fingerprint::of(b"a"), "b").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "b");
        assert!(fs::symlink_metadata(file.path()).unwrap().file_type().is_symlink());
        assert_eq!(names(target.parent().unwrap()), ["tokctl.toml"]);
        assert_eq!(names(home.path()), ["config.toml", "dotfiles"]);
    }

    #[test]
    fn an_edit_of_somebody_else_is_not_overwritten() {
        let (home, file) = home();
        fs::write(file.path(), "theirs").unwrap();
        for seen in ["", "ours"] {
            let refused = file.replace(&Fingerprint::of(seen.as_bytes()), "new");
            assert!(matches!(refused, Err(FileError::Changed { .. })), "{seen}");
        }
        assert_eq!(file.read().unwrap().text, "theirs");
        assert_eq!(names(home.path()), ["config.toml"]);
    }

    #[test]
    fn a_read_only_file_is_left_alone_by_root_too() {
        for (read_only, refused) in [(0o400, true), (0o444, true), (0o460, true), (0o600, false)] {
            let (home, file) = home();
            fs::write(file.path(), "a").unwrap();
            set_mode(file.path(), read_only);
            let outcome = file.replace(&Fingerprint::of(b"a"), "b");
            assert_eq!(
                matches!(outcome, Err(FileError::ReadOnly { .. })),
                refused,
                "{read_only:o}"
            );
            assert_eq!(file.read().unwrap().text, if refused { "a" } else { "b" });
            assert_eq!(names(home.path()), ["config.toml"]);
        }
    }

    #[test]
    fn a_read_only_directory_is_left_alone_by_root_too() {
        let (home, file) = home();
        fs::write(file.path(), "a").unwrap();
        set_mode(home.path(), 0o500);
        let outcome = file.replace(&Fingerprint::of(b"a"), "b");
        set_mode(home.path(), 0o700);
        assert!(matches!(outcome, Err(FileError::ReadOnly { .. })), "{outcome:?}");
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        let (_home, file) = home();
        for (bytes, line) in [(&b"\xff"[..], 1), (b"a\nb\n\xc3", 3)] {
            fs::write(file.path(), bytes).unwrap();
            let Err(FileError::NotText { line: found }) = file.read() else { panic!("read") };
            assert_eq!(found, line);
        }
    }

    #[test]
    fn size_has_a_limit() {
        let (_home, file) = home();
        for (bytes, fits) in [(FILE_BYTES_MAX, true), (FILE_BYTES_MAX + 1, false)] {
            let text = "x".repeat(bytes);
            fs::write(file.path(), "").unwrap();
            assert_eq!(file.replace(&Fingerprint::of(b""), &text).is_ok(), fits);
            fs::write(file.path(), &text).unwrap();
            assert_eq!(file.read().is_ok(), fits);
        }
    }

    #[test]
    fn a_directory_and_a_pipe_are_no_files() {
        let (_home, file) = home();
        fs::create_dir(file.path()).unwrap();
        assert!(matches!(file.read(), Err(FileError::NotAFile { .. })));
        fs::remove_dir(file.path()).unwrap();
        nix::unistd::mkfifo(file.path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(file.read(), Err(FileError::NotAFile { .. })));
    }

    #[test]
    fn an_update_starts_over_when_somebody_was_faster() {
        for (rivals, done) in [(0, true), (1, true), (4, true), (5, false)] {
            let (_home, file) = home();
            let seen = Cell::new(0);
            let outcome = file.update(|text| {
                seen.set(seen.get() + 1);
                if seen.get() <= rivals {
                    fs::write(file.path(), format!("{text}r")).unwrap();
                }
                Ok::<_, Infallible>(format!("{text}!"))
            });
            let expected = "r".repeat(rivals) + if done { "!" } else { "" };
            assert_eq!(file.read().unwrap().text, expected);
            match outcome {
                Ok(snapshot) => assert!(done && snapshot == file.read().unwrap()),
                Err(UpdateError::File(FileError::Changed { .. })) => assert!(!done),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn an_update_that_changes_nothing_writes_nothing() {
        let (home, file) = home();
        file.update(|text| Ok::<_, Infallible>(text.to_owned())).unwrap();
        assert_eq!(names(home.path()), [] as [&str; 0]);
        let refused = file.update(|_| Err("no")).unwrap_err();
        assert!(matches!(refused, UpdateError::Edit("no")));
    }
}
