//! The vault as its callers meet it, one file a story.

mod ballast;
mod crash;
mod entries;
mod remove_all;
mod replace;
mod rotation;
mod stock_age;
mod tombstones;

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokctl_core::Token;
use tokctl_proto::endpoint::Holder;
use tokctl_proto::{ProfileName, Secret, TokenKey, WallMs};

use super::{Entry, EntryId, Keys, VaultDir};

/// Whoever does the file work may do it in a thread of its own.
const _: fn() = || {
    fn crosses_threads<T: Send + Sync>() {}
    crosses_threads::<VaultDir>();
    crosses_threads::<Keys>();
    crosses_threads::<Entry>();
};

const NOW: WallMs = WallMs(1_795_228_170_000);

/// A vault without passphrase in a directory that goes with it.
struct Bench {
    home: TempDir,
    vault: VaultDir,
    keys: Keys,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut vault = acquire(&home.path().join("vault"));
        let keys = vault.init(NOW, None).unwrap();
        Self { home, vault, keys }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.vault.path().join("entries").join(format!("{name}.age"))
    }

    fn store(&self, at: &str) -> Entry {
        let mut entry = entry(at);
        assert_eq!(self.vault.write(&self.keys, &name(at), &mut entry).unwrap(), None);
        entry
    }
}

fn acquire(path: &Path) -> VaultDir {
    VaultDir::acquire(path, &Holder { pid: 1, socket: "/s".into() }).unwrap()
}

fn name(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// An entry with a secret and a token, and an id that its name decides.
fn entry(at: &str) -> Entry {
    let mut entry = Entry::new(EntryId::draw(&mut |bytes| bytes.fill(at.as_bytes()[0])));
    entry.origins.insert("https://idp.example:443".into());
    entry.secrets.insert("client_secret".into(), secret("s3cret\n\"quoted\""));
    let token = Token {
        access_token: secret("access"),
        token_type: "Bearer".into(),
        issued_at: NOW,
        expires_at: None,
        scope: None,
        extra: Secret::default(),
        revision: 0,
    };
    entry.tokens.insert(TokenKey::plain(name(at)), token);
    entry
}
