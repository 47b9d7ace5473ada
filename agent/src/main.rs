//! `tokctl-agent`: arguments, then everything in `shell/daemon.rs`.

use std::ffi::OsString;
use std::process::ExitCode;

use tokctl_agent::harden;
use tokctl_agent::shell::daemon::{self, Manner};
use tokctl_proto::time::parse_duration;

const USAGE: &str = "\
Usage: tokctl-agent

Keeps secrets encrypted, renews access tokens ahead of their expiry, and serves them to `tokctl`.
It runs in the foreground and logs to stderr; `tokctl` starts it in the background when it is needed.

  --ready-on-stdout  detach, log to a file, and say on stdout when the socket can be used
  --max-life TIME    belong to a job: end after TIME (`6h`, `90m`, seconds) at the latest, and take no grant
                     that holds a refresh token
  --help             this text
  --version          the version
";

fn main() -> ExitCode {
    // Before an argument is read: nothing of this process is for others to see.
    if let Err(error) = harden::process() {
        tokctl_agent::log::last_words(&format!("cannot protect this process: {error}"));
        return ExitCode::from(11);
    }
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let Some(arguments) = arguments.iter().map(|one| one.to_str()).collect::<Option<Vec<_>>>()
    else {
        return usage();
    };
    let (manner, rest) = match arguments.as_slice() {
        ["--help" | "-h"] => return daemon::print(USAGE),
        ["--version" | "-V"] => {
            return daemon::print(concat!("tokctl-agent ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        ["--ready-on-stdout", rest @ ..] => (Manner::Detached, rest),
        rest => (Manner::Foreground, rest),
    };
    match rest {
        [] => daemon::run(manner, None),
        ["--max-life", longest] => match parse_duration(longest) {
            Ok(longest) => daemon::run(manner, Some(longest)),
            Err(_) => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    tokctl_agent::log::last_words("it takes no arguments but those of `tokctl-agent --help`");
    ExitCode::from(2)
}
