//! Runs a home's agent under ptrace: counts its system calls over all its threads, and kills it, or makes one
//! of them fail, at a chosen one.
//!
//! strace injects too, but counts each call and each thread apart, so it cannot say "at the 117th of all". It
//! is also too slow to be started thousands of times.

mod call;
mod tracer;

use std::fmt;
use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::home::Home;
use crate::process::Run;
use crate::wait;

/// Whether calls can be made to fail here: their arguments are read by the registers of one architecture.
pub const CAN_FAIL_CALLS: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// Whether this user may trace a program of its own here: some containers forbid it.
pub fn is_allowed() -> bool {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "read -r line"]).stdin(Stdio::piped());
    tracer::is_allowed(command)
}

/// What happens to the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Its calls are counted.
    #[default]
    Count,
    /// It is killed at the stop of that number: before a call runs or right after it has run.
    Kill { at: u64 },
    /// The file call of that number fails; with `lasting`, so do all that follow.
    Fail { at: u64, how: Fault, lasting: bool },
}

/// How a call on a file fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and returns this.
    Error(Errno),
    /// A write writes half of what it was given; every other call works.
    Short,
}

/// What was seen since the last order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Two for each system call: before and after.
    pub stops: u64,
    /// System calls on files below the home.
    pub file_calls: u64,
    /// The first call that was made to fail, or at which the agent was killed.
    pub hit: Option<String>,
}

/// An agent that runs in the foreground under a tracer. Dropping it kills the agent.
pub struct Traced {
    shared: Arc<Shared>,
    leader: Pid,
    tracer: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told when the agent is gone.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    order: Order,
    seen: Seen,
    is_gone: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Traced {
    /// Starts the home's agent and waits until it listens. What it logs goes to `agent.log` in the home's root.
    #[track_caller]
    pub fn start(home: &Home, order: Order) -> Self {
        let traced = Self::launch(home, order);
        wait::eventually("the traced agent listens", || {
            assert!(!traced.is_gone(), "the traced agent ended: {}", log_of(home));
            std::os::unix::net::UnixStream::connect(home.socket()).is_ok().then_some(())
        });
        traced
    }

    /// Starts the home's agent, which may be killed before it listens.
    #[track_caller]
    pub fn launch(home: &Home, order: Order) -> Self {
        let log = File::options().create(true).append(true).open(home.root().join("agent.log"));
        let log = log.unwrap_or_else(|error| panic!("no log for the traced agent: {error}"));
        // The shell waits for a line, so that the tracer has it from the agent's first call on.
        let wait_then_run = "read -r line && exec \"$0\"";
        let shell = home.with_environment(Run::new("/bin/sh")).args(["-c", wait_then_run]);
        let mut command: Command = shell.arg(&home.programs().agent).into_command();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);

        let state = State { order, ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let (sender, receiver) = channel();
        let tracer = {
            let (shared, home) = (Arc::clone(&shared), home.path());
            std::thread::spawn(move || tracer::run(command, &home, &shared, &sender))
        };
        match receiver.recv() {
            Ok(Ok(leader)) => Self { shared, leader, tracer: Some(tracer) },
            Ok(Err(error)) => panic!("the agent cannot be traced: {error:#}"),
            Err(_) => panic!("the tracer ended without a word"),
        }
    }

    pub fn pid(&self) -> Pid {
        self.leader
    }

    /// Begins to count anew.
    pub fn order(&self, order: Order) {
        let mut state = self.shared.state();
        state.order = order;
        state.seen = Seen::default();
    }

    pub fn seen(&self) -> Seen {
        self.shared.state().seen.clone()
    }

    pub fn is_gone(&self) -> bool {
        self.shared.state().is_gone
    }

    /// Sends SIGKILL, if it has not been killed, and waits for its end.
    #[track_caller]
    pub fn end(self) -> Seen {
        let _gone = kill(self.leader, Signal::SIGKILL);
        self.wait()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(self) -> Seen {
        let begun = Instant::now();
        let mut state = self.shared.state();
        while !state.is_gone {
            let left = wait::PATIENCE.saturating_sub(begun.elapsed());
            assert!(!left.is_zero(), "the traced agent does not end");
            state = match self.shared.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        state.seen.clone()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !self.is_gone() {
            // The tracer waits for it, so its pid is still its own.
            let _gone = kill(self.leader, Signal::SIGKILL);
        }
        if let Some(tracer) = self.tracer.take() {
            drop(tracer.join());
        }
    }
}

impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Traced(pid {})", self.leader)
    }
}

/// What the traced agents of a home logged.
pub fn log_of(home: &Home) -> String {
    std::fs::read_to_string(home.root().join("agent.log")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provider;
    use crate::wire::Raw;

    fn refreshed(home: &Home) -> Option<serde_json::Value> {
        let mut raw = Raw::connect(&home.socket());
        raw.line(r#"{"get":{"profile":"acme","refresh":true,"timeout_ms":5000}}"#);
        std::iter::from_fn(|| raw.answer_line()).find(|line| line.get("progress").is_none())
    }

    fn is_open(home: &Home) -> bool {
        let mut raw = Raw::connect(&home.socket());
        raw.line(r#"{"agent_status":{}}"#);
        raw.answer_line().is_some_and(|line| line["done"]["agent"]["state"] == "unlocked")
    }

    #[test]
    fn an_agent_is_killed_at_the_stop_that_was_named() {
        let (home, provider) = (Home::new().init_bare(), Provider::start());
        home.add_at("acme", &provider);
        home.stop_agent();
        let agent = Traced::start(&home, Order::Count);
        agent.order(Order::Count);
        assert!(refreshed(&home).is_some());
        let Seen { stops, hit, .. } = agent.end();
        assert!(stops > 40 && hit.is_none(), "{stops} {hit:?}");

        let agent = Traced::start(&home, Order::Count);
        agent.order(Order::Kill { at: 10 });
        assert_eq!(refreshed(&home), None);
        assert_eq!(agent.wait().hit.as_deref(), Some("stop 10"));
        assert!(home.lock_is_free());
    }

    #[test]
    fn calls_on_files_fail_as_they_were_told_to() {
        if !CAN_FAIL_CALLS {
            return crate::machine::not_run("registers are read on x86_64 Linux alone");
        }
        let (home, provider) = (Home::new().init_bare(), Provider::start());
        home.add_at("acme", &provider);
        home.stop_agent();
        let agent = Traced::start(&home, Order::Count);
        crate::eventually("the vault is open", || is_open(&home).then_some(()));
        agent.order(Order::Fail { at: 1, how: Fault::Error(Errno::EIO), lasting: true });
        let answer = refreshed(&home).unwrap_or_default();
        assert_eq!(answer["error"]["exit"], 11, "{answer}");
        let hit = agent.seen().hit.unwrap_or_default();
        assert!(hit.contains('('), "{hit:?}");
        agent.order(Order::Count);
        crate::eventually("a token comes after all", || {
            refreshed(&home).is_some_and(|answer| answer["error"].is_null()).then_some(())
        });
        assert!(agent.end().file_calls > 3);
    }
}
