//! Where the Python is that `cargo xtask prepare` installs, and what it runs: tests/python.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::service::Service;

/// The virtual environment, below Cargo's target directory.
pub fn environment() -> Result<PathBuf> {
    let this = std::env::current_exe().context("cannot tell where this program is")?;
    // A test is in TARGET/PROFILE/deps, xtask in TARGET/PROFILE.
    let profile = this.parent().context("this program is in no directory")?;
    let profile = if profile.ends_with("deps") { profile.parent() } else { Some(profile) };
    let target =
        profile.and_then(Path::parent).context("this program is in no target directory")?;
    Ok(target.join("tmp/python"))
}

/// The interpreter that finds the packages of the environment.
pub fn interpreter() -> Result<PathBuf> {
    Ok(environment()?.join("bin/python"))
}

/// The packages, with their versions.
pub fn requirements() -> PathBuf {
    script("requirements.txt")
}

/// Starts a script of tests/python.
pub(crate) fn start(name: &str, variables: &[(&str, String)]) -> Result<Service> {
    let environment = environment()?;
    // Written last, when all is there.
    let is_ready = environment.join("requirements.txt").is_file();
    ensure!(is_ready, "the tests' Python is not installed: run `cargo xtask prepare`");
    let mut command = Command::new(interpreter()?);
    // Without settings of the user's, and without a trace in the repository.
    command.arg("-I").arg("-B").arg(script(name));
    Service::start(command, variables)
}

/// A script of tests/python.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}
