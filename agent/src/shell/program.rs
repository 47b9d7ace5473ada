//! Running a program of the user's: one that prints a token, or one that is told what happened.
//!
//! It is run by itself, without a shell, in a process group of its own, with an environment of a few variables, no
//! input and no descriptor of ours. What it prints is read to a limit, and whoever gives it up ends its whole group.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

/// What a program is told of its surroundings.
const VARIABLES: &[&str] = &["HOME", "PATH", "LANG", "TZ", "USER", "LOGNAME"];
const VARIABLES_BEGINNING: &[&str] = &["LC_", "XDG_"];
/// What one needs besides that has something to show to a person, or calls `tokctl`.
const VARIABLES_OF_SESSION: &[&str] =
    &["DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "TOKCTL_HOME"];

/// Which of our variables a program gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surroundings {
    /// The user's: who, where, in which language.
    Plain,
    /// With the desktop that the agent was started from.
    Session,
}

impl Surroundings {
    fn has(self, name: &str) -> bool {
        VARIABLES.contains(&name)
            || VARIABLES_BEGINNING.iter().any(|begin| name.starts_with(begin))
            || self == Self::Session && VARIABLES_OF_SESSION.contains(&name)
    }
}

/// A program at work. Dropped before its end it is killed with its children.
pub(super) struct Running {
    child: Child,
    /// Gone when the child is: the number may then be another's.
    group: Option<Pid>,
}

/// What a program came to.
pub(super) struct Printed {
    pub(super) status: ExitStatus,
    pub(super) output: Zeroizing<Vec<u8>>,
    pub(super) errors: Vec<u8>,
}

impl Running {
    pub(super) fn start(
        path: &Path,
        arguments: &[String],
        surroundings: Surroundings,
        facts: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> io::Result<Self> {
        let mut command = Command::new(path);
        command.args(arguments).env_clear().stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        for (name, value) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| surroundings.has(name)) {
                command.env(name, value);
            }
        }
        let child = command.envs(facts).current_dir("/").spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Ok(Self { child, group })
    }

    /// Waits for its end. Of its output and its errors no more is kept than this.
    pub(super) async fn finish(mut self, output_max: u64, errors_max: u64) -> io::Result<Printed> {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let mut output = Zeroizing::new(Vec::with_capacity(4096));
        let mut errors = Vec::new();
        // Both at once: a full pipe stops a program.
        let (read, complained) = tokio::join!(
            read_to(stdout, output_max, &mut output),
            read_to(stderr, errors_max, &mut errors),
        );
        read.and(complained)?;
        let status = self.child.wait().await?;
        self.group = None;
        Ok(Printed { status, output, errors })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its children too. They are gone already where this fails.
        let _gone = self.group.map(|group| killpg(group, Signal::SIGKILL));
    }
}

/// Reads to the end and keeps the beginning.
async fn read_to(
    source: Option<impl AsyncRead + Unpin>,
    most: u64,
    into: &mut Vec<u8>,
) -> io::Result<()> {
    let Some(mut source) = source else { return Ok(()) };
    (&mut source).take(most).read_to_end(into).await?;
    tokio::io::copy(&mut source, &mut tokio::io::sink()).await?;
    Ok(())
}

/// An absolute path, or the first of that name on PATH; never one of the working directory.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let is_program = |path: &Path| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let path = Path::new(program);
    if program.contains('/') {
        return Some(path.to_owned()).filter(|path| path.is_absolute() && is_program(path));
    }
    let directories = std::env::var_os("PATH")?;
    std::env::split_paths(&directories)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|path| is_program(path))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::*;

    const OUTPUT_BYTES_MAX: u64 = 1024 * 1024;
    const NO_FACTS: [(&str, &str); 0] = [];

    fn shell(script: &str, surroundings: Surroundings, facts: &[(&str, &str)]) -> Running {
        let arguments = ["-c".to_owned(), script.to_owned()];
        let facts = facts.iter().copied();
        Running::start(Path::new("/bin/sh"), &arguments, surroundings, facts).unwrap()
    }

    #[test]
    fn a_program_is_named_by_its_path_or_found_on_path_and_nowhere_else() {
        for (program, is_found) in [
            ("/bin/sh", true),
            ("sh", true),
            ("./sh", false),
            ("bin/sh", false),
            ("/etc/passwd", false),
            ("/", false),
            ("no-such-program", false),
            ("", false),
        ] {
            assert_eq!(find(program).is_some(), is_found, "{program}");
        }
    }

    #[tokio::test]
    async fn a_program_has_no_input_few_variables_and_no_descriptor_of_ours() {
        let kept = tempfile::NamedTempFile::new().unwrap();
        let script = "cat; ls -l /proc/self/fd; echo ==; env | cut -d= -f1; echo no >&2";
        for surroundings in [Surroundings::Plain, Surroundings::Session] {
            let running = shell(script, surroundings, &[("TOKCTL_EVENT", "renewed")]);
            let printed = running.finish(OUTPUT_BYTES_MAX, 1024).await.unwrap();
            let text = String::from_utf8(printed.output.to_vec()).unwrap();
            let (descriptors, variables) = text.split_once("==").unwrap();
            assert!(descriptors.contains("0 -> /dev/null"), "{descriptors}");
            assert!(!descriptors.contains(kept.path().to_str().unwrap()), "{descriptors}");
            let is_known = |name: &str| {
                surroundings.has(name)
                    || ["PWD", "OLDPWD", "SHLVL", "_", "TOKCTL_EVENT"].contains(&name)
            };
            assert!(variables.split_whitespace().all(is_known), "{variables}");
            assert!(variables.contains("TOKCTL_EVENT"), "{variables}");
            assert_eq!(printed.errors, b"no\n");
        }
    }

    #[tokio::test]
    async fn what_is_too_much_is_cut_and_the_program_ends() {
        let running =
            shell("head -c 3000000 /dev/zero | tr '\\0' x", Surroundings::Plain, &NO_FACTS);
        let printed = running.finish(OUTPUT_BYTES_MAX, 1024).await.unwrap();
        assert!(printed.status.success());
        assert_eq!(printed.output.len() as u64, OUTPUT_BYTES_MAX);
    }

    #[tokio::test]
    async fn one_that_is_given_up_is_killed_with_its_children() {
        let (mut reader, writer) = io::pipe().unwrap();
        let script = format!(
            "exec 3>/proc/{}/fd/{}; sleep 1000 & echo; wait",
            std::process::id(),
            std::os::fd::AsRawFd::as_raw_fd(&writer)
        );
        let mut running = shell(&script, Surroundings::Plain, &NO_FACTS);
        // The program and its child have the pipe when it says so.
        let mut line = [0];
        running.child.stdout.as_mut().unwrap().read_exact(&mut line).await.unwrap();
        drop(writer);
        let ended = tokio::time::timeout(Duration::from_millis(1), running.finish(1, 1)).await;
        assert!(ended.is_err());
        // At its end when nobody holds it open any more.
        assert_eq!(reader.read(&mut line).unwrap(), 0);
    }
}
