//! Further sockets of a home: made where nobody else gets in unless it is said, and used from another home.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::{Home, Run};

impl Home {
    /// A directory of the home's user for a socket; its path.
    #[track_caller]
    pub fn directory_for_socket(&self, name: &str, mode: u32) -> PathBuf {
        let directory = self.root().join(name);
        let make = || {
            fs::create_dir(&directory)?;
            chown(&directory, self.uid(), self.uid())?;
            fs::set_permissions(&directory, fs::Permissions::from_mode(mode))
        };
        match make() {
            Ok(()) => directory,
            Err(error) => panic!("cannot make {}: {error}", directory.display()),
        }
    }

    /// A further socket in a directory of its own; its path.
    #[track_caller]
    pub fn socket_for(&self, only: &str, more: &[&str]) -> PathBuf {
        let for_others = more.contains(&"--allow-uid");
        let mode = if for_others { 0o711 } else { 0o700 };
        let path = self.directory_for_socket("box", mode).join("agent.sock");
        let create = self.tokctl(["socket", "create"]).arg(&path);
        create.args(["--only", only]).args(more).run().ok();
        path
    }

    /// `tokctl` of a program that was given a socket and nothing else: it has another home, and is this home's user.
    pub fn tokctl_at(&self, socket: &Path, arguments: &[&str]) -> Run {
        self.tokctl(arguments).env("TOKCTL_SOCK", socket).env("TOKCTL_HOME", "/home/somebody/else")
    }
}
