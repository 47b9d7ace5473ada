//! Somebody at a terminal, for what a program does there.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, tcgetattr};

use crate::script::{Script, WAIT_MAX};

/// Variables by which a browser is found.
pub(crate) const WHERE_A_BROWSER_IS: [&str; 5] =
    ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY"];

/// Somebody at a terminal of their own, running one command.
pub(crate) struct Person {
    keyboard: File,
    terminal: OwnedFd,
    child: Child,
    seen: Vec<u8>,
}

impl Person {
    pub(crate) fn runs(home: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::runs_on(None, home, arguments, environment)
    }

    /// On a terminal of that many columns.
    pub(crate) fn runs_on(
        columns: Option<u16>,
        home: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let tokctl = env!("CARGO_BIN_EXE_tokctl");
        Self::runs_program_on(columns, home, tokctl, arguments, environment)
    }

    /// Another program, such as a shell that runs tokctl in turn.
    pub(crate) fn runs_program_on(
        columns: Option<u16>,
        home: &Path,
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let size = columns.map(|columns| Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        });
        let pty = openpty(&size, None).unwrap();
        let mut command = Command::new("setsid");
        let end = || pty.slave.try_clone().unwrap();
        command
            .args(["--ctty", program])
            .args(arguments)
            .env("TOKCTL_HOME", home)
            .env("TOKCTL_SOCK", home.join("agent.sock"))
            .env("NO_COLOR", "1")
            .env_remove("GITHUB_ACTIONS")
            .envs(environment.iter().copied())
            .stdin(end())
            .stdout(end())
            .stderr(end());
        for name in ["CI", "TOKCTL_NO_PROMPT", "HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE"]
            .into_iter()
            .chain(WHERE_A_BROWSER_IS)
        {
            if !environment.iter().any(|(set, _)| *set == name) {
                command.env_remove(name);
            }
        }
        let child = command.spawn().unwrap();
        Self { keyboard: pty.master.into(), terminal: pty.slave, child, seen: Vec::new() }
    }

    /// Waits until the screen shows `text` after what was waited for before.
    pub(crate) fn sees(&mut self, text: &str) -> &mut Self {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let mut places = self.seen.windows(text.len());
            if let Some(at) = places.position(|place| place == text.as_bytes()) {
                self.seen.drain(..at + text.len());
                return self;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let mut watched = [PollFd::new(self.keyboard.as_fd(), PollFlags::POLLIN)];
            let ready = poll(&mut watched, PollTimeout::try_from(left).unwrap()).unwrap();
            let seen = String::from_utf8_lossy(&self.seen);
            assert_ne!(ready, 0, "`{text}` never came, but `{seen}`");
            let mut piece = [0; 1024];
            let count = self.keyboard.read(&mut piece).unwrap();
            self.seen.extend_from_slice(&piece[..count]);
        }
    }

    pub(crate) fn types(&mut self, text: &str) -> &mut Self {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        self
    }

    pub(crate) fn is_echoed(&self) -> bool {
        tcgetattr(&self.terminal).unwrap().local_flags.contains(LocalFlags::ECHO)
    }

    /// The command's process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the command's end, and sees that the terminal is as it was.
    pub(crate) fn ends(mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        assert!(self.is_echoed(), "echo is off after the command");
        status
    }
}

/// Plays with a scripted agent, and sees that it was asked what the script says.
pub(crate) fn scene(script: &str, play: impl FnOnce(&Path, &Script)) {
    let home = tempfile::tempdir().unwrap();
    let agent = Script::listen(&home.path().join("agent.sock"), script);
    play(home.path(), &agent);
    assert_eq!(agent.finish(), [""; 0]);
}
