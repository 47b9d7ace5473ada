//! TOKCTL_IDENTITY, which opens the vault: it is for tokctl, and for no program that tokctl starts.

use std::ffi::OsStr;
use std::process::Command;

/// How the variables begin that are named after it.
const BEGINS: &[u8] = b"TOKCTL_IDENTITY";

/// A program to run, without it in its environment.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    for (variable, _) in std::env::vars_os() {
        if variable.as_encoded_bytes().starts_with(BEGINS) {
            command.env_remove(variable);
        }
    }
    command
}
