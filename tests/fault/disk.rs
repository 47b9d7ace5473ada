//! A disk without room.

use std::time::Duration;

use tokctl_tests::provider::Settings;
use tokctl_tests::{Home, Provider, eventually};

#[test]
fn a_full_disk_during_add_is_exit_11_and_loses_nothing() {
    let Some(home) = Home::on_small_disk() else { return };
    let (home, provider) = (home.init_bare(), Provider::start());
    home.add_at("acme", &provider);
    let before = std::fs::read(home.config()).unwrap();

    let ballast = home.fill_disk();
    home.add("other", "cc", "cc-secret")
        .args(["--token-endpoint", &provider.token_endpoint()])
        .run()
        .fails(11, &["tokctl: error:"]);
    assert_eq!(std::fs::read(home.config()).unwrap(), before);
    assert!(!home.entry("other").exists());
    home.get("acme");

    for command in [&["set", "acme", "scope=other"][..], &["remove", "acme", "--yes"]] {
        home.tokctl(command).run().fails(11, &["free some space"]);
    }
    assert_eq!(std::fs::read(home.config()).unwrap(), before);
    home.get("acme");

    drop(ballast);
    home.add_at("other", &provider);
    home.get("other");
}

#[test]
fn a_full_disk_during_init_leaves_no_half_vault() {
    let Some(home) = Home::on_small_disk() else { return };
    let ballast = home.fill_disk();
    home.tokctl(["init", "--no-passphrase"]).run().fails(11, &["tokctl: error:"]);
    drop(ballast);
    home.init_bare();
}

#[test]
fn a_full_disk_during_a_renewal_is_served_all_the_same() {
    let Some(home) = Home::on_small_disk() else { return };
    let home = home.init_bare();
    let lifetime = Duration::from_secs(6);
    let provider = Provider::start_with(Settings { lifetime, ..Settings::default() });
    home.add_at("acme", &provider);
    let first = home.get("acme");

    let ballast = home.fill_disk();
    provider.wait_for_requests(2);
    let second = eventually("the new token is served", || {
        Some(home.get("acme")).filter(|token| *token != first)
    });
    assert!(provider.is_live(&second));
    eventually("the alarm is up", || (home.status("acme")["unsaved"] == true).then_some(()));

    drop(ballast);
    eventually("the alarm is down", || (home.status("acme")["unsaved"] == false).then_some(()));
}
