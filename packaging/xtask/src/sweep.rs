//! The large sizes, for a machine with time: what `cargo xtask test` runs with few seeds runs with many.

use std::process::ExitCode;

use anyhow::Result;

use crate::run::{cargo, run};
use crate::say::say;

/// About an hour on two cores.
pub(crate) const SEEDS: u32 = 200_000;
/// Read by the simulator of agent/core.
const SEEDS_VARIABLE: &str = "TOKCTL_SIM_SEEDS";

pub(crate) fn sweep(seeds: u32) -> Result<ExitCode> {
    say!("the simulator, {seeds} seeds");
    let mut simulator = cargo(["test", "--release", "--package", "tokctl-core"]);
    run(simulator.env(SEEDS_VARIABLE, seeds.to_string()))?;
    Ok(ExitCode::SUCCESS)
}
