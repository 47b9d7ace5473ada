//! `status` on a terminal and in a pipe, once and again and again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::person::{Person, scene};
use crate::script::Script;

const ASK: &str = r#"> {"status2":{}}"#;
const DONE: &str = r#"< {"done":{"said":{"text":""}}}"#;

fn row(profile: &str, rest: &str) -> String {
    let mut row = serde_json::json!({
        "profile": profile, "state": "valid", "issued_at": null, "expires_at": null, "next_at": null,
        "last_used_at": null, "error": null, "exit": 0, "unsaved": false, "warnings": [], "members": [],
    });
    let rest: serde_json::Value = serde_json::from_str(rest).unwrap();
    row.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    format!("< {}", serde_json::json!({"item": {"status2": row}}))
}

/// A token of a lifetime that began long ago and ends far from now, half of it over.
fn half(profile: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let (issued_at, expires_at) = (now - 1_000_000, now + 1_000_000 - 43_200);
    row(profile, &format!(r#"{{"issued_at":{issued_at},"expires_at":{expires_at}}}"#))
}

const FAILING: &str = r#"{"state":"failing","exit":7,"error":{"exit":7,"kind":"provider_failed","profile":"acme","message":"the provider failed\u001b[2J","hint":null,"retry_at":null}}"#;

#[test]
fn a_bar_is_drawn_on_a_terminal_in_characters_that_it_has() {
    for (locale, bar) in [("C.UTF-8", "████░░░░ 11d 1h"), ("C", "####---- 11d 1h")]
    {
        scene(&format!("{ASK}\n{}\n{DONE}", half("acme")), |home, _| {
            let mut person = Person::runs(home, &["status"], &[("LC_ALL", locale)]);
            person.sees("acme     valid  ").sees(bar);
            assert!(person.ends().success());
        });
    }
}

#[test]
fn a_narrow_terminal_has_no_bar_and_the_note_below() {
    let script = format!("{ASK}\n{}\n{}\n{DONE}", half("acme"), row("github", FAILING));
    scene(&script, |home, _| {
        let mut person = Person::runs_on(Some(42), home, &["status"], &[("LC_ALL", "C")]);
        person.sees("PROFILE  STATE    LEFT    NEXT  USED  NOTE\r\n");
        person.sees("acme     valid    11d 1h  -     -\r\n");
        person.sees("github   failing  -       -     -\r\n  the provider failed\\u{1b}[2J\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn colour_repeats_the_state() {
    let script = format!("{ASK}\n{}\n{DONE}", row("acme", r#"{"state":"login","exit":5}"#));
    scene(&script, |home, _| {
        let arguments = ["status", "--color", "always"];
        let mut person = Person::runs(home, &arguments, &[]);
        person.sees("acme     \x1b[31mlogin\x1b[0m  -");
        assert!(person.ends().success());
    });
}

#[test]
fn a_pipe_gets_neither_bar_nor_colour() {
    let home = tempfile::tempdir().unwrap();
    let script = format!("{ASK}\n{}\n{DONE}", half("acme"));
    let agent = Script::listen(&home.path().join("agent.sock"), &script);
    let output = command(home.path(), &["status"]).env("LC_ALL", "C.UTF-8").output().unwrap();
    assert_eq!(agent.finish(), [""; 0]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "PROFILE  STATE  LEFT    NEXT  USED  NOTE\nacme     valid  11d 1h  -     -\n"
    );
}

/// The third question is never answered: Ctrl-C must not wait for the agent.
#[test]
fn watch_draws_again_until_ctrl_c_and_after_ctrl_z_and_puts_the_terminal_back() {
    let script = format!(
        "{ASK}\n{}\n{DONE}\n{ASK}\n{}\n{DONE}\n{ASK}\nmark",
        half("acme"),
        row("acme", FAILING)
    );
    scene(&script, |home, agent| {
        let environment = [("TERM", "xterm"), ("LC_ALL", "C")];
        let mut person = Person::runs(home, &["status", "--watch"], &environment);
        person.sees("\x1b[?1049h").sees("acme     valid  ####---- 11d 1h");
        person.types("\x1a").sees("\x1b[?1049l").sees("\x1b[?1049h");
        person.sees("acme     failing").sees("the provider failed\\u{1b}[2J");
        agent.reaches_mark();
        person.types("\x03").sees("\x1b[?25h\x1b[?1049l");
        assert_eq!(person.ends().code(), Some(0));
    });
}

#[test]
fn watch_says_that_the_agent_is_gone_and_starts_none() {
    let script = format!("{ASK}\n{}\n{DONE}\nclose", half("acme"));
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("agent.sock");
    let agent = Script::listen(&socket, &script);
    let environment = [("TERM", "xterm"), ("LC_ALL", "C")];
    let mut person = Person::runs(home.path(), &["status", "--watch"], &environment);
    person.sees("acme     valid");
    let moved = home.path().join("moved.sock");
    std::fs::rename(&socket, &moved).unwrap();
    person.sees("error: no agent listens at").sees("acme     valid");
    let pid = Pid::from_raw(i32::try_from(person.id()).unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    person.sees("\x1b[?1049l");
    assert!(!person.ends().success());
    assert_eq!(agent.finish_at(&moved), [""; 0]);
}

#[test]
fn a_pipe_gets_a_table_for_every_change() {
    let home = tempfile::tempdir().unwrap();
    let used = row("acme", r#"{"last_used_at":1000000000}"#);
    let script = format!(
        "{ASK}\n{}\n{DONE}\n{ASK}\n{used}\n{DONE}\n{ASK}\n{}\n{DONE}\n{ASK}\nmark",
        row("acme", "{}"),
        row("acme", r#"{"state":"none"}"#)
    );
    let agent = Script::listen(&home.path().join("agent.sock"), &script);
    let mut child = watch(home.path(), &["status", "--watch"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "PROFILE  STATE  LEFT  NEXT  USED  NOTE");
    assert_eq!(next(), "acme     valid  -     -     -");
    assert_eq!(next(), "");
    assert_eq!(next(), "PROFILE  STATE  LEFT  NEXT  USED  NOTE");
    assert_eq!(next(), "acme     none   -     -     -");
    agent.reaches_mark();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(agent.finish(), [""; 0]);
}

#[test]
fn watch_ends_when_nobody_reads_it() {
    let home = tempfile::tempdir().unwrap();
    let script = format!("{ASK}\n{}\n{DONE}", row("acme", "{}"));
    let agent = Script::listen(&home.path().join("agent.sock"), &script);
    let mut child = watch(home.path(), &["status", "--watch", "--json"]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with(r#"[{"profile":"acme","#), "{line}");
    assert_eq!(child.wait().unwrap().code(), Some(141));
    // On a slow machine it has asked once more before it saw that.
    drop(agent.finish());
}

fn command(home: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokctl"));
    command
        .args(arguments)
        .env("TOKCTL_HOME", home)
        .env("TOKCTL_SOCK", home.join("agent.sock"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

fn watch(home: &std::path::Path, arguments: &[&str]) -> Child {
    command(home, arguments).stdout(Stdio::piped()).spawn().unwrap()
}
