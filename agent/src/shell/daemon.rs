//! The life of the process: hold the vault, make the socket, say that it is ready, run, clean up.
//!
//! Whoever holds the vault's lock is the agent. A second one that starts learns where the first
//! listens and says so instead.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use tokctl_core::{Start, Vault};
use tokctl_proto::endpoint::{Holder, Places};
use tokctl_proto::error::WireFailure;
use tokctl_proto::{Failure, Kind};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedSender};
use tracing::{error, info, warn};

use super::driver::{Driver, Facts, Input, SocketsStart};
use super::hooks;
use super::http::{Http, Limits, MetadataCache};
use super::life::Life;
use super::listen::{self, Desk};
use super::live::Live;
use super::obtain::Means;
use super::private::{Open, private_directory};
use super::purge;
use super::schedule_file;
use super::serve::{Context, Home};
use super::socket::{Socket, is_listened_on};
use super::sockets_file;
use super::worker::{Jobs, Worker, bug};
use crate::config::{ConfigFile, Watch};
use crate::vault::{AcquireError, VaultDir};
use crate::{clock, entropy, harden, log};

/// How long clients that are being answered may take when the agent stops.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long an agent that holds the vault is waited for: until it listens, or until it has let go.
/// Less than a client waits for the agent that it starts.
const HOLDER_TIME_MAX: Duration = Duration::from_secs(5);
/// How often it is looked at.
const HOLDER_NAP: Duration = Duration::from_millis(20);
/// One that starts listens long before this, so something has happened to its socket.
const NUDGE_AFTER: Duration = Duration::from_millis(500);

/// How the agent was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// By a person or a service manager: stays where it is.
    Foreground,
    /// By a client: leaves the terminal's session and tells on stdout when it is ready.
    Detached,
}

/// What the process that started a detached agent is told, one line.
enum Word {
    Ready,
    /// Another agent holds the vault; it listens there.
    Held(PathBuf),
    Error(Failure),
}

/// Prints for `--help` and `--version`.
pub fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(11),
    }
}

/// Runs the agent to its end; `max_life` is that of an ephemeral one.
pub fn run(manner: Manner, max_life: Option<Duration>) -> ExitCode {
    let life = max_life.map(|longest| Life::new(clock::now(), longest));
    // Held back until the agent can act on it: another one that starts nudges us with it, and a
    // signal that comes before its handler kills.
    let _not_held_back = hangups().thread_block();
    let ended = match Places::from_environment() {
        Ok(places) => {
            if manner == Manner::Detached {
                detach();
            }
            match prepare(manner, places, life) {
                Ok(agent) => agent.run(manner),
                Err(Ending::Held(socket)) if manner == Manner::Detached => {
                    say(Word::Held(socket));
                    return ExitCode::SUCCESS;
                }
                Err(Ending::Held(socket)) => Err(Failure::new(
                    Kind::Machine,
                    format!("another agent holds this vault; it listens on {}", socket.display()),
                )
                .hint("run `tokctl agent stop` first")),
                Err(Ending::Failed(failure)) => Err(failure),
            }
        }
        Err(error) => Err(Failure::new(Kind::Usage, error.to_string())),
    };
    let Err(failure) = ended else { return ExitCode::SUCCESS };
    error!(problem = %failure.message, "the agent ends");
    let exit = failure.kind.exit();
    match manner {
        Manner::Detached => say(Word::Error(failure)),
        Manner::Foreground => {
            log::last_words(&format!("error: {}", failure.message));
            if let Some(hint) = &failure.hint {
                log::last_words(&format!("hint: {hint}"));
            }
        }
    }
    ExitCode::from(exit)
}

/// Leaves what belongs to whoever started us: descriptors, terminal, directory.
fn detach() {
    harden::close_inherited();
    // It fails for a process that leads its group already, and then there is nothing to leave.
    let _leads_already = nix::unistd::setsid();
    // The directory it was started in may be unmounted tomorrow.
    let _stays = std::env::set_current_dir("/");
    // stdout is the readiness pipe; the log is a file.
    if let Some(null) = dev_null() {
        let _still_open = nix::unistd::dup2_stdin(&null);
        let _still_open = nix::unistd::dup2_stderr(&null);
    }
}

fn dev_null() -> Option<File> {
    File::options().read(true).write(true).open("/dev/null").ok()
}

fn hangups() -> SigSet {
    SigSet::from(Signal::SIGHUP)
}

/// Why there will be no agent.
enum Ending {
    Held(PathBuf),
    Failed(Failure),
}

impl From<Failure> for Ending {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Everything that was found and made before the runtime starts.
struct Agent {
    places: Places,
    home: Home,
    worker: Worker,
    live: Live,
    config_problem: Option<Failure>,
    vault: Vault,
    life: Option<Life>,
}

fn prepare(manner: Manner, places: Places, life: Option<Life>) -> Result<Agent, Ending> {
    let dir = hold(&places)?;
    let state = |error: io::Error| {
        Failure::new(Kind::Machine, format!("{}: {error}", places.state.display()))
    };
    private_directory(&places.state, Open::Close)?;
    match manner {
        Manner::Detached => log::to_file(&places.state).map_err(state)?,
        Manner::Foreground => log::to_stderr(),
    }
    log::panics();
    let config = ConfigFile::new(&places.config);
    if let Err(error) = config.make_directory() {
        warn!(%error, "there is no directory for config.toml");
    }
    let vault = Vault::from(dir.presence().map_err(|error| Failure::from(&error))?);
    let mut worker = Worker::new(dir, config, places.state.clone());
    worker.is_ephemeral = life.is_some();
    let (live, config_problem) = match worker.read_config() {
        Ok(live) => (live, None),
        Err(failure) => {
            error!(problem = %failure.message, "config.toml cannot be used");
            (Live::none(), Some(failure))
        }
    };
    let home = Home::new(places.home.as_deref());
    Ok(Agent { places, home, worker, live, config_problem, vault, life })
}

impl Agent {
    fn run(self, manner: Manner) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Kind::Machine, format!("no runtime: {error}")))?;
        let ended = runtime.block_on(self.serve(manner));
        runtime.shutdown_timeout(FAREWELL);
        ended
    }

    async fn serve(self, manner: Manner) -> Result<(), Failure> {
        let Self { places, home, worker, live, config_problem, vault, life } = self;
        let machine = |error: io::Error| Failure::new(Kind::Machine, error.to_string());
        let open_files = harden::raise_open_files();
        let (sender, receiver) = mpsc::unbounded_channel();
        signals(&sender).map_err(machine)?;
        let socket = Socket::bind(&places.socket, places.socket_is_named)?;
        let seed = entropy::seed().map_err(machine)?;
        let (_watch, unwatched) = watch(&places, &sender);
        let schedule = schedule_file::read(&places.state);
        let start = Start { vault, profiles: live.profiles(), schedule };
        let desk = Arc::new(Desk::default());
        let facts = Facts {
            started_at: clock::now().wall,
            socket: places.socket.to_string_lossy().into_owned(),
            vault: places.vault.to_string_lossy().into_owned(),
            unwatched,
            has_session_bus: hooks::has_session_bus(),
            desk: Arc::clone(&desk),
            life,
        };
        let (jobs, thread) = Jobs::start(worker).map_err(machine)?;
        let means = Means {
            http: Arc::new(Http::new(Limits::default())),
            metadata: Arc::new(MetadataCache::default()),
            jobs,
        };
        let context = Context {
            inbox: sender.clone(),
            home,
            last_request: Arc::new(AtomicU64::new(1)),
            stopping: Arc::default(),
            terms: None,
        };
        let max = listen::connections_max(open_files);
        let (orders, ordered) = mpsc::unbounded_channel();
        let sockets = SocketsStart {
            orders,
            run: places.run_dir(),
            max: listen::further_max(max),
            left: sockets_file::read(&places.state),
        };
        let accepting =
            tokio::spawn(listen::accept(socket, ordered, context, max, Arc::clone(&desk)));
        info!(socket = %places.socket.display(), version = env!("CARGO_PKG_VERSION"), "ready");
        if manner == Manner::Detached {
            say(Word::Ready);
        }
        let mut driver =
            Driver::new(seed, (sender, receiver), means, facts, sockets, live, config_problem);
        // A task like any other: waking the future that the runtime blocks on costs a write and
        // another turn of the poll, twice for every request.
        let driving = tokio::spawn(async move {
            let ran = driver.run(start).await;
            desk.stop.notify_one();
            driver.farewell(FAREWELL).await;
            (ran, driver.is_purged())
        });
        let ended = driving.await;
        let _late = tokio::time::timeout(FAREWELL, accepting).await;
        // The thread ends when its queue is empty and nobody can add to it; until then it may be
        // writing.
        let _writing = tokio::task::spawn_blocking(move || thread.join()).await;
        let (ran, is_purged) = ended.map_err(|_| bug())?;
        if life.is_some() {
            // The driver and the thread that had them are gone, and wiped what they had.
            info!("forgot the keys, tokens and secrets of this ephemeral agent");
        }
        if is_purged {
            purge::sweep(&places);
        }
        ran.map_err(|error| Failure::new(Kind::Machine, format!("no timer: {error}")))
    }
}

/// Takes the vault. Another agent that has just taken it, or is just letting go of it, is waited
/// for.
fn hold(places: &Places) -> Result<VaultDir, Ending> {
    let own = Holder { pid: std::process::id(), socket: places.socket.clone() };
    let begun = clock::now().boot;
    let mut nudged = false;
    loop {
        let holder = match VaultDir::acquire(&places.vault, &own) {
            Ok(dir) => return Ok(dir),
            Err(AcquireError::Held(holder)) => holder,
            Err(error) => return Err(acquire_failure(&error).into()),
        };
        if let Some(holder) = &holder
            && is_listened_on(&holder.socket)
        {
            return Err(Ending::Held(holder.socket.clone()));
        }
        let waited = clock::now().boot.since(begun);
        match holder {
            Some(holder) if !nudged && waited >= NUDGE_AFTER => {
                nudged = true;
                nudge(&holder);
            }
            holder if waited >= HOLDER_TIME_MAX => return Err(silent(holder).into()),
            _ => {}
        }
        std::thread::sleep(HOLDER_NAP);
    }
}

/// Has the holder look after its socket, which may have been removed under it.
fn nudge(holder: &Holder) {
    // It wrote its pid when it took the lock, and holds the lock still; the name makes sure all the
    // same.
    let name = std::fs::read_to_string(format!("/proc/{}/comm", holder.pid)).unwrap_or_default();
    if let (Ok(pid), "tokctl-agent") = (i32::try_from(holder.pid), name.trim_end()) {
        let _gone = kill(Pid::from_raw(pid), Signal::SIGHUP);
    }
}

fn silent(holder: Option<Holder>) -> Failure {
    match holder {
        Some(Holder { pid, socket }) => {
            let socket = socket.display();
            let message = format!(
                "another agent (pid {pid}) holds this vault, and nobody answers on {socket}"
            );
            Failure::new(Kind::Machine, message).hint(format!("end it with `kill {pid}`"))
        }
        None => Failure::new(
            Kind::Machine,
            "another process holds this vault and does not say which it is",
        ),
    }
}

fn signals(inbox: &UnboundedSender<Input>) -> io::Result<()> {
    for (kind, make) in [
        (SignalKind::terminate(), (|| Input::Stop) as fn() -> Input),
        (SignalKind::interrupt(), || Input::Stop),
        (SignalKind::hangup(), || Input::Reload),
    ] {
        let mut signal = signal(kind)?;
        let inbox = inbox.clone();
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                if inbox.send(make()).is_err() {
                    return;
                }
            }
        });
    }
    Ok(hangups().thread_unblock()?)
}

fn watch(places: &Places, inbox: &UnboundedSender<Input>) -> (Option<Watch>, Option<String>) {
    let inbox = inbox.clone();
    let watching = Watch::new(&places.config, move || {
        let _stopped = inbox.send(Input::ConfigTouched);
    });
    match watching {
        Ok(watch) => (Some(watch), None),
        Err(error) => {
            warn!(%error, "edits of config.toml are not noticed");
            let text = format!(
                "edits of config.toml are not noticed ({error}): run `tokctl agent reload`"
            );
            (None, Some(text))
        }
    }
}

/// Tells the process that waits, and closes the pipe by which it waits.
fn say(word: Word) {
    let mut line = match word {
        Word::Ready => b"ready".to_vec(),
        Word::Held(socket) => [b"held ", socket.as_os_str().as_bytes()].concat(),
        Word::Error(failure) => {
            let mut line = b"error ".to_vec();
            line.extend(serde_json::to_vec(&WireFailure::from(&failure)).unwrap_or_default());
            line
        }
    };
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    // The starting process may be gone; the agent is there for others too.
    let _unheard = stdout.write_all(&line).and_then(|()| stdout.flush());
    if let Some(null) = dev_null() {
        let _still_open = nix::unistd::dup2_stdout(null);
    }
}

fn acquire_failure(error: &AcquireError) -> Failure {
    let message = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    match error {
        AcquireError::NotOurs { .. } => Failure::new(Kind::WrongUser, message)
            .hint("run this as the user it belongs to, without sudo"),
        _ => Failure::new(Kind::Machine, message),
    }
}
