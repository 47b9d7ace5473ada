//! What a runner is given, and how: printed for it to read, added to a file of its own, told to its program.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokctl_client::proto::{Failure, Kind};
use zeroize::Zeroizing;

use super::Lookup;
use crate::exit::Stop;
use crate::identity;
use crate::output::Output;

/// One thing that is given to a runner.
pub(super) enum Step {
    /// Lines of stdout that the runner takes for itself.
    Say(Text),
    /// The same on stderr, for a runner that reads both: stdout may go elsewhere, as with `> /dev/null`, and the masks with it.
    Mask(Text),
    /// Lines at the end of a file.
    Append(Place, Text),
    /// Something on the stdin of a program, whose arguments everybody can read.
    Tell { program: &'static str, arguments: &'static [&'static str], stdin: Text },
}

/// Text with secrets in it.
pub(super) type Text = Zeroizing<String>;

/// Which file.
pub(super) enum Place {
    /// The one that a variable of the runner's names.
    Named(&'static str),
    /// The one that was given.
    Given(PathBuf),
}

/// An empty text with room for secrets of so many bytes in all, each up to six times as long when it is escaped, and for
/// what stands around them: a string that grows leaves copies behind.
pub(super) fn text(pairs: &[super::Pair]) -> Text {
    let room = |pair: &super::Pair| 128 + 2 * pair.name.len() + 6 * pair.value.expose().len();
    Zeroizing::new(String::with_capacity(pairs.iter().map(room).sum()))
}

/// Sees that the runner's own files are named, before a token is asked for.
pub(super) fn check_places(steps: &[Step], variable: &Lookup<'_>) -> Result<(), Failure> {
    for step in steps {
        if let Step::Append(Place::Named(name), _) = step
            && variable(name).is_none()
        {
            let message = format!("{name}, by which the runner says where to write, is not set");
            let hint = "`--ci-vendor NAME` says whose job this is";
            return Err(Failure::new(Kind::Usage, message).hint(hint));
        }
    }
    Ok(())
}

impl Step {
    /// Does it.
    pub(super) fn take(self, variable: &Lookup<'_>, output: &Output) -> Result<(), Stop> {
        match self {
            Self::Say(text) => output.data(text.as_bytes()),
            Self::Mask(text) => io::stderr()
                .write_all(text.as_bytes())
                .map_err(|error| Stop::machine(format!("cannot write to stderr: {error}"))),
            Self::Append(place, text) => {
                let path = match place {
                    Place::Given(path) => path,
                    Place::Named(name) => variable(name).unwrap_or_default().into(),
                };
                append(&path, text.as_bytes()).map_err(|error| {
                    Stop::machine(format!("cannot write to {}: {error}", path.display()))
                })
            }
            Self::Tell { program, arguments, stdin } => tell(program, arguments, stdin.as_bytes()),
        }
    }
}

/// Adds lines to a file, in one write. Where somebody has left the last line without an end, it is ended first: what they
/// wrote and what we write would else be one.
fn append(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    if file.metadata()?.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            bytes.push(b'\n');
        }
    }
    bytes.extend_from_slice(text);
    file.write_all(&bytes)
}

/// Runs a program of the runner's with something on its stdin. What it says is talk.
fn tell(program: &str, arguments: &[&str], stdin: &[u8]) -> Result<(), Stop> {
    let shown = format!("{program} {}", arguments.join(" "));
    let failed = |error: io::Error| Stop::machine(format!("cannot run `{shown}`: {error}"));
    let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(failed)?;
    let mut child = identity::program(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(stderr)
        .spawn()
        .map_err(failed)?;
    // One that does not read to the end says itself what is wrong.
    let _unread = child.stdin.take().map(|mut pipe| pipe.write_all(stdin));
    match child.wait().map_err(failed)? {
        status if status.success() => Ok(()),
        status => Err(Stop::machine(format!("`{shown}` failed ({status})"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_in_the_file_stays_and_its_last_line_is_ended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for (before, after) in [
            (None, "A=b\n"),
            (Some(""), "A=b\n"),
            (Some("X=1\n"), "X=1\nA=b\n"),
            (Some("X=1"), "X=1\nA=b\n"),
        ] {
            drop(std::fs::remove_file(&path));
            if let Some(before) = before {
                std::fs::write(&path, before).unwrap();
            }
            append(&path, b"A=b\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after, "{before:?}");
        }
    }
}
