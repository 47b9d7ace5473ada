//! Builds the Python package's wheel, the same bytes each time.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use tokctl_tests::python;

use crate::say::say;

pub(crate) fn wheel(into: &Path) -> Result<ExitCode> {
    let wheel = python::wheel(into)?;
    say!("{}", wheel.display());
    Ok(ExitCode::SUCCESS)
}
