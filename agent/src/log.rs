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

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

/// A log file larger than this when the agent starts is moved to `agent.log.old`.
const LOG_BYTES_MAX: u64 = 1024 * 1024;

/// Sends the log to stderr.
pub fn to_stderr() {
    begin(io::stderr);
}

/// Sends the log to `agent.log` in the state directory, mode 0600.
pub fn to_file(state: &Path) -> io::Result<()> {
    let path = state.join("agent.log");
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
        fs::rename(&path, state.join("agent.log.old"))?;
    }
    let file: File = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    begin(Mutex::new(file));
    Ok(())
}

fn begin<W: for<'a> MakeWriter<'a> + Send + Sync + 'static>(writer: W) {
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer);
    tracing_subscriber::registry().with(lines.with_filter(filter())).init();
}

/// Puts panics into the log: where, not what, since a message could hold what must not be written.
pub fn panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a bug: the agent panicked");
    }));
}

/// Our own code alone, at the level that TOKCTL_LOG names, `info` without it: what the libraries log of a
/// request is not ours to vouch for.
fn filter() -> Targets {
    let level = std::env::var("TOKCTL_LOG").ok().and_then(|level| level.parse().ok());
    Targets::new().with_target("tokctl_agent", level.unwrap_or(LevelFilter::INFO))
}

/// Says why the agent does not start, when there is no log yet.
pub fn last_words(text: &str) {
    let mut stderr = io::stderr().lock();
    // Without a stderr there is nobody to tell.
    let _unheard = writeln!(stderr, "tokctl-agent: {text}");
}
