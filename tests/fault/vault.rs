//! Entries of the vault that are not what the agent wrote.

use std::fs;

use tokctl_tests::{Home, Provider, Run};

/// Two profiles with tokens, and no agent that remembers them.
fn stopped(provider: &Provider) -> Home {
    let home = Home::new().init_bare();
    for profile in ["acme", "other"] {
        home.add_at(profile, provider);
        home.get(profile);
    }
    home.stop_agent();
    home
}

#[test]
fn a_corrupt_entry_is_named_and_the_others_are_served() {
    let provider = Provider::start();
    let home = stopped(&provider);
    let mut bytes = fs::read(home.entry("acme")).unwrap();
    let last = bytes.last_mut().unwrap();
    *last ^= 1;
    fs::write(home.entry("acme"), &bytes).unwrap();
    home.tokctl(["get", "acme"]).run().fails(11, &["acme"]);
    home.get("other");
    assert_eq!(fs::read(home.entry("acme")).unwrap(), bytes, "evidence is kept");
}

#[test]
fn an_empty_or_cut_entry_is_damaged() {
    let provider = Provider::start();
    let home = stopped(&provider);
    let whole = fs::read(home.entry("acme")).unwrap();
    for length in [0, 1, whole.len() / 2] {
        fs::write(home.entry("acme"), &whole[..length]).unwrap();
        home.tokctl(["get", "acme"]).run().fails(11, &["acme"]);
        home.stop_agent();
    }
    fs::write(home.entry("acme"), &whole).unwrap();
    home.get("acme");
}

#[test]
fn a_forged_entry_is_refused() {
    let provider = Provider::start();
    let home = stopped(&provider);
    // Anybody who knows the recipient can encrypt to it; only the identity's holder can make the MAC.
    let opened = home
        .with_environment(Run::new("age"))
        .arg("--decrypt")
        .arg("--identity")
        .arg(home.vault().join("identity.txt"))
        .arg(home.entry("acme"))
        .run()
        .ok();
    let (first, json) = opened.split_once('\n').unwrap();
    let forged = format!("{}{}\n{json}", &first[..first.len() - 64], "0".repeat(64));
    let plain = home.secret_file("forged", &forged);
    let recipient = fs::read_to_string(home.vault().join("recipient.txt")).unwrap();
    let recipient = recipient.lines().find(|line| line.starts_with("age1")).unwrap();
    home.with_environment(Run::new("age"))
        .args(["--encrypt", "--recipient", recipient, "--output"])
        .arg(home.entry("acme"))
        .arg(plain)
        .run()
        .ok();
    home.tokctl(["get", "acme"]).run().fails(11, &["acme"]);
    home.get("other");
}

#[test]
fn an_entry_that_was_moved_to_another_name_is_refused() {
    let provider = Provider::start();
    let home = stopped(&provider);
    fs::copy(home.entry("other"), home.entry("acme")).unwrap();
    home.tokctl(["get", "acme"]).run().fails(11, &["acme"]);
    home.get("other");
}

#[test]
fn an_entry_without_a_profile_is_kept_and_shown() {
    let provider = Provider::start();
    let home = stopped(&provider);
    let text = fs::read_to_string(home.config()).unwrap();
    let cut = text.find("[profiles.other]").unwrap();
    fs::write(home.config(), &text[..cut]).unwrap();
    home.tokctl(["get", "other"]).run().exits(3);
    assert!(home.profiles().contains(&"other".to_owned()));
    assert!(home.entry("other").exists());
    home.get("acme");
    // Put back, it is there again with its secret.
    fs::write(home.config(), &text).unwrap();
    home.tokctl(["agent", "reload"]).run().ok();
    home.get("other");
}
