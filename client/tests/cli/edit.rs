//! `tokctl edit` hands the agent what the editor left, and loses nothing that was written.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::script::Script;

const READ: &str = r#"> {"config_read":{}}
    < {"done":{"config":{"text":"[agent]\n","fingerprint":"f1","path":"/home/ada/.config/tokctl/config.toml"}}}"#;

fn edit(script: &str, home: &Path, editor: &str) -> Output {
    let agent = Script::listen(&home.join("agent.sock"), script);
    let output = Command::new(env!("CARGO_BIN_EXE_tokctl"))
        .arg("edit")
        .env_remove("VISUAL")
        .env("EDITOR", editor)
        .env("TOKCTL_HOME", home)
        .env("TOKCTL_SOCK", home.join("agent.sock"))
        .output()
        .unwrap();
    assert_eq!(agent.finish(), [""; 0], "{output:?}");
    output
}

#[test]
fn text_that_is_no_text_is_refused_and_kept() {
    let home = tempfile::tempdir().unwrap();
    let output = edit(READ, home.path(), r"sh -c 'printf \\377 >>$0'");
    assert_eq!(output.status.code(), Some(10));
    assert_eq!(left_behind(home.path()).len(), 1);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("error: config.toml must be UTF-8 text"), "{said}");
}

fn left_behind(home: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(home.join("state")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_was_written_goes_to_the_agent() {
    let home = tempfile::tempdir().unwrap();
    let script = format!(
        "{READ}\n{}\n{}",
        r##"> {"config_write":{"text":"[agent]\n# mine\n","fingerprint":"f1"}}"##,
        r#"< {"done":{"said":{"text":"config.toml is written"}}}"#
    );
    let output = edit(&script, home.path(), "sh -c 'echo \"# mine\" >>\"$0\"'");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(left_behind(home.path()), Vec::<PathBuf>::new());
}

#[test]
fn text_that_is_left_alone_is_not_written() {
    let home = tempfile::tempdir().unwrap();
    let output = edit(READ, home.path(), "true");
    assert_eq!(output.stderr, b"nothing was changed\n");
    assert_eq!(left_behind(home.path()), Vec::<PathBuf>::new());
}

#[test]
fn text_that_does_not_hold_is_kept_for_its_writer_alone() {
    let home = tempfile::tempdir().unwrap();
    let script = format!(
        "{READ}\n{}\n{}",
        r#"> {"config_write":{"text":"[agent\n","fingerprint":"f1"}}"#,
        r#"< {"error":{"exit":10,"kind":"config_invalid","profile":null,"message":"config.toml:1: expected `]`","hint":null,"retry_at":null}}"#
    );
    let output = edit(&script, home.path(), "sed -i 's/]//'");
    assert_eq!(output.status.code(), Some(10));
    let kept = left_behind(home.path());
    let [copy] = kept.as_slice() else { panic!("{kept:?}") };
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("kept in {}", copy.display())), "{said}");
    assert_eq!(std::fs::read_to_string(copy).unwrap(), "[agent\n");
    assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(copy.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn an_editor_that_fails_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let output = edit(READ, home.path(), "false");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(left_behind(home.path()), Vec::<PathBuf>::new());
}
