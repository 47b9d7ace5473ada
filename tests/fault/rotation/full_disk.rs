//! A vault on a disk of 64 KiB without room.

use std::time::Duration;

use tokctl_tests::provider::{Answer, Settings};
use tokctl_tests::{Home, Provider, Run, eventually};

use super::{refresh, rotating};

const DISK_BYTES: u64 = 64 * 1024;

/// A vault that was made elsewhere and moved onto a small disk. `None`, said with the reason, without root.
fn on_tiny_disk(provider: &Provider) -> Option<Home> {
    let mut home = Home::new().init_bare();
    rotating(&home, provider);
    home.stop_agent();
    home.move_vault_to_disk(DISK_BYTES).then_some(())?;
    // Makes room for what a refresh writes, before anything else can.
    refresh(&home).run().ok();
    Some(home)
}

/// The same token each time.
fn get(home: &Home) -> Run {
    home.tokctl(["get", "acme", "--audience", "https://api.example/"])
}

#[test]
fn a_full_disk_is_noticed_before_anything_is_sent() {
    let provider = Provider::start();
    let Some(home) = on_tiny_disk(&provider) else { return };
    provider.set_lifetime(Duration::from_secs(4));
    let get_within = |wait| get(&home).args(["--timeout", wait]).run();
    let get = || get(&home).run();
    let token = get().ok();
    let filler = home.fill_disk();
    provider.wait_for_expiry(&token);
    let before = provider.token_requests().len();
    // It would try again for as long as its caller waits.
    get_within("3s").fails(11, &["free some space"]);
    assert_eq!(provider.token_requests().len(), before, "a refresh token was sent all the same");

    drop(filler);
    provider.set_lifetime(Duration::from_secs(600));
    eventually("the refresh works again", || (get().code == 0).then_some(()));
    assert_eq!(provider.revoked_families(), 0);
}

#[test]
fn a_disk_that_fills_while_the_provider_works_takes_the_answer_all_the_same() {
    let provider = Provider::start();
    let Some(home) = on_tiny_disk(&provider) else { return };
    provider.answer_next(Answer::Hang);
    let asking = get(&home).start();
    provider.wait_for_hanging(1);
    let filler = home.fill_disk();
    provider.release();
    let token = asking.finish().ok();
    assert!(provider.is_live(&token));
    // What is on the disk now is all that is left.
    home.kill_agent();
    drop(filler);
    assert_eq!(get(&home).run().ok(), token);
    refresh(&home).run().ok();
    assert_eq!(provider.revoked_families(), 0);
}

#[test]
fn a_disk_that_stays_full_stops_further_rotations_and_nothing_else() {
    let provider = Provider::start_with(Settings::default());
    let Some(home) = on_tiny_disk(&provider) else { return };
    let filler = home.fill_disk();
    let before = provider.rotations();
    for _ in 0..3 {
        refresh(&home).args(["--timeout", "2s"]).run();
    }
    assert!(provider.rotations() <= before + 1, "it rotated without a place for the answer");
    drop(filler);
    eventually("the refresh works again", || (refresh(&home).run().code == 0).then_some(()));
    assert_eq!(provider.revoked_families(), 0);
}
