//! The signals of a parent that stays: taken as data, so that each can be passed on, or carried out here too.

use std::os::fd::{AsFd, BorrowedFd};

use nix::libc::SI_KERNEL;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use crate::exit::Stop;

/// What ends, stops or wakes a program, or is its own affair.
const HELD: [Signal; 9] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGTSTP,
    Signal::SIGCONT,
    Signal::SIGCHLD,
];

/// A signal, and whether the terminal sent it, to all of its foreground group at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived {
    pub(super) signal: Signal,
    pub(super) is_typed: bool,
}

pub(super) struct Signals {
    descriptor: SignalFd,
}

impl Signals {
    /// From now on signals arrive here. Threads that are started later leave them alone.
    pub(super) fn hold() -> Result<Self, Stop> {
        let held: SigSet = HELD.into_iter().collect();
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let descriptor = SignalFd::with_flags(&held, flags).map_err(failed)?;
        held.thread_block().map_err(failed)?;
        Ok(Self { descriptor })
    }

    pub(super) fn next(&self) -> Result<Option<Arrived>, Stop> {
        let Some(read) = self.descriptor.read_signal().map_err(failed)? else { return Ok(None) };
        let number = i32::try_from(read.ssi_signo).unwrap_or_default();
        Ok(Signal::try_from(number)
            .ok()
            .map(|signal| Arrived { signal, is_typed: read.ssi_code == SI_KERNEL }))
    }

    /// Stops this process as its child was stopped, so that whoever waits for us sees it, until it is to go on.
    pub(super) fn stop(&self, signal: Signal) -> Result<(), Stop> {
        let one = SigSet::from(signal);
        // Sent to the process, where the one that was typed may be waiting: both are then carried out as one.
        kill(Pid::this(), signal).map_err(failed)?;
        one.thread_unblock().map_err(failed)?;
        one.thread_block().map_err(failed)
    }
}

/// Lets a new process have the signals that its parent holds.
pub(super) fn give_back() -> Result<(), Stop> {
    HELD.into_iter().collect::<SigSet>().thread_unblock().map_err(failed)
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn failed(errno: nix::Error) -> Stop {
    Stop::machine(format!("cannot take signals: {errno}"))
}
