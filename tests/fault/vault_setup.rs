//! No vault, a vault too many, a passphrase that does not fit.

use tokctl_tests::home::PASSPHRASE;
use tokctl_tests::{Home, Provider};

#[test]
fn without_a_vault_the_hint_is_init() {
    let home = Home::new();
    home.tokctl(["get", "acme"]).run().fails(4, &["tokctl init"]);
    home.tokctl(["add", "acme", "--grant", "api_key", "--key-stdin"])
        .stdin("key")
        .run()
        .fails(4, &["tokctl init"]);
    assert!(!home.vault().join("identity.age").exists());
    assert!(!home.vault().join("identity.txt").exists());
}

#[test]
fn init_over_a_vault_changes_nothing() {
    let home = Home::new().init();
    let identity = home.vault().join("identity.age");
    let before = std::fs::read(&identity).unwrap();
    home.tokctl(["init", "--no-passphrase"]).run().fails(2, &["--replace"]);
    assert_eq!(std::fs::read(&identity).unwrap(), before);
    assert!(!home.vault().join("identity.txt").exists());
}

#[test]
fn init_replace_moves_the_old_vault_aside() {
    let (home, provider) = (Home::new().init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let old = std::fs::read(home.entry("acme")).unwrap();
    let replaced = home.tokctl(["init", "--no-passphrase", "--replace"]).run().exits(0);
    // What needs its secret again is named.
    assert!(format!("{}{}", replaced.stdout, replaced.stderr).contains("acme"), "{replaced:?}");
    home.tokctl(["get", "acme"]).run().fails(5, &["tokctl set-secret acme"]);
    assert!(kept_below(&home.path(), &old), "the old entry is gone");
}

#[test]
fn a_wrong_passphrase_is_said_and_nothing_is_lost() {
    let (home, provider) = (Home::new().init(), Provider::start());
    home.add_at("acme", &provider);
    home.tokctl(["lock"]).run().ok();
    home.tokctl(["unlock", "--passphrase-stdin"]).stdin("wrong\n").run().fails(4, &["passphrase"]);
    home.tokctl(["get", "acme"]).run().exits(4);
    home.tokctl(["unlock", "--passphrase-stdin"]).stdin(PASSPHRASE).run().ok();
    home.get("acme");
}

#[test]
fn an_empty_passphrase_is_no_passphrase() {
    let home = Home::new();
    home.tokctl(["init", "--passphrase-stdin"]).stdin("\n").run().exits(2);
    assert!(!home.vault().join("identity.age").exists());
}

#[test]
fn a_vault_without_passphrase_warns_once() {
    let home = Home::new();
    let output = home.tokctl(["init", "--no-passphrase"]).run().exits(0);
    assert!(output.stderr.contains("warning"), "{output:?}");
}

#[test]
fn an_agent_of_another_home_refuses() {
    let (ours, theirs) = (Home::new().init_bare(), Home::new().init_bare());
    let theirs_path = theirs.path();
    ours.tokctl(["list"])
        .env("TOKCTL_SOCK", theirs.socket())
        .run()
        .fails(2, &[ours.path().to_str().unwrap(), theirs_path.to_str().unwrap()]);
}

/// Whether a file with these bytes is anywhere below.
fn kept_below(directory: &std::path::Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => kept_below(&path, bytes),
            false => std::fs::read(&path).is_ok_and(|found| found == bytes),
        }
    })
}
