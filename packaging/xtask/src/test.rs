//! Installs what the tests need, runs everything, and closes with what passed, failed and was not run. This is
//! what CI runs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tokctl_tests::machine::NOT_RUN_FILE;

use crate::prepare;
use crate::run::{cargo, read, run, shown, target_dir};
use crate::say::say;

/// What came of the whole run.
#[derive(Debug, Default)]
struct Summary {
    steps: Vec<(String, Result<()>, u64)>,
    passed: u64,
    failed: u64,
    ignored: u64,
    /// How many of the OpenID Foundation's client modules passed; the tests print the whole table.
    openid: Option<String>,
}

/// Ends the table of those modules.
const OPENID_ENDS: &str = " not applicable";

pub(crate) fn test() -> Result<ExitCode> {
    let mut summary = Summary::default();
    let not_run = target_dir()?.join("tmp/not-run");
    std::fs::create_dir_all(target_dir()?.join("tmp"))?;
    std::fs::write(&not_run, "")?;

    for (name, step) in prepare::STEPS {
        summary.step(name, step);
    }
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
        let mut openid = None;
        self.step("tests", || {
            let mut command = cargo(["test", "--workspace", "--no-fail-fast"]);
            command.env(NOT_RUN_FILE, not_run);
            watched(&mut command, &mut counts, |line| {
                if line.ends_with(OPENID_ENDS) {
                    openid = Some(line.to_owned());
                }
            })
        });
        self.openid = openid;
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
        if let Some(counts) = &self.openid {
            say!("the OpenID Foundation's client modules: {counts}");
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
