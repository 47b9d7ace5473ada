//! Compiles the floors from bench/floor.c.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::run::{read, top, which};
use crate::say::say;

/// The same program by `compiler`, static. `None`, said, where there is no such compiler.
pub(super) fn compiled(compiler: &str, package: &str, into: &Path) -> Result<Option<PathBuf>> {
    if which(compiler).is_none() {
        say!("not run: no `{compiler}` here (Debian's package {package})");
        return Ok(None);
    }
    let program = into.join(format!("floor-{compiler}"));
    let mut command = Command::new(compiler);
    command.args(["-O2", "-static", "-s", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program);
    read(command.arg(top().join("packaging/xtask/bench/floor.c")))?;
    Ok(Some(program))
}
