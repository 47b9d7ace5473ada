//! Histories of the simulator, more of them than anybody waits for. A failure ends with the command that shows
//! it again.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use super::{Ended, Sizes};
use crate::run::cargo;
use crate::say::say;
use crate::test::watched;

/// About an hour on two cores.
pub(crate) const SEEDS: u64 = 200_000;
/// Both are read by the simulator of agent/core.
const SEEDS_VARIABLE: &str = "TOKCTL_SIM_SEEDS";
const SEED_VARIABLE: &str = "TOKCTL_SIM_SEED=";

/// `cargo xtask seeds N`.
pub(crate) fn seeds(number: u64) -> Result<ExitCode> {
    let passed = run(number)?;
    say!("{number} seeds, {passed} tests passed");
    Ok(ExitCode::SUCCESS)
}

pub(super) fn part(sizes: Sizes) -> Result<Ended> {
    let passed = run(sizes.seeds)?;
    Ok(Ended::Done(vec![format!("{} seeds, {passed} tests passed", sizes.seeds)]))
}

fn run(number: u64) -> Result<u64> {
    let mut simulator = cargo(["test", "--release", "--package", "tokctl-core", "--no-fail-fast"]);
    simulated(simulator.args(["--test", "main"]).env(SEEDS_VARIABLE, number.to_string()))
}

/// Runs tests of the simulator, and returns how many passed. Names the seed that failed.
pub(super) fn simulated(command: &mut Command) -> Result<u64> {
    let (mut counts, mut failing) = ([0; 3], None);
    let ran = watched(command, &mut counts, |line| {
        failing = failing.take().or_else(|| seed_in(line));
    });
    match (ran, failing) {
        (Ok(()), _) if counts[0] == 0 => bail!("no test was run: is its name another by now?"),
        (Ok(()), _) => Ok(counts[0]),
        (Err(error), None) => Err(error),
        (Err(error), Some(seed)) => Err(error.context(format!(
            "seed {seed} fails: `{SEED_VARIABLE}{seed} cargo test --release -p tokctl-core` shows it again"
        ))),
    }
}

/// The seed that a failing history names.
fn seed_in(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(SEED_VARIABLE)?;
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failing_seed_is_read() {
        for (line, seed) in [
            ("reproduce with TOKCTL_SIM_SEED=7", Some(7)),
            ("reproduce with TOKCTL_SIM_SEED=71 cargo test", Some(71)),
            ("TOKCTL_SIM_SEED=x", None),
            ("test sim::scenario::a_seed_is_a_history ... ok", None),
        ] {
            assert_eq!(seed_in(line), seed, "{line}");
        }
    }
}
