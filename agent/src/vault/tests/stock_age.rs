//! The stock `age` program opens what we write, and what it writes gets no trust from that.
//!
//! It reads passphrases from a terminal alone, so it runs under `script`, which gives it one.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::tombstones::stored;
use super::*;
use crate::vault::{Presence, VaultError};

fn run(command: &mut Command, input: &str) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("`{program}` cannot be run, install it: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn must_run(command: &mut Command, input: &str) -> Output {
    let output = run(command, input);
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// Runs a command line of age's on a terminal, in the directory, and types the lines.
fn on_a_terminal(dir: &Path, line: &str, typed: &str) {
    must_run(Command::new("age").arg("--version"), "");
    must_run(Command::new("script").args(["-qec", line, "/dev/null"]).current_dir(dir), typed);
}

#[test]
fn age_opens_an_entry_with_the_bare_identity() {
    let bench = Bench::new();
    let mut stored = bench.store("acme");
    stored.set_refresh_token(NOW, secret("refresh"), None);
    bench.vault.write(&bench.keys, &name("acme"), &mut stored).unwrap();
    let mut age = Command::new("age");
    age.args(["-d", "-i", "identity.txt", "entries/acme.age"]).current_dir(bench.vault.path());
    let plain = String::from_utf8(must_run(&mut age, "").stdout).unwrap();
    let (line, json) = plain.split_once('\n').unwrap();
    assert!(line.starts_with("tokctl-entry 1 ") && line.len() == 15 + 64, "{line}");
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["secrets"]["client_secret"], "s3cret\n\"quoted\"");
    assert_eq!(json["refresh"]["token"], "refresh");
}

#[test]
fn age_opens_a_tombstone_with_the_bare_identity() {
    let bench = Bench::new();
    let id = stored(&bench);
    let mut age = Command::new("age");
    age.args(["-d", "-i", "identity.txt", &format!("tombstones/{id}.age")]);
    let plain = must_run(age.current_dir(bench.vault.path()), "").stdout;
    let plain = String::from_utf8(plain).unwrap();
    let (line, json) = plain.split_once('\n').unwrap();
    assert!(line.starts_with("tokctl-tombstone 1 ") && line.len() == 19 + 64, "{line}");
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(
        (&json["profile"], &json["tokens"][0]["token"]),
        (&"acme".into(), &"refresh-1".into())
    );
}

#[test]
fn age_opens_identity_and_entry_with_the_passphrase() {
    let home = tempfile::tempdir().unwrap();
    let mut vault = acquire(&home.path().join("vault"));
    let keys = vault.init(NOW, Some(&secret("correct horse"))).unwrap();
    vault.write(&keys, &name("acme"), &mut entry("acme")).unwrap();

    on_a_terminal(vault.path(), "age -d -o ../identity identity.age", "correct horse\n");
    let identity = fs::read_to_string(home.path().join("identity")).unwrap();
    assert_eq!(identity, keys.text().expose());
    assert_eq!(identity.lines().count(), 3);

    // The recovery path of the README, word for word but for -o.
    let line = "age -d -i identity.age -o ../acme entries/acme.age";
    on_a_terminal(vault.path(), line, "correct horse\n");
    assert!(fs::read_to_string(home.path().join("acme")).unwrap().starts_with("tokctl-entry 1 "));
}

#[test]
fn an_identity_made_with_age_opens_here() {
    let home = tempfile::tempdir().unwrap();
    let vault = acquire(&home.path().join("vault"));
    must_run(Command::new("age-keygen").args(["-o", "key.txt"]).current_dir(home.path()), "");
    let made = must_run(Command::new("age-keygen").arg("-y").arg(home.path().join("key.txt")), "");

    let line = "age -p -o vault/identity.age key.txt";
    on_a_terminal(home.path(), line, "correct horse\ncorrect horse\n");
    assert_eq!(vault.presence().unwrap(), Presence::Passphrase);
    let keys = vault.unlock(Some(&secret("correct horse"))).unwrap();
    assert_eq!(keys.recipient(), String::from_utf8(made.stdout).unwrap().trim());

    fs::copy(home.path().join("key.txt"), vault.path().join("identity.txt")).unwrap();
    assert_eq!(vault.unlock(None).unwrap().recipient(), keys.recipient());
}

#[test]
fn an_entry_forged_with_age_is_refused_and_untouched() {
    let bench = Bench::new();
    bench.store("acme");
    // All that somebody needs who knows the recipient: even a line as ours, only not the key of its
    // MAC.
    let forged = format!("tokctl-entry 1 {}\n{{}}", "0".repeat(64));
    let mut age = Command::new("age");
    age.args(["-R", "recipient.txt", "-o", "entries/acme.age"]).current_dir(bench.vault.path());
    must_run(&mut age, &forged);
    let before = fs::read(bench.file("acme")).unwrap();

    let refused = bench.vault.read(&bench.keys, &name("acme")).unwrap_err();
    assert!(matches!(refused, VaultError::Forged { .. }), "{refused:?}");
    assert_eq!(fs::read(bench.file("acme")).unwrap(), before);
}
