//! Builds both programs for use and puts them into ~/.local/bin, with the names by which other programs call a helper.
//!
//! The client is static, since loading shared libraries is half of what a `tokctl get` costs: for musl where
//! that target is to be had, else for glibc with its run-time linked in. The agent is dynamic, because glibc
//! looks host names up through shared libraries.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::run::{cargo, read, run, target_dir, which};
use crate::say::say;

/// Names by which other programs call the client; it goes by the name that it is called by.
const HELPERS: [&str; 4] = [
    "git-credential-tokctl",
    "docker-credential-tokctl",
    "cargo-credential-tokctl",
    "bazel-credential-tokctl",
];

/// What the client was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linking {
    Musl,
    StaticGlibc,
    Native,
}

/// The programs of a release.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) tokctl: PathBuf,
    pub(crate) agent: PathBuf,
    pub(crate) linking: Linking,
}

pub(crate) fn install() -> Result<ExitCode> {
    let release = release()?;
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    let bin = Path::new(&home).join(".local/bin");
    fs::create_dir_all(&bin)?;
    for program in [&release.tokctl, &release.agent] {
        let name = program.file_name().context("a program without a name")?;
        replaced(program, &bin.join(name))?;
        say!("installed {}", bin.join(name).display());
    }
    for link in HELPERS {
        linked("tokctl", &bin.join(link))?;
        say!("linked {}", bin.join(link).display());
    }
    if let Some(note) = release.linking.note() {
        say!("note: {note}");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|directory| directory == bin) {
        say!("note: {} is not in PATH", bin.display());
    }
    say!(
        "next: `tokctl init`; an agent that runs already keeps its old program until `tokctl agent stop`"
    );
    Ok(ExitCode::SUCCESS)
}

impl std::fmt::Display for Linking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Musl => "static with musl",
            Self::StaticGlibc => "static with glibc",
            Self::Native => "dynamic",
        })
    }
}

impl Linking {
    fn note(self) -> Option<&'static str> {
        match self {
            Self::Musl => None,
            Self::StaticGlibc => Some("no musl target here, so the client is static with glibc"),
            Self::Native => {
                Some("no static target here, so the client is dynamic and slower to start")
            }
        }
    }
}

/// Builds both programs as they are shipped.
pub(crate) fn release() -> Result<Release> {
    let target = target_dir()?;
    run(&mut cargo(["build", "--release", "-p", "tokctl-agent"]))?;
    let agent = target.join("release/tokctl-agent");

    let client = ["build", "--profile", "client", "-p", "tokctl-client", "--bin", "tokctl"];
    let musl = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    if has_target(&musl) {
        run(cargo(client).args(["--target", &musl]))?;
        let tokctl = target.join(&musl).join("client/tokctl");
        return Ok(Release { tokctl, agent, linking: Linking::Musl });
    }
    // With --target the flag is for the program alone and not for build scripts, and the result is kept apart.
    let glibc = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let flags = "-C target-feature=+crt-static -C relocation-model=static";
    match run(cargo(client).args(["--target", &glibc]).env("RUSTFLAGS", flags)) {
        Ok(()) => {
            let tokctl = target.join(&glibc).join("client/tokctl");
            Ok(Release { tokctl, agent, linking: Linking::StaticGlibc })
        }
        Err(error) => {
            say!("{error:#}");
            run(&mut cargo(client))?;
            let tokctl = target.join("client/tokctl");
            Ok(Release { tokctl, agent, linking: Linking::Native })
        }
    }
}

/// Whether Rust's library for the target is here, or can be fetched.
fn has_target(target: &str) -> bool {
    let library = || {
        let mut rustc = Command::new("rustc");
        let rustc = rustc.args(["--print", "target-libdir", "--target", target]);
        read(rustc).is_ok_and(|path| Path::new(path.trim()).is_dir())
    };
    if library() {
        return true;
    }
    if which("rustup").is_none() {
        say!("no {target} here, and no rustup to add it");
        return false;
    }
    match run(Command::new("rustup").args(["target", "add", target])) {
        Ok(()) => library(),
        Err(error) => {
            say!("{error:#}");
            false
        }
    }
}

/// Makes a link to a neighbour, in the place of another that there may be.
fn linked(to: &str, link: &Path) -> Result<()> {
    let new = link.with_extension("new");
    let made = || {
        // Left behind by one that was interrupted, if it is there.
        drop(fs::remove_file(&new));
        symlink(to, &new)?;
        fs::rename(&new, link)
    };
    made().with_context(|| format!("cannot link {}", link.display()))
}

/// Puts a program in the place of another that may be running.
fn replaced(from: &Path, to: &Path) -> Result<()> {
    let new = to.with_extension("new");
    let copied = || {
        fs::copy(from, &new)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755))?;
        fs::rename(&new, to)
    };
    copied().with_context(|| format!("cannot install {}", to.display()))
}
