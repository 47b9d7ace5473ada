//! What is stored comes back, and what does not open is neither trusted nor lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::vault::seal::Label;
use crate::vault::{Removed, VaultError};

/// What the vault says of the entry that lies there.
fn refusal(bench: &Bench, at: &str) -> VaultError {
    bench.vault.read(&bench.keys, &name(at)).unwrap_err()
}

#[test]
fn an_entry_comes_back_as_the_next_generation() {
    let bench = Bench::new();
    assert!(bench.vault.read(&bench.keys, &name("acme")).unwrap().is_none());
    let mut stored = bench.store("acme");
    assert_eq!(stored.generation, 1);
    bench.vault.write(&bench.keys, &name("acme"), &mut stored).unwrap();
    let found = bench.vault.read(&bench.keys, &name("acme")).unwrap().unwrap();
    assert_eq!((found.generation, found.id), (2, stored.id));
    assert_eq!(found.secrets["client_secret"].expose(), "s3cret\n\"quoted\"");
    assert_eq!(found.tokens[&TokenKey::plain(name("acme"))].access_token.expose(), "access");
    assert_eq!(fs::metadata(bench.file("acme")).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn entries_are_listed_sorted_and_sealed() {
    let bench = Bench::new();
    for at in ["b", "a.b", "a"] {
        bench.store(at);
    }
    for foreign in ["a (conflicted copy).age", "A.age", ".a.age.1.new", "c.txt", "lock"] {
        fs::write(bench.file("a").with_file_name(foreign), "x").unwrap();
    }
    assert_eq!(bench.vault.entries().unwrap(), ["a", "a.b", "b"].map(name));
}

#[test]
fn an_entry_under_another_name_is_refused() {
    let bench = Bench::new();
    bench.store("acme");
    fs::copy(bench.file("acme"), bench.file("other")).unwrap();
    assert!(matches!(refusal(&bench, "other"), VaultError::Forged { .. }));
}

#[test]
fn what_does_not_open_is_left_by_reading_and_set_apart_by_writing() {
    let bench = Bench::new();
    bench.store("acme");
    let mut damaged = fs::read(bench.file("acme")).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(bench.file("acme"), &damaged).unwrap();

    assert!(
        matches!(refusal(&bench, "acme"), VaultError::Damaged { path } if path == bench.file("acme"))
    );
    assert_eq!(fs::read(bench.file("acme")).unwrap(), damaged);

    let apart = bench.vault.write(&bench.keys, &name("acme"), &mut entry("acme")).unwrap().unwrap();
    assert_eq!(fs::read(apart.moved_to).unwrap(), damaged);
    assert!(bench.vault.read(&bench.keys, &name("acme")).unwrap().is_some());
}

#[test]
fn removing_deletes_what_opens_and_sets_the_rest_apart() {
    let bench = Bench::new();
    let remove = || bench.vault.remove(&bench.keys, &name("acme")).unwrap();
    assert_eq!(remove(), Removed::Nothing);
    bench.store("acme");
    assert_eq!(remove(), Removed::Entry);
    let mut moved = vec![];
    for text in ["first", "second"] {
        fs::write(bench.file("acme"), text).unwrap();
        match remove() {
            Removed::Unreadable(apart) => moved.push(fs::read_to_string(apart.moved_to).unwrap()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(moved, ["first", "second"]);
    assert!(!bench.file("acme").exists());
}

#[test]
fn an_entry_of_a_newer_format_is_left_untouched() {
    let bench = Bench::new();
    let recipient: age::x25519::Recipient = bench.keys.recipient().parse().unwrap();
    let newer = age::encrypt(&recipient, b"tokctl-entry 2 whatever\nelse").unwrap();
    fs::write(bench.file("acme"), &newer).unwrap();
    assert!(matches!(refusal(&bench, "acme"), VaultError::Newer { version: 2, .. }));
    let written = bench.vault.write(&bench.keys, &name("acme"), &mut entry("acme"));
    assert!(matches!(written, Err(VaultError::Newer { version: 2, .. })));
    assert_eq!(fs::read(bench.file("acme")).unwrap(), newer);
}

#[test]
fn an_entry_that_says_nothing_usable_is_not_called_damaged() {
    let bench = Bench::new();
    let label = Label::Entry(&name("acme"));
    let sealed = crate::vault::seal::seal(&bench.keys, label, b"[]");
    fs::write(bench.file("acme"), sealed).unwrap();
    assert!(matches!(refusal(&bench, "acme"), VaultError::Malformed { .. }));
}

#[test]
fn a_rename_takes_tokens_along_and_nobodys_name_away() {
    let bench = Bench::new();
    let rename = |from, to| bench.vault.rename(&bench.keys, &name(from), &name(to));
    assert!(matches!(rename("acme", "new"), Err(VaultError::NoEntry { .. })));
    bench.store("acme");
    bench.store("taken");
    assert!(matches!(rename("acme", "taken"), Err(VaultError::Taken { .. })));
    assert!(matches!(rename("acme", "acme"), Err(VaultError::Taken { .. })));
    rename("acme", "new").unwrap();
    assert_eq!(bench.vault.entries().unwrap(), ["new", "taken"].map(name));
    let found = bench.vault.read(&bench.keys, &name("new")).unwrap().unwrap();
    assert!(found.tokens.contains_key(&TokenKey::plain(name("new"))));
    assert_eq!(found.generation, 2);
}

#[test]
fn a_failed_write_leaves_the_entry_as_it_was() {
    let bench = Bench::new();
    let mut entry = entry("acme");
    fs::remove_dir(bench.vault.path().join("entries")).unwrap();
    let failed = bench.vault.write(&bench.keys, &name("acme"), &mut entry);
    match failed {
        Err(VaultError::Write { path, source }) => {
            assert_eq!((path, source.kind()), (bench.file("acme"), std::io::ErrorKind::NotFound));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(entry.generation, 0);
}

#[test]
fn an_entry_too_large_to_read_back_is_not_written() {
    let bench = Bench::new();
    bench.store("acme");
    let before = fs::read(bench.file("acme")).unwrap();
    let mut large = entry("acme");
    large.secrets.insert("large".into(), secret(&"x".repeat(8 * 1024 * 1024)));
    let failed = bench.vault.write(&bench.keys, &name("acme"), &mut large);
    assert!(matches!(failed, Err(VaultError::TooLarge { .. })));
    assert_eq!(fs::read(bench.file("acme")).unwrap(), before);
}
