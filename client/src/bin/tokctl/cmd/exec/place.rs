//! Files with tokens in them, as long as a program runs.
//!
//! A file is 0600 from its first byte, is replaced whole, and goes at the end if it is still the one that was written
//! here. There is no fsync: after a crash of the machine its token is of no use.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{ProfileName, Secret};

use super::template::Template;
use super::tokens::Tokens;
use crate::exit::Stop;

/// Larger than any configuration file that we have met, and small enough to be read at once.
const TEMPLATE_BYTES_MAX: u64 = 1024 * 1024;

/// `--file PATH=PROFILE`
#[derive(Clone, Debug)]
pub(crate) struct FileOption {
    path: PathBuf,
    profile: ProfileName,
}

/// `--template IN:OUT`
#[derive(Clone, Debug)]
pub(crate) struct TemplateOption {
    from: PathBuf,
    to: PathBuf,
}

impl FileOption {
    /// A path may have a `=` in it, a profile has none.
    pub(crate) fn parse(typed: &str) -> Result<Self, String> {
        let (path, profile) = typed.rsplit_once('=').ok_or("write PATH=PROFILE")?;
        let profile = ProfileName::parse(profile).map_err(|error| error.to_string())?;
        match path.is_empty() {
            true => Err("there is no path before the `=`".to_owned()),
            false => Ok(Self { path: path.into(), profile }),
        }
    }
}

impl TemplateOption {
    pub(crate) fn parse(typed: &str) -> Result<Self, String> {
        match typed.rsplit_once(':') {
            Some((from, to)) if !from.is_empty() && !to.is_empty() => {
                Ok(Self { from: from.into(), to: to.into() })
            }
            _ => Err("write IN:OUT, the template and the file that it becomes".to_owned()),
        }
    }

    /// Reads the template; one that does not hold is a mistake of whoever wrote it.
    pub(super) fn read(&self) -> Result<Place, Stop> {
        let from = self.from.display();
        let failed = |error: io::Error| {
            super::ours(Stop::machine(format!("cannot read the template {from}: {error}")))
        };
        let mut text = String::new();
        let mut file = File::open(&self.from).map_err(failed)?.take(TEMPLATE_BYTES_MAX + 1);
        file.read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > TEMPLATE_BYTES_MAX {
            return Err(Stop::usage(format!("the template {from} is longer than 1 MiB")));
        }
        let template = Template::parse(&text)
            .map_err(|why| Stop::usage(format!("the template {from} makes no sense: {why}")))?;
        Ok(Place { path: self.to.clone(), content: Content::Template(template), written: None })
    }
}

/// A file to be kept.
pub(super) struct Place {
    path: PathBuf,
    content: Content,
    /// The file that was written last: device and inode.
    written: Option<(u64, u64)>,
}

enum Content {
    Token(ProfileName),
    Template(Template),
}

impl From<FileOption> for Place {
    fn from(option: FileOption) -> Self {
        Self { path: option.path, content: Content::Token(option.profile), written: None }
    }
}

impl Place {
    pub(super) fn profiles(&self) -> Vec<&ProfileName> {
        match &self.content {
            Content::Token(profile) => vec![profile],
            Content::Template(template) => template.profiles().collect(),
        }
    }

    /// Writes the file with the tokens of now.
    pub(super) fn write(&mut self, tokens: &Tokens) -> Result<(), Stop> {
        if self.written.is_none() {
            check_free(&self.path)?;
        }
        let text = match &self.content {
            Content::Token(profile) => tokens.of(profile).access_token.clone(),
            Content::Template(template) => template.render(|profile| tokens.of(profile))?,
        };
        let written = replace(&self.path, &text).map_err(|error| {
            Stop::machine(format!("cannot write {}: {error}", self.path.display()))
        })?;
        self.written = Some(written);
        Ok(())
    }
}

impl Drop for Place {
    /// What somebody else has put there meanwhile is theirs.
    fn drop(&mut self) {
        let is_ours = |metadata: fs::Metadata| Some(identity(&metadata)) == self.written;
        if self.path.symlink_metadata().is_ok_and(is_ours) {
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Sees that no two files have one path, and none is written that is read.
pub(super) fn check_distinct(places: &[Place]) -> Result<(), Stop> {
    for (at, place) in places.iter().enumerate() {
        if places[..at].iter().any(|other| other.path == place.path) {
            let path = place.path.display();
            return Err(Stop::usage(format!("{path} cannot be two files at a time")));
        }
    }
    Ok(())
}

/// A file that others may read was not written here; one that nobody else can read may have been, before a `kill -9`.
fn check_free(path: &Path) -> Result<(), Stop> {
    let Ok(metadata) = path.symlink_metadata() else { return Ok(()) };
    let is_private = metadata.is_file()
        && metadata.uid() == nix::unistd::geteuid().as_raw()
        && metadata.mode() & 0o077 == 0;
    match is_private {
        true => Ok(()),
        false => {
            let path = path.display();
            let message = format!("{path} is there already, and is no private file of yours");
            let hint = "name another path: the file is removed at the end";
            Err(Failure::new(Kind::Machine, message).hint(hint).into())
        }
    }
}

/// A new file beside the old one, then in its place.
fn replace(path: &Path, text: &Secret) -> io::Result<(u64, u64)> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(beside);
    let outcome = write_new(&beside, text).and_then(|written| {
        fs::rename(&beside, path)?;
        Ok(written)
    });
    if outcome.is_err() {
        let _gone = fs::remove_file(&beside);
    }
    outcome
}

fn write_new(path: &Path, text: &Secret) -> io::Result<(u64, u64)> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)?;
    file.write_all(text.expose().as_bytes())?;
    Ok(identity(&file.metadata()?))
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn options_are_read_from_their_end() {
        for (typed, expected) in [
            ("a=acme", Some(("a", "acme"))),
            ("/x=y/t=acme", Some(("/x=y/t", "acme"))),
            ("acme", None),
            ("=acme", None),
            ("a=Acme", None),
        ] {
            let read = FileOption::parse(typed).ok();
            let read = read.map(|file| (file.path.display().to_string(), file.profile.to_string()));
            assert_eq!(read, expected.map(|(a, b)| (a.to_owned(), b.to_owned())), "{typed}");
        }
        for (typed, fits) in [("in:out", true), ("a:b:c", true), ("in", false), (":", false)] {
            assert_eq!(TemplateOption::parse(typed).is_ok(), fits, "{typed}");
        }
    }

    #[test]
    fn a_file_is_private_is_replaced_whole_and_goes_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let option = FileOption::parse(&format!("{}=acme", path.display())).unwrap();
        let mut place = Place::from(option);
        for text in ["first", "second"] {
            place.written = Some(replace(&path, &Secret::new(text.to_owned())).unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        }
        drop(place);
        assert!(!path.exists());
    }

    #[test]
    fn what_somebody_else_put_there_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let written = replace(&path, &Secret::new("eyJ0".to_owned())).unwrap();
        let content = Content::Token(ProfileName::parse("acme").unwrap());
        let place = Place { path: path.clone(), content, written: Some(written) };
        fs::write(directory.path().join("new"), "theirs").unwrap();
        fs::rename(directory.path().join("new"), &path).unwrap();
        drop(place);
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    }

    #[test]
    fn a_file_that_others_can_read_is_not_ours_to_replace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        assert!(check_free(&path).is_ok());
        fs::write(&path, "").unwrap();
        for (mode, free) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_free(&path).is_ok(), free, "{mode:o}");
        }
        let link = directory.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(check_free(&link).is_err());
        assert!(check_free(directory.path()).is_err());
    }
}
