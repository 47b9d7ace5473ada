//! A program under a tokctl that stays as its parent, on a terminal.

use std::path::Path;

use crate::exec::{GET as PLAIN_GET, RENEWED, TOKEN, WATCH, token};
use crate::person::{Person, scene};
use crate::script::Script;

/// Somebody is there to be asked.
const GET: &str = r#"> {"get2":{"profile":"acme","interactive":true}}"#;
/// Has tokctl stay.
const STAYS: &str = "\"$TOKCTL\" exec --file token=acme -- ";

/// A shell with job control that runs a script, in a directory where an agent has a token.
fn shell(script: &str, scene: impl FnOnce(Person)) {
    let home = tempfile::tempdir().unwrap();
    let agent = Script::listen(&home.path().join("agent.sock"), &[GET, TOKEN, WATCH].join("\n"));
    let script = format!("cd {}; set -m; {script}", home.path().display());
    let environment = [("TOKCTL", env!("CARGO_BIN_EXE_tokctl"))];
    scene(Person::runs_program_on(None, home.path(), "sh", &["-c", &script], &environment));
    assert!(!Path::new(&home.path().join("token")).exists());
    // A program that ends at once ends before tokctl has asked to be told about renewals.
    let complaints = agent.finish();
    assert!(complaints.iter().all(|said| said.starts_with("never asked")), "{complaints:?}");
}

#[test]
fn the_terminal_is_the_childs() {
    let script = "sh -c 'test -t 0 && test -t 1 && test -t 2 && printf \"name? \"; read x; echo \"it is $x\"'";
    shell(&format!("{STAYS}{script}"), |mut person| {
        person.sees("name? ").types("ada\n").sees("it is ada");
        assert!(person.ends().success());
    });
}

#[test]
fn ctrl_c_reaches_the_child_once() {
    let script = "sh -c 'n=0; trap \"n=\\$((n+1)); echo int \\$n\" INT; echo ready; \
                  until read x && [ \"$x\" = end ]; do :; done; echo \"all of them: $n\"'";
    shell(&format!("{STAYS}{script}"), |mut person| {
        person.sees("ready").types("\x03").sees("int 1");
        person.types("\x03").sees("int 2").types("end\n").sees("all of them: 2\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn a_child_that_ctrl_c_ends_gives_its_status() {
    shell(&format!("{STAYS}sh -c 'echo ready; read x'; echo \"status $?\""), |mut person| {
        person.sees("ready").types("\x03").sees("status 130");
        assert!(person.ends().success());
    });
}

#[test]
fn ctrl_z_stops_the_job_and_fg_goes_on_with_it() {
    let script =
        "sh -c 'echo ready; read x; echo \"got $x\"'; echo \"stopped $?\"; fg; echo \"end $?\"";
    shell(&format!("{STAYS}{script}"), |mut person| {
        // 128 and SIGTSTP.
        person.sees("ready").types("\x1a").sees("stopped 148");
        person.types("word\n").sees("got word").sees("end 0");
        assert!(person.ends().success());
    });
}

#[test]
fn what_stands_behind_a_pipe_may_read_the_keyboard() {
    // The program runs on until somebody has typed.
    let before = "sh -c 'echo data; read x <go'";
    let behind = "sh -c 'read d; printf \"key? \"; read k </dev/tty; echo >go; echo \"$d $k\"'";
    shell(&format!("mkfifo go; {STAYS}{before} | {behind}"), |mut person| {
        person.sees("key? ").types("word\n").sees("data word");
        assert!(person.ends().success());
    });
}

#[test]
fn a_child_in_the_background_may_not_take_the_terminal() {
    let script = "sh -c 'echo ready; read x; echo \"got $x\"' & \
                  until grep -q '^State:.T' /proc/$!/status; do :; done; echo waits; fg; echo \"end $?\"";
    shell(&format!("{STAYS}{script}"), |mut person| {
        person.sees("ready").sees("waits").types("word\n").sees("got word").sees("end 0");
        assert!(person.ends().success());
    });
}

#[test]
fn a_program_that_is_restarted_has_the_terminal_again() {
    let script = [GET, TOKEN, WATCH, "pause", RENEWED, "switch", PLAIN_GET, &token("eyJ1")];
    scene(&script.join("\n"), |home, agent| {
        let program = "printf '%s? ' \"$ACME_TOKEN\"; read x; echo \"it is $x\"";
        let arguments = ["exec", "acme", "--restart", "--", "sh", "-c", program];
        let mut person = Person::runs(home, &arguments, &[]);
        person.sees("eyJ0? ");
        agent.go_on();
        person.sees("eyJ1? ").types("ada\n").sees("it is ada");
        assert!(person.ends().success());
    });
}
