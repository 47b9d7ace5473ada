//! `tokctl-agent`: arguments, then everything in `shell/daemon.rs`.

use std::process::ExitCode;

use tokctl_agent::harden;
use tokctl_agent::shell::daemon::{self, Manner};

const USAGE: &str = "\
Usage: tokctl-agent

Keeps secrets encrypted, renews access tokens ahead of their expiry, and serves them to `tokctl`.
It runs in the foreground and logs to stderr; `tokctl` starts it in the background when it is needed.

  --ready-on-stdout  detach, log to a file, and say on stdout when the socket can be used
  --help             this text
  --version          the version
";

fn main() -> ExitCode {
    // Before an argument is read: nothing of this process is for others to see.
    if let Err(error) = harden::process() {
        tokctl_agent::log::last_words(&format!("cannot protect this process: {error}"));
        return ExitCode::from(11);
    }
    let mut arguments = std::env::args_os().skip(1);
    let manner = match (arguments.next(), arguments.next()) {
        (None, _) => Manner::Foreground,
        (Some(argument), None) => match argument.to_str() {
            Some("--ready-on-stdout") => Manner::Detached,
            Some("--help" | "-h") => return daemon::print(USAGE),
            Some("--version" | "-V") => {
                return daemon::print(concat!("tokctl-agent ", env!("CARGO_PKG_VERSION"), "\n"));
            }
            _ => return usage(),
        },
        _ => return usage(),
    };
    daemon::run(manner)
}

fn usage() -> ExitCode {
    tokctl_agent::log::last_words("it takes no arguments but those of `tokctl-agent --help`");
    ExitCode::from(2)
}
