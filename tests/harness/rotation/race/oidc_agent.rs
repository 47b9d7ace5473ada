//! Debian's oidc-agent, set up without a terminal from a refresh token.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::herd::Herd;
use super::{Course, Race, Size};
use crate::wait;

/// It asks for the scope `openid` whatever it is told.
const CLIENT: &str = "rt-openid";
const ACCOUNT: &str = "acme";
/// It has no deadline of its own for a herd that it cannot serve.
const ROUND_ENDS_WITHIN: Duration = Duration::from_secs(300);

/// Races it, or says why it cannot be raced here.
#[track_caller]
pub fn oidc_agent(size: Size) -> Result<Race> {
    let course = Course::new(CLIENT, size);
    let agent = OidcAgent::start(&course)?;
    let first = agent.command("oidc-token").arg(ACCOUNT).output()?;
    ensure!(first.status.success(), "oidc-token: {}", String::from_utf8_lossy(&first.stderr));
    let first = String::from_utf8_lossy(&first.stdout).trim().to_owned();
    let herd = Herd::new();
    let patience = ROUND_ENDS_WITHIN.as_secs().to_string();
    Ok(course.run("oidc-agent", size, &first, || {
        herd.run(size.processes, || {
            let mut command = agent.command("timeout");
            command.args([&patience, "oidc-token", ACCOUNT]);
            command
        })
    }))
}

/// It runs until this is dropped.
struct OidcAgent {
    home: TempDir,
    socket: String,
    pid: Pid,
}

impl OidcAgent {
    fn start(course: &Course) -> Result<Self> {
        let home = tempfile::tempdir()?;
        std::fs::create_dir(home.path().join(".oidc-agent"))?;
        let output = bare(&home, "oidc-agent").output().context("`oidc-agent` is not installed")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = |name: &str| {
            let (_, rest) = said.split_once(&format!("{name}="))?;
            Some(rest.split([';', '\n']).next()?.to_owned())
        };
        let socket = value("OIDC_SOCK").context("oidc-agent names no socket")?;
        let pid = value("OIDCD_PID").context("oidc-agent names no pid")?;
        let agent = Self { home, socket, pid: Pid::from_raw(pid.parse()?) };

        let client = course.idp.client(CLIENT);
        let output = agent
            .command("oidc-gen")
            .arg(ACCOUNT)
            .args(["--manual", "--flow=refresh", "--rt-env", "--pw-env", "--prompt=none"])
            .args(["--confirm-yes", "--no-url-call", "--no-webserver", "--scope=api"])
            .arg("--redirect-uri=http://localhost:4242")
            .arg(format!("--iss={}", course.idp.issuer()))
            .arg(format!("--client-id={}", client.id))
            .arg(format!("--client-secret={}", client.secret))
            .env("OIDC_REFRESH_TOKEN", &course.minted.refresh_token)
            .output()?;
        ensure!(output.status.success(), "oidc-gen: {}", String::from_utf8_lossy(&output.stdout));
        Ok(agent)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = bare(&self.home, program);
        command.env("OIDC_SOCK", &self.socket).env("OIDCD_PID", self.pid.to_string());
        command
    }
}

/// A command whose home is this and that finds no desktop.
fn bare(home: &TempDir, program: &str) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", home.path()).env("TMPDIR", home.path());
    command.env("OIDC_ENCRYPTION_PW", "a password").stdin(Stdio::null());
    command
}

impl Drop for OidcAgent {
    fn drop(&mut self) {
        // One that has ended and that nobody waits for has no command line any more.
        let line = format!("/proc/{}/cmdline", self.pid);
        let is_there = || std::fs::read(&line).is_ok_and(|line| !line.is_empty());
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let _gone_already = kill(self.pid, signal);
            if wait::within(Duration::from_secs(5), || (!is_there()).then_some(())).is_some() {
                return;
            }
        }
    }
}
