//! `tokctl export`: what it writes, read back by real shells and by readers of each CI system, for many values.

use anyhow::{Result, bail};

use super::{Ended, Sizes};
use crate::run::cargo;
use crate::test::watched;

/// Minutes rather than seconds, most of them in the shells.
const VALUES: u64 = 100_000;
/// Read by the tests of client/src/bin/tokctl/cmd/export.
const VALUES_VARIABLE: &str = "TOKCTL_EXPORT_VALUES";

pub(super) fn run(_sizes: Sizes) -> Result<Ended> {
    let mut counts = [0; 3];
    let mut tests = cargo(["test", "--release", "--package", "tokctl-client", "--bin", "tokctl"]);
    tests.arg("cmd::export::").env(VALUES_VARIABLE, VALUES.to_string());
    watched(&mut tests, &mut counts, |_| {})?;
    match counts[0] {
        0 => bail!("no test was run: is its name another by now?"),
        passed => Ok(Ended::Done(vec![format!("{VALUES} values, {passed} tests passed")])),
    }
}
