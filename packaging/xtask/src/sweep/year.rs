//! 10,000 profiles over a simulated year.

use anyhow::Result;

use super::{Ended, Sizes, seeds};
use crate::run::cargo;

/// Without it the simulator's test of this name is over in a moment.
const YEAR_VARIABLE: &str = "TOKCTL_SIM_YEAR";
const TEST: &str = "ten_thousand_profiles_over_a_year";

pub(super) fn run(_sizes: Sizes) -> Result<Ended> {
    let mut year = cargo(["test", "--release", "--package", "tokctl-core", "--test", "main", TEST]);
    seeds::simulated(year.env(YEAR_VARIABLE, "1"))?;
    Ok(Ended::Done(vec!["10,000 profiles, 365 days".to_owned()]))
}
