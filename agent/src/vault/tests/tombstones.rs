//! Tombstones: what is to be revoked, kept as entries are.

use std::fs;

use super::*;
use crate::vault::file::crash;
use crate::vault::{Buried, Tombstone, VaultError};

pub(super) fn tombstone() -> Tombstone {
    let mut tombstone = Tombstone::new(name("acme"), NOW, "# settings\n".to_owned());
    tombstone.secrets.insert("client_secret".to_owned(), secret("s3cret"));
    let hint = "refresh_token".to_owned();
    tombstone.tokens.push(Buried { hint, token: secret("refresh-1"), expires_at: None });
    tombstone
}

fn id(fill: u8) -> EntryId {
    EntryId::draw(&mut |bytes| bytes.fill(fill))
}

/// Stores one.
pub(super) fn stored(bench: &Bench) -> EntryId {
    bench.vault.write_tombstone(&bench.keys, id(7), &tombstone()).unwrap();
    id(7)
}

fn path(bench: &Bench, id: EntryId) -> PathBuf {
    bench.vault.path().join(format!("tombstones/{id}.age"))
}

#[test]
fn a_tombstone_is_kept_until_it_is_removed() {
    let bench = Bench::new();
    assert!(bench.vault.tombstones().unwrap().is_empty());
    assert!(bench.vault.read_tombstone(&bench.keys, id(7)).unwrap().is_none());
    let id = stored(&bench);
    // A sync tool's copy is none.
    fs::copy(path(&bench, id), bench.vault.path().join("tombstones/copy of.age")).unwrap();
    assert_eq!(bench.vault.tombstones().unwrap(), [id]);
    let read = bench.vault.read_tombstone(&bench.keys, id).unwrap().unwrap();
    assert_eq!((read.profile, read.tokens[0].token.expose()), (name("acme"), "refresh-1"));
    assert!(bench.vault.remove_tombstone(id).unwrap());
    assert!(!bench.vault.remove_tombstone(id).unwrap());
    assert!(bench.vault.tombstones().unwrap().is_empty());
}

#[test]
fn its_file_is_its_owners_alone_and_shows_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let path = path(&bench, stored(&bench));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let bytes = fs::read(&path).unwrap();
    for shown in ["acme", "s3cret", "refresh-1"] {
        assert!(!bytes.windows(shown.len()).any(|part| part == shown.as_bytes()), "{shown}");
    }
}

#[test]
fn one_that_does_not_open_is_set_apart_and_never_deleted() {
    let bench = Bench::new();
    let id = stored(&bench);
    // The entry of a profile of that name, which anybody can move here.
    bench.store("acme");
    let foreign = fs::read(bench.file("acme")).unwrap();
    for (bytes, what) in [(&b"torn"[..], "damaged"), (&foreign, "forged")] {
        fs::write(path(&bench, id), bytes).unwrap();
        let error = bench.vault.read_tombstone(&bench.keys, id).unwrap_err();
        match what {
            "damaged" => assert!(matches!(error, VaultError::Damaged { .. })),
            _ => assert!(matches!(error, VaultError::Forged { .. })),
        }
        let moved_to = bench.vault.quarantine_tombstone(id).unwrap();
        assert_eq!(fs::read(moved_to).unwrap(), bytes);
        assert!(bench.vault.tombstones().unwrap().is_empty());
    }
}

#[test]
fn a_crash_leaves_the_old_one_or_the_new() {
    let mut steps = 0;
    loop {
        let bench = Bench::new();
        let id = stored(&bench);
        let mut next = tombstone();
        next.tokens.clear();
        let was_cut_short = crash::after(steps, || {
            bench.vault.write_tombstone(&bench.keys, id, &next).unwrap();
        });
        let Bench { home: _home, vault, keys } = bench;
        let at = vault.path().to_owned();
        drop(vault);
        let vault = acquire(&at);
        let found = vault.read_tombstone(&keys, id).unwrap().unwrap();
        assert!(found.tokens.len() <= 1);
        let files = fs::read_dir(at.join("tombstones")).unwrap().count();
        assert_eq!(files, 1, "after step {steps}: a leftover");
        if !was_cut_short {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 3, "{steps}");
}
