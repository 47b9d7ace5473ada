//! The identity that everything in the vault is written to: made, unlocked, and wrapped anew.
//!
//! It lies in `identity.txt` (bare) or in `identity.age` (under a passphrase), or is brought along by
//! whoever opens the vault, which has `identity.recipient` then. Changing from one to another writes the new file before it removes the old, so at every moment there is one that
//! opens. Where a crash has left both, the bare one counts: it opens without asking, and
//! [`Presence::Bare`] says honestly that the vault is as open as its most open file. Changing again
//! completes it. What was unlinked may still be on the disk's blocks: a passphrase set later does
//! not protect an identity that once lay bare from who has the disk.

use std::path::{Path, PathBuf};

use tokctl_core::Vault;
use tokctl_proto::{Secret, WallMs, escape};

use super::dir::VaultDir;
use super::error::VaultError;
use super::file;
use super::keys::Keys;
use super::unlock::{Closed, IDENTITY_BYTES_MAX, bare, given, passphrase};

pub(super) const RECIPIENT_FILE: &str = "recipient.txt";

/// Whether there is a vault, and what opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Absent,
    Passphrase,
    Bare,
    /// An identity that is kept elsewhere.
    Given,
}

impl From<Presence> for Vault {
    fn from(presence: Presence) -> Self {
        match presence {
            Presence::Absent => Self::Absent,
            Presence::Passphrase => Self::Passphrase,
            Presence::Bare => Self::Bare,
            Presence::Given => Self::Given,
        }
    }
}

/// What `recipient.txt` says. Nothing but people reads it, and who encrypts to a wrong one encrypts
/// to somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientFile {
    Matches,
    Missing,
    /// Made fit to be shown.
    Differs(String),
}

impl VaultDir {
    pub fn presence(&self) -> Result<Presence, VaultError> {
        if exists(&self.bare_path())? {
            Ok(Presence::Bare)
        } else if exists(&self.passphrase_path())? {
            Ok(Presence::Passphrase)
        } else if exists(&self.given_path())? {
            Ok(Presence::Given)
        } else {
            Ok(Presence::Absent)
        }
    }

    /// Makes a vault with a new identity, or with the one that `secret` is, of which nothing is written
    /// then. One that is there is never written over, whoever put it there and when.
    pub fn init(&mut self, now: WallMs, secret: Option<&Secret>) -> Result<Keys, VaultError> {
        for path in [self.bare_path(), self.passphrase_path(), self.given_path()] {
            if exists(&path)? {
                return Err(VaultError::Exists { path });
            }
        }
        let given = secret.filter(|secret| given::is_identity(secret)).cloned();
        let keys = match given.clone() {
            Some(given) => Keys::parse(given).ok_or(VaultError::NoIdentity)?,
            None => Keys::generate(now),
        };
        // The identity comes last: where it is, the vault is complete.
        self.write_recipient(&keys)?;
        match given {
            Some(_) => file::create(&self.given_path(), &given::wrap(&keys))?,
            None => self.put_identity(&keys, secret, file::create)?,
        }
        Ok(keys)
    }

    /// Opens the vault, by its passphrase or by the identity itself. Neither is looked at where a bare
    /// identity does not need it.
    pub fn unlock(&self, secret: Option<&Secret>) -> Result<Keys, VaultError> {
        if let Some(given) = secret.filter(|secret| given::is_identity(secret)) {
            match self.presence()? {
                Presence::Given => return self.unlock_given(&self.given_path(), given),
                Presence::Passphrase => {
                    return self.unlock_given(&self.path().join(RECIPIENT_FILE), given);
                }
                Presence::Absent | Presence::Bare => {}
            }
        }
        let (path, text) = match (self.presence()?, secret) {
            (Presence::Absent, _) => {
                return Err(VaultError::NoVault { dir: self.path().to_owned() });
            }
            (Presence::Bare, _) => {
                let path = self.bare_path();
                let text = bare::unwrap(file::read_present(&path, IDENTITY_BYTES_MAX)?);
                (path, text)
            }
            (Presence::Given, _) => return Err(VaultError::IdentityRequired),
            (Presence::Passphrase, None) => return Err(VaultError::PassphraseRequired),
            (Presence::Passphrase, Some(secret)) => {
                let path = self.passphrase_path();
                let text =
                    passphrase::unwrap(&file::read_present(&path, IDENTITY_BYTES_MAX)?, secret);
                (path, text)
            }
        };
        match text {
            Ok(text) => Keys::parse(text).ok_or(VaultError::Damaged { path }),
            Err(closed) => Err(stays_closed(closed, path)),
        }
    }

    /// A recipient that is missing says nothing of any identity.
    fn unlock_given(&self, recipient: &Path, given: &Secret) -> Result<Keys, VaultError> {
        let found = file::read(recipient, IDENTITY_BYTES_MAX)?.unwrap_or_default();
        given::unwrap(&found, given).map_err(|closed| stays_closed(closed, recipient.to_owned()))
    }

    /// Changes, sets or (with `None`) takes away the passphrase. Entries stay as they are. Whoever
    /// has a copy of the old file and its passphrase has the identity still.
    pub fn rewrap(&mut self, keys: &Keys, new: Option<&Secret>) -> Result<(), VaultError> {
        self.write_recipient(keys)?;
        self.put_identity(keys, new, file::replace)?;
        let old = if new.is_some() { self.bare_path() } else { self.passphrase_path() };
        file::remove(&old)?;
        file::remove(&self.given_path()).map(|_| ())
    }

    /// Compares `recipient.txt` with the identity.
    pub fn recipient_file(&self, keys: &Keys) -> Result<RecipientFile, VaultError> {
        let found = match file::read(&self.path().join(RECIPIENT_FILE), IDENTITY_BYTES_MAX)? {
            None => return Ok(RecipientFile::Missing),
            Some(bytes) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        };
        Ok(if found == keys.recipient() {
            RecipientFile::Matches
        } else {
            RecipientFile::Differs(escape::shown(&found))
        })
    }

    fn put_identity(
        &self,
        keys: &Keys,
        secret: Option<&Secret>,
        store: fn(&Path, &[u8]) -> Result<(), VaultError>,
    ) -> Result<(), VaultError> {
        match secret {
            None => store(&self.bare_path(), bare::wrap(keys.text())),
            // An empty one would open to anybody while it claims to protect.
            Some(secret) if secret.is_empty() => Err(VaultError::PassphraseRequired),
            Some(secret) => store(&self.passphrase_path(), &passphrase::wrap(keys.text(), secret)),
        }
    }

    fn write_recipient(&self, keys: &Keys) -> Result<(), VaultError> {
        let line = keys.recipient() + "\n";
        file::replace(&self.path().join(RECIPIENT_FILE), line.as_bytes())
    }

    fn bare_path(&self) -> PathBuf {
        self.path().join(bare::FILE)
    }

    fn passphrase_path(&self) -> PathBuf {
        self.path().join(passphrase::FILE)
    }

    fn given_path(&self) -> PathBuf {
        self.path().join(given::FILE)
    }
}

fn stays_closed(closed: Closed, path: PathBuf) -> VaultError {
    match closed {
        Closed::WrongPassphrase => VaultError::WrongPassphrase,
        Closed::TooMuchWork { required } => VaultError::TooMuchWork { path, required },
        Closed::Damaged => VaultError::Damaged { path },
        Closed::WrongIdentity { recipient } => VaultError::WrongIdentity { recipient },
        Closed::NoIdentity => VaultError::NoIdentity,
    }
}

/// A link that leads nowhere is there too: what it should lead to may be on a disk that is not
/// plugged in.
fn exists(path: &Path) -> Result<bool, VaultError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(VaultError::read(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokctl_proto::endpoint::Holder;

    use super::*;

    fn vault() -> (tempfile::TempDir, VaultDir) {
        let home = tempfile::tempdir().unwrap();
        let holder = Holder { pid: 1, socket: "/s".into() };
        let vault = VaultDir::acquire(&home.path().join("vault"), &holder).unwrap();
        (home, vault)
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    const NOW: WallMs = WallMs(0);

    #[test]
    fn before_init_there_is_nothing_to_unlock() {
        let (_home, vault) = vault();
        assert_eq!(vault.presence().unwrap(), Presence::Absent);
        assert!(matches!(vault.unlock(None), Err(VaultError::NoVault { .. })));
    }

    #[test]
    fn a_vault_without_passphrase_opens_with_or_without_one() {
        let (_home, mut vault) = vault();
        let keys = vault.init(NOW, None).unwrap();
        assert_eq!(vault.presence().unwrap(), Presence::Bare);
        for given in [None, Some(secret("ignored"))] {
            assert_eq!(vault.unlock(given.as_ref()).unwrap().recipient(), keys.recipient());
        }
    }

    #[test]
    fn an_identity_is_never_written_over() {
        for file in ["identity.txt", "identity.age", "identity.recipient"] {
            let (_home, mut vault) = vault();
            let path = vault.path().join(file);
            fs::write(&path, "somebody's").unwrap();
            // Refused before the passphrase costs anything.
            for given in [None, Some(secret("hunter2"))] {
                let refused = vault.init(NOW, given.as_ref()).unwrap_err();
                assert!(matches!(refused, VaultError::Exists { .. }), "{refused:?}");
            }
            assert_eq!(fs::read(&path).unwrap(), b"somebody's");
            assert_eq!(vault.path().read_dir().unwrap().count(), 3, "lock, entries, identity");
        }
    }

    #[test]
    fn an_identity_that_appears_while_another_is_made_is_not_written_over() {
        let (_home, vault) = vault();
        fs::write(vault.bare_path(), "somebody's").unwrap();
        let refused = vault.put_identity(&Keys::generate(NOW), None, file::create);
        assert!(matches!(refused, Err(VaultError::Exists { .. })));
        assert_eq!(fs::read(vault.bare_path()).unwrap(), b"somebody's");
    }

    #[test]
    fn an_empty_passphrase_is_none() {
        let (_home, mut vault) = vault();
        let refused = vault.init(NOW, Some(&secret(""))).unwrap_err();
        assert!(matches!(refused, VaultError::PassphraseRequired));
        assert_eq!(vault.presence().unwrap(), Presence::Absent);
        let keys = vault.init(NOW, None).unwrap();
        assert!(vault.rewrap(&keys, Some(&secret(""))).is_err());
        assert_eq!(vault.presence().unwrap(), Presence::Bare);
    }

    #[test]
    fn a_damaged_identity_is_told_from_a_wrong_passphrase() {
        let (_home, mut vault) = vault();
        vault.init(NOW, None).unwrap();
        for text in [&b""[..], b"hello", b"\xff"] {
            fs::write(vault.bare_path(), text).unwrap();
            assert!(matches!(vault.unlock(None), Err(VaultError::Damaged { .. })));
        }
        fs::rename(vault.bare_path(), vault.passphrase_path()).unwrap();
        assert!(matches!(vault.unlock(None), Err(VaultError::PassphraseRequired)));
        let closed = vault.unlock(Some(&secret("hunter2")));
        assert!(matches!(closed, Err(VaultError::Damaged { .. })));
    }

    #[test]
    fn a_passphrase_is_changed_and_taken_away_and_no_moment_is_without_an_identity() {
        let (_home, mut vault) = vault();
        let (first, second) = (secret("hunter2"), secret("correct horse"));
        let keys = vault.init(NOW, Some(&first)).unwrap();
        let recipient = keys.recipient();
        assert_eq!(vault.presence().unwrap(), Presence::Passphrase);
        assert!(matches!(vault.unlock(None), Err(VaultError::PassphraseRequired)));

        vault.rewrap(&keys, Some(&second)).unwrap();
        assert!(matches!(vault.unlock(Some(&first)), Err(VaultError::WrongPassphrase)));
        assert_eq!(vault.unlock(Some(&second)).unwrap().recipient(), recipient);

        let wrapped = fs::read(vault.passphrase_path()).unwrap();
        vault.rewrap(&keys, None).unwrap();
        assert!(!vault.passphrase_path().exists());
        assert_eq!(vault.unlock(None).unwrap().recipient(), recipient);

        // The crash between the two files, in either direction.
        fs::write(vault.passphrase_path(), wrapped).unwrap();
        assert_eq!(vault.presence().unwrap(), Presence::Bare);
        assert_eq!(vault.unlock(None).unwrap().recipient(), recipient);
        vault.rewrap(&keys, None).unwrap();
        assert!(!vault.passphrase_path().exists());
        assert_eq!(vault.presence().unwrap(), Presence::Bare);
    }

    #[test]
    fn a_wrong_recipient_file_is_reported() {
        let (_home, mut vault) = vault();
        let keys = vault.init(NOW, None).unwrap();
        let path = vault.path().join(RECIPIENT_FILE);
        assert_eq!(fs::read_to_string(&path).unwrap(), keys.recipient() + "\n");
        assert_eq!(vault.recipient_file(&keys).unwrap(), RecipientFile::Matches);
        fs::write(&path, "age1other\x1b\n").unwrap();
        match vault.recipient_file(&keys).unwrap() {
            RecipientFile::Differs(text) => {
                assert!(text.starts_with("age1other") && !text.contains('\x1b'));
            }
            other => panic!("{other:?}"),
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(vault.recipient_file(&keys).unwrap(), RecipientFile::Missing);
    }

    const IDENTITY: &str =
        "AGE-SECRET-KEY-1PMXNXCRTEWHCFRHVD3U6QLY92AMCTHUEXARJ2MPPS7N4R7H2VD2SPXLQ7Y";

    #[test]
    fn nothing_of_an_identity_that_was_given_lies_in_its_vault_and_no_other_opens_it() {
        let (_home, mut vault) = vault();
        let keys = vault.init(NOW, Some(&secret(IDENTITY))).unwrap();
        assert_eq!(vault.presence().unwrap(), Presence::Given);
        for found in vault.path().read_dir().unwrap() {
            let path = found.unwrap().path();
            if path.is_file() {
                let text = String::from_utf8(fs::read(&path).unwrap()).unwrap();
                assert!(!text.contains("SECRET"), "{}", path.display());
            }
        }
        let opened = vault.unlock(Some(&secret(&format!("# mine\n{IDENTITY}\n")))).unwrap();
        assert_eq!(opened.recipient(), keys.recipient());
        let other = Keys::generate(NOW).text().clone();
        assert!(matches!(vault.unlock(Some(&other)), Err(VaultError::WrongIdentity { .. })));
        let cut = secret(&IDENTITY[..30]);
        assert!(matches!(vault.unlock(Some(&cut)), Err(VaultError::NoIdentity)));
        for given in [None, Some(secret("hunter2"))] {
            let refused = vault.unlock(given.as_ref()).unwrap_err();
            assert!(matches!(refused, VaultError::IdentityRequired), "{refused:?}");
        }
    }

    #[test]
    fn a_vault_under_a_passphrase_opens_with_its_identity_too() {
        let (_home, mut vault) = vault();
        let keys = vault.init(NOW, Some(&secret(IDENTITY))).unwrap();
        vault.rewrap(&keys, Some(&secret("hunter2"))).unwrap();
        assert_eq!(vault.presence().unwrap(), Presence::Passphrase);
        assert!(!vault.given_path().exists());
        for given in ["hunter2", IDENTITY] {
            let opened = vault.unlock(Some(&secret(given))).unwrap();
            assert_eq!(opened.recipient(), keys.recipient());
        }
        let other = Keys::generate(NOW).text().clone();
        assert!(matches!(vault.unlock(Some(&other)), Err(VaultError::WrongIdentity { .. })));
    }

    #[test]
    fn what_only_begins_as_an_identity_makes_no_vault() {
        let (_home, mut vault) = vault();
        let refused = vault.init(NOW, Some(&secret("AGE-SECRET-KEY-1CUT"))).unwrap_err();
        assert!(matches!(refused, VaultError::NoIdentity), "{refused:?}");
        assert_eq!(vault.presence().unwrap(), Presence::Absent);
    }
}
