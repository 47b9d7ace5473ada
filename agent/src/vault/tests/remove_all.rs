//! `purge`: nothing of a vault is left.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::vault::{AcquireError, Presence};

#[test]
fn every_file_goes_and_so_do_vaults_that_were_set_aside() {
    let Bench { home, mut vault, keys } = Bench::new();
    vault.write(&keys, &name("acme"), &mut entry("acme")).unwrap();
    vault.set_aside().unwrap();
    let keys = vault.init(NOW, Some(&secret("correct horse"))).unwrap();
    vault.write(&keys, &name("acme"), &mut entry("acme")).unwrap();
    vault.ensure_ballast().unwrap();
    let id = EntryId::draw(&mut |bytes| bytes.fill(7));
    vault.write_tombstone(&keys, id, &tombstones::tombstone()).unwrap();
    fs::write(vault.path().join("entries/torn.age"), "torn").unwrap();
    vault.remove(&keys, &name("torn")).unwrap();
    fs::write(vault.path().join("identity.tpm.age"), "another method").unwrap();
    // Not ours by its name.
    fs::create_dir(home.path().join("vault.replaced-by-hand")).unwrap();

    vault.remove_all().unwrap();
    let left: Vec<_> =
        fs::read_dir(home.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["vault.replaced-by-hand"]);
    // Twice is as good as once, but for the directory that is not there to be found.
    assert!(vault.remove_all().is_err());
}

#[test]
fn a_removal_cut_short_leaves_no_vault_and_is_completed_by_doing_it_again() {
    let Bench { home, vault, keys } = Bench::new();
    vault.write(&keys, &name("acme"), &mut entry("acme")).unwrap();
    // As a crash leaves it that came after the identity.
    fs::remove_file(vault.path().join("identity.txt")).unwrap();
    drop(vault);
    let vault = acquire(&home.path().join("vault"));
    assert_eq!(vault.presence().unwrap(), Presence::Absent);
    vault.remove_all().unwrap();
    assert!(!home.path().join("vault").exists());
}

#[test]
fn a_link_that_leads_to_the_vault_goes_with_it() {
    let home = tempfile::tempdir().unwrap();
    let (real, link) = (home.path().join("real"), home.path().join("vault"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    let mut vault = acquire(&link);
    vault.init(NOW, None).unwrap();
    vault.remove_all().unwrap();
    assert!(!real.exists() && !link.is_symlink());
}

#[test]
fn what_a_link_in_the_vault_leads_to_stays() {
    let bench = Bench::new();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("mine"), "mine").unwrap();
    symlink(elsewhere.path(), bench.vault.path().join("backup")).unwrap();
    bench.vault.remove_all().unwrap();
    assert!(elsewhere.path().join("mine").exists());
}

#[test]
fn who_has_waited_for_a_vault_that_is_gone_does_not_hold_another() {
    let Bench { home, vault, .. } = Bench::new();
    let path = home.path().join("vault");
    let lock = fs::File::open(path.join("lock")).unwrap();
    vault.remove_all().unwrap();
    drop(vault);
    // It opened the file before that, and can lock it now.
    assert!(nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusiveNonblock).is_ok());
    let one = acquire(&path);
    let holder = Holder { pid: 2, socket: "/t".into() };
    assert!(matches!(VaultDir::acquire(&path, &holder), Err(AcquireError::Held(_))));
    drop(one);
}
