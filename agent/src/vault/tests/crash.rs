//! What a crash between two lines leaves behind.

use std::fs;

use super::*;

#[test]
fn of_a_rename_cut_short_the_newer_entry_stays() {
    let bench = Bench::new();
    bench.store("acme");
    let old = fs::read(bench.file("acme")).unwrap();
    bench.vault.rename(&bench.keys, &name("acme"), &name("new")).unwrap();
    fs::write(bench.file("acme"), &old).unwrap();

    let moved = bench.vault.reconcile(&bench.keys).unwrap();
    assert_eq!(moved.iter().map(|apart| apart.name.as_str()).collect::<Vec<_>>(), ["acme"]);
    assert_eq!(fs::read(&moved[0].moved_to).unwrap(), old);
    assert_eq!(bench.vault.entries().unwrap(), [name("new")]);
    assert!(bench.vault.reconcile(&bench.keys).unwrap().is_empty());
}

#[test]
fn entries_of_their_own_and_unreadable_ones_are_no_leftovers() {
    let bench = Bench::new();
    for at in ["acme", "beta"] {
        bench.store(at);
    }
    fs::write(bench.file("damaged"), "x").unwrap();
    assert!(bench.vault.reconcile(&bench.keys).unwrap().is_empty());
    assert_eq!(bench.vault.entries().unwrap().len(), 3);
}

#[test]
fn a_half_written_file_is_ignored_and_then_cleared() {
    let bench = Bench::new();
    bench.store("acme");
    let half = bench.file("acme").with_file_name(".acme.age.0.new");
    fs::write(&half, "half").unwrap();
    assert_eq!(bench.vault.entries().unwrap(), [name("acme")]);
    // Its name is taken, and the next write does not mind.
    let Bench { home: _home, vault, keys } = bench;
    vault.write(&keys, &name("acme"), &mut entry("acme")).unwrap();

    let path = vault.path().to_owned();
    drop(vault);
    let vault = acquire(&path);
    assert!(!half.exists());
    assert!(vault.read(&keys, &name("acme")).unwrap().is_some());
}
