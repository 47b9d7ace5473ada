//! Where everything lies: configuration, vault, state, and the socket.
//!
//! Both programs look things up here, so that a client and its agent cannot disagree. Nothing is created.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Longest socket path the kernel takes, without its terminating NUL (sun_path of unix(7)).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// The places cannot be worked out.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    #[error("HOME is not set to an absolute path")]
    NoHome,
    #[error("{0} is not an absolute path: `{1}`")]
    Relative(&'static str, String),
    #[error("no directory for the socket has a short enough path: `{}`", .0.display())]
    SocketTooLong(PathBuf),
    /// `vault/lock` separates its fields by line feeds, and a path is printed as it is.
    #[error("a control character is in the path `{0}`")]
    Control(String),
    #[error("TOKCTL_SOCK_UID is neither a user id nor `any`: `{0}`")]
    Uid(String),
}

/// The environment as the look-up sees it, so that tests bring their own.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
    pub uid: u32,
    /// The owner of a path, if there is such a path.
    pub owner: &'a dyn Fn(&Path) -> Option<u32>,
    pub current_dir: &'a dyn Fn() -> Option<PathBuf>,
}

impl std::fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Environment(uid {})", self.uid)
    }
}

/// Where this user's tokctl lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// TOKCTL_HOME, absolute, where it is set.
    pub home: Option<PathBuf>,
    /// `config.toml`.
    pub config: PathBuf,
    /// The vault's directory.
    pub vault: PathBuf,
    /// The directory of audit log, schedule and agent log.
    pub state: PathBuf,
    pub socket: PathBuf,
    /// TOKCTL_SOCK names the socket: it may be somebody else's agent, so none is started there.
    pub socket_is_named: bool,
    /// The uid that the agent must have; none: whichever it has.
    pub agent_uid: Option<u32>,
}

impl Places {
    /// Looks everything up in the process's environment.
    pub fn from_environment() -> Result<Self, EndpointError> {
        Self::look_up(Environment {
            variable: &|name| std::env::var_os(name),
            uid: nix::unistd::geteuid().as_raw(),
            owner: &|path| path.symlink_metadata().ok().map(|metadata| metadata.uid()),
            current_dir: &|| std::env::current_dir().ok(),
        })
    }

    pub fn look_up(environment: Environment<'_>) -> Result<Self, EndpointError> {
        let set = |name: &str| (environment.variable)(name).filter(|value| !value.is_empty());
        let home = match set("TOKCTL_HOME") {
            Some(home) => Some(absolute("TOKCTL_HOME", home, environment.current_dir)?),
            None => None,
        };
        let (config, vault, state) = match &home {
            Some(home) => (home.join("config.toml"), home.join("vault"), home.join("state")),
            None => (
                base("XDG_CONFIG_HOME", ".config", environment)?.join("tokctl/config.toml"),
                base("XDG_DATA_HOME", ".local/share", environment)?.join("tokctl/vault"),
                base("XDG_STATE_HOME", ".local/state", environment)?.join("tokctl"),
            ),
        };
        let named = match set("TOKCTL_SOCK") {
            Some(socket) => Some(absolute("TOKCTL_SOCK", socket, environment.current_dir)?),
            None => None,
        };
        let socket = match &named {
            Some(socket) if fits(socket) => socket.clone(),
            Some(socket) => return Err(EndpointError::SocketTooLong(socket.clone())),
            None => derived_socket(home.as_deref(), environment)?,
        };
        let agent_uid = match set("TOKCTL_SOCK_UID") {
            Some(any) if named.is_some() && any == "any" => None,
            Some(uid) if named.is_some() => {
                let shown = || crate::escape::shown(&uid.to_string_lossy());
                let parsed = uid.to_str().and_then(|uid| uid.parse().ok());
                Some(parsed.ok_or_else(|| EndpointError::Uid(shown()))?)
            }
            _ => Some(environment.uid),
        };
        for path in [&config, &vault, &state, &socket] {
            let path = path.to_string_lossy();
            if path.chars().any(char::is_control) {
                return Err(EndpointError::Control(crate::escape::shown(&path)));
            }
        }
        Ok(Self { home, config, vault, state, socket, socket_is_named: named.is_some(), agent_uid })
    }

    /// The directory in which agents are started one at a time.
    pub fn run_dir(&self) -> PathBuf {
        match (&self.home, self.socket_is_named, self.socket.parent()) {
            (_, false, Some(directory)) => directory.to_owned(),
            (Some(home), ..) => home.join("run"),
            _ => self.state.join("run"),
        }
    }
}

/// The base directory that an XDG variable names; a relative one is ignored, as its specification says.
fn base(
    variable: &'static str,
    below_home: &str,
    environment: Environment<'_>,
) -> Result<PathBuf, EndpointError> {
    let named =
        (environment.variable)(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    match named {
        Some(path) => Ok(path),
        None => (environment.variable)("HOME")
            .map(PathBuf::from)
            .filter(|home| home.is_absolute())
            .map(|home| home.join(below_home))
            .ok_or(EndpointError::NoHome),
    }
}

/// The user's runtime directory: the variable's if it is ours, else the usual place if that is ours.
fn runtime_dir(environment: Environment<'_>) -> Option<PathBuf> {
    let ours = |path: &PathBuf| (environment.owner)(path) == Some(environment.uid);
    (environment.variable)("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .filter(ours)
        .or_else(|| Some(PathBuf::from(format!("/run/user/{}", environment.uid))).filter(ours))
}

/// The first directory of the list, or the next where its path is too long. Nothing is looked up that is not
/// needed: a `get` in a loop comes by here every time.
fn derived_socket(
    home: Option<&Path>,
    environment: Environment<'_>,
) -> Result<PathBuf, EndpointError> {
    let directories: [&dyn Fn() -> Option<PathBuf>; 3] = [
        &|| home.map(|home| home.join("run")),
        &|| runtime_dir(environment).map(|runtime| runtime.join("tokctl")),
        &|| {
            let state = base("XDG_STATE_HOME", ".local/state", environment).ok()?;
            Some(state.join("tokctl/run"))
        },
    ];
    let mut wanted: Option<PathBuf> = None;
    for directory in directories.into_iter().filter_map(|directory| directory()) {
        let candidate = match &wanted {
            None => directory.join("agent.sock"),
            // The path that was too long names the socket, so two homes never share one.
            Some(too_long) => {
                let hash = fnv1a(too_long.as_os_str().as_bytes());
                directory.join(format!("{hash:016x}.sock"))
            }
        };
        if fits(&candidate) {
            return Ok(candidate);
        }
        wanted.get_or_insert(candidate);
    }
    Err(EndpointError::SocketTooLong(wanted.unwrap_or_default()))
}

fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX
}

fn absolute(
    name: &'static str,
    value: OsString,
    current_dir: &dyn Fn() -> Option<PathBuf>,
) -> Result<PathBuf, EndpointError> {
    let path = PathBuf::from(value);
    let path = match path.is_absolute() {
        true => path,
        false => match current_dir() {
            Some(directory) => directory.join(&path),
            None => {
                let shown = crate::escape::shown(&path.to_string_lossy());
                return Err(EndpointError::Relative(name, shown));
            }
        },
    };
    // Without `.` and trailing slashes, so that one directory has one name; `..` and links stay, since
    // only the file system knows where they lead.
    Ok(path.components().collect())
}

/// FNV-1a, 64 bits: names a socket, protects nothing.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Whoever holds `vault/lock`: it tells clients that look elsewhere where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    pub socket: PathBuf,
}

impl Holder {
    /// Reads `vault/lock`. What it says is a hint: the process may be gone.
    pub fn read(vault: &Path) -> Option<Self> {
        let text = std::fs::read(vault.join("lock")).ok()?;
        let mut lines = text.splitn(3, |&byte| byte == b'\n');
        let pid = std::str::from_utf8(lines.next()?).ok()?.parse().ok()?;
        let socket = PathBuf::from(std::ffi::OsStr::from_bytes(lines.next()?));
        socket.is_absolute().then_some(Self { pid, socket })
    }

    /// What the holder writes into the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\n", self.pid).into_bytes();
        text.extend_from_slice(self.socket.as_os_str().as_bytes());
        text.push(b'\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(variables: &[(&str, &str)], owned: &[&str]) -> Result<Places, EndpointError> {
        Places::look_up(Environment {
            variable: &|name| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
            },
            uid: 1000,
            owner: &|path| owned.iter().any(|own| Path::new(own) == path).then_some(1000),
            current_dir: &|| Some("/home/ada/work".into()),
        })
    }

    #[test]
    fn the_socket_is_where_the_first_of_the_list_says() {
        let long = format!("/{}", "x".repeat(120));
        for (variables, owned, socket) in [
            (&[("HOME", "/home/ada"), ("TOKCTL_SOCK", "/s")][..], &[][..], "/s"),
            (&[("HOME", "/home/ada"), ("TOKCTL_SOCK", "s")], &[], "/home/ada/work/s"),
            (
                &[("HOME", "/home/ada"), ("TOKCTL_HOME", "/t/"), ("XDG_RUNTIME_DIR", "/run/x")],
                &["/run/x"],
                "/t/run/agent.sock",
            ),
            (
                &[("HOME", "/home/ada"), ("XDG_RUNTIME_DIR", "/run/x")],
                &["/run/x", "/run/user/1000"],
                "/run/x/tokctl/agent.sock",
            ),
            // Root's, as after `su`: read as the usual place.
            (
                &[("HOME", "/home/ada"), ("XDG_RUNTIME_DIR", "/run/user/0")],
                &["/run/user/1000"],
                "/run/user/1000/tokctl/agent.sock",
            ),
            // cron.
            (&[("HOME", "/home/ada")], &["/run/user/1000"], "/run/user/1000/tokctl/agent.sock"),
            (&[("HOME", "/home/ada")], &[], "/home/ada/.local/state/tokctl/run/agent.sock"),
            (&[("HOME", "/home/ada"), ("XDG_STATE_HOME", "/st")], &[], "/st/tokctl/run/agent.sock"),
            (
                &[("HOME", "/home/ada"), ("XDG_STATE_HOME", "relative")],
                &[],
                "/home/ada/.local/state/tokctl/run/agent.sock",
            ),
            (
                &[("HOME", "/home/ada"), ("TOKCTL_HOME", &long)],
                &["/run/user/1000"],
                "/run/user/1000/tokctl/084877de7682251c.sock",
            ),
        ] {
            let places = look_up(variables, owned).unwrap();
            assert_eq!(places.socket, Path::new(socket), "{variables:?}");
        }
    }

    #[test]
    fn a_home_holds_everything() {
        let places = look_up(&[("TOKCTL_HOME", "ci//home/.")], &[]).unwrap();
        assert_eq!(places.home.as_deref(), Some(Path::new("/home/ada/work/ci/home")));
        assert_eq!(places.config, Path::new("/home/ada/work/ci/home/config.toml"));
        assert_eq!(places.vault, Path::new("/home/ada/work/ci/home/vault"));
        assert_eq!(places.state, Path::new("/home/ada/work/ci/home/state"));
    }

    #[test]
    fn without_any_home_there_is_no_place() {
        assert_eq!(look_up(&[], &[]), Err(EndpointError::NoHome));
    }

    #[test]
    fn a_path_with_a_control_character_is_no_place() {
        let home = ("HOME", "/h");
        for (variable, path) in [
            ("TOKCTL_HOME", "/a\nb/config.toml"),
            ("TOKCTL_SOCK", "/a\nb"),
            ("XDG_DATA_HOME", "/a\nb/tokctl/vault"),
            ("XDG_STATE_HOME", "/a\nb/tokctl"),
        ] {
            let path = crate::escape::shown(path);
            let refused = look_up(&[home, (variable, "/a\nb")], &[]);
            assert_eq!(refused, Err(EndpointError::Control(path)), "{variable}");
        }
        assert!(look_up(&[("TOKCTL_HOME", "/a b/ä")], &[]).is_ok());
    }

    #[test]
    fn a_socket_path_at_the_kernels_limit_is_taken_as_it_is() {
        for (length, hashed) in [(107, false), (108, true)] {
            let home = format!("/{}", "h".repeat(length - "//run/agent.sock".len()));
            let places = look_up(&[("TOKCTL_HOME", &home)], &["/run/user/1000"]).unwrap();
            assert_eq!(places.socket.starts_with("/run/user/1000"), hashed, "{length}");
        }
    }

    #[test]
    fn another_uid_is_for_named_sockets_alone() {
        for (variables, uid) in [
            (&[("HOME", "/h"), ("TOKCTL_SOCK", "/s"), ("TOKCTL_SOCK_UID", "7")][..], Some(7)),
            (&[("HOME", "/h"), ("TOKCTL_SOCK", "/s"), ("TOKCTL_SOCK_UID", "any")], None),
            (&[("HOME", "/h"), ("TOKCTL_SOCK", "/s"), ("TOKCTL_SOCK_UID", "")], Some(1000)),
            (&[("HOME", "/h"), ("TOKCTL_SOCK", "/s")], Some(1000)),
            (&[("HOME", "/h"), ("TOKCTL_SOCK_UID", "7")], Some(1000)),
            (&[("HOME", "/h"), ("TOKCTL_SOCK_UID", "any")], Some(1000)),
        ] {
            assert_eq!(look_up(variables, &[]).unwrap().agent_uid, uid);
        }
        for bad in ["Any", "-1", "4294967296", "ada"] {
            let variables = [("HOME", "/h"), ("TOKCTL_SOCK", "/s"), ("TOKCTL_SOCK_UID", bad)];
            assert_eq!(look_up(&variables, &[]), Err(EndpointError::Uid(bad.to_owned())));
        }
    }

    #[test]
    fn the_holder_is_read_as_it_was_written() {
        let vault = tempfile::tempdir().unwrap();
        assert_eq!(Holder::read(vault.path()), None);
        let holder = Holder { pid: 42, socket: "/run/user/1000/tokctl/agent.sock".into() };
        std::fs::write(vault.path().join("lock"), holder.to_bytes()).unwrap();
        assert_eq!(Holder::read(vault.path()), Some(holder));
        std::fs::write(vault.path().join("lock"), "42\nrelative\n").unwrap();
        assert_eq!(Holder::read(vault.path()), None);
    }
}
