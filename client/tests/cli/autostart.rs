//! An agent is found, or started: once, with little of the environment, and not for everybody.

use std::fs::{File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::fcntl::{Flock, FlockArg};
use tempfile::TempDir;
use tokctl_client::proto::endpoint::Holder;

use crate::script::{Script, TOKEN};

const GET: &str = r#"> {"get":{"profile":"acme"}}"#;

/// An installation of its own, whose agent is a line of shell.
struct Installation {
    home: TempDir,
    programs: TempDir,
}

impl Installation {
    fn with_agent(shell: &str) -> Self {
        let installation = Self::without_agent();
        let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/fake-agent");
        symlink(fake, installation.programs.path().join("tokctl-agent")).unwrap();
        std::fs::write(installation.path("fake-agent.sh"), shell).unwrap();
        installation
    }

    fn without_agent() -> Self {
        // A link, since a program that was just written may still be open for writing somewhere.
        let programs = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::hard_link(env!("CARGO_BIN_EXE_tokctl"), programs.path().join("tokctl")).unwrap();
        Self { home: tempfile::tempdir().unwrap(), programs }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn tokctl(&self) -> Command {
        let mut command = Command::new(self.programs.path().join("tokctl"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/bin:/bin")
            .env("TOKCTL_HOME", self.home.path());
        command
    }

    fn get(&self) -> Output {
        self.tokctl().args(["get", "acme"]).output().unwrap()
    }
}

fn said(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn an_agent_is_started_where_there_is_none() {
    let installation = Installation::with_agent(
        r#"mv "$TOKCTL_HOME/early.sock" "$TOKCTL_HOME/run/agent.sock"; echo ready"#,
    );
    let agent = Script::listen(&installation.path("early.sock"), &format!("{GET}\n{TOKEN}"));
    let output = installation.get();
    assert_eq!((output.stdout.as_slice(), said(&output)), (&b"eyJ0\n"[..], ""));
    let mode = installation.path("run").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(agent.finish_at(&installation.path("run/agent.sock")), [""; 0]);
}

#[test]
fn a_relative_home_is_the_same_directory_for_the_agent() {
    let installation = Installation::with_agent(
        r#"echo "$TOKCTL_HOME" >"$HOME/seen"
           mv "$TOKCTL_HOME/early.sock" "$TOKCTL_HOME/run/agent.sock"; echo ready"#,
    );
    let agent = Script::listen(&installation.path("early.sock"), &format!("{GET}\n{TOKEN}"));
    let home = installation.home.path();
    let output = installation
        .tokctl()
        .args(["get", "acme"])
        .env("TOKCTL_HOME", home.file_name().unwrap())
        .current_dir(home.parent().unwrap())
        .output()
        .unwrap();
    assert_eq!((output.stdout.as_slice(), said(&output)), (&b"eyJ0\n"[..], ""));
    let seen = std::fs::read_to_string(installation.path("seen")).unwrap();
    assert_eq!(Path::new(seen.trim_end()), home);
    assert_eq!(agent.finish_at(&installation.path("run/agent.sock")), [""; 0]);
}

#[test]
fn a_herd_starts_one_agent() {
    const HERD: usize = 8;
    let installation = Installation::with_agent(
        r#"echo started >>"$TOKCTL_HOME/starts"
           mv "$TOKCTL_HOME/early.sock" "$TOKCTL_HOME/run/agent.sock"; echo ready"#,
    );
    let script = format!("{GET}\n{TOKEN}\n").repeat(HERD);
    let agent = Script::listen(&installation.path("early.sock"), &script);
    let herd: Vec<_> = (0..HERD)
        .map(|_| installation.tokctl().args(["get", "acme"]).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for mut child in herd {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(std::fs::read_to_string(installation.path("starts")).unwrap(), "started\n");
    assert_eq!(agent.finish_at(&installation.path("run/agent.sock")), [""; 0]);
}

#[test]
fn a_started_agent_gets_little_of_our_world() {
    let installation = Installation::with_agent(
        r#"env >"$TOKCTL_HOME/environment"; pwd >"$TOKCTL_HOME/directory"
           echo "$@" >"$TOKCTL_HOME/arguments"; echo "held $TOKCTL_HOME/early.sock""#,
    );
    let script = r#"> {"unlock":{"passphrase":"hunter2"}}
                    < {"done":{"said":{"text":""}}}"#;
    let agent = Script::listen(&installation.path("early.sock"), script);
    let output = installation
        .tokctl()
        .args(["unlock", "--passphrase-env", "TOKCTL_PASSPHRASE"])
        .env("TOKCTL_PASSPHRASE", "hunter2")
        .env("TOKCTL_LOG", "debug")
        .env("LC_ALL", "C")
        .env("AWS_SECRET_ACCESS_KEY", "hunter3")
        .env("HTTPS_PROXY", "http://proxy.example")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(agent.finish(), [""; 0]);
    let read = |name: &str| std::fs::read_to_string(installation.path(name)).unwrap();
    let environment = read("environment");
    let mut names: Vec<_> = environment
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        // The shell's own.
        .filter(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LC_ALL", "PATH", "TOKCTL_HOME", "TOKCTL_LOG"]);
    assert_eq!(read("directory"), "/\n");
    assert_eq!(read("arguments"), "--ready-on-stdout\n");
}

#[test]
fn what_keeps_an_agent_from_starting_is_said() {
    let refusal = r#"echo 'error {"exit":11,"kind":"machine","profile":null,"message":"the disk is full","hint":"make room","retry_at":null}'"#;
    for (shell, exit, text) in [
        (refusal, 11, "tokctl: error: the disk is full\ntokctl: hint: make room\n"),
        (
            "exit 1",
            9,
            "tokctl: error: the agent ended before it was ready\ntokctl: hint: run `tokctl agent log`\n",
        ),
        (
            "echo hello",
            9,
            "tokctl: error: the agent ended before it was ready\ntokctl: hint: run `tokctl agent log`\n",
        ),
        (
            "echo ready",
            9,
            "tokctl: error: the agent ended before it was ready\ntokctl: hint: run `tokctl agent log`\n",
        ),
    ] {
        let output = Installation::with_agent(shell).get();
        assert_eq!((output.status.code(), said(&output)), (Some(exit), text), "{shell}");
    }
    let output = Installation::without_agent().get();
    assert_eq!(output.status.code(), Some(9));
    assert!(said(&output).contains("there is no `tokctl-agent` beside"), "{output:?}");
}

#[test]
fn the_holder_of_the_vault_is_found_where_it_listens() {
    let installation = Installation::with_agent("exit 1");
    let agent = Script::listen(&installation.path("other.sock"), &format!("{GET}\n{TOKEN}"));
    std::fs::create_dir(installation.path("vault")).unwrap();
    let holder = Holder { pid: 42, socket: installation.path("other.sock") };
    std::fs::write(installation.path("vault/lock"), holder.to_bytes()).unwrap();
    assert_eq!(installation.get().stdout, b"eyJ0\n");
    assert_eq!(agent.finish(), [""; 0]);
}

#[test]
fn an_agent_of_another_version_is_stopped_by_a_signal_if_it_holds_the_vault() {
    for held in [true, false] {
        let installation = Installation::without_agent();
        std::fs::create_dir(installation.path("run")).unwrap();
        std::fs::create_dir(installation.path("vault")).unwrap();
        let script = "> {\"agent_stop\":{}}\n< hex 00 00 00 03 00 02 02";
        let agent = Script::listen(&installation.path("run/agent.sock"), script);
        let mut process = Command::new("sleep").arg("1000").spawn().unwrap();
        let holder = Holder { pid: process.id(), socket: installation.path("run/agent.sock") };
        std::fs::write(installation.path("vault/lock"), holder.to_bytes()).unwrap();
        let lock = File::open(installation.path("vault/lock")).unwrap();
        let lock = held.then(|| Flock::lock(lock, FlockArg::LockExclusive).unwrap());
        let output = installation.tokctl().args(["agent", "stop"]).output().unwrap();
        drop(lock);
        assert_eq!(output.status.code(), Some(if held { 0 } else { 9 }), "{output:?}");
        if !held {
            process.kill().unwrap();
        }
        let signal = process.wait().unwrap().signal();
        assert_eq!(signal, Some(if held { 15 } else { 9 }));
        assert_eq!(agent.finish(), [""; 0]);
    }
}

#[test]
fn a_directory_that_others_can_write_to_gets_no_agent() {
    let installation = Installation::with_agent("echo ready");
    std::fs::create_dir(installation.path("run")).unwrap();
    std::fs::set_permissions(installation.path("run"), Permissions::from_mode(0o777)).unwrap();
    let output = installation.get();
    assert_eq!(output.status.code(), Some(11), "{output:?}");
    assert!(said(&output).contains("others can write to"), "{output:?}");
}

#[test]
fn somebody_elses_directory_gets_no_request() {
    if !crate::is_root("give a directory away") {
        return;
    }
    let installation = Installation::with_agent("echo ready");
    std::fs::create_dir(installation.path("run")).unwrap();
    chown(installation.path("run"), Some(65_534), None).unwrap();
    let agent = Script::listen(&installation.path("run/agent.sock"), "");
    let output = installation.get();
    assert_eq!(output.status.code(), Some(8), "{output:?}");
    assert!(said(&output).contains("belongs to uid 65534, not to uid 0"), "{output:?}");
    assert_eq!(agent.finish(), [""; 0]);
}

#[test]
fn root_is_told_to_leave_out_sudo() {
    if !crate::is_root("give a directory away") {
        return;
    }
    let installation = Installation::with_agent("echo ready");
    std::fs::create_dir(installation.path("vault")).unwrap();
    chown(installation.path("vault"), Some(65_534), None).unwrap();
    let output = installation.get();
    assert_eq!(output.status.code(), Some(8), "{output:?}");
    assert!(said(&output).ends_with("tokctl: hint: leave out sudo\n"), "{output:?}");
    assert!(!installation.path("run").exists());
}
