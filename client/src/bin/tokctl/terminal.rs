//! Questions on /dev/tty, with or without echo.
//!
//! The terminal is put back as it was before this process does anything else: on an answer, on Ctrl-C, on
//! Ctrl-Z (and the question is asked again afterwards), when the process is told to end, and when the
//! agent speaks because the matter was settled elsewhere. Signals are taken as data while a question is
//! open, so no handler runs at a bad moment.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{FlushArg, LocalFlags, SetArg, Termios, tcflush, tcgetattr, tcsetattr};
use tokctl_client::{Error, Secret};
use zeroize::Zeroizing;

use crate::output::safe;

/// The kernel cuts a longer line without a word (N_TTY_BUF_SIZE), so a line as long as this is refused.
const LINE_BYTES_MAX: usize = 4095;

/// What came of a question.
#[derive(Debug)]
pub(crate) enum Typed {
    Line(Secret),
    /// The agent has spoken meanwhile.
    Settled,
}

/// The terminal of this process.
#[derive(Debug)]
pub(crate) struct Terminal {
    tty: File,
}

/// Makes the process one that others of its user can neither trace nor dump, before a secret is read. Failing
/// is no reason to refuse: old kernels in containers do.
pub(crate) fn hide_from_others() {
    let _refused = nix::sys::prctl::set_dumpable(false);
}

impl Terminal {
    pub(crate) fn open() -> Result<Self, Error> {
        let tty = File::options().read(true).write(true).open("/dev/tty").map_err(failed)?;
        Ok(Self { tty })
    }

    /// Asks, and waits for a line or for the agent, whose end of the connection that is.
    pub(crate) fn ask(
        &self,
        prompt: &str,
        hidden: bool,
        agent: Option<BorrowedFd<'_>>,
    ) -> Result<Typed, Error> {
        hide_from_others();
        let prompt = safe(prompt.trim_end());
        let end = if prompt.ends_with(['?', ':', ']']) { "" } else { ":" };
        loop {
            let signals = Signals::hold()?;
            let echo = if hidden { Some(Echo::off(&self.tty)?) } else { None };
            self.say(&format!("{prompt}{end} "))?;
            let happened = wait(&self.tty, &signals, agent)?;
            if matches!(happened, Happened::Typed) {
                return self.line();
            }
            // Half a line may be there; it is not for the shell.
            let _kept = tcflush(&self.tty, FlushArg::TCIFLUSH);
            drop(echo);
            self.say("\n")?;
            match happened {
                Happened::Signal(signal @ (Signal::SIGTSTP | Signal::SIGTERM | Signal::SIGHUP)) => {
                    // Delivered once the signals are let go: stops or ends us, as its sender wanted.
                    raise(signal).map_err(|errno| failed(errno.into()))?;
                    drop(signals);
                }
                Happened::Signal(_) => return Err(Error::Cancelled),
                Happened::AgentSpoke | Happened::Typed => return Ok(Typed::Settled),
            }
        }
    }

    fn say(&self, text: &str) -> Result<(), Error> {
        (&self.tty).write_all(text.as_bytes()).map_err(failed)
    }

    /// The line that the kernel has ready.
    fn line(&self) -> Result<Typed, Error> {
        let mut line = Zeroizing::new([0; LINE_BYTES_MAX + 1]);
        let length = loop {
            match (&self.tty).read(&mut *line) {
                Ok(length) => break length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        };
        let text = match line[..length].split_last() {
            // Ctrl-D.
            None => {
                self.say("\n")?;
                return Err(Error::Cancelled);
            }
            Some((b'\n', text)) => text,
            Some(_) => &line[..length],
        };
        if length >= LINE_BYTES_MAX {
            return Err(failed(io::Error::new(
                ErrorKind::InvalidInput,
                "the line is too long for a terminal, give it in a file",
            )));
        }
        let text = Secret::from_utf8(text.to_vec());
        text.map(Typed::Line).ok_or_else(|| {
            failed(io::Error::new(ErrorKind::InvalidInput, "what was typed is not UTF-8"))
        })
    }
}

/// What ended the wait.
enum Happened {
    Typed,
    AgentSpoke,
    Signal(Signal),
}

fn wait(tty: &File, signals: &Signals, agent: Option<BorrowedFd<'_>>) -> Result<Happened, Error> {
    let mut watched = vec![
        PollFd::new(signals.descriptor.as_fd(), PollFlags::POLLIN),
        PollFd::new(tty.as_fd(), PollFlags::POLLIN),
    ];
    if let Some(agent) = agent {
        watched.push(PollFd::new(agent, PollFlags::POLLIN));
    }
    loop {
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(failed(errno.into())),
        }
        let is_ready = |at: usize| watched.get(at).and_then(PollFd::any).unwrap_or(false);
        if is_ready(0) {
            if let Some(signal) = signals.next()? {
                return Ok(Happened::Signal(signal));
            }
        } else if is_ready(1) {
            return Ok(Happened::Typed);
        } else if is_ready(2) {
            return Ok(Happened::AgentSpoke);
        }
    }
}

/// Echo is off as long as this lives.
struct Echo<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Echo<'a> {
    fn off(tty: &'a File) -> Result<Self, Error> {
        let before = tcgetattr(tty).map_err(|errno| failed(errno.into()))?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        silent.local_flags.insert(LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        tcsetattr(tty, SetArg::TCSAFLUSH, &silent).map_err(|errno| failed(errno.into()))?;
        Ok(Self { tty, before })
    }
}

impl Drop for Echo<'_> {
    fn drop(&mut self) {
        let _gone = tcsetattr(self.tty, SetArg::TCSANOW, &self.before);
    }
}

/// The signals that would end or stop us arrive here as long as this lives.
pub(crate) struct Signals {
    held: SigSet,
    descriptor: SignalFd,
}

impl Signals {
    pub(crate) fn hold() -> Result<Self, Error> {
        let held: SigSet =
            [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGTSTP]
                .into_iter()
                .collect();
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let descriptor =
            SignalFd::with_flags(&held, flags).map_err(|errno| failed(errno.into()))?;
        held.thread_block().map_err(|errno| failed(errno.into()))?;
        Ok(Self { held, descriptor })
    }

    /// The next signal that has arrived.
    pub(crate) fn next(&self) -> Result<Option<Signal>, Error> {
        let read = self.descriptor.read_signal().map_err(|errno| failed(errno.into()))?;
        Ok(read
            .and_then(|arrived| i32::try_from(arrived.ssi_signo).ok())
            .and_then(|number| Signal::try_from(number).ok()))
    }
}

/// Whether a signal is the end of a command that can end well; the others are for the system to carry out.
pub(crate) fn is_for_us(signal: Signal) -> bool {
    !matches!(signal, Signal::SIGTSTP | Signal::SIGTERM | Signal::SIGHUP)
}

impl Signals {
    /// Lets the signals go, so that this one stops or ends us, as its sender wanted.
    pub(crate) fn deliver(self, signal: Signal) -> Result<(), Error> {
        raise(signal).map_err(|errno| failed(errno.into()))
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _refused = self.held.thread_unblock();
    }
}

fn failed(source: io::Error) -> Error {
    Error::Machine { what: "cannot ask on the terminal".into(), source }
}
