//! One core for both ends of a round trip. Otherwise what is measured is where the scheduler happened to put
//! them: to wake somebody on another core costs several times the rest.

use anyhow::Result;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// Keeps all threads of these processes on the last core that we may use, until it is dropped.
#[derive(Debug)]
pub(super) struct OneCore {
    before: Vec<(Pid, CpuSet)>,
}

impl OneCore {
    pub(super) fn for_all(processes: &[Pid]) -> Result<Self> {
        let mut one = sched_getaffinity(Pid::this())?;
        let last = (0..CpuSet::count()).rev().find(|&core| one.is_set(core).unwrap_or(false));
        for core in (0..CpuSet::count()).filter(|&core| Some(core) != last) {
            one.unset(core)?;
        }
        let mut pinned = Self { before: Vec::new() };
        for process in processes {
            for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
                let Some(id) = thread?.file_name().to_str().and_then(|id| id.parse().ok()) else {
                    continue;
                };
                let thread = Pid::from_raw(id);
                let cores = sched_getaffinity(thread)?;
                sched_setaffinity(thread, &one)?;
                pinned.before.push((thread, cores));
            }
        }
        Ok(pinned)
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        for (thread, cores) in &self.before {
            // A thread that has ended needs no core.
            let _ended = sched_setaffinity(*thread, cores);
        }
    }
}
