//! A private TOKCTL_HOME in a temporary directory, with the agent that serves it.
//!
//! Dropping it stops that agent, found by the socket or by `vault/lock` of this home alone and checked to be
//! a tokctl-agent, and nobody else's.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;
use tokctl_proto::endpoint::Holder;

use crate::bin::Programs;
use crate::machine::{Ballast, NOBODY, SmallDisk};
use crate::process::Run;
use crate::provider::{self, Provider};
use crate::wait;

/// The passphrase that [`Home::init`] sets.
pub const PASSPHRASE: &str = "correct horse battery staple";
/// Room for a few hundred entries.
const DISK_BYTES: u64 = 2 * 1024 * 1024;
/// An agent that takes longer to stop after SIGTERM is killed.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Home {
    /// Under the TOKCTL_HOME or its vault; unmounted before `root` is removed.
    disk: Option<SmallDisk>,
    /// Holds `home` (the TOKCTL_HOME), `files` and `user` (HOME).
    root: TempDir,
    programs: Programs,
    /// Whose it is; absent: whoever runs the test.
    uid: Option<u32>,
    keep: bool,
}

impl Home {
    /// An empty home; no vault, no agent.
    #[track_caller]
    pub fn new() -> Self {
        Self::with_programs(Programs::built().unwrap_or_else(|error| panic!("{error:#}")), None)
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// An empty home of another user, who gets copies of the programs; only root can.
    #[track_caller]
    pub fn of_user(uid: u32) -> Self {
        let make = || {
            let directory = tempfile::tempdir()?;
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
            let programs = Programs::built()?.copied_to(&directory.path().join("bin"))?;
            Self::within(directory, programs, Some(uid))
        };
        make().unwrap_or_else(|error: anyhow::Error| panic!("{error:#}"))
    }

    /// An empty home whose programs are these.
    pub fn with_programs(programs: Programs, uid: Option<u32>) -> Result<Self> {
        Self::within(tempfile::tempdir().context("no temporary directory")?, programs, uid)
    }

    fn within(root: TempDir, programs: Programs, uid: Option<u32>) -> Result<Self> {
        for name in ["files", "user"] {
            let directory = root.path().join(name);
            fs::create_dir(&directory)?;
            chown(&directory, uid, uid)?;
        }
        // The home itself is left for tokctl to make.
        chown(root.path(), uid, uid)?;
        Ok(Self { disk: None, root, programs, uid, keep: false })
    }

    /// An empty home of a user whom file permissions bind: of the test's own, or of `nobody` where that is root.
    #[track_caller]
    pub fn of_ordinary_user() -> Self {
        match nix::unistd::geteuid().is_root() {
            true => Self::of_user(NOBODY),
            false => Self::new(),
        }
    }

    /// An empty home on a disk of its own that [`Home::fill_disk`] can fill. `None`, said with the reason,
    /// where there is none to be had.
    #[track_caller]
    pub fn on_small_disk() -> Option<Self> {
        let mut home = Self::new();
        if let Err(error) = fs::create_dir(home.path()) {
            panic!("cannot make {}: {error}", home.path().display());
        }
        let uid = nix::unistd::geteuid().as_raw();
        home.disk = Some(SmallDisk::over(&home.path(), DISK_BYTES, uid)?);
        Some(home)
    }

    /// Puts the vault, which no agent may hold, onto a disk of its own that [`Home::fill_disk`] can fill. False,
    /// said with the reason, where there is none to be had.
    #[track_caller]
    pub fn move_vault_to_disk(&mut self, bytes: u64) -> bool {
        let (vault, aside) = (self.vault(), self.root().join("vault-before"));
        let uid = nix::unistd::geteuid().as_raw();
        let prepare = || {
            fs::rename(&vault, &aside)?;
            fs::create_dir(&vault)
        };
        if let Err(error) = prepare() {
            panic!("cannot move {}: {error}", vault.display());
        }
        self.disk = SmallDisk::over(&vault, bytes, uid);
        let run = Run::new("cp").env("PATH", std::env::var_os("PATH").unwrap_or_default());
        run.args(["-a".as_ref(), aside.join(".").as_os_str(), vault.as_os_str()]).run().ok();
        self.disk.is_some()
    }

    /// Leaves no room on the small disk until what is returned is dropped.
    #[track_caller]
    pub fn fill_disk(&self) -> Ballast {
        match &self.disk {
            Some(disk) => disk.fill(),
            None => panic!("this home is on no small disk"),
        }
    }

    /// With a vault under [`PASSPHRASE`] and a running agent.
    #[track_caller]
    pub fn init(self) -> Self {
        let passphrase = self.secret_file("passphrase", PASSPHRASE);
        self.tokctl(["init", "--passphrase-file"]).arg(passphrase).run().ok();
        self.assert_served();
        self
    }

    /// With a vault without passphrase and a running agent; quicker than [`Home::init`].
    #[track_caller]
    pub fn init_bare(self) -> Self {
        self.tokctl(["init", "--no-passphrase"]).run().ok();
        self.assert_served();
        self
    }

    #[track_caller]
    fn assert_served(&self) {
        assert!(self.agent_pid().is_some(), "`tokctl init` left no agent running");
    }

    /// Leaves the directory and the agent when this is dropped.
    pub fn keep(&mut self) {
        self.keep = true;
        self.root.disable_cleanup(true);
    }

    /// The TOKCTL_HOME.
    pub fn path(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Whose it is, where that is not whoever runs the test.
    pub fn uid(&self) -> Option<u32> {
        self.uid
    }

    /// The directory around it, which tokctl has no business in.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    pub fn config(&self) -> PathBuf {
        self.path().join("config.toml")
    }

    pub fn vault(&self) -> PathBuf {
        self.path().join("vault")
    }

    pub fn entry(&self, profile: &str) -> PathBuf {
        self.vault().join("entries").join(format!("{profile}.age"))
    }

    pub fn socket(&self) -> PathBuf {
        self.path().join("run/agent.sock")
    }

    /// `tokctl` with these arguments in this home's environment.
    pub fn tokctl(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        self.with_environment(Run::new(&self.programs.tokctl)).args(arguments)
    }

    /// `tokctl-agent` likewise.
    pub fn agent(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
        self.with_environment(Run::new(&self.programs.agent)).args(arguments)
    }

    /// This home's environment and user, and nothing from the test's.
    pub fn with_environment(&self, run: Run) -> Run {
        let run = self.with_environment_of_another(run);
        match self.uid {
            Some(uid) => run.user(uid),
            None => run,
        }
    }

    /// This home's environment, but the user who runs the test: what `sudo` does.
    pub fn with_environment_of_another(&self, run: Run) -> Run {
        let path = match std::env::var_os("PATH") {
            Some(path) => {
                let mut directories = vec![self.programs.directory.clone()];
                directories.extend(std::env::split_paths(&path));
                std::env::join_paths(directories).unwrap_or(path)
            }
            None => self.programs.directory.clone().into_os_string(),
        };
        run.env("PATH", path)
            .env("HOME", self.root().join("user"))
            .env("LANG", "C.UTF-8")
            .env("TOKCTL_HOME", self.path())
            .env("TOKCTL_NO_PROMPT", "1")
            .current_dir(self.root())
    }

    /// Writes a file outside the TOKCTL_HOME that nobody else can read.
    #[track_caller]
    pub fn secret_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root().join("files").join(name);
        let write = || {
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            chown(&path, self.uid, self.uid)
        };
        match write() {
            Ok(()) => path,
            Err(error) => panic!("cannot write {}: {error}", path.display()),
        }
    }

    /// `tokctl add` of a client_credentials profile whose secret is `secret`.
    #[track_caller]
    pub fn add(&self, profile: &str, client_id: &str, secret: &str) -> Run {
        let secret = self.secret_file(&format!("{profile}.secret"), secret);
        self.tokctl(["add", profile, "--grant", "client_credentials", "--client-id", client_id])
            .arg("--secret-file")
            .arg(secret)
    }

    /// Adds a profile of the embedded provider's own client.
    #[track_caller]
    pub fn add_at(&self, profile: &str, provider: &Provider) {
        self.add(profile, provider::CLIENT_ID, provider::CLIENT_SECRET)
            .args(["--token-endpoint", &provider.token_endpoint(), "--scope", "api"])
            .run()
            .ok();
    }

    /// `tokctl add` of a profile with this refresh token; an issuer or endpoint is yet to be named.
    #[track_caller]
    pub fn add_refresh_token(&self, profile: &str, client_id: &str, refresh_token: &str) -> Run {
        let file = self.secret_file(&format!("{profile}.refresh-token"), refresh_token);
        self.tokctl(["add", profile, "--grant", "refresh_token", "--client-id", client_id])
            .arg("--refresh-token-file")
            .arg(file)
    }

    /// `tokctl get`, which has to work.
    #[track_caller]
    pub fn get(&self, profile: &str) -> String {
        let token = self.tokctl(["get", profile]).run().ok();
        assert!(!token.is_empty(), "`tokctl get {profile}` printed nothing and called it done");
        token
    }

    /// What `tokctl list` names.
    #[track_caller]
    pub fn profiles(&self) -> Vec<String> {
        let rows = self.tokctl(["list", "--json"]).run().json();
        let names = rows.as_array().map(Vec::as_slice).unwrap_or_default().iter();
        names.filter_map(|row| Some(row["profile"].as_str()?.to_owned())).collect()
    }

    /// A profile's row of `tokctl status`; null where there is none.
    #[track_caller]
    pub fn status(&self, profile: &str) -> Value {
        let rows = self.tokctl(["status", "--json"]).run().json();
        let mut rows = rows.as_array().cloned().unwrap_or_default().into_iter();
        rows.find(|row| row["profile"] == profile).unwrap_or_default()
    }

    /// What `tokctl agent status` says.
    #[track_caller]
    pub fn agent_status(&self) -> Value {
        self.tokctl(["agent", "status", "--json"]).run().json()
    }

    #[track_caller]
    pub fn stop_agent(&self) {
        self.tokctl(["agent", "stop"]).run().ok();
        wait::eventually("the agent is gone", || self.agent_pid().is_none().then_some(()));
    }

    #[track_caller]
    pub fn kill_agent(&self) {
        self.signal_agent(Signal::SIGKILL);
        wait::eventually("the agent is gone", || self.agent_pid().is_none().then_some(()));
    }

    /// The process that serves this home, if one does.
    pub fn agent_pid(&self) -> Option<Pid> {
        let pid = match UnixStream::connect(self.socket()) {
            Ok(stream) => getsockopt(&stream, PeerCredentials).ok()?.pid(),
            Err(_) => {
                // The file stays after its writer; only a lock that is held names somebody.
                let held = !self.lock_is_free();
                i32::try_from(Holder::read(&self.vault())?.pid).ok().filter(|_| held)?
            }
        };
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        (name.trim_end() == "tokctl-agent").then(|| Pid::from_raw(pid))
    }

    /// Sends a signal to the agent of this home.
    #[track_caller]
    pub fn signal_agent(&self, signal: Signal) {
        let Some(pid) = self.agent_pid() else { panic!("no agent serves {:?}", self.path()) };
        if let Err(error) = kill(pid, signal) {
            panic!("cannot send {signal} to the agent: {error}");
        }
    }

    /// Whether no agent holds the vault.
    pub fn lock_is_free(&self) -> bool {
        let Ok(file) = fs::File::open(self.vault().join("lock")) else { return true };
        // Taken for a moment and given back when it is dropped.
        Flock::lock(file, FlockArg::LockSharedNonblock).is_ok()
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let Some(pid) = self.agent_pid() else { return };
            if kill(pid, signal).is_err() {
                return;
            }
            if wait::within(STOPS_WITHIN, || self.agent_pid().is_none().then_some(())).is_some() {
                return;
            }
        }
    }
}
