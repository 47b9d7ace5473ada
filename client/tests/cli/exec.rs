//! `tokctl exec` beyond what a story can tell: processes, signals, files, renewals and the terminal.

mod keeping;
mod terminal;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::script::{Script, TOKEN};

const GET: &str = r#"> {"get":{"profile":"acme"}}"#;
/// As it is asked for where it is to be followed: a pool names the member then.
const FOLLOW: &str = r#"> {"get2":{"profile":"acme"}}"#;
const WATCH: &str = r#"> {"watch":{"profiles":["acme"]}}"#;
const RENEWED: &str = r#"< {"item":{"event":{"at_ms":1,"what":"renewed","profile":"acme","scope":"","expires_at":null,"kind":null,"message":null,"hint":null}}}"#;

/// The answer of an agent that has that token.
fn token(text: &str) -> String {
    TOKEN.replace("eyJ0", text)
}

/// A script in which acme is renewed, after a pause of the agent.
fn renewal(rest: &[&str]) -> String {
    let first = [FOLLOW, TOKEN, WATCH, "pause", RENEWED, "switch", GET];
    [&first[..], &[&*token("eyJ1")], rest].concat().join("\n")
}

/// `tokctl exec` in a session of its own, so that it has no terminal wherever the tests run.
fn exec(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("setsid");
    command
        .args([env!("CARGO_BIN_EXE_tokctl"), "exec"])
        .args(arguments)
        .current_dir(home)
        .env("TOKCTL_HOME", home)
        .env("TOKCTL_SOCK", home.join("agent.sock"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// A program under tokctl, with somebody at its stdin and stdout.
struct Run {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Drop for Run {
    /// A test that failed leaves nothing behind that its runner would wait for.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _gone = kill(self.pid(), Signal::SIGTERM);
        }
    }
}

impl Run {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn types(&mut self, text: &str) {
        self.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Closes stdin; gives the exit status and what was printed since.
    fn ends(mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

/// Plays with an agent that follows a script.
fn play(script: &str, scene: impl FnOnce(&Path, &Script)) {
    let home = tempfile::tempdir().unwrap();
    let agent = Script::listen(&home.path().join("agent.sock"), script);
    scene(home.path(), &agent);
    assert_eq!(agent.finish(), [""; 0]);
}

fn with_token(scene: impl FnOnce(&Path)) {
    play(&[GET, TOKEN].join("\n"), |home, _| scene(home));
}

#[test]
fn the_program_takes_the_place_of_tokctl_without_its_connection_and_with_no_token_in_its_arguments()
{
    let script = "echo $$; ls -l /proc/$$/fd | grep socket; tr '\\0' ' ' </proc/$$/cmdline";
    with_token(|home| {
        let run = Run::start(exec(home, &["acme", "--", "sh", "-c", script]));
        let expected = format!("{}\nsh -c {script} ", run.pid());
        assert_eq!(run.ends(), (Some(0), expected));
    });
}

#[test]
fn a_parent_passes_signals_on_and_ends_as_its_child_does() {
    let waits = "echo ready; while :; do read x; done";
    for (script, signal, code) in [
        ("trap 'exit 5' TERM; ", Signal::SIGTERM, 5),
        ("trap 'exit 6' HUP; ", Signal::SIGHUP, 6),
        ("trap 'exit 7' INT; ", Signal::SIGINT, 7),
        ("trap 'exit 8' USR1; ", Signal::SIGUSR1, 8),
        ("trap 'kill -KILL $$' USR2; ", Signal::SIGUSR2, 137),
        ("", Signal::SIGTERM, 143),
    ] {
        let script = format!("{script}{waits}");
        with_token(|home| {
            let mut run = Run::start(exec(home, &["acme", "--redact", "--", "sh", "-c", &script]));
            assert_eq!(run.line(), "ready");
            kill(run.pid(), signal).unwrap();
            assert_eq!(run.ends().0, Some(code), "{script}");
        });
    }
}

#[test]
fn the_masked_output_comes_as_it_is_written_and_a_token_in_two_pieces_is_masked() {
    let script = "printf '<eyJ'; read x; printf '0>\\n'; echo eyJ0 >&2";
    with_token(|home| {
        let mut command = exec(home, &["acme", "--redact", "--", "sh", "-c", script]);
        let mut run = Run::start({
            command.stderr(Stdio::piped());
            command
        });
        let mut first = [0];
        run.stdout.read_exact(&mut first).unwrap();
        assert_eq!(first, *b"<");
        run.types("\n");
        let mut said = String::new();
        run.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "***\n");
        assert_eq!(run.ends(), (Some(0), "***>\n".to_owned()));
    });
}

#[test]
fn masked_streams_that_go_to_one_place_keep_their_order() {
    let script = "for i in 1 2 3 4 5 6 7 8 9; do echo $i; echo $i >&2; done";
    with_token(|home| {
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$@\" 2>&1", "sh", env!("CARGO_BIN_EXE_tokctl")])
            .args(["exec", "acme", "--redact", "--", "sh", "-c", script])
            .env("TOKCTL_HOME", home)
            .env("TOKCTL_SOCK", home.join("agent.sock"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let expected: String = (1..=9).map(|number| format!("{number}\n{number}\n")).collect();
        assert_eq!(Run::start(command).ends(), (Some(0), expected));
    });
}

#[test]
fn what_a_child_of_the_program_prints_after_its_end_is_masked_too() {
    // The shell ends first; its child is told to go on by the end of stdin.
    let script = "exec 3<&0; (read x <&3; echo \"late eyJ0\") & echo ends";
    with_token(|home| {
        let mut run = Run::start(exec(home, &["acme", "--redact", "--", "sh", "-c", script]));
        assert_eq!(run.line(), "ends");
        assert_eq!(run.ends(), (Some(0), "late ***\n".to_owned()));
    });
}

#[test]
fn a_process_that_is_left_behind_holds_nobody_up_beyond_the_grace() {
    let script = "tail -f /dev/null & echo $!";
    with_token(|home| {
        let arguments = ["acme", "--redact", "--grace", "0", "--", "sh", "-c", script];
        let mut run = Run::start(exec(home, &arguments));
        let left = Pid::from_raw(run.line().parse().unwrap());
        assert_eq!(run.ends(), (Some(0), String::new()));
        kill(left, Signal::SIGTERM).unwrap();
    });
}

#[test]
fn a_program_whose_output_nobody_takes_learns_it_as_without_tokctl() {
    with_token(|home| {
        let mut child = exec(home, &["acme", "--redact", "--", "yes"]).spawn().unwrap();
        let mut first = [0];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(128 + Signal::SIGPIPE as i32));
    });
}
