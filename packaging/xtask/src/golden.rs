//! Writes the golden files of messages that were added, and the appendix of PROTOCOL.md. A file that is there
//! is never written again: released bytes do not change.

use std::process::ExitCode;

use anyhow::Result;

use crate::run::{cargo, run};

pub(crate) fn golden() -> Result<ExitCode> {
    run(cargo(["test", "--package", "tokctl-proto", "--test", "messages"])
        .env("TOKCTL_GOLDEN", "write"))?;
    Ok(ExitCode::SUCCESS)
}
