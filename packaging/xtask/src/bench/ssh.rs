//! ssh-agent with one key, for `ssh-add -l` against it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tokctl_tests::wait;

use crate::run::{read, which};
use crate::say::say;

const STARTS_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct SshAgent {
    child: Child,
    pub(super) socket: PathBuf,
}

impl SshAgent {
    /// `None`, said, where OpenSSH is not installed.
    pub(super) fn start(directory: &Path) -> Result<Option<Self>> {
        for program in ["ssh-agent", "ssh-add", "ssh-keygen"] {
            if which(program).is_none() {
                say!("not run: no `{program}` here (Debian's package openssh-client)");
                return Ok(None);
            }
        }
        let (key, socket) = (directory.join("key"), directory.join("ssh.sock"));
        let mut keygen = Command::new("ssh-keygen");
        read(keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f"]).arg(&key))?;
        // In the foreground, so that it is ours to end.
        let mut command = Command::new("ssh-agent");
        command.args(["-D", "-a"]).arg(&socket);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let agent = Self { child, socket };
        wait::within(STARTS_WITHIN, || agent.socket.exists().then_some(()))
            .context("ssh-agent did not start")?;
        read(Command::new("ssh-add").args(["-q"]).arg(key).env("SSH_AUTH_SOCK", &agent.socket))?;
        Ok(Some(agent))
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
