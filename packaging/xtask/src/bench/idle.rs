//! What an agent costs that has nothing to do: memory, and how often it wakes up.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tokctl_tests::Home;

use super::{Aim, PROFILES};
use crate::say::say;

/// What came with the last requests is over by then.
const SETTLES: Duration = Duration::from_secs(5);
/// Two naps of the agent's and a little.
const WATCHED: Duration = Duration::from_secs(65);
/// One for each nap, and one for where the watching began.
const WAKE_UPS_MAX: f64 = 3.0;

pub(super) fn measure(home: &Home) -> Result<Vec<Aim>> {
    let seconds = WATCHED.as_secs();
    say!("\n== an idle agent with {PROFILES} profiles, watched for {seconds} s");
    let pid = home.agent_pid().context("no agent")?;
    let process = Path::new("/proc").join(pid.to_string());
    std::thread::sleep(SETTLES);
    let before = wake_ups(&process)?;
    std::thread::sleep(WATCHED);
    let after = wake_ups(&process)?;
    let resident = number(&fs::read_to_string(process.join("status"))?, "VmRSS:")? / 1024.0;
    say!("{resident:.1} MiB resident, {} wake-ups", after - before);
    Ok(vec![
        Aim { what: "resident".into(), value: Some(resident), most: 8.0, unit: " MiB" },
        Aim {
            what: format!("wake-ups in {seconds} s"),
            value: Some(after - before),
            most: WAKE_UPS_MAX,
            unit: "",
        },
    ])
}

/// Voluntary context switches of all threads: each is a nap that ended.
fn wake_ups(process: &Path) -> Result<f64> {
    let mut sum = 0.0;
    for thread in fs::read_dir(process.join("task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        sum += number(&status, "voluntary_ctxt_switches:")?;
    }
    Ok(sum)
}

/// The number behind a name in /proc/PID/status.
fn number(status: &str, name: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let text = line.and_then(|rest| rest.split_whitespace().next());
    text.with_context(|| format!("no {name}"))?.parse().context("no number")
}
