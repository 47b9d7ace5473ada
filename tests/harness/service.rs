//! A helper program that a test starts: it says in one line of JSON that it is ready, and ends when its standard
//! input does, so that it never outlives the test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Node and Python take a second where there is nothing else to do.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A running program. It ends with its value.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    /// Closing it ends the program, even where nothing of ours can run any more.
    _stdin: ChildStdin,
    /// What it said.
    pub(crate) ready: Value,
}

impl Service {
    /// A script of tests/idp under node.
    pub(crate) fn node(script: &str, variables: &[(&str, String)]) -> Result<Self> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("idp");
        ensure!(
            directory.join("node_modules/oidc-provider").is_dir(),
            "tests/idp has no node_modules: run `cargo xtask prepare`, or `npm ci` there"
        );
        let mut command = Command::new("node");
        command.arg(script).current_dir(&directory).env_remove("NODE_OPTIONS");
        Self::start(command, variables)
    }

    pub(crate) fn start(mut command: Command, variables: &[(&str, String)]) -> Result<Self> {
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = command.get_program().to_owned();
        let name = Path::new(&name).file_name().unwrap_or(OsStr::new("?")).to_string_lossy();
        let mut child = command.spawn().with_context(|| format!("cannot start `{name}`"))?;
        let stdin = child.stdin.take().context("stdin is piped")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut stderr = child.stderr.take().context("stderr is piped")?;
        let mut service = Self { child, _stdin: stdin, ready: Value::Null };

        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            // Read to the end, so that the program never waits for us.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        let said = std::thread::spawn(move || {
            let mut text = String::new();
            drop(stderr.read_to_string(&mut text));
            text
        });
        match receiver.recv_timeout(STARTS_WITHIN) {
            Ok(line) => {
                service.ready = serde_json::from_str(&line)
                    .with_context(|| format!("`{name}` said {line:?}"))?;
                Ok(service)
            }
            Err(_) => {
                drop(service);
                bail!("`{name}` did not start: {}", said.join().unwrap_or_default())
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap_or_default()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Its pid is ours until it is waited for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
