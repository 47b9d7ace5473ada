//! A login at a terminal: what the person is shown, and how it ends.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::person::{Person, scene};
use crate::script::WAIT_MAX;

const DEVICE: &str = r#"> {"login":{"profile":"acme","interactive":true}}
    < {"item":{"login":{"method":"device","url":"https://as.example/device","code":"WDJB-MJHT","url_complete":null,"expires_at":4102444800,"opens":false}}}"#;
const BROWSER: &str = r#"> {"login":{"profile":"acme","has_browser":true,"interactive":true}}
    < {"item":{"login":{"method":"browser","url":"https://as.example/auth?a=1&b=$(id)","code":null,"url_complete":null,"expires_at":4102444800,"opens":true}}}"#;
const PASTE: &str = r#"> {"login":{"profile":"acme","method":"paste","interactive":true}}
    < {"item":{"login":{"method":"paste","url":"https://as.example/auth","code":null,"url_complete":null,"expires_at":4102444800,"opens":false}}}
    < {"ask":{"prompt":"the address at which the browser ended","hidden":false}}"#;
const DONE: &str = r#"< {"done":{"said":{"text":"logged in to acme"}}}"#;

const LOGIN: &[&str] = &["login", "acme"];

#[test]
fn a_code_is_shown_with_a_picture_and_the_time_that_is_left() {
    scene(&format!("{DEVICE}\npause\n{DONE}"), |home, agent| {
        let terminal = [("TERM", "xterm"), ("LC_ALL", "C.UTF-8")];
        let mut person = Person::runs_on(Some(80), home, LOGIN, &terminal);
        person.sees("open this address on any device:\r\n  https://as.example/device\r\n");
        person.sees("and type this code:\r\n  WDJB-MJHT\r\n").sees("\u{2588}\u{2588}\u{2588}");
        // Drawn over every second.
        person.sees("\rwaiting for the login, ").sees(" left\u{1b}[K");
        person.sees("\rwaiting for the login, ").sees(" left\u{1b}[K");
        agent.go_on();
        person.sees("\r\u{1b}[Klogged in to acme\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn a_terminal_that_can_do_little_is_asked_for_little() {
    for terminal in [[("TERM", "dumb"), ("LC_ALL", "C")], [("TERM", "xterm"), ("LC_ALL", "C")]] {
        scene(&format!("{DEVICE}\n{DONE}"), |home, _| {
            let mut person = Person::runs_on(Some(80), home, LOGIN, &terminal);
            person
                .sees("  WDJB-MJHT\r\n")
                .sees("waiting for the login, ")
                .sees("logged in to acme");
            assert!(person.ends().success());
        });
    }
}

#[test]
fn ctrl_c_ends_a_login_with_the_line_cleared() {
    for script in [DEVICE, BROWSER] {
        scene(script, |home, _| {
            let browser = browser(home);
            let environment = match script == BROWSER {
                true => vec![("BROWSER", browser.as_str()), ("TERM", "xterm")],
                false => vec![("TERM", "xterm")],
            };
            let mut person = Person::runs(home, LOGIN, &environment);
            person.sees("waiting for the login, ").sees(" left\u{1b}[K").types("\x03");
            person.sees("\r\u{1b}[Ktokctl: error: cancelled\r\n");
            assert_eq!(person.ends().code(), Some(130));
        });
    }
}

#[test]
fn the_browser_is_opened_with_the_address_and_no_shell_between() {
    scene(&format!("{BROWSER}\npause\n{DONE}"), |home, agent| {
        let browser = browser(home);
        let named = format!("/nowhere/at/all:{browser} --new %s");
        let mut person = Person::runs(home, LOGIN, &[("BROWSER", &named), ("DISPLAY", ":0")]);
        person
            .sees("opening a browser to log in to acme; if none comes up, open this address:\r\n");
        person.sees("  https://as.example/auth?a=1&b=$(id)\r\n");
        let opened = home.join("opened");
        assert_eq!(wait_for(&opened), "--new https://as.example/auth?a=1&b=$(id)\n");
        agent.go_on();
        person.sees("logged in to acme\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn over_ssh_no_browser_is_offered() {
    scene(&format!("{DEVICE}\n{DONE}"), |home, _| {
        let environment = [("DISPLAY", ":0"), ("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")];
        let mut person = Person::runs(home, LOGIN, &environment);
        person.sees("logged in to acme");
        assert!(person.ends().success());
    });
}

#[test]
fn the_pasted_address_is_asked_for_again_when_it_is_another() {
    let asks_again = r#"> {"answer":{"text":"https://example.com/"}}
        < {"progress":{"text":"acme: that is not the address","warning":true}}
        < {"ask":{"prompt":"the address at which the browser ended","hidden":false}}
        > {"answer":{"text":"http://127.0.0.1:50000/callback?code=c&state=s"}}"#;
    scene(&format!("{PASTE}\n{asks_again}\n{DONE}"), |home, _| {
        let mut person = Person::runs(home, &["login", "acme", "--paste"], &[]);
        person.sees("copy its address bar\r\n").sees("the address at which the browser ended: ");
        assert!(person.is_echoed());
        person.types("https://example.com/\n").sees("that is not the address\r\n");
        person.sees("ended: ").types("http://127.0.0.1:50000/callback?code=c&state=s\n");
        person.sees("logged in to acme\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn a_login_that_is_done_elsewhere_ends_the_question() {
    scene(&format!("{PASTE}\npause\n{DONE}"), |home, agent| {
        let mut person = Person::runs(home, &["login", "acme", "--paste"], &[]);
        person.sees("the address at which the browser ended: ").types("half");
        agent.go_on();
        person.sees("logged in to acme\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn ctrl_c_at_the_question_ends_the_login() {
    scene(PASTE, |home, _| {
        let mut person = Person::runs(home, &["login", "acme", "--paste"], &[]);
        person.sees("the address at which the browser ended: ").types("\x03");
        person.sees("tokctl: error: cancelled");
        assert_eq!(person.ends().code(), Some(130));
    });
}

#[test]
fn without_a_terminal_the_address_comes_from_stdin() {
    let script = PASTE.replace(r#","interactive":true"#, "");
    let answer = r#"> {"answer":{"text":"code=c&state=s\n"}}"#;
    scene(&format!("{script}\n{answer}\n{DONE}"), |home, _| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tokctl"))
            .args(["login", "acme", "--paste"])
            .env("TOKCTL_HOME", home)
            .env("TOKCTL_SOCK", home.join("agent.sock"))
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"code=c&state=s\n").unwrap();
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success() && said.ends_with("logged in to acme\n"), "{said}");
    });
}

/// A program that writes down what it is opened with, and runs on.
fn browser(home: &Path) -> String {
    let path = home.join("browser");
    let text = format!("#!/bin/sh\necho \"$@\" > {0}/new\nmv {0}/new {0}/opened\n", home.display());
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn wait_for(file: &Path) -> String {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        match std::fs::read_to_string(file) {
            Ok(text) => return text,
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            Err(error) => panic!("{}: {error}", file.display()),
        }
    }
}
