//! Questions on a terminal: asked where somebody is, hidden, and never leaving the terminal changed.

use std::os::unix::process::ExitStatusExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::person::{Person, scene};

pub(crate) const NO_VAULT: &str = r#"> {"agent_status":{}}
    < {"done":{"agent":{"pid":42,"version":"0.1.0","socket":"/s","vault":"/v","state":"none","started_at":1,"profiles":0,"connections":1,"config_problem":null,"warnings":[]}}}"#;
pub(crate) const NOT_THERE: &str = r#"> {"show":{"profile":"acme"}}
    < {"error":{"exit":3,"kind":"no_such_profile","profile":"acme","message":"there is no profile of this name","hint":null,"retry_at":null}}"#;
pub(crate) const THERE: &str = r#"> {"show":{"profile":"acme"}}
    < {"done":{"profile":{"profile":"acme","toml":"grant = \"api_key\"\n","secrets":["key"],"origins":[]}}}"#;
pub(crate) const VAULT: &str = r#"> {"agent_status":{}}
    < {"done":{"agent":{"pid":42,"version":"0.1.0","socket":"/s","vault":"/v","state":"sealed","started_at":1,"profiles":0,"connections":1,"config_problem":null,"warnings":[]}}}"#;
const ASKS: &str = r#"> {"unlock":{"interactive":true}}
    < {"ask":{"prompt":"passphrase of the vault","hidden":true}}"#;

#[test]
fn a_new_passphrase_is_typed_twice_alike_and_not_shown() {
    let script = format!(
        "{NO_VAULT}\n{}\n{}",
        r#"> {"init":{"passphrase":"correct horse"}}"#, r#"< {"done":{"said":{"text":"made"}}}"#
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["init"], &[]);
        person.sees("passphrase for the new vault: ");
        assert!(!person.is_echoed());
        person.types("correct horse\n").sees("\r\nonce more: ").types("correct hose\n");
        person.sees("\r\ntokctl: warning: the two differ\r\n");
        person.sees("passphrase for the new vault: ").types("\n").sees("an empty passphrase");
        person.sees("passphrase for the new vault: ").types("correct horse\n");
        person.sees("\r\nonce more: ").types("correct horse\n").sees("\r\nmade\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn the_agents_question_is_put_to_the_person() {
    let script = format!(
        "{ASKS}\n{}\n{}",
        r#"> {"answer":{"text":"correct horse"}}"#, r#"< {"done":{"said":{"text":"open"}}}"#
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["unlock"], &[]);
        person.sees("passphrase of the vault: ").types("correct horse\n").sees("\r\nopen\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn an_answer_given_elsewhere_ends_the_question() {
    let script = format!("{ASKS}\npause\n{}", r#"< {"done":{"said":{"text":"open"}}}"#);
    scene(&script, |home, agent| {
        let mut person = Person::runs(home, &["unlock"], &[]);
        person.sees("passphrase of the vault: ").types("half a pass");
        agent.go_on();
        person.sees("\r\nopen\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn ctrl_c_ends_the_command_and_puts_the_terminal_back() {
    for typed in ["\x03", "\x04", "half\x03"] {
        scene(ASKS, |home, _| {
            let mut person = Person::runs(home, &["unlock"], &[]);
            person.sees("passphrase of the vault: ").types(typed);
            person.sees("tokctl: error: cancelled");
            assert_eq!(person.ends().code(), Some(130), "{typed:?}");
        });
    }
}

#[test]
fn being_told_to_end_puts_the_terminal_back() {
    scene(ASKS, |home, _| {
        let mut person = Person::runs(home, &["unlock"], &[]);
        person.sees("passphrase of the vault: ");
        let pid = Pid::from_raw(i32::try_from(person.id()).unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        assert_eq!(person.ends().signal(), Some(Signal::SIGTERM as i32));
    });
}

#[test]
fn after_ctrl_z_the_question_is_asked_again() {
    let script = format!(
        "{ASKS}\n{}\n{}",
        r#"> {"answer":{"text":"correct horse"}}"#, r#"< {"done":{"said":{"text":"open"}}}"#
    );
    scene(&script, |home, _| {
        let mut person = Person::runs(home, &["unlock"], &[]);
        person.sees("passphrase of the vault: ").types("half\x1a");
        person.sees("\r\npassphrase of the vault: ").types("correct horse\n").sees("open\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn what_cannot_be_taken_back_is_asked_for_and_no_is_an_answer() {
    for (command, question) in [
        (
            &["revoke", "acme"][..],
            "revoke the access token of acme at its provider? Whoever uses it is refused [y/N] ",
        ),
        (&["logout", "acme"], "revoke the tokens of acme at its provider and forget them? [y/N] "),
        (
            &["logout", "acme", "--local"],
            "forget the tokens of acme, without a word to its provider? [y/N] ",
        ),
        (
            &["remove", "acme"],
            "revoke the tokens of acme at its provider, and remove it with its secrets? [y/N] ",
        ),
        (
            &["remove", "acme", "--local"],
            "remove acme with its secrets and tokens, without a word to its provider? [y/N] ",
        ),
    ] {
        scene(THERE, |home, _| {
            let mut person = Person::runs(home, command, &[]);
            person.sees(question).types("\n");
            assert_eq!(person.ends().code(), Some(130), "{command:?}");
        });
    }
}

#[test]
fn a_purge_wants_the_word() {
    for (typed, does) in [("purge\n", true), ("y\n", false), ("yes\n", false), ("\n", false)] {
        let script = match does {
            true => format!(
                "{}\n{}",
                r#"> {"purge":{"interactive":true}}"#, r#"< {"done":{"said":{"text":"removed"}}}"#
            ),
            false => String::new(),
        };
        scene(&script, |home, _| {
            let mut person = Person::runs(home, &["purge"], &[]);
            person.sees("this revokes every token at its provider, and then removes\r\n");
            person.sees("and ends the agent. No secret in there can be got back.\r\n");
            person.sees("type `purge` to do that: ").types(typed);
            assert_eq!(person.ends().code(), Some(if does { 0 } else { 130 }), "{typed:?}");
        });
    }
}

#[test]
fn nobody_is_asked_about_a_profile_that_is_not_there() {
    scene(NOT_THERE, |home, _| {
        let mut person = Person::runs(home, &["remove", "acme"], &[]);
        person.sees("tokctl: error: acme: there is no profile of this name");
        assert_eq!(person.ends().code(), Some(3));
    });
}

#[test]
fn the_next_secret_is_asked_for_by_its_name() {
    let script = concat!(
        r#"> {"set_secret2":{"profile":"acme","name":"client_secret","value":"hunter4","next":true,"interactive":true}}"#,
        "\n",
        r#"< {"done":{"said":{"text":"acme: stored client_secret.next"}}}"#
    );
    scene(script, |home, _| {
        let mut person = Person::runs(home, &["set-secret", "acme", "--next"], &[]);
        person.sees("next client secret of acme: ");
        assert!(!person.is_echoed());
        person.types("hunter4\n").sees("acme: stored client_secret.next\r\n");
        assert!(person.ends().success());
    });
}

#[test]
fn the_token_of_a_401_is_asked_for_and_that_of_a_429_is_not() {
    let script = r#"
        > {"report":{"profile":"acme","status":401,"token":"eyJ0"}}
        < {"done":{"said":{"text":"dropped"}}}
        > {"report":{"profile":"acme","status":429}}
        < {"done":{"said":{"text":"cooling"}}}"#;
    scene(script, |home, _| {
        let mut person = Person::runs(home, &["report", "acme", "--status", "401"], &[]);
        person.sees("the token that was refused: ");
        assert!(!person.is_echoed());
        person.types("eyJ0\n").sees("dropped\r\n");
        assert!(person.ends().success());
        let mut person = Person::runs(home, &["report", "acme", "--status", "429"], &[]);
        person.sees("cooling\r\n");
        assert!(person.ends().success());
        let arguments = ["report", "acme", "--status", "401", "--no-prompt"];
        let mut person = Person::runs(home, &arguments, &[]);
        person.sees("a 401 is about one token, and none was given");
        assert_eq!(person.ends().code(), Some(2));
    });
}

#[test]
fn nothing_is_asked_of_those_who_do_not_want_it() {
    for (arguments, environment) in [
        (&["init", "--no-prompt"][..], &[][..]),
        (&["init"], &[("CI", "true")]),
        (&["init"], &[("TOKCTL_NO_PROMPT", "1")]),
    ] {
        scene("", |home, _| {
            let mut person = Person::runs(home, arguments, environment);
            person.sees("there is no terminal to ask on");
            assert_eq!(person.ends().code(), Some(2), "{arguments:?}");
        });
    }
}
