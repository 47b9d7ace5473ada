//! A machine to ssh to: a real sshd on loopback that lets a home's user in by a key, and the ssh that goes there.
//!
//! It runs as that user, so it needs nothing of root's and lets nobody else in.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::process::Running;
use crate::{Home, Run, wait};

/// Ends with its value.
#[derive(Debug)]
pub struct Sshd {
    directory: PathBuf,
    user: String,
    port: u16,
    _running: Running,
}

impl Sshd {
    /// With these lines in its configuration.
    #[track_caller]
    pub fn start(home: &Home, lines: &str) -> Self {
        let directory = home.directory_for_socket("ssh", 0o700);
        for key in ["host", "user"] {
            let make = tool(home, "ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", key]);
            make.current_dir(&directory).run().ok();
        }
        let port = free_port();
        let at = directory.display();
        // PAM says whether an account is locked; by itself an sshd that is not root's takes that of `nobody` for locked.
        let config = home.secret_file(
            "sshd_config",
            &format!(
                "ListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nAuthorizedKeysFile {at}/user.pub\n\
                 PidFile none\nUsePAM yes\nStrictModes no\nPasswordAuthentication no\n\
                 KbdInteractiveAuthentication no\n{lines}\n"
            ),
        );
        let sshd = tool(home, "sshd").args(["-D", "-e", "-f"]).arg(config).start();
        let uid = home.uid().unwrap_or(nix::unistd::geteuid().as_raw());
        let user = match User::from_uid(Uid::from_raw(uid)) {
            Ok(Some(user)) => user.name,
            _ => panic!("uid {uid} has no name, and sshd lets nobody in without one"),
        };
        wait::eventually("sshd listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { directory, user, port, _running: sshd }
    }

    /// `ssh -N -R there:here`, until what is returned is dropped.
    #[track_caller]
    pub fn forward(&self, home: &Home, there: &Path, here: &Path) -> Running {
        let both = format!("{}:{}", there.display(), here.display());
        let ssh = tool(home, "ssh").args(["-N", "-F", "none", "-i", "user", "-R", &both]);
        let mut ssh = ssh.args(["-p", &self.port.to_string(), "-l", &self.user]);
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "ExitOnForwardFailure=yes",
        ] {
            ssh = ssh.args(["-o", option]);
        }
        ssh.arg("127.0.0.1").current_dir(&self.directory).start()
    }
}

fn free_port() -> u16 {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    match bound {
        Ok(address) => address.port(),
        Err(error) => panic!("no port is free: {error}"),
    }
}

/// sshd starts itself anew and wants its whole path for that; it is where ordinary users do not look.
fn tool(home: &Home, name: &str) -> Run {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = directories.map(|directory| directory.join(name)).find(|path| path.is_file());
    let Some(program) = found.and_then(|path| fs::canonicalize(path).ok()) else {
        panic!("`{name}` is missing: run `cargo xtask prepare`")
    };
    home.with_environment(Run::new(program))
}
