//! Installs what the tests need and Cargo does not bring: programs of Debian's, the providers of npm, and what is
//! written in Python, in a virtual environment below the target directory. What is there already is left alone.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use tokctl_tests::python;

use crate::run::{read, run, top, which};
use crate::say::say;

/// Programs that tests or the bench run (any of those between bars), and the Debian packages they come in.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("age", "age", "the vault's files are opened with the stock program"),
    ("git", "git", "fetches with tokctl as its helper, from a server of its own"),
    ("ssh", "openssh-client", "a socket is handed on to another machine"),
    ("sshd", "openssh-server", "the other machine"),
    ("setsid", "util-linux", "a terminal of its own for programs that prompt"),
    ("npm", "npm", "the certified provider"),
    (
        "python3",
        "python3",
        "providers and checkers in Python, and the script that does without tokctl",
    ),
    ("chromium|google-chrome", "chromium", "logins are clicked through in a real browser"),
    ("chromedriver", "chromium-driver", "clicks for the tests"),
    ("zsh", "zsh", "reads what `tokctl export` writes"),
    ("fish", "fish", "reads what `tokctl export` writes"),
];

/// What it does, and how.
type Step = (&'static str, fn() -> Result<()>);

/// One that fails does not keep the others from being done.
pub(crate) const STEPS: [Step; 3] = [
    ("Debian packages", || debian_packages(PROGRAMS)),
    ("npm packages of the providers", npm_packages),
    ("Python packages", python_packages),
];

pub(crate) fn prepare() -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for (name, step) in STEPS {
        say!("\n== {name}");
        if let Err(error) = step() {
            say!("{error:#}");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Installs the missing ones where that is possible, and names them where it is not.
pub(crate) fn debian_packages(programs: &[(&str, &str, &str)]) -> Result<()> {
    let is_there = |names: &str| names.split('|').any(|program| which(program).is_some());
    let mut missing: Vec<_> =
        programs.iter().copied().filter(|&(names, ..)| !is_there(names)).collect();
    let needs_venv = programs.iter().any(|&(name, ..)| name == "python3");
    // Debian's Python comes without it.
    if needs_venv && read(Command::new("python3").args(["-c", "import ensurepip"])).is_err() {
        missing.push(("python3 -m venv", "python3-venv", "a place for packages of its own"));
    }
    if missing.is_empty() {
        say!("all there");
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|&(_, package, _)| package).collect();
    if nix::unistd::geteuid().is_root() && which("apt-get").is_some() {
        let apt = |arguments: &[&str]| {
            run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
        };
        apt(&["update", "--quiet=2"])?;
        let install = ["install", "--yes", "--quiet=2", "--no-install-recommends"];
        return apt(&[&install[..], &packages].concat());
    }
    for (program, package, why) in missing {
        say!("`{program}` is missing ({why}): install the package {package}");
    }
    bail!("some programs are missing: {}", packages.join(" "))
}

/// What the lock file names, unless it is there already.
fn npm_packages() -> Result<()> {
    let idp = top().join("tests/idp");
    let installed = idp.join("node_modules/.package-lock.json");
    let age = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    if age(&installed) > age(&idp.join("package-lock.json")) {
        say!("all there");
        return Ok(());
    }
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(idp))
}

/// What tests/python/requirements.txt names, unless it is there already.
fn python_packages() -> Result<()> {
    let wanted = fs::read_to_string(python::requirements())?;
    let environment = python::environment()?;
    let installed = environment.join("requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        say!("all there");
        return Ok(());
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    let pip = ["-m", "pip", "install", "--quiet", "--no-input", "--prefer-binary", "--requirement"];
    run(Command::new(python::interpreter()?)
        .args(pip)
        .arg(python::requirements())
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1"))?;
    // Written last, so that half an installation is not taken for a whole one.
    Ok(fs::write(installed, wanted)?)
}
