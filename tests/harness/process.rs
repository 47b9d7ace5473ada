//! Runs a program to its end, with a deadline, an environment of its own and nothing left unread.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::wait;

/// How long a pipe may stay open after its program has ended. Whoever still holds it then was left behind
/// by the program, which must not happen: `$(tokctl get acme)` would hang.
const PIPE_CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// A command under construction.
#[derive(Debug)]
pub struct Run {
    command: Command,
    stdin: Option<Vec<u8>>,
    patience: Duration,
}

impl Run {
    /// With an empty environment.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.env_clear();
        Self { command, stdin: None, patience: wait::PATIENCE }
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub fn current_dir(mut self, directory: impl AsRef<std::path::Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// As another user; only root can.
    pub fn user(mut self, uid: u32) -> Self {
        self.command.uid(uid).gid(uid);
        self
    }

    /// What the program reads; nothing unless set.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Kills it after so long.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The command as it stands, to be run on a terminal.
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Starts it; [`Running::finish`] waits.
    #[track_caller]
    pub fn start(mut self) -> Running {
        let shown = shown(&self.command);
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.stdin(match &self.stdin {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        });
        let mut child = match self.command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot start {shown}: {error}"),
        };
        if let (Some(bytes), Some(mut pipe)) = (self.stdin.take(), child.stdin.take()) {
            // A program that ends without reading is no failure of the test's.
            std::thread::spawn(move || pipe.write_all(&bytes));
        }
        let stdout = collect(child.stdout.take().expect("stdout is piped"));
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        Running { shown, child, stdout, stderr, patience: self.patience }
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Output {
        self.start().finish()
    }
}

/// A program that was started. It is killed if nobody waits for it.
#[derive(Debug)]
pub struct Running {
    shown: String,
    child: Child,
    stdout: Collected,
    stderr: Collected,
    patience: Duration,
}

impl Running {
    /// The lines that it has printed so far, if there are so many.
    pub fn lines(&self, count: usize) -> Option<Vec<String>> {
        let text = String::from_utf8_lossy(&self.stdout.so_far()).into_owned();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines: Vec<String> = whole.lines().map(str::to_owned).collect();
        (lines.len() >= count).then_some(lines)
    }

    /// What it has said on stderr so far.
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&self.stderr.so_far()).into_owned()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Waits for its end and for all it said.
    #[track_caller]
    pub fn finish(mut self) -> Output {
        let ended = wait::within(self.patience, || match self.child.try_wait() {
            Ok(status) => status,
            Err(error) => panic!("cannot wait for {}: {error}", self.shown),
        });
        let Some(status) = ended else {
            panic!("{} did not end within {:?}", self.shown, self.patience);
        };
        let [stdout, stderr] =
            [("stdout", &self.stdout), ("stderr", &self.stderr)].map(|(name, pipe)| {
                if pipe.closed.recv_timeout(PIPE_CLOSES_WITHIN).is_err() {
                    panic!("{} ended, but somebody it started still holds its {name}", self.shown);
                }
                String::from_utf8_lossy(&pipe.so_far()).into_owned()
            });
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        Output { shown: self.shown.clone(), code, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // It may end by itself between the two calls; its pid is still ours until it is waited for.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// What a program came to.
#[derive(Clone)]
pub struct Output {
    shown: String,
    /// The exit status, or 128 and the signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Expects success and returns what it printed, without the last line feed.
    #[track_caller]
    pub fn ok(self) -> String {
        let text = self.exits(0).stdout;
        text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
    }

    /// Expects an exit status.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "not exit {code}: {self:?}");
        self
    }

    /// Expects an exit status and these words on stderr.
    #[track_caller]
    pub fn fails(self, code: i32, words: &[&str]) -> Self {
        let output = self.exits(code);
        for word in words {
            assert!(output.stderr.contains(word), "stderr does not say {word:?}: {output:?}");
        }
        output
    }

    /// Reads stdout as JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let output = self.exits(0);
        match serde_json::from_str(&output.stdout) {
            Ok(value) => value,
            Err(error) => panic!("stdout is not JSON ({error}): {output:?}"),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shown, code, stdout, stderr } = self;
        write!(f, "{shown}\n  exit {code}\n  stdout {stdout:?}\n  stderr {stderr:?}")
    }
}

/// What has come through a pipe.
#[derive(Debug)]
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    closed: Receiver<()>,
}

impl Collected {
    fn so_far(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> Collected {
    let (sender, closed) = channel();
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let read = Arc::clone(&bytes);
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        // What was read before an error is shown all the same; a test that is over no longer listens.
        while let Ok(length @ 1..) = pipe.read(&mut piece) {
            let mut all = read.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            all.extend_from_slice(&piece[..length]);
        }
        let _over = sender.send(());
    });
    Collected { bytes, closed }
}

fn shown(command: &Command) -> String {
    let words: Vec<OsString> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_os_string)
        .collect();
    words.join(OsStr::new(" ")).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Run {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Run::new("sh").args(["-c", script]).env("PATH", path)
    }

    #[test]
    fn a_program_is_read_to_its_end() {
        let output = shell("cat; echo done >&2; exit 3").stdin("what it reads").run();
        let Output { code, stdout, stderr, .. } = &output;
        assert_eq!((*code, stdout.as_str(), stderr.as_str()), (3, "what it reads", "done\n"));
    }

    #[test]
    fn a_signal_is_told_as_a_shell_tells_it() {
        assert_eq!(shell("kill -9 $$").run().code, 137);
    }

    #[test]
    #[should_panic(expected = "did not end within")]
    fn a_program_that_hangs_is_killed() {
        shell("exec sleep 60").patience(Duration::from_millis(50)).run();
    }
}
