//! The socket's place in the file system: made so that only its user can reach it, kept while the
//! agent runs, and taken away with it, unless somebody else's has come in its place.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use tokctl_proto::{Failure, Kind};

use super::private::{Open, machine, private_directory};

/// A socket that is listened on. Dropping it takes it away.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: Listener,
    path: PathBuf,
    open: Open,
    /// Device and inode, so that only our own is ever removed.
    identity: Option<(u64, u64)>,
}

impl Socket {
    /// Makes the socket. The caller holds the vault's lock, so no other agent of this vault is
    /// about. `is_named` says that a person chose the path: its directory is then theirs, and is
    /// not changed.
    pub fn bind(path: &Path, is_named: bool) -> Result<Self, Failure> {
        let open = if is_named { Open::Refuse } else { Open::Close };
        Self::make(path, open)
    }

    fn make(path: &Path, open: Open) -> Result<Self, Failure> {
        private_directory(path.parent().unwrap_or(Path::new("/")), open)?;
        remove_stale(path)?;
        let failed = |error| machine(path, &error);
        let listener = ListenerOptions::new()
            .name(path.to_fs_name::<GenericFilePath>().map_err(failed)?)
            .mode(0o600)
            // It would remove whatever is there by then.
            .reclaim_name(false)
            .create_tokio()
            .map_err(failed)?;
        Ok(Self { listener, identity: identity(path), path: path.to_owned(), open })
    }

    /// Whether clients still find this socket at its path. A logout may take the runtime directory
    /// away under an agent that outlives it.
    pub fn is_in_place(&self) -> bool {
        self.identity.is_some() && identity(&self.path) == self.identity
    }

    /// Makes the socket anew at its path. Who waits at the old one is hung up on.
    pub fn make_anew(&mut self) -> Result<(), Failure> {
        *self = Self::make(&self.path, self.open)?;
        Ok(())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_in_place() {
            // One that stays behind is stale, and the next agent removes it.
            let _stale = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.symlink_metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Removes a socket that nobody listens on; anything else at the path is left alone.
fn remove_stale(path: &Path) -> Result<(), Failure> {
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(machine(path, &error)),
    };
    let own = nix::unistd::geteuid().as_raw();
    if metadata.uid() != own {
        let message =
            format!("{} belongs to uid {}, not to uid {own}", path.display(), metadata.uid());
        return Err(Failure::new(Kind::WrongUser, message).hint("find out who put it there"));
    }
    if !metadata.file_type().is_socket() {
        let message = format!("{} is in the way and is no socket", path.display());
        return Err(Failure::new(Kind::Machine, message).hint("move it away"));
    }
    match is_listened_on(path) {
        true => {
            let message = format!("another program listens on {}", path.display());
            Err(Failure::new(Kind::Machine, message)
                .hint("stop it, or set TOKCTL_SOCK to another socket"))
        }
        false => fs::remove_file(path).map_err(|error| machine(path, &error)),
    }
}

/// Whether somebody accepts connections there.
pub(super) fn is_listened_on(path: &Path) -> bool {
    UnixStream::connect(path).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[tokio::test]
    async fn a_socket_is_its_users_alone_and_goes_with_its_agent() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/agent.sock");
        let socket = Socket::bind(&path, false).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(is_listened_on(&path) && socket.is_in_place());
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("agent.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let socket = Socket::bind(&path, false).unwrap();
        assert!(socket.is_in_place());
    }

    #[tokio::test]
    async fn what_is_not_a_stale_socket_of_ours_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let [file, live, link, foreign] =
            ["file", "live", "link", "foreign"].map(|name| home.path().join(name));
        fs::write(&file, "notes").unwrap();
        let _listening = UnixListener::bind(&live).unwrap();
        std::os::unix::fs::symlink(&live, &link).unwrap();
        let mut cases = vec![
            (&file, Kind::Machine, "is no socket"),
            (&live, Kind::Machine, "another program listens"),
            (&link, Kind::Machine, "is no socket"),
        ];
        if nix::unistd::geteuid().is_root() {
            drop(UnixListener::bind(&foreign).unwrap());
            std::os::unix::fs::chown(&foreign, Some(1), Some(1)).unwrap();
            cases.push((&foreign, Kind::WrongUser, "belongs to uid 1"));
        }
        for (path, kind, says) in cases {
            let failure = Socket::bind(path, false).unwrap_err();
            assert_eq!(failure.kind, kind);
            assert!(failure.message.contains(says), "{failure:?}");
            assert!(path.symlink_metadata().is_ok(), "{says}: it is gone");
        }
        assert_eq!(fs::read(&file).unwrap(), b"notes");
    }

    #[tokio::test]
    async fn a_directory_that_a_person_named_is_refused_where_others_can_enter_it() {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), Permissions::from_mode(0o1777)).unwrap();
        let path = home.path().join("agent.sock");
        assert_eq!(Socket::bind(&path, true).unwrap_err().kind, Kind::Machine);
        assert!(!path.exists());
        assert_eq!(mode(home.path()), 0o777);
    }

    #[tokio::test]
    async fn a_socket_that_was_taken_away_is_made_anew() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run/agent.sock");
        let mut socket = Socket::bind(&path, false).unwrap();
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        assert!(!socket.is_in_place());
        socket.make_anew().unwrap();
        assert!(socket.is_in_place() && is_listened_on(&path));
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[tokio::test]
    async fn another_program_that_took_the_place_keeps_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("agent.sock");
        let mut socket = Socket::bind(&path, false).unwrap();
        // Bound beside it first: a freed inode number could be given out again.
        let other = home.path().join("other.sock");
        let _listening = UnixListener::bind(&other).unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(!socket.is_in_place());
        assert!(socket.make_anew().is_err());
        drop(socket);
        assert!(is_listened_on(&path));
    }
}
