//! One run of curl. Its stdout is held back as long as the answer may be one that is not the last word, 1 MiB at most.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::Pid;
use tokctl_client::proto::error::WireFailure;
use tokctl_client::proto::{Failure, Kind};

use super::config::Memory;
use super::head::Head;
use super::mask::Mask;
use crate::exit::Stop;
use crate::identity;
use crate::terminal::Signals;

/// Larger answers to a refused token have not been met, and what is held back is not read meanwhile.
const HELD_BYTES_MAX: usize = 1024 * 1024;
const CHUNK_BYTES: usize = 64 * 1024;

/// How a run went.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) status: u8,
    /// What was held back, and why; absent: it has been written out.
    pub(super) held: Option<(Head, Vec<u8>)>,
}

/// Runs curl in our place: nothing of it is ours from then on. Comes back when it cannot be run.
pub(super) fn replace(arguments: &[OsString]) -> io::Error {
    identity::program("curl").args(arguments).exec()
}

/// Runs curl and waits. `heads` is where it leaves the headers of answers; without it nothing is held back. What it
/// says on stderr goes through `mask`, where there is one.
pub(super) fn run(
    arguments: &[OsString],
    heads: Option<&Memory>,
    mask: Option<Mask>,
) -> Result<Ran, Stop> {
    let mut command = identity::program("curl");
    command.args(arguments).stdout(Stdio::piped());
    if mask.is_some() {
        command.stderr(Stdio::piped());
    }
    let mut child = command.spawn().map_err(|error| not_run(&error))?;
    // Afterwards, since curl would inherit what is held, and never be ended.
    let signals = Signals::hold()?;
    let masking = mask
        .zip(child.stderr.take())
        .map(|(mask, stderr)| std::thread::spawn(move || mask.copy(stderr, io::stderr())));
    let mut holding = Holding { heads, held: heads.map(|_| Vec::new()) };
    let passed = match child.stdout.take() {
        Some(stdout) => pass(&mut child, stdout, &signals, &mut holding),
        None => Ok(()),
    };
    let status = wait(&mut child, &signals);
    if let Some(masking) = masking {
        drop(masking.join());
    }
    passed?;
    let status = code(status.map_err(machine)?);
    Ok(Ran { status, held: holding.end()? })
}

/// What a shell exits with where a program cannot be run, and where there is none.
pub(super) const NOT_RUN: [u8; 2] = [126, 127];

pub(super) fn not_run(error: &io::Error) -> Stop {
    let is_missing = error.kind() == ErrorKind::NotFound;
    let failure = match is_missing {
        true => Failure::new(Kind::Machine, "there is no `curl` on PATH").hint("install curl"),
        false => Failure::new(Kind::Machine, format!("cannot run curl: {error}")),
    };
    let mut failure = WireFailure::from(&failure).into_owned();
    failure.exit = NOT_RUN[usize::from(is_missing)];
    Stop::Failed(Box::new(failure))
}

fn pass(
    child: &mut Child,
    mut stdout: ChildStdout,
    signals: &Signals,
    holding: &mut Holding<'_>,
) -> Result<(), Stop> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let is_there = {
            let mut waited = [
                PollFd::new(stdout.as_fd(), PollFlags::POLLIN),
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut waited, PollTimeout::NONE) {
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(machine(errno.into())),
            }
            waited[0].any() == Some(true)
        };
        pass_signals(child, signals)?;
        if !is_there {
            continue;
        }
        match stdout.read(&mut chunk) {
            Ok(0) => return Ok(()),
            // curl learns from its pipe that nobody reads any more, and says so with its status.
            Ok(count) => {
                if holding.take(&chunk[..count]).is_err() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(machine(error)),
        }
    }
}

/// What was sent to us is meant for curl. One from the keyboard it has had already, which does no harm.
fn pass_signals(child: &Child, signals: &Signals) -> Result<(), Stop> {
    while let Some(signal) = signals.next()? {
        let Ok(pid) = i32::try_from(child.id()) else { continue };
        // It may have ended.
        let _gone = kill(Pid::from_raw(pid), signal);
        if signal == Signal::SIGTSTP {
            let _refused = raise(Signal::SIGSTOP);
        }
    }
    Ok(())
}

fn wait(child: &mut Child, signals: &Signals) -> io::Result<ExitStatus> {
    let status = child.wait();
    // What came at the very end has been answered by its end.
    while matches!(signals.next(), Ok(Some(_))) {}
    status
}

/// As a shell reports it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

struct Holding<'a> {
    heads: Option<&'a Memory>,
    held: Option<Vec<u8>>,
}

impl Holding<'_> {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(held) = &mut self.held else { return write(bytes) };
        held.extend_from_slice(bytes);
        let is_final = head(self.heads).is_some_and(|head| !head.may_be_repeated());
        match is_final || held.len() > HELD_BYTES_MAX {
            true => write(&self.held.take().unwrap_or_default()),
            false => Ok(()),
        }
    }

    /// What is still held back, if that answer may be repeated.
    fn end(mut self) -> Result<Option<(Head, Vec<u8>)>, Stop> {
        let Some(held) = self.held.take() else { return Ok(None) };
        match head(self.heads).filter(Head::may_be_repeated) {
            Some(head) => Ok(Some((head, held))),
            None => {
                // curl has ended well; that nobody reads is not its failure.
                let _closed = write(&held);
                Ok(None)
            }
        }
    }
}

fn head(heads: Option<&Memory>) -> Option<Head> {
    Head::last(&heads?.read().ok()?)
}

pub(super) fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

fn machine(error: io::Error) -> Stop {
    Stop::machine(format!("cannot run curl: {error}"))
}
