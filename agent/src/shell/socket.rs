//! The socket's place in the file system: made so that only its user can reach it, kept while the
//! agent runs, and taken away with it, unless somebody else's has come in its place.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr};
use tokctl_proto::endpoint::SOCKET_PATH_BYTES_MAX;
use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind};

use super::private::{Open, chosen_directory, machine, private_directory};

/// A socket that is listened on. Dropping it takes it away: the name first, so that nobody finds one that is deaf.
#[derive(Debug)]
pub struct Socket {
    place: Place,
    pub(super) listener: Listener,
    open: Open,
}

/// A socket's name in the file system. Dropping it takes it away.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
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
        let (listener, place) = listen(path)?;
        Ok(Self { place, listener, open })
    }

    /// Whether clients still find this socket at its path. A logout may take the runtime directory
    /// away under an agent that outlives it.
    pub fn is_in_place(&self) -> bool {
        self.place.is_taken()
    }

    /// Makes the socket anew at its path. Who waits at the old one is hung up on.
    pub fn make_anew(&mut self) -> Result<(), Failure> {
        *self = Self::make(&self.place.path, self.open)?;
        Ok(())
    }

    pub fn path(&self) -> &Path {
        &self.place.path
    }
}

/// Makes a further socket in the agent's own directory, for its user.
pub(super) fn private_socket(path: &Path) -> Result<(Listener, Place), Failure> {
    private_directory(path.parent().unwrap_or(Path::new("/")), Open::Close)?;
    listen(path)
}

/// Makes a further socket where a person wants it. One that is for another user too has mode 0666: that user is none
/// of our groups', and an access list is nothing that every file system has. What holds the others off is
/// the directory, if it is closed to them, and the agent, which looks at the uid before it reads a byte.
pub(super) fn further_socket(path: &Path, for_others: bool) -> Result<(Listener, Place), Failure> {
    chosen_directory(path.parent().unwrap_or(Path::new("/")), for_others)?;
    let (listener, place) = listen(path)?;
    if for_others {
        let mode = fs::Permissions::from_mode(0o666);
        fs::set_permissions(path, mode).map_err(|error| machine(path, &error))?;
    }
    Ok((listener, place))
}

/// The path of a further socket, as a client gives it.
pub(super) fn named_path(text: &str) -> Result<PathBuf, Failure> {
    let usage = |message: String| Failure::new(Kind::Usage, message);
    let path: PathBuf = Path::new(text).components().collect();
    if !path.is_absolute() || path.file_name().is_none() {
        return Err(usage(format!("`{}` is not an absolute path of a socket", shown(text))));
    }
    if text.chars().any(char::is_control) {
        return Err(usage(format!("a control character is in the path `{}`", shown(text))));
    }
    match path.as_os_str().len() {
        ..=SOCKET_PATH_BYTES_MAX => Ok(path),
        length => Err(usage(format!(
            "the path has {length} bytes, and a socket's has {SOCKET_PATH_BYTES_MAX} at most"
        ))
        .hint("choose a shorter one, or go through a link to its directory")),
    }
}

fn listen(path: &Path) -> Result<(Listener, Place), Failure> {
    remove_stale(path)?;
    let failed = |error| machine(path, &error);
    let listener = ListenerOptions::new()
        .name(path.to_fs_name::<GenericFilePath>().map_err(failed)?)
        .mode(0o600)
        // It would remove whatever is there by then.
        .reclaim_name(false)
        .create_tokio()
        .map_err(failed)?;
    Ok((listener, Place { identity: identity(path), path: path.to_owned() }))
}

impl Place {
    /// Whether what lies at the path is still this socket.
    pub(super) fn is_taken(&self) -> bool {
        self.identity.is_some() && identity(&self.path) == self.identity
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_taken() {
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
            Err(Failure::new(Kind::Machine, message).hint(
                "stop it, or choose another path; TOKCTL_SOCK says where the agent's own socket is",
            ))
        }
        false => fs::remove_file(path).map_err(|error| machine(path, &error)),
    }
}

/// Whether somebody accepts connections there, or has too many to accept another. Never waits: a program that listens
/// and does not accept must not hold up the agent.
pub(super) fn is_listened_on(path: &Path) -> bool {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let (Ok(address), Ok(socket)) = (
        UnixAddr::new(path),
        nix::sys::socket::socket(AddressFamily::Unix, SockType::Stream, flags, None),
    ) else {
        return false;
    };
    let connected = nix::sys::socket::connect(socket.as_raw_fd(), &address);
    matches!(connected, Ok(()) | Err(Errno::EAGAIN))
}

#[cfg(test)]
mod tests;
