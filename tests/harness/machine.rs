//! What some tests need of the machine: root, another user, a small disk. A test that cannot have it says so
//! through [`not_run`], and the summary of `cargo xtask test` lists it; it never passes in silence.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// Names the file that collects what was not run; `cargo xtask test` sets it and reads the file.
pub const NOT_RUN_FILE: &str = "TOKCTL_TESTS_NOT_RUN";

/// The user `nobody` of Debian and most others: root can act as it, and it owns nothing.
pub const NOBODY: u32 = 65534;

/// Says that a test could not be run, and why.
#[track_caller]
pub fn not_run(reason: &str) {
    let thread = std::thread::current();
    let line = format!("not run: {}: {reason}\n", thread.name().unwrap_or("a test"));
    // Past the capture of `cargo test`, which shows only what fails. Where stderr is gone nobody reads it.
    drop(std::io::stderr().write_all(line.as_bytes()));
    if let Some(path) = std::env::var_os(NOT_RUN_FILE) {
        let file = OpenOptions::new().create(true).append(true).open(&path);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            panic!("{line}and cannot be noted in {}: {error}", path.display());
        }
    }
}

/// How large a test is to be: what a variable says, or its usual size.
pub fn number_from(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Whether the test may act as other users and mount things. Says so when it may not.
#[track_caller]
pub fn is_root(what_for: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        not_run(&format!("only root can {what_for}"));
    }
    root
}

/// The words before a command that gives it a boot clock which is so many seconds ahead. `None`, said with the
/// reason, where time namespaces are not to be had.
#[track_caller]
pub fn boot_clock_ahead(seconds: u64) -> Option<Vec<String>> {
    let words = |more: &[&str]| {
        let mut words = vec!["unshare".to_owned()];
        words.extend(more.iter().map(|&word| word.to_owned()));
        words.extend(["-T", "--boottime", &seconds.to_string(), "--"].map(str::to_owned));
        words
    };
    // Root may as it is; others in a user namespace of their own, where that is allowed.
    let tries = [words(&[]), words(&["--map-current-user"])];
    let works = |words: &Vec<String>| {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("true").stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = tries.into_iter().find(works);
    if found.is_none() {
        not_run("`unshare -T` is not allowed (root may)");
    }
    found
}

/// A library that moves the wall clock of a program which loads it by what a file says, compiled into a
/// directory. `None`, said with the reason, where there is no compiler.
#[track_caller]
pub fn wall_clock_library(into: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clock/wall.c");
    let library = into.join("wall.so");
    let mut command = Command::new("cc");
    command.args(["-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"]);
    match command.arg(&library).arg(&source).output() {
        Ok(output) if output.status.success() => Some(library),
        Ok(output) => panic!("wall.c: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            not_run(&format!("`cc`, which every build of Rust has, does not run: {error}"));
            None
        }
    }
}

/// A file system of a few pages, to be filled.
#[derive(Debug)]
pub struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one over a directory. `None`, said with the reason, where mounting is not allowed.
    #[track_caller]
    pub fn over(at: &Path, bytes: u64, uid: u32) -> Option<Self> {
        match Self::mounted(at, bytes, uid) {
            Ok(disk) => Some(disk),
            Err(error) => {
                not_run(&format!("{error:#}"));
                None
            }
        }
    }

    fn mounted(at: &Path, bytes: u64, uid: u32) -> Result<Self> {
        let data = format!("size={bytes},mode=0700,uid={uid}");
        mount(
            Some("tmpfs"),
            at,
            Some("tmpfs"),
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
            Some(data.as_str()),
        )
        .context("a small file system cannot be mounted (root may)")?;
        Ok(Self { at: at.to_owned() })
    }

    /// Takes all the room that is left; dropping what is returned gives it back.
    #[track_caller]
    pub fn fill(&self) -> Ballast {
        // Not the name of a file that the agent keeps.
        let path = self.at.join("filler");
        let block = [0; 4096];
        let mut file = match std::fs::File::create(&path) {
            Ok(file) => file,
            Err(error) => panic!("cannot fill {}: {error}", self.at.display()),
        };
        // Ends when there is no room for another byte.
        while file.write_all(&block).is_ok() {}
        Ballast { path }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = umount2(&self.at, MntFlags::MNT_DETACH) {
            assert!(std::thread::panicking(), "cannot unmount {}: {error}", self.at.display());
        }
    }
}

/// A file that takes up room.
#[derive(Debug)]
pub struct Ballast {
    path: PathBuf,
}

impl Drop for Ballast {
    fn drop(&mut self) {
        // Gone already with its file system, at worst.
        drop(std::fs::remove_file(&self.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_is_full_until_its_ballast_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let uid = nix::unistd::geteuid().as_raw();
        let Some(disk) = SmallDisk::over(directory.path(), 64 * 1024, uid) else { return };
        let write = || std::fs::write(directory.path().join("file"), [0; 4096]);
        let ballast = disk.fill();
        assert!(write().is_err());
        drop(ballast);
        write().unwrap();
        drop(disk);
        assert!(!directory.path().join("file").exists());
    }
}
