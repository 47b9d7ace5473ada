//! The least that a tokio server on a Unix socket does: it reads a request and writes an answer of a size. The
//! floors talk to it, and a kept connection to the agent is measured against one to it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::unistd::Pid;
use tokctl_tests::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// The server, in a process of its own as the agent is.
#[derive(Debug)]
pub(super) struct Echo {
    child: Child,
    pub(super) socket: PathBuf,
}

impl Echo {
    pub(super) fn start(socket: PathBuf, answer_bytes: usize) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "echo-server"]).arg(&socket).arg(answer_bytes.to_string());
        let child = command.stdin(Stdio::null()).spawn()?;
        let echo = Self { child, socket };
        wait::within(STARTS_WITHIN, || echo.socket.exists().then_some(()))
            .context("the echo server did not start")?;
        Ok(echo)
    }

    pub(super) fn pid(&self) -> Result<Pid> {
        Ok(Pid::from_raw(self.child.id().try_into()?))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `cargo xtask bench echo-server SOCKET ANSWER_BYTES`, for the bench itself.
pub(crate) fn serve(socket: &Path, answer_bytes: usize) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = UnixListener::bind(socket)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(answer(stream, vec![b'a'; answer_bytes]));
        }
    })
}

async fn answer(mut stream: UnixStream, bytes: Vec<u8>) {
    let mut request = [0; 4096];
    while let Ok(1..) = stream.read(&mut request).await {
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
