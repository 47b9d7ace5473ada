//! `init --replace`: the old vault is put aside whole.

use std::fs;

use super::*;
use crate::vault::{Presence, VaultError};

#[test]
fn a_vault_set_aside_is_a_whole_vault() {
    let Bench { home, mut vault, keys } = Bench::new();
    vault.write(&keys, &name("acme"), &mut entry("acme")).unwrap();
    fs::write(vault.path().join("identity.tpm.age"), "another method").unwrap();
    fs::write(vault.path().join("renaming"), "acme\nnew\n").unwrap();
    let buried = EntryId::draw(&mut |bytes| bytes.fill(7));
    vault.write_tombstone(&keys, buried, &tombstones::tombstone()).unwrap();

    let aside = vault.set_aside().unwrap();
    assert_eq!(aside.moved_to.file_name().unwrap(), "vault.replaced-1");
    assert_eq!(aside.profiles, [name("acme")]);
    assert_eq!(vault.presence().unwrap(), Presence::Absent);
    assert!(vault.entries().unwrap().is_empty() && vault.tombstones().unwrap().is_empty());
    let mut left: Vec<_> =
        vault.path().read_dir().unwrap().map(|found| found.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["entries", "lock"]);

    let old = acquire(&home.path().join("vault.replaced-1"));
    let old_keys = old.unlock(None).unwrap();
    assert_eq!(old_keys.recipient(), keys.recipient());
    assert!(old.read(&old_keys, &name("acme")).unwrap().is_some());
    assert!(old.read_tombstone(&old_keys, buried).unwrap().is_some());
    assert!(old.path().join("identity.tpm.age").exists());
    assert!(old.path().join("renaming").exists());
}

#[test]
fn a_vault_whose_identity_cannot_be_read_stays() {
    let Bench { home: _home, mut vault, keys } = Bench::new();
    vault.write(&keys, &name("acme"), &mut entry("acme")).unwrap();
    let identity = vault.path().join("identity.txt");
    fs::remove_file(&identity).unwrap();
    std::os::unix::fs::symlink("/nowhere/identity.txt", &identity).unwrap();
    assert_eq!(vault.presence().unwrap(), Presence::Bare);
    assert!(matches!(vault.unlock(None), Err(VaultError::Read { .. })));
    assert!(matches!(vault.set_aside(), Err(VaultError::Read { .. })));
    assert_eq!(vault.entries().unwrap(), [name("acme")]);
    assert!(identity.is_symlink());
}

#[test]
fn a_second_vault_set_aside_gets_a_name_of_its_own() {
    let Bench { home: _home, mut vault, .. } = Bench::new();
    for n in 1..=2 {
        let aside = vault.set_aside().unwrap();
        assert!(aside.moved_to.ends_with(format!("vault.replaced-{n}")));
        vault.init(NOW, None).unwrap();
    }
}

#[test]
fn a_setting_aside_cut_short_is_completed_by_doing_it_again() {
    let Bench { home, mut vault, keys } = Bench::new();
    vault.write(&keys, &name("acme"), &mut entry("acme")).unwrap();
    let identity = fs::read(vault.path().join("identity.txt")).unwrap();
    let first = vault.set_aside().unwrap().moved_to;
    // As a crash leaves it that came after the entries were moved and before the identity was
    // removed.
    fs::write(vault.path().join("identity.txt"), identity).unwrap();

    let second = vault.set_aside().unwrap().moved_to;
    assert_ne!(first, second);
    for aside in [first, second] {
        let old = acquire(&aside);
        assert_eq!(old.unlock(None).unwrap().recipient(), keys.recipient());
    }
    drop(home);
}
