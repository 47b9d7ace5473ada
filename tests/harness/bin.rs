//! Finds the programs that Cargo built beside the running test. Nothing is built here: `cargo xtask test`
//! builds first, and a test without its programs fails by saying so.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The two programs, and the directory they are both in.
#[derive(Clone, Debug)]
pub struct Programs {
    pub directory: PathBuf,
    pub tokctl: PathBuf,
    pub agent: PathBuf,
}

impl Programs {
    /// Those of the running test's own profile.
    pub fn built() -> Result<Self> {
        let this = std::env::current_exe().context("cannot tell where this program is")?;
        let beside = this.parent().context("this program is in no directory")?;
        // A test is in `deps`, one below the programs; xtask is beside them.
        let directory = match beside.ends_with("deps") {
            true => beside.parent().context("`deps` is in no directory")?,
            false => beside,
        };
        Self::within(directory)
    }

    /// Those of a directory.
    pub fn within(directory: &Path) -> Result<Self> {
        let programs = Self {
            directory: directory.to_owned(),
            tokctl: directory.join("tokctl"),
            agent: directory.join("tokctl-agent"),
        };
        for program in [&programs.tokctl, &programs.agent] {
            ensure!(
                program.is_file(),
                "{} is not built: run `cargo build -p tokctl-client -p tokctl-agent` first",
                program.display()
            );
        }
        Ok(programs)
    }

    /// Copies both to where another user can run them.
    pub fn copied_to(&self, directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        for program in [&self.tokctl, &self.agent] {
            let name = program.file_name().context("a program without a name")?;
            std::fs::copy(program, directory.join(name))
                .with_context(|| format!("cannot copy {}", program.display()))?;
        }
        Self::within(directory)
    }
}
