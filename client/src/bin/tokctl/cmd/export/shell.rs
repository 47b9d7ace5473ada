//! The shells that are written for, and how the one that asked is found out.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use nix::unistd::{Pid, getppid};

use super::quote;

/// A shell, by what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    // What every POSIX shell reads.
    #[value(alias("dash"), alias("ksh"))]
    Sh,
    Bash,
    Zsh,
    Fish,
    #[value(alias("nushell"))]
    Nu,
    #[value(alias("pwsh"))]
    Powershell,
}

/// Between a script and us may be `env`, `timeout`, `sudo`; more of them than this is something else.
const ANCESTORS_MAX: usize = 5;

impl Shell {
    /// The nearest shell above this process, since SHELL names the one of a login, which may be another. SHELL where
    /// there is none; else what all but a few read.
    pub(super) fn of_caller() -> Self {
        let above = Self::of_ancestors(getppid());
        let named = || std::env::var_os("SHELL").and_then(|path| Self::of_program(path.as_ref()));
        above.or_else(named).unwrap_or(Self::Sh)
    }

    fn of_ancestors(mut process: Pid) -> Option<Self> {
        for _ in 0..ANCESTORS_MAX {
            let directory = PathBuf::from(format!("/proc/{process}"));
            // Not its name there, which is that of the script.
            let program = std::fs::read_link(directory.join("exe")).ok()?;
            if let Some(shell) = Self::of_program(&program) {
                return Some(shell);
            }
            process = parent(&std::fs::read_to_string(directory.join("stat")).ok()?)?;
        }
        None
    }

    fn of_program(path: &Path) -> Option<Self> {
        match path.file_name()?.to_str()? {
            "bash" => Some(Self::Bash),
            "zsh" | "zsh5" => Some(Self::Zsh),
            "fish" => Some(Self::Fish),
            "nu" => Some(Self::Nu),
            "pwsh" => Some(Self::Powershell),
            "sh" | "dash" | "ash" | "busybox" | "ksh" | "ksh93" | "mksh" | "yash" => Some(Self::Sh),
            _ => None,
        }
    }

    /// Appends the statement that exports a variable.
    pub(super) fn set(self, name: &str, value: &str, to: &mut String) {
        match self {
            Self::Sh | Self::Bash | Self::Zsh => {
                to.extend(["export ", name, "="]);
                quote::posix(value, to);
            }
            Self::Fish => {
                // Variables of such a name are lists to fish, parted at the colons, unless it is told otherwise.
                let text = if name.ends_with("PATH") { "--unpath " } else { "" };
                to.extend(["set -gx ", text, name, " "]);
                quote::fish(value, to);
            }
            Self::Nu => {
                to.extend(["$env.", name, " = "]);
                quote::nu(value, to);
            }
            Self::Powershell => {
                to.extend(["$env:", name, " = "]);
                quote::powershell(value, to);
            }
        }
        to.push_str(";\n");
    }

    /// Appends the statement that takes a variable away, whether or not there is one.
    pub(super) fn unset(self, name: &str, to: &mut String) {
        match self {
            Self::Sh | Self::Bash | Self::Zsh => to.extend(["unset ", name]),
            Self::Fish => to.extend(["set -e ", name]),
            Self::Nu => to.extend(["hide-env --ignore-errors ", name]),
            Self::Powershell => to.extend(["$env:", name, " = $null"]),
        }
        to.push_str(";\n");
    }
}

/// The parent that /proc/PID/stat names, behind the name of the program, which may have anything in it.
fn parent(stat: &str) -> Option<Pid> {
    let (_, behind) = stat.rsplit_once(')')?;
    let parent = behind.split_whitespace().nth(1)?.parse().ok()?;
    (parent > 0).then(|| Pid::from_raw(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_known_by_its_program_wherever_that_is() {
        for (path, shell) in [
            ("/usr/bin/bash", Some(Shell::Bash)),
            ("/opt/x/fish", Some(Shell::Fish)),
            ("zsh", Some(Shell::Zsh)),
            ("/bin/dash", Some(Shell::Sh)),
            ("/usr/bin/pwsh", Some(Shell::Powershell)),
            ("/usr/bin/timeout", None),
            ("/", None),
        ] {
            assert_eq!(Shell::of_program(Path::new(path)), shell, "{path}");
        }
    }

    #[test]
    fn a_parent_is_read_whatever_the_program_is_called() {
        for (stat, pid) in [
            ("12 (bash) S 7 12", Some(7)),
            ("12 (a) S 1 (b) S 7 12", Some(7)),
            ("1 (init) S 0 1", None),
            ("", None),
        ] {
            assert_eq!(parent(stat), pid.map(Pid::from_raw), "{stat}");
        }
    }
}
