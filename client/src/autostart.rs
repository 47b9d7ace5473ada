//! Finds the user's agent, and starts one where there is none.
//!
//! However many clients find none at once, one of them starts it: they take turns at `start.lock` and look
//! again when it is their turn. The started agent says on its stdout when it is ready, so nobody guesses.
//! It gets a named part of the environment, since it outlives the shell or the job that happened to be
//! first. A socket that nobody listens at any more is the agent's business: nothing is removed here.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use tokctl_proto::endpoint::{Holder, Places};
use tokctl_proto::error::WireFailure;
use tokctl_proto::frame::FRAME_BYTES_MAX;

use crate::Connect;
use crate::connection::Connection;
use crate::error::Error;

/// The program that is started: beside our own, else on PATH.
const PROGRAM: &str = "tokctl-agent";
/// Tells the agent that its stdout is the readiness pipe.
const READY_ARGUMENT: &str = "--ready-on-stdout";
/// The longest start: a slow disk and a cold cache, not a passphrase, which nobody is asked for here.
const READY_MAX: Duration = Duration::from_secs(10);
/// How often a client whose turn it is not looks for the agent that another one is starting.
const TURN_NAP: Duration = Duration::from_millis(20);

/// Connects to the agent; starts it if it may.
pub(crate) fn open(connect: &Connect) -> Result<Connection, Error> {
    let places = &connect.places;
    match listening(places) {
        Ok(Some(connection)) => return Ok(connection),
        found => {
            // The reason behind whatever was found.
            refuse_sudo(places)?;
            found?;
        }
    }
    if !connect.start || places.socket_is_named {
        let (socket, named) = (places.socket.clone(), places.socket_is_named);
        return Err(Error::NoAgent { socket, named });
    }
    let turn = match take_turn(places)? {
        Turn::Ours(turn) => turn,
        Turn::Started(connection) => return Ok(connection),
    };
    let connection = match listening(places)? {
        Some(connection) => connection,
        None => start(connect)?,
    };
    drop(turn);
    Ok(connection)
}

/// Whoever listens at the user's socket, else wherever the holder of the vault says it does.
fn listening(places: &Places) -> Result<Option<Connection>, Error> {
    if let Some(connection) = Connection::open(&places.socket, places)? {
        return Ok(Some(connection));
    }
    if places.socket_is_named {
        return Ok(None);
    }
    match Holder::read(&places.vault) {
        Some(holder) if holder.socket != places.socket => Connection::open(&holder.socket, places),
        _ => Ok(None),
    }
}

/// An agent that root starts over another user's vault would leave files there that their owner cannot use.
fn refuse_sudo(places: &Places) -> Result<(), Error> {
    if places.socket_is_named || !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    for path in [&places.vault, &places.config] {
        match path.metadata().map(|metadata| metadata.uid()) {
            Ok(owner) if owner != 0 => return Err(Error::Sudo { path: path.clone(), owner }),
            _ => {}
        }
    }
    Ok(())
}

enum Turn {
    /// Until it is dropped nobody else starts an agent.
    Ours(Flock<File>),
    /// Somebody else did it meanwhile.
    Started(Connection),
}

fn take_turn(places: &Places) -> Result<Turn, Error> {
    let directory = places.run_dir();
    make_private(&directory)?;
    let path = directory.join("start.lock");
    let failed = |source| Error::machine(format!("cannot lock {}", path.display()), source);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(&path)
        .map_err(failed)?;
    let deadline = Instant::now() + READY_MAX;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(turn) => return Ok(Turn::Ours(turn)),
            Err((file, Errno::EWOULDBLOCK)) => file,
            Err((_, errno)) => return Err(failed(errno.into())),
        };
        if let Some(connection) = listening(places)? {
            return Ok(Turn::Started(connection));
        }
        if Instant::now() > deadline {
            return Err(Error::NotReady(READY_MAX.as_secs()));
        }
        std::thread::sleep(TURN_NAP);
    }
}

/// Makes the directory for nobody but us, or sees that it is.
fn make_private(directory: &Path) -> Result<(), Error> {
    let failed =
        |source| Error::at(directory, format!("cannot make {}", directory.display()), source);
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let metadata = directory.metadata().map_err(failed)?;
    let expected = nix::unistd::geteuid().as_raw();
    if metadata.uid() != expected {
        return Err(Error::WrongUser {
            what: format!("the directory {}", directory.display()),
            found: metadata.uid(),
            expected,
        });
    }
    match metadata.mode() & 0o022 {
        0 => Ok(()),
        _ => Err(Error::OpenDirectory(directory.to_owned())),
    }
}

fn start(connect: &Connect) -> Result<Connection, Error> {
    let program = find_program().ok_or(Error::NoProgram)?;
    let kept = std::env::vars_os()
        .filter(|(name, _)| is_kept(name) && !connect.withheld.iter().any(|held| held == name));
    // As we read it, since a relative one would be another directory where the agent runs.
    let home = connect.places.home.as_ref().map(|home| ("TOKCTL_HOME", home));
    let max_life = connect
        .max_life
        .map(|longest| ["--max-life".to_owned(), format!("{}s", longest.as_secs())]);
    let mut child = Command::new(&program)
        .arg(READY_ARGUMENT)
        .args(max_life.iter().flatten())
        .env_clear()
        .envs(kept)
        .envs(home)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| Error::Spawn { program, source })?;
    let stdout = child.stdout.take().expect("its stdout was made a pipe above");
    reap(child);
    let listens_at = match read_line(stdout)?.as_slice() {
        b"ready" => connect.places.socket.clone(),
        line => match line.strip_prefix(b"held ") {
            Some(socket) => PathBuf::from(OsStr::from_bytes(socket)),
            None => return Err(refusal(line)),
        },
    };
    Connection::open(&listens_at, &connect.places)?.ok_or(Error::Died)
}

/// Beside our own executable, so that client and agent of one installation go together; else on PATH.
fn find_program() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(PROGRAM));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(PROGRAM));
    beside.into_iter().chain(on_path).find(|program| program.is_file())
}

/// What a started agent keeps of the environment. The rest may hold what the job at hand was given.
fn is_kept(name: &OsStr) -> bool {
    const NAMES: &[&str] = &[
        "HOME",
        "PATH",
        "LANG",
        "TZ",
        "DBUS_SESSION_BUS_ADDRESS",
        "DISPLAY",
        "WAYLAND_DISPLAY",
        "XAUTHORITY",
        // GitHub's runner ends every process that still carries its own value of this.
        "RUNNER_TRACKING_ID",
    ];
    const PREFIXES: &[&str] = &["LC_", "XDG_", "TOKCTL_"];
    let name = name.as_bytes();
    // It opens the vault; it goes over the socket, and into no environment that others of the user can read for hours.
    if name.starts_with(b"TOKCTL_IDENTITY") {
        return false;
    }
    NAMES.iter().any(|kept| kept.as_bytes() == name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// Waits for the agent's end on the side, so that a program that outlives it keeps no dead child.
fn reap(mut child: Child) {
    std::thread::spawn(move || {
        // Signals are for the thread that may be holding a terminal in another mode.
        let _ignored = SigSet::all().thread_block();
        let _status = child.wait();
    });
}

/// The one line that the agent says, without its end.
fn read_line(mut stdout: ChildStdout) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::machine("cannot wait for the agent", source);
    let deadline = Instant::now() + READY_MAX;
    let mut line = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut watched = [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
        match poll(&mut watched, timeout) {
            Ok(0) => return Err(Error::NotReady(READY_MAX.as_secs())),
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(failed(errno.into())),
            Ok(_) => {}
        }
        let mut piece = [0; 4096];
        let count = match stdout.read(&mut piece) {
            Ok(0) => return Err(Error::Died),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        line.extend_from_slice(&piece[..count]);
        if let Some(end) = line.iter().position(|&byte| byte == b'\n') {
            line.truncate(end);
            return Ok(line);
        }
        if line.len() > FRAME_BYTES_MAX {
            return Err(Error::Died);
        }
    }
}

/// The error that the agent gave instead of starting.
fn refusal(line: &[u8]) -> Error {
    line.strip_prefix(b"error ")
        .and_then(|json| serde_json::from_slice::<WireFailure<'_>>(json).ok())
        .map_or(Error::Died, |failure| failure.into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_started_agent_keeps_what_is_named_and_nothing_else() {
        for (name, kept) in [
            ("HOME", true),
            ("PATH", true),
            ("LC_ALL", true),
            ("XDG_RUNTIME_DIR", true),
            ("TOKCTL_HOME", true),
            ("RUNNER_TRACKING_ID", true),
            ("TOKCTL_EPHEMERAL", true),
            ("TOKCTL_IDENTITY", false),
            ("TOKCTL_IDENTITY_FD", false),
            ("HOMEBREW_PREFIX", false),
            ("LD_PRELOAD", false),
            ("HTTPS_PROXY", false),
            ("SSL_CERT_FILE", false),
            ("AWS_SECRET_ACCESS_KEY", false),
            ("GITHUB_TOKEN", false),
            ("SSH_AUTH_SOCK", false),
            ("LANGUAGE", false),
        ] {
            assert_eq!(is_kept(OsStr::new(name)), kept, "{name}");
        }
    }

    #[test]
    fn what_the_agent_says_instead_of_starting_is_passed_on() {
        let line = br#"error {"exit":11,"kind":"machine","profile":null,"message":"no space left","hint":null,"retry_at":null}"#;
        let Error::Agent(failure) = refusal(line) else { panic!("not the agent's error") };
        assert_eq!((failure.exit, &*failure.message), (11, "no space left"));
        for line in [&b"error {}"[..], b"error", b"", b"hello"] {
            assert!(matches!(refusal(line), Error::Died), "{line:?}");
        }
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("run");
        make_private(&directory).unwrap();
        assert_eq!(directory.metadata().unwrap().mode() & 0o777, 0o700);
        for (mode, fine) in [(0o755, true), (0o770, false), (0o702, false)] {
            std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(make_private(&directory).is_ok(), fine, "{mode:o}");
        }
    }
}
