//! A change of another program's configuration: shown, agreed to, made.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokctl_client::Error;

use crate::cmd::consent;
use crate::exit::Stop;
use crate::identity;
use crate::session::Session;

/// More than any configuration that people write.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is as it should be.
    Nothing,
    Edit {
        path: PathBuf,
        before: Option<String>,
        after: String,
    },
    /// Commands that are run one after the other, and what they change.
    Commands {
        what: String,
        commands: Vec<Vec<String>>,
    },
    /// What somebody has to write themselves, and where.
    ByHand {
        place: String,
        text: String,
    },
}

impl Change {
    /// An edit, if it is one.
    pub(super) fn edit(path: PathBuf, before: Option<String>, after: String) -> Self {
        match before.as_deref().unwrap_or_default() == after {
            true => Self::Nothing,
            false => Self::Edit { path, before, after },
        }
    }

    /// Shows it, and makes it where somebody agrees.
    pub(super) fn make(&self, command: &str, session: &Session) -> Result<(), Stop> {
        let output = &session.output;
        let place = match self {
            Self::Nothing => {
                output.talk("nothing to change");
                return Ok(());
            }
            Self::ByHand { place, text } => {
                output.notice(&format!("add this to {place}:"));
                return output.data(text.as_bytes());
            }
            Self::Edit { path, before, after } => {
                output.notice(&format!("{}:", path.display()));
                let before = before.as_deref().unwrap_or_default();
                difference(before, after).iter().for_each(|line| output.notice(line));
                path.display().to_string()
            }
            Self::Commands { what, commands } => {
                commands.iter().for_each(|words| output.notice(&format!("$ {}", typed(words))));
                what.clone()
            }
        };
        consent::must_be_had(session, &format!("this changes {place}"), command)?;
        if !session.confirm("change it?", true)? {
            return Err(Error::Cancelled.into());
        }
        match self {
            Self::Edit { path, before, after } => replace(path, before.as_deref(), after),
            Self::Commands { commands, .. } => commands.iter().try_for_each(|words| run(words)),
            Self::Nothing | Self::ByHand { .. } => Ok(()),
        }
    }
}

/// The text of a file; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, Stop> {
    let failed = |why: &dyn std::fmt::Display| {
        Stop::machine(format!("cannot read {}: {why}", path.display()))
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => return Err(failed(&"it is too large")),
        _ => {}
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

/// Puts a text in the place of another, all at once. A link stays one, and a file keeps its mode; a new one is its
/// owner's alone.
fn replace(path: &Path, before: Option<&str>, after: &str) -> Result<(), Stop> {
    if read(path)?.as_deref() != before {
        let message = format!("{} was changed meanwhile, and is left as it is", path.display());
        return Err(Stop::machine(message));
    }
    let written = || {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mode = fs::metadata(&path).map_or(0o600, |metadata| metadata.permissions().mode());
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".tokctl-{}", std::process::id()));
        let new = directory.join(name);
        let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(&new)?;
        let filled = file
            .write_all(after.as_bytes())
            .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(mode & 0o7777)))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new, &path));
        if filled.is_err() {
            // Nobody else knows of it.
            drop(fs::remove_file(&new));
        }
        filled
    };
    written().map_err(|error| Stop::machine(format!("cannot write {}: {error}", path.display())))
}

fn run(words: &[String]) -> Result<(), Stop> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let status = identity::program(program).args(arguments).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Stop::machine(format!("`{}` failed: {status}", typed(words)))),
        Err(error) => Err(Stop::machine(format!("cannot run `{program}`: {error}"))),
    }
}

/// A command as a shell takes it.
pub(super) fn typed(words: &[String]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    let quoted = |word: &String| match !word.is_empty() && word.bytes().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The lines that go and those that come, without what is the same at both ends.
fn difference(before: &str, after: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[same..], &new[same..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let shown = |sign: &str, line: &&str| format!("{sign} {}", line.replace('\t', "    "));
    let gone = old[..old.len() - tail].iter().map(|line| shown("-", line));
    let come = new[..new.len() - tail].iter().map(|line| shown("+", line));
    gone.chain(come).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_what_is_shown() {
        for (before, after, lines) in [
            ("", "a\n", &["+ a"][..]),
            ("a\nb\nc\n", "a\nB\nc\n", &["- b", "+ B"]),
            ("a\nc\n", "a\nb\nc\n", &["+ b"]),
            ("a\nb\n", "a\n", &["- b"]),
            ("", "\ta\tb\n", &["+     a    b"]),
            ("a\na\n", "a\n", &["- a"]),
        ] {
            assert_eq!(difference(before, after), lines, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_command_can_be_typed_as_it_is_shown() {
        let words = ["git", "config", "", "a b", "it's"].map(str::to_owned);
        assert_eq!(typed(&words), r"git config '' 'a b' 'it'\''s'");
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_not_if_it_was_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/config");
        replace(&path, None, "one\n").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((read(&path).unwrap().as_deref(), mode(&path)), (Some("one\n"), 0o600));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, Some("one\n"), "two\n").unwrap();
        assert!(link.is_symlink());
        assert_eq!((read(&path).unwrap().as_deref(), mode(&path)), (Some("two\n"), 0o640));
        assert!(replace(&path, Some("one\n"), "three\n").is_err());
        assert_eq!(read(&path).unwrap().as_deref(), Some("two\n"));
    }
}
