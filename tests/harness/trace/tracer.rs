//! The tracer's thread. Only the thread that attached may give orders to what it traces.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::Sender;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc::{PTRACE_SYSCALL_INFO_ENTRY, PTRACE_SYSCALL_INFO_EXIT};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::call::{Call, Files};
use super::{Fault, Order, Shared};

/// Traces a program from its start to its end.
pub(super) fn run(command: Command, home: &Path, shared: &Shared, ready: &Sender<Result<Pid>>) {
    match attach(command) {
        Ok(leader) => {
            drop(ready.send(Ok(leader)));
            Tracer { leader, shared, files: Files::below(home), under_way: BTreeMap::new() }.run();
        }
        Err(error) => drop(ready.send(Err(error))),
    }
    shared.state().is_gone = true;
    shared.changed.notify_all();
}

fn attach(mut command: Command) -> Result<Pid> {
    // A group of its own, so that its threads can be waited for apart from other tests' programs.
    let mut child = command.process_group(0).spawn().context("cannot start the shell")?;
    let mut stdin = child.stdin.take().context("stdin is piped")?;
    let leader = Pid::from_raw(i32::try_from(child.id())?);
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    let traced = ptrace::seize(leader, options).and_then(|()| ptrace::interrupt(leader));
    if let Err(error) = traced {
        drop(child.kill());
        drop(child.wait());
        return Err(error).context("ptrace is not allowed");
    }
    writeln!(stdin, "go")?;
    Ok(leader)
}

/// Traces a program that ends by itself, to see whether that is allowed.
pub(super) fn is_allowed(command: Command) -> bool {
    let Ok(leader) = attach(command) else { return false };
    let shared = Shared::default();
    Tracer {
        leader,
        shared: &shared,
        files: Files::below(Path::new("/")),
        under_way: BTreeMap::new(),
    }
    .run();
    true
}

struct Tracer<'a> {
    leader: Pid,
    shared: &'a Shared,
    files: Files,
    /// The call on a file that a thread is in.
    under_way: BTreeMap<Pid, UnderWay>,
}

struct UnderWay {
    call: Call,
    /// What the call returns in place of its own result.
    result: Option<Errno>,
}

impl Tracer<'_> {
    fn run(mut self) {
        loop {
            let group = Pid::from_raw(-self.leader.as_raw());
            let status = match waitpid(group, Some(WaitPidFlag::__WALL)) {
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                // Nobody is left.
                Err(_) => return,
            };
            // A thread that was killed between two calls is not there to be told anything.
            let _gone = match status {
                WaitStatus::PtraceSyscall(thread) => {
                    self.stopped(thread);
                    ptrace::syscall(thread, None)
                }
                WaitStatus::PtraceEvent(thread, ..) => ptrace::syscall(thread, None),
                WaitStatus::Stopped(thread, signal) => ptrace::syscall(thread, signal),
                WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..) => {
                    if thread == self.leader {
                        return;
                    }
                    Ok(())
                }
                _ => Ok(()),
            };
        }
    }

    /// Before a call or after it.
    fn stopped(&mut self, thread: Pid) {
        let Ok(info) = ptrace::syscall_info(thread) else { return };
        let must_die = {
            let mut state = self.shared.state();
            state.seen.stops += 1;
            matches!(state.order, Order::Kill { at } if at == state.seen.stops)
        };
        match info.op {
            PTRACE_SYSCALL_INFO_ENTRY => self.entered(thread),
            PTRACE_SYSCALL_INFO_EXIT => self.left(thread),
            _ => {}
        }
        if must_die {
            let _gone = kill(self.leader, Signal::SIGKILL);
            let mut state = self.shared.state();
            let number = state.seen.stops;
            state.seen.hit = Some(format!("stop {number}"));
        }
    }

    fn entered(&mut self, thread: Pid) {
        self.under_way.remove(&thread);
        let Some(call) = self.files.entered(thread) else { return };
        let fault = {
            let mut state = self.shared.state();
            state.seen.file_calls += 1;
            let number = state.seen.file_calls;
            match state.order {
                Order::Fail { at, how, lasting } if number == at || (lasting && number > at) => {
                    state.seen.hit.get_or_insert_with(|| call.to_string());
                    Some(how)
                }
                _ => None,
            }
        };
        let result = match fault {
            Some(Fault::Error(errno)) => call.skip(thread).ok().map(|()| errno),
            Some(Fault::Short) => {
                let _gone = call.halve(thread);
                None
            }
            None => None,
        };
        self.under_way.insert(thread, UnderWay { call, result });
    }

    fn left(&mut self, thread: Pid) {
        let Some(UnderWay { call, result }) = self.under_way.remove(&thread) else { return };
        match result {
            Some(errno) => {
                let _gone = call.fail(thread, errno);
            }
            None => self.files.left(thread, &call),
        }
    }
}
