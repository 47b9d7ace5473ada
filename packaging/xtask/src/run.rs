//! Runs other programs: Cargo, npm, compilers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::say::say;

/// The top of the repository.
pub(crate) fn top() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.ancestors().nth(2).unwrap_or(xtask).to_owned()
}

/// Cargo at the top of the repository, the same that runs xtask.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(top());
    command
}

/// Runs a command to its end with nothing to read, and fails where it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    say!("+ {shown}");
    let status =
        command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{shown}`"))?;
    match status.success() {
        true => Ok(()),
        false => bail!("`{shown}` failed ({status})"),
    }
}

/// Runs a command quietly and returns what it printed. What it said on stderr is part of the error.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{shown}`"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => bail!(
            "`{shown}` failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        ),
    }
}

/// Runs a program of a private home and returns what it printed, without the last line feed.
pub(crate) fn succeed(run: tokctl_tests::Run) -> Result<String> {
    let output = run.run();
    match output.code {
        0 => Ok(output.stdout.trim_end_matches('\n').to_owned()),
        _ => bail!("{output:?}"),
    }
}

/// Where a program is on the PATH.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // Where servers are, and ordinary users do not look.
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// Where Cargo puts what it builds: xtask is in `TARGET/PROFILE/`.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    Ok(this.ancestors().nth(2).context("xtask is in no target directory")?.to_owned())
}

/// The words of a command as one would type them.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    let words = command.get_args().map(|word| word.to_string_lossy());
    std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
}
