//! Installs what the tests need, runs everything, and closes with what passed, failed and was not run. This is
//! what CI runs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tokctl_tests::machine::NOT_RUN_FILE;

use crate::run::{cargo, read, run, shown, target_dir, top, which};
use crate::say::say;

/// Programs that tests or the bench run, and the Debian packages they come in.
const PROGRAMS: [(&str, &str, &str); 4] = [
    ("age", "age", "the vault's files are opened with the stock program"),
    ("setsid", "util-linux", "a terminal of its own for programs that prompt"),
    ("npm", "npm", "the certified provider"),
    ("python3", "python3", "the script that does without tokctl, for comparison"),
];

/// What came of the whole run.
#[derive(Debug, Default)]
struct Summary {
    steps: Vec<(String, Result<()>, u64)>,
    passed: u64,
    failed: u64,
    ignored: u64,
}

pub(crate) fn test() -> Result<ExitCode> {
    let mut summary = Summary::default();
    let not_run = target_dir()?.join("tmp/not-run");
    std::fs::create_dir_all(target_dir()?.join("tmp"))?;
    std::fs::write(&not_run, "")?;

    summary.step("Debian packages", || debian_packages(&PROGRAMS));
    summary.step("npm packages of the provider", npm_packages);
    summary.step("formatting", || component("fmt", &["fmt", "--check"]));
    summary.step("lints", || {
        let deny = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
        component("clippy", &deny)
    });
    summary.step("the programs", || {
        run(&mut cargo(["build", "-p", "tokctl-client", "-p", "tokctl-agent"]))
    });
    summary.tests(&not_run);
    summary.step("documentation", || {
        run(cargo(["doc", "--workspace", "--no-deps", "--quiet"])
            .env("RUSTDOCFLAGS", "-D warnings"))
    });
    summary.close(&not_run)
}

impl Summary {
    /// Runs a step and keeps what came of it; the steps after it run all the same.
    fn step(&mut self, name: &str, step: impl FnOnce() -> Result<()>) {
        say!("\n== {name}");
        let begun = Instant::now();
        let result = step();
        if let Err(error) = &result {
            say!("{error:#}");
        }
        self.steps.push((name.to_owned(), result, begun.elapsed().as_secs()));
    }

    /// Runs the tests and adds up what their runners say.
    fn tests(&mut self, not_run: &Path) {
        let mut counts = [0; 3];
        self.step("tests", || {
            let mut command = cargo(["test", "--workspace", "--no-fail-fast"]);
            command.env(NOT_RUN_FILE, not_run);
            watched(&mut command, &mut counts, |_| {})
        });
        [self.passed, self.failed, self.ignored] = counts;
    }

    fn close(self, not_run: &Path) -> Result<ExitCode> {
        say!("\n== summary");
        let mut broken = 0;
        for (name, result, seconds) in &self.steps {
            let word = if result.is_ok() { "ok    " } else { "FAILED" };
            broken += u64::from(result.is_err());
            say!("{word} {name} ({seconds} s)");
        }
        let not_run = std::fs::read_to_string(not_run).context("the list of what was not run")?;
        for line in not_run.lines() {
            say!("{line}");
        }
        // A step that failed without a failed test, as one that does not compile, is a failure too.
        let failed = if broken > 0 { self.failed.max(broken) } else { self.failed };
        let skipped = self.ignored + not_run.lines().count() as u64;
        say!("{} passed, {failed} failed, {skipped} skipped", self.passed);
        match failed {
            0 if self.passed > 0 => Ok(ExitCode::SUCCESS),
            _ => Ok(ExitCode::FAILURE),
        }
    }
}

/// Runs `cargo test`, shows what it prints, line by line to `seen` too, and adds up its closing lines: passed,
/// failed, ignored.
pub(crate) fn watched(
    command: &mut Command,
    counts: &mut [u64; 3],
    mut seen: impl FnMut(&str),
) -> Result<()> {
    let shown = shown(command);
    say!("+ {shown}");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        say!("{line}");
        seen(&line);
        if line.starts_with("test result: ") {
            for (count, name) in counts.iter_mut().zip(["passed", "failed", "ignored"]) {
                *count += number_before(&line, name);
            }
        }
    }
    let status = child.wait()?;
    match status.success() {
        true => Ok(()),
        false => bail!("`{shown}` failed ({status})"),
    }
}

/// The number in `12 passed`.
fn number_before(line: &str, name: &str) -> u64 {
    let words: Vec<&str> = line.split([' ', ';']).collect();
    let at = words.iter().position(|&word| word == name);
    at.and_then(|at| at.checked_sub(1)).and_then(|at| words[at].parse().ok()).unwrap_or(0)
}

/// Installs the missing ones where that is possible, and names them where it is not.
pub(crate) fn debian_packages(programs: &[(&str, &str, &str)]) -> Result<()> {
    let missing: Vec<_> =
        programs.iter().copied().filter(|&(program, ..)| which(program).is_none()).collect();
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

/// A part of the Rust toolchain that may not be installed: said where it is not, and no failure.
fn component(name: &str, arguments: &[&str]) -> Result<()> {
    // Where rustup is, the name is there even if the component is not.
    if read(&mut cargo([name, "--version"])).is_err() {
        say!("not run: `cargo {name}` is not installed (`rustup component add {name}`)");
        return Ok(());
    }
    let mut command = cargo([]);
    run(command.args(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runners_closing_line_is_read() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 7 filtered out";
        for (name, number) in [("passed", 12), ("failed", 3), ("ignored", 1), ("skipped", 0)] {
            assert_eq!(number_before(line, name), number, "{name}");
        }
    }
}
