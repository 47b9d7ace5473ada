//! A full disk does not cost a refresh token.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use super::*;
use crate::vault::VaultError;
use crate::vault::file::crash;

/// Says to the test's second process where its small disk is.
const DISK: &str = "TOKCTL_TEST_SMALL_DISK";

fn ballast(vault: &VaultDir) -> PathBuf {
    vault.path().join("ballast")
}

fn full(kind: ErrorKind) -> VaultError {
    VaultError::Write { path: "entry".into(), source: kind.into() }
}

#[test]
fn the_ballast_is_real_private_and_made_once() {
    let bench = Bench::new();
    let path = ballast(&bench.vault);
    bench.vault.ensure_ballast().unwrap();
    let made = fs::metadata(&path).unwrap();
    assert_eq!((made.len(), made.permissions().mode() & 0o7777), (32 * 1024, 0o600));
    assert!(made.blocks() * 512 >= made.len(), "it has holes");
    bench.vault.ensure_ballast().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().ino(), made.ino());

    fs::write(&path, [1; 32 * 1024 - 1]).unwrap();
    bench.vault.ensure_ballast().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), 32 * 1024);
    assert!(bench.vault.entries().unwrap().is_empty());
}

#[test]
fn the_ballast_has_room_for_the_largest_entry_and_an_answer() {
    let bench = Bench::new();
    let mut large = entry("acme");
    large.secrets.insert("large".into(), secret(&"x".repeat(100_000)));
    bench.vault.write(&bench.keys, &name("acme"), &mut large).unwrap();
    bench.vault.ensure_ballast().unwrap();
    let size = fs::metadata(ballast(&bench.vault)).unwrap().len();
    assert!((100_000 + 24 * 1024..200_000).contains(&size), "{size}");
}

#[test]
fn the_ballast_is_whole_or_missing_after_a_crash() {
    let mut steps = 0;
    loop {
        let bench = Bench::new();
        let was_cut_short = crash::after(steps, || bench.vault.ensure_ballast().unwrap());
        let path = bench.vault.path().to_owned();
        drop(bench.vault);
        let vault = acquire(&path);
        let found = fs::metadata(ballast(&vault)).map(|found| found.len());
        assert!(found.is_err() || found.is_ok_and(|length| length == 32 * 1024));
        if !was_cut_short {
            break;
        }
        steps += 1;
    }
    assert!(steps >= 3, "{steps}");
}

#[test]
fn want_of_room_and_nothing_else_costs_the_ballast_once() {
    for (kind, is_room) in [
        (ErrorKind::StorageFull, true),
        (ErrorKind::QuotaExceeded, true),
        (ErrorKind::PermissionDenied, false),
        (ErrorKind::ReadOnlyFilesystem, false),
    ] {
        let bench = Bench::new();
        bench.vault.ensure_ballast().unwrap();
        let mut attempts = 0;
        let done = bench.vault.with_ballast_to_spare(|| {
            attempts += 1;
            if ballast(&bench.vault).exists() { Err(full(kind)) } else { Ok(()) }
        });
        assert_eq!((done.is_ok(), attempts), if is_room { (true, 2) } else { (false, 1) });
        assert_eq!(ballast(&bench.vault).exists(), !is_room, "{kind}");
    }
}

#[test]
fn where_the_ballast_is_not_enough_or_gone_the_error_is_told() {
    let bench = Bench::new();
    for has_ballast in [true, false] {
        if has_ballast {
            bench.vault.ensure_ballast().unwrap();
        }
        let mut attempts = 0;
        let done = bench.vault.with_ballast_to_spare(|| -> Result<(), _> {
            attempts += 1;
            Err(full(ErrorKind::StorageFull))
        });
        assert!(matches!(done, Err(VaultError::Write { path, .. }) if path == Path::new("entry")));
        assert_eq!(attempts, if has_ballast { 2 } else { 1 });
    }
}

/// On a disk that is really full. Mounting one takes a mount namespace, so the test runs itself a
/// second time in one.
#[test]
fn a_successor_finds_room_on_a_full_disk() {
    if let Some(disk) = std::env::var_os(DISK) {
        return on_a_full_disk(Path::new(&disk));
    }
    let disk = tempfile::tempdir().unwrap();
    let this = "vault::tests::ballast::a_successor_finds_room_on_a_full_disk";
    let mount = r#"mount -t tmpfs -o size=128k none "$1" && exec "$2" --exact "$3" --nocapture"#;
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"])
        .arg(disk.path())
        .arg(std::env::current_exe().unwrap())
        .arg(this)
        .env(DISK, disk.path())
        .output()
        .expect("unshare of util-linux is not installed");
    let said = String::from_utf8_lossy(&output.stdout);
    if !said.contains("running 1 test") {
        let why = String::from_utf8_lossy(&output.stderr);
        let line = format!("not run: {this}: no namespaces here: {}\n", why.trim());
        // Past the capture of `cargo test`, which shows only what fails.
        drop(io::stderr().write_all(line.as_bytes()));
        if let Some(path) = std::env::var_os("TOKCTL_TESTS_NOT_RUN") {
            let mut file = fs::File::options().create(true).append(true).open(path).unwrap();
            file.write_all(line.as_bytes()).unwrap();
        }
        return;
    }
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

fn on_a_full_disk(disk: &Path) {
    let mut vault = acquire(&disk.join("vault"));
    let keys = vault.init(NOW, None).unwrap();
    let mut stored = entry("acme");
    stored.set_refresh_token(NOW, secret("one"), None);
    stored.intend(NOW, 1).unwrap();
    vault.write(&keys, &name("acme"), &mut stored).unwrap();
    vault.ensure_ballast().unwrap();
    let filler = disk.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}

    assert!(stored.receive(rotation::answer()));
    let failed = vault.write(&keys, &name("acme"), &mut stored).unwrap_err();
    assert!(failed.is_for_want_of_room(), "{failed:?}");
    assert_eq!(vault.write_for_good(&keys, &name("acme"), &mut stored).unwrap(), None);
    // What the ballast has left is enough for the second write of the rotation.
    stored.rotate(NOW, Some((secret("two"), None)));
    assert_eq!(vault.write_for_good(&keys, &name("acme"), &mut stored).unwrap(), None);
    let found = vault.read(&keys, &name("acme")).unwrap().unwrap();
    assert_eq!((found.generation, found.refresh.unwrap().token.expose()), (3, "two"));

    // The next rotation does not begin before there is room again.
    while file.write_all(&[0; 4096]).is_ok() {}
    assert!(vault.ensure_ballast().unwrap_err().is_for_want_of_room());
    drop(file);
    fs::remove_file(filler).unwrap();
    vault.ensure_ballast().unwrap();
    assert!(ballast(&vault).exists());
}
