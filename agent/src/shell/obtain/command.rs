//! Running a program that prints a token.
//!
//! It is run by itself, without a shell, in a process group of its own, with an environment of a few variables, no
//! input and no descriptor of ours. What it prints is read to a limit, and it is ended when its time is over. Its
//! errors are shown, since nobody else knows what it wanted; what it printed is not.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokctl_core::{Class, Trouble};
use tokctl_proto::escape::shown;
use tokctl_proto::time::Spoken;
use tokctl_proto::{Failure, Kind};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{Answer, Asking};
use crate::clock;
use crate::config::Program;
use crate::oauth::grant::command;

/// As large as any reply of a provider.
const OUTPUT_BYTES_MAX: u64 = 1024 * 1024;
/// Of its complaints no more than this is read: what is shown is shorter.
const ERROR_BYTES_MAX: u64 = 4 * 1024;
/// What a program is told of its surroundings.
const VARIABLES: &[&str] = &["HOME", "PATH", "LANG", "TZ", "USER", "LOGNAME"];
const VARIABLES_BEGINNING: &[&str] = &["LC_", "XDG_"];

pub(super) async fn run(asking: Asking, program: &Program) -> Result<Answer, Trouble> {
    let name = asking.profile.name.clone();
    let failed =
        |class, kind, message: String| Trouble::new(class, Failure::new(kind, message).of(&name));
    if !asking.key.scope.is_empty() || !asking.key.audience.is_empty() {
        let failure =
            Failure::new(Kind::Usage, "a program's token has no scope or audience to choose");
        return Err(Trouble::new(Class::Permanent, failure.of(&name)));
    }
    let (first, arguments) = program.command.split_first().expect("a checked profile has one");
    let shown_name = shown(first);
    let path = find(first).ok_or_else(|| {
        let message = format!("there is no program `{shown_name}`");
        let failure = Failure::new(Kind::ConfigInvalid, message).of(&name);
        let hint = format!("run `tokctl set {name} command=/PATH/TO/IT`");
        Trouble::new(Class::Permanent, failure.hint(hint))
    })?;
    let mut child = started(&path, arguments).map_err(|error| {
        failed(Class::Retry, Kind::Machine, format!("cannot run `{shown_name}`: {error}"))
    })?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let ended = timeout(program.timeout, output(&mut child)).await;
    if !matches!(ended, Ok(Ok(_))) {
        // Its children too. It is gone already where this fails.
        let _gone = group.map(|group| killpg(group, Signal::SIGKILL));
    }
    let printed = match ended {
        Ok(Ok(printed)) => printed,
        Ok(Err(error)) => {
            let message = format!("cannot read what `{shown_name}` prints: {error}");
            return Err(failed(Class::Retry, Kind::Machine, message));
        }
        Err(_) => {
            let message =
                format!("`{shown_name}` printed no token within {}", Spoken(program.timeout));
            return Err(failed(Class::Retry, Kind::ProviderFailed, message));
        }
    };
    let complaint = complaint(&printed.errors);
    if !printed.status.success() {
        let message = format!("`{shown_name}` failed ({}){complaint}", printed.status);
        return Err(failed(Class::Retry, Kind::ProviderFailed, message));
    }
    if printed.output.len() as u64 > OUTPUT_BYTES_MAX {
        let message = format!("`{shown_name}` printed more than {} KiB", OUTPUT_BYTES_MAX / 1024);
        return Err(failed(Class::Retry, Kind::ProviderFailed, message));
    }
    match command::reply(clock::now().wall, &printed.output) {
        Some(reply) => Ok(asking.answered_here(&reply, Vec::new())),
        None => {
            let message = format!("`{shown_name}` printed no token{complaint}");
            Err(failed(Class::Retry, Kind::ProviderFailed, message))
        }
    }
}

/// The first line of what it complained about.
fn complaint(errors: &[u8]) -> String {
    let text = String::from_utf8_lossy(errors);
    match text.lines().map(str::trim).find(|line| !line.is_empty()) {
        Some(line) => format!(": {}", shown(line)),
        None => String::new(),
    }
}

struct Printed {
    status: std::process::ExitStatus,
    output: Zeroizing<Vec<u8>>,
    errors: Vec<u8>,
}

fn started(path: &Path, arguments: &[String]) -> std::io::Result<Child> {
    let mut command = Command::new(path);
    command.args(arguments).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let is_passed_on = |name: &str| {
        VARIABLES.contains(&name) || VARIABLES_BEGINNING.iter().any(|begin| name.starts_with(begin))
    };
    for (name, value) in std::env::vars_os() {
        if name.to_str().is_some_and(is_passed_on) {
            command.env(name, value);
        }
    }
    command.current_dir("/").spawn()
}

async fn output(child: &mut Child) -> std::io::Result<Printed> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut output = Zeroizing::new(Vec::with_capacity(4096));
    let mut errors = Vec::new();
    // One more than is taken, so that too much is seen to be too much. Both at once: a full pipe stops a program.
    let (read, complained) = tokio::join!(
        read_to(stdout, OUTPUT_BYTES_MAX + 1, &mut output),
        read_to(stderr, ERROR_BYTES_MAX, &mut errors),
    );
    read.and(complained)?;
    let status = child.wait().await?;
    Ok(Printed { status, output, errors })
}

/// Reads to the end and keeps the beginning.
async fn read_to(
    source: Option<impl AsyncRead + Unpin>,
    most: u64,
    into: &mut Vec<u8>,
) -> std::io::Result<()> {
    let Some(mut source) = source else { return Ok(()) };
    (&mut source).take(most).read_to_end(into).await?;
    tokio::io::copy(&mut source, &mut tokio::io::sink()).await?;
    Ok(())
}

/// An absolute path, or the first of that name on PATH; never one of the working directory.
fn find(program: &str) -> Option<PathBuf> {
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
    use super::*;

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
        let arguments = ["-c".to_owned(), script.to_owned()];
        let mut child = started(Path::new("/bin/sh"), &arguments).unwrap();
        let printed = output(&mut child).await.unwrap();
        let text = String::from_utf8(printed.output.to_vec()).unwrap();
        let (descriptors, variables) = text.split_once("==").unwrap();
        assert!(descriptors.contains("0 -> /dev/null"), "{descriptors}");
        assert!(!descriptors.contains(kept.path().to_str().unwrap()), "{descriptors}");
        let is_known = |name: &str| {
            VARIABLES.contains(&name)
                || VARIABLES_BEGINNING.iter().any(|begin| name.starts_with(begin))
                || ["PWD", "OLDPWD", "SHLVL", "_"].contains(&name)
        };
        assert!(variables.split_whitespace().all(is_known), "{variables}");
        assert_eq!(complaint(&printed.errors), ": no");
    }

    #[tokio::test]
    async fn what_is_too_much_is_cut_and_the_program_ends() {
        let script = "head -c 3000000 /dev/zero | tr '\\0' x";
        let arguments = ["-c".to_owned(), script.to_owned()];
        let mut child = started(Path::new("/bin/sh"), &arguments).unwrap();
        let printed = output(&mut child).await.unwrap();
        assert!(printed.status.success());
        assert_eq!(printed.output.len() as u64, OUTPUT_BYTES_MAX + 1);
    }
}
