//! The program as a child: how it is started, signalled and waited for.
//!
//! It stays in our process group where there is a terminal. The terminal's foreground is that group then, set by the
//! shell and shared with the rest of a pipeline and the script around it: Ctrl-C and Ctrl-Z reach all of them, `less`
//! behind a pipe may read the keyboard, and `fg` and `bg` find one job. A group of its own it gets only where there is no
//! terminal and it is to be restarted, so that what it started in turn ends with it.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::exit::Stop;

/// What became of the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Stopped(Signal),
    /// The exit status, 128 and its number for a signal, as a shell has it.
    Ended(u8),
}

pub(super) struct Child {
    pid: Pid,
    has_group: bool,
}

impl Child {
    pub(super) fn start(mut command: Command, has_group: bool) -> io::Result<Self> {
        if has_group {
            command.process_group(0);
        }
        let child = command.spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid of Linux is a pid_t"));
        Ok(Self { pid, has_group })
    }

    /// Sends a signal; a child that is gone is no failure.
    pub(super) fn signal(&self, signal: Signal) {
        let _gone = match self.has_group {
            true => killpg(self.pid, signal),
            false => kill(self.pid, signal),
        };
    }

    /// Whether signals from the terminal reach it without us.
    pub(super) fn is_in_our_group(&self) -> bool {
        !self.has_group
    }

    /// Whether anything is left of its group, once it has ended itself.
    pub(super) fn has_left_others(&self) -> bool {
        if !self.has_group {
            return false;
        }
        // As the first process of a container we are the parent of all that lost theirs.
        let ours = Pid::from_raw(-self.pid.as_raw());
        while let Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) =
            waitpid(ours, Some(WaitPidFlag::WNOHANG))
        {}
        killpg(self.pid, None).is_ok()
    }

    /// What happened since, oldest first; `None` when nothing did.
    pub(super) fn change(&self) -> Result<Option<Change>, Stop> {
        loop {
            return Ok(
                match waitpid(self.pid, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
                    Ok(WaitStatus::Exited(_, status)) => {
                        Some(Change::Ended(u8::try_from(status & 0xff).unwrap_or(u8::MAX)))
                    }
                    Ok(WaitStatus::Signaled(_, signal, _)) => {
                        Some(Change::Ended(128 + u8::try_from(signal as i32).unwrap_or_default()))
                    }
                    Ok(WaitStatus::Stopped(_, signal)) => Some(Change::Stopped(signal)),
                    Ok(_) => None,
                    Err(Errno::EINTR) => continue,
                    Err(errno) => {
                        return Err(Stop::machine(format!("cannot wait for the program: {errno}")));
                    }
                },
            );
        }
    }
}

/// Whether this process has a terminal to share with its child.
pub(super) fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}
