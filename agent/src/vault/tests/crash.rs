//! What a crash between two lines leaves behind.

use std::fs;

use super::*;
use crate::vault::file::crash;

/// The vault as the next process finds it.
fn restarted(Bench { home, vault, keys }: Bench) -> Bench {
    let path = vault.path().to_owned();
    drop(vault);
    Bench { home, vault: acquire(&path), keys }
}

#[test]
fn a_rename_that_ends_at_any_step_leaves_one_entry() {
    let mut steps = 0;
    let mut names_seen = std::collections::BTreeSet::new();
    loop {
        let bench = Bench::new();
        bench.store("other");
        let stored = bench.store("acme");
        let was_cut_short = crash::after(steps, || {
            bench.vault.rename(&bench.keys, &name("acme"), &name("new")).unwrap();
        });

        let bench = restarted(bench);
        bench.vault.reconcile(&bench.keys).unwrap();
        let left = bench.vault.entries().unwrap();
        let [at] = &left.iter().filter(|at| **at != name("other")).collect::<Vec<_>>()[..] else {
            panic!("after step {steps}: {left:?}");
        };
        let found = bench.vault.read(&bench.keys, at).unwrap().unwrap();
        assert_eq!(found.id, stored.id, "after step {steps}");
        assert!(found.tokens.contains_key(&TokenKey::plain((*at).clone())));
        assert!(!bench.vault.path().join("renaming").exists(), "after step {steps}");
        names_seen.insert((*at).clone());
        if !was_cut_short {
            break;
        }
        steps += 1;
    }
    assert_eq!(names_seen.into_iter().collect::<Vec<_>>(), ["acme", "new"].map(name));
    // A marker is written, an entry is written, another goes, the marker goes.
    assert!(steps >= 8, "{steps}");
}

/// Two entries with one id, the one under the new name being newer, and a marker with this text.
fn cut_short(marker: &[u8]) -> (Bench, Vec<u8>) {
    let bench = Bench::new();
    bench.store("acme");
    let old = fs::read(bench.file("acme")).unwrap();
    bench.vault.rename(&bench.keys, &name("acme"), &name("new")).unwrap();
    fs::write(bench.file("acme"), &old).unwrap();
    fs::write(bench.vault.path().join("renaming"), marker).unwrap();
    (bench, old)
}

#[test]
fn of_a_rename_cut_short_the_newer_entry_stays_whatever_the_marker_says() {
    let long = [b'x'; 1000];
    for marker in [
        &b"acme\nnew\n"[..],
        b"new\nacme\n",
        // Damaged: then any two may be the ones.
        b"",
        b"acme\nnew",
        b"acme\n",
        b"acme\nnew\nmore\n",
        b"../acme\nnew\n",
        b"\xff\n\n",
        &long,
    ] {
        let (bench, old) = cut_short(marker);
        let moved = bench.vault.reconcile(&bench.keys).unwrap();
        assert_eq!(moved.iter().map(|apart| apart.name.as_str()).collect::<Vec<_>>(), ["acme"]);
        assert_eq!(fs::read(&moved[0].moved_to).unwrap(), old);
        assert_eq!(bench.vault.entries().unwrap(), [name("new")]);
        assert!(!bench.vault.path().join("renaming").exists());
        assert!(bench.vault.reconcile(&bench.keys).unwrap().is_empty());
    }
}

#[test]
fn a_rename_first_settles_the_one_before() {
    let (bench, _) = cut_short(b"acme\nnew\n");
    bench.store("beta");
    bench.vault.rename(&bench.keys, &name("beta"), &name("gamma")).unwrap();
    assert_eq!(bench.vault.entries().unwrap(), ["gamma", "new"].map(name));
}

#[test]
fn without_a_marker_nothing_is_opened() {
    let (bench, _) = cut_short(b"");
    fs::remove_file(bench.vault.path().join("renaming")).unwrap();
    assert!(bench.vault.reconcile(&bench.keys).unwrap().is_empty());
    assert_eq!(bench.vault.entries().unwrap(), ["acme", "new"].map(name));
}

#[test]
fn entries_of_their_own_and_unreadable_ones_are_no_leftovers() {
    for marker in ["acme\nbeta\n", "damaged\nacme\n", "acme\nabsent\n", "no marker of ours"] {
        let bench = Bench::new();
        for at in ["acme", "beta"] {
            bench.store(at);
        }
        fs::write(bench.file("damaged"), "x").unwrap();
        fs::write(bench.vault.path().join("renaming"), marker).unwrap();
        assert!(bench.vault.reconcile(&bench.keys).unwrap().is_empty(), "{marker}");
        assert_eq!(bench.vault.entries().unwrap().len(), 3);
    }
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
