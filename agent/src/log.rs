//! Where the agent's log goes: to a file when a client started it, else to stderr, where a service
//! manager or a person reads it.
//!
//! The log names profiles and outcomes. Secrets cannot reach it: they have no `Display`, and
//! requests, replies and environments are never logged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// A log file larger than this when the agent starts is moved to `agent.log.old`.
const LOG_BYTES_MAX: u64 = 1024 * 1024;

/// Sends the log to stderr.
pub fn to_stderr() {
    tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_ansi(false)
        .with_writer(io::stderr)
        .init();
}

/// Sends the log to `agent.log` in the state directory, mode 0600.
pub fn to_file(state: &Path) -> io::Result<()> {
    let path = state.join("agent.log");
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
        fs::rename(&path, state.join("agent.log.old"))?;
    }
    let file: File = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .init();
    Ok(())
}

/// Puts panics into the log: where, not what, since a message could hold what must not be written.
pub fn panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a bug: the agent panicked");
    }));
}

/// TOKCTL_LOG in the syntax of `RUST_LOG`; `info` for our own code without it.
fn filter() -> EnvFilter {
    EnvFilter::try_from_env("TOKCTL_LOG")
        .unwrap_or_else(|_| EnvFilter::new("tokctl_agent=info,warn"))
}

/// Says why the agent does not start, when there is no log yet.
pub fn last_words(text: &str) {
    let mut stderr = io::stderr().lock();
    // Without a stderr there is nobody to tell.
    let _unheard = writeln!(stderr, "tokctl-agent: {text}");
}
