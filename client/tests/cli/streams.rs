//! stdout is data and stderr is talk; a stdout that fails is not kept quiet.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::script::{Script, TOKEN};

const GET: &str = r#"> {"get":{"profile":"acme"}}"#;

fn tokctl(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokctl"));
    command.env("TOKCTL_HOME", home).env("TOKCTL_SOCK", home.join("agent.sock"));
    command.env_remove("GITHUB_ACTIONS");
    command
}

fn get_with(script: &str, change: impl FnOnce(&mut Command) -> &mut Command) -> Output {
    let home = tempfile::tempdir().unwrap();
    let agent = Script::listen(&home.path().join("agent.sock"), script);
    let mut command = tokctl(home.path());
    let output = change(command.args(["get", "acme"])).output().unwrap();
    assert_eq!(agent.finish(), [""; 0]);
    output
}

#[test]
fn a_token_is_all_that_stdout_gets() {
    let talk = r#"< {"progress":{"text":"asking","warning":false}}
                  < {"progress":{"text":"slow","warning":true}}"#;
    let output = get_with(&format!("{GET}\n{talk}\n{TOKEN}"), |command| command);
    assert_eq!(output.stdout, b"eyJ0\n");
    assert_eq!(output.stderr, b"asking\ntokctl: warning: slow\n");

    let output = get_with(&format!("{GET}\n{talk}\n{TOKEN}"), |command| command.arg("-q"));
    assert_eq!(output.stdout, b"eyJ0\n");
    assert_eq!(output.stderr, b"tokctl: warning: slow\n");
}

#[test]
fn an_error_leaves_stdout_empty() {
    let refusal = r#"< {"error":{"exit":7,"kind":"timeout","profile":null,"message":"no","hint":null,"retry_at":null}}"#;
    for (request, options) in [(GET, &[][..]), (r#"> {"get2":{"profile":"acme"}}"#, &["--json"])] {
        let output = get_with(&format!("{request}\n{refusal}"), |command| command.args(options));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(7), 0));
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let output = get_with(&format!("{GET}\n{TOKEN}"), |command| {
        command.stdout(File::options().write(true).open("/dev/full").unwrap())
    });
    assert_eq!(output.status.code(), Some(11));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("tokctl: error: cannot write to stdout: No space left"), "{said}");
}

#[test]
fn a_reader_that_has_enough_is_no_error_to_talk_about() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = get_with(&format!("{GET}\n{TOKEN}"), |command| command.stdout(writer));
    assert_eq!((output.status.code(), output.stderr.len()), (Some(141), 0));
}

#[test]
fn colour_is_for_those_who_want_it() {
    let refusal = r#"< {"error":{"exit":7,"kind":"timeout","profile":null,"message":"no","hint":null,"retry_at":null}}"#;
    for (option, coloured) in [("auto", false), ("never", false), ("always", true)] {
        let output =
            get_with(&format!("{GET}\n{refusal}"), |command| command.args(["--color", option]));
        assert_eq!(output.stderr.contains(&0x1b), coloured, "{option}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_coloured_as_it_wants() {
    for (arguments, coloured) in [
        (&["gett", "--color", "always"][..], true),
        (&["--color=always", "gett"], true),
        (&["gett", "--color", "never"], false),
        (&["gett"], false),
    ] {
        let home = tempfile::tempdir().unwrap();
        let output = tokctl(home.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(output.stderr.contains(&b'\x1b'), coloured, "{arguments:?}");
    }
}

#[test]
fn the_log_is_shown_from_its_end_and_cannot_move_the_cursor() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("state")).unwrap();
    std::fs::write(home.path().join("state/agent.log"), "one\ntwo\x1b[2J\nthree\n").unwrap();
    let output = tokctl(home.path())
        .args(["agent", "log", "-n", "2"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "two\\u{1b}[2J\nthree\n");
}
