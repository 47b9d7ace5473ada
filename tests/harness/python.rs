//! Where the Python is that `cargo xtask prepare` installs, and what it runs: tests/python.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::Run;
use crate::service::Service;

/// What zip archives call now, so that a wheel is the same whenever it is built: 2020-01-01.
const SOURCE_DATE_EPOCH: &str = "1577836800";

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
    let mut command = Command::new(prepared()?);
    // Without settings of the user's, and without a trace in the repository.
    command.arg("-I").arg("-B").arg(script(name));
    Service::start(command, variables)
}

/// The package's directory, client/python.
pub fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/python")
}

/// The interpreter that finds the package as well; a home's environment is for the caller to add.
pub fn with_package() -> Result<Run> {
    let run = Run::new(prepared()?).arg("-B");
    Ok(run.env("PYTHONPATH", package().join("src")).env("PYTHONNOUSERSITE", "1"))
}

/// Builds the package's wheel into a directory. Two builds of the same source are the same, byte for byte.
pub fn wheel(into: &Path) -> Result<PathBuf> {
    let built = tempfile::tempdir().context("no temporary directory")?;
    let output = Command::new(prepared()?)
        .args(["-I", "-m", "pip", "wheel", "--quiet", "--no-input", "--no-cache-dir"])
        .args(["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir"])
        .arg(built.path())
        .arg(package())
        .env("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH)
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "pip cannot build the wheel: {said}");
    let found = std::fs::read_dir(built.path())?.next().context("pip built nothing")??;
    std::fs::create_dir_all(into)?;
    let wheel = into.join(found.file_name());
    std::fs::copy(found.path(), &wheel)?;
    Ok(wheel)
}

/// The interpreter, once all is installed.
fn prepared() -> Result<PathBuf> {
    // Written last, when all is there.
    let installed = std::fs::read_to_string(environment()?.join("requirements.txt"));
    let wanted = std::fs::read_to_string(requirements())?;
    let is_ready = installed.is_ok_and(|installed| installed == wanted);
    ensure!(is_ready, "the tests' Python is not installed: run `cargo xtask prepare`");
    interpreter()
}

/// A script of tests/python.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}
