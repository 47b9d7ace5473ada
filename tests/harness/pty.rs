//! Runs a program on a terminal of its own, types and reads, with deadlines.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::process::Run;
use crate::wait;

/// A program and the person at its terminal.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    /// The program's side, kept open so that what it printed last is not lost when it ends.
    line: File,
    screen: Arc<Mutex<String>>,
    /// Up to where [`Terminal::expect`] has read.
    read: usize,
}

impl Terminal {
    /// Starts `run` as the leader of a session whose terminal this is, with all three of its standard streams
    /// on it.
    #[track_caller]
    pub fn start(run: Run) -> Self {
        Self::try_start(&run.into_command(), false).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// As [`Terminal::start`], but with stdout closed to the terminal, as in `$(…)`: what it prints is lost.
    #[track_caller]
    pub fn start_substituted(run: Run) -> Self {
        Self::try_start(&run.into_command(), true).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn try_start(wanted: &Command, substituted: bool) -> Result<Self> {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)
            .context("no terminal to be had")?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let line = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open(ptsname_r(&master)?)?;
        // `setsid --ctty` makes the session and execs, so that no unsafe code of ours runs between.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(wanted.get_program()).args(wanted.get_args());
        command.env_clear();
        for (name, value) in wanted.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(directory) = wanted.get_current_dir() {
            command.current_dir(directory);
        }
        command.env("TERM", "xterm-256color");
        command.stdin(line.try_clone()?).stderr(line.try_clone()?);
        match substituted {
            true => command.stdout(Stdio::null()),
            false => command.stdout(line.try_clone()?),
        };
        let child = command.spawn().context("cannot start `setsid` (util-linux)")?;

        let master = File::from(std::os::fd::OwnedFd::from(master));
        let screen = Arc::new(Mutex::new(String::new()));
        let (mut output, shown) = (master.try_clone()?, Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Ends with EIO, once nobody has the terminal open.
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]);
                shown.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push_str(&text);
            }
        });
        Ok(Self { child, keyboard: master, line, screen, read: 0 })
    }

    /// Waits until `text` is shown, after what was waited for before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let found = wait::within(wait::PATIENCE, || {
            let screen = self.screen();
            screen[self.read..].find(text).map(|at| self.read + at + text.len())
        });
        match found {
            Some(read) => self.read = read,
            None => panic!("the terminal never showed {text:?}, but {:?}", self.screen()),
        }
    }

    /// Waits until the program has turned off the echo, as for a passphrase: what is typed before that would
    /// be seen.
    #[track_caller]
    pub fn expect_hidden(&mut self, prompt: &str) {
        self.expect(prompt);
        wait::eventually("the terminal stops echoing", || {
            let flags = tcgetattr(&self.line).ok()?.local_flags;
            (!flags.contains(LocalFlags::ECHO)).then_some(())
        });
    }

    /// Waits until what is typed is shown again.
    #[track_caller]
    pub fn expect_echo(&mut self) {
        wait::eventually("the terminal echoes again", || {
            let flags = tcgetattr(&self.line).ok()?.local_flags;
            flags.contains(LocalFlags::ECHO).then_some(())
        });
    }

    /// Types a line.
    #[track_caller]
    pub fn type_line(&mut self, text: &str) {
        self.type_keys(&format!("{text}\n"));
    }

    /// Types; `\x03` is Ctrl-C.
    #[track_caller]
    pub fn type_keys(&mut self, keys: &str) {
        if let Err(error) = self.keyboard.write_all(keys.as_bytes()) {
            panic!("cannot type: {error}");
        }
    }

    /// Everything shown so far.
    pub fn screen(&self) -> String {
        self.screen.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Waits for the program's end and returns its exit status and everything it showed.
    #[track_caller]
    pub fn finish(mut self) -> (i32, String) {
        let ended = wait::within(wait::PATIENCE, || self.child.try_wait().ok().flatten());
        let Some(status) = ended else {
            panic!("the program did not end; the terminal shows {:?}", self.screen());
        };
        // A mark of our own behind all it printed: once it is shown, so is the rest.
        const MARK: &str = "\u{1}end\u{1}";
        if let Err(error) = self.line.write_all(MARK.as_bytes()) {
            panic!("the terminal is gone: {error}");
        }
        wait::eventually("the terminal shows everything", || {
            self.screen().ends_with(MARK).then_some(())
        });
        let screen = self.screen();
        let shown = screen.strip_suffix(MARK).unwrap_or(&screen).replace("\r\n", "\n");
        (status.code().unwrap_or(-1), shown)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Run {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Run::new("sh").args(["-c", script]).env("PATH", path)
    }

    #[test]
    fn what_is_typed_arrives_and_the_end_is_seen() {
        let mut terminal = Terminal::start(shell(
            "test -t 0 && printf 'name? ' >/dev/tty && read name </dev/tty && echo \"hello $name\"; exit 7",
        ));
        terminal.expect("name? ");
        terminal.type_line("ada");
        let (code, screen) = terminal.finish();
        assert_eq!((code, screen.as_str()), (7, "name? ada\nhello ada\n"));
    }

    #[test]
    fn a_hidden_answer_is_not_shown() {
        let mut terminal = Terminal::start(shell(
            "stty -echo; printf 'passphrase: '; read secret; stty echo; echo; echo \"${#secret}\"",
        ));
        terminal.expect_hidden("passphrase: ");
        terminal.type_line("hunter2");
        let (code, screen) = terminal.finish();
        assert_eq!((code, screen.as_str()), (0, "passphrase: \n7\n"));
    }

    #[test]
    fn control_c_reaches_the_program() {
        // A shell that reads would miss a signal that comes a moment before it begins to.
        let mut terminal = Terminal::start(shell(
            "trap 'exit 130' INT; printf 'waiting'; while :; do sleep 1; done",
        ));
        terminal.expect("waiting");
        terminal.type_keys("\x03");
        assert_eq!(terminal.finish().0, 130);
    }
}
