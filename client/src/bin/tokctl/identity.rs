//! TOKCTL_IDENTITY, which opens the vault: it is for tokctl, and for no program that tokctl starts.

use std::process::Command;

/// How the variables begin that are named after it.
const BEGINS: &[u8] = b"TOKCTL_IDENTITY";

/// Keeps it out of a program's environment.
pub(crate) fn withhold(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(BEGINS) {
            command.env_remove(name);
        }
    }
}
