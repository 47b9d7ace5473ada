//! Starts many programs at once and counts what they print.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::Tokens;

/// Files rather than pipes: a thousand programs need no descriptor of ours.
#[derive(Debug)]
pub(super) struct Herd {
    directory: TempDir,
}

impl Herd {
    #[track_caller]
    pub(super) fn new() -> Self {
        match tempfile::tempdir() {
            Ok(directory) => Self { directory },
            Err(error) => panic!("no temporary directory: {error}"),
        }
    }

    /// Runs so many to their ends.
    #[track_caller]
    pub(super) fn run(&self, count: usize, command: impl Fn() -> Command) -> Tokens {
        let path = |index: usize| self.directory.path().join(index.to_string());
        let start = |index: usize| {
            let out = File::create(path(index))?;
            let errors = File::create(path(index).with_extension("stderr"))?;
            let mut command = command();
            command.stdin(Stdio::null()).stdout(out).stderr(errors).spawn()
        };
        let children: Vec<Child> = (0..count)
            .map(|index| start(index).unwrap_or_else(|error| panic!("cannot start: {error}")))
            .collect();
        let mut tokens = Tokens::default();
        for (index, mut child) in children.into_iter().enumerate() {
            let is_well = child.wait().is_ok_and(|status| status.success());
            let printed = std::fs::read_to_string(path(index)).unwrap_or_default();
            if is_well && !printed.trim().is_empty() {
                *tokens.entry(printed.trim().to_owned()).or_default() += 1;
            }
        }
        tokens
    }
}
