//! Directories that nobody but their user may enter.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

use tokctl_proto::{Failure, Kind};

/// What becomes of a directory that others can enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// It is ours to close.
    Close,
    /// A person chose it, perhaps for other things too: it is refused and not changed.
    Refuse,
}

/// Makes the directory where there is none, or sees that it is ours alone. A link may lead to it if
/// it is ours as well: another user's could lead us to any directory of our own.
pub(super) fn private_directory(directory: &Path, open: Open) -> Result<(), Failure> {
    let failed = |error| machine(directory, &error);
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    match (mode_of_ours(directory)? & 0o077, open) {
        (0, _) => Ok(()),
        (_, Open::Close) => {
            fs::set_permissions(directory, Permissions::from_mode(0o700)).map_err(failed)
        }
        (_, Open::Refuse) => {
            let message = format!("{} can be entered by others", directory.display());
            Err(Failure::new(Kind::Machine, message)
                .hint("set TOKCTL_SOCK to a socket in a directory of mode 0700"))
        }
    }
}

/// Sees that a directory which a person chose for a further socket is fit for it. It is neither made nor changed: it may
/// be there to be mounted elsewhere. Others may enter it only if the socket is for another user, and never
/// write to it, since they could put a socket of their own in its place.
pub(super) fn chosen_directory(directory: &Path, for_others: bool) -> Result<(), Failure> {
    let place = directory.display();
    let machine = |message: String| Failure::new(Kind::Machine, message);
    match directory.metadata() {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(machine(format!("{place} is no directory"))),
        Err(error) => {
            return Err(machine(format!("{place}: {error}"))
                .hint(format!("make it first: `mkdir -m 700 {place}`")));
        }
    }
    match (mode_of_ours(directory)?, for_others) {
        (mode, true) if mode & 0o022 == 0 => Ok(()),
        (mode, false) if mode & 0o077 == 0 => Ok(()),
        (_, true) => Err(machine(format!("others can write to {place}"))
            .hint(format!("run `chmod go-w {place}`, or choose another directory"))),
        (_, false) => Err(machine(format!("{place} can be entered by others"))
            .hint(format!("run `chmod 700 {place}`; with `--allow-uid` others may enter it"))),
    }
}

/// The mode of a directory, if it is ours, also where a link leads to it.
fn mode_of_ours(directory: &Path) -> Result<u32, Failure> {
    let failed = |error| machine(directory, &error);
    let own = nix::unistd::geteuid().as_raw();
    let metadata = directory.metadata().map_err(failed)?;
    for owner in [directory.symlink_metadata().map_err(failed)?.uid(), metadata.uid()] {
        if owner != own {
            let message =
                format!("{} belongs to uid {owner}, not to uid {own}", directory.display());
            return Err(Failure::new(Kind::WrongUser, message).hint(
                "run this as the user it belongs to, without sudo, or choose a directory of your own",
            ));
        }
    }
    Ok(metadata.mode())
}

pub(super) fn machine(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Machine, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_directory_is_made_with_its_parents_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("a/b");
        private_directory(&directory, Open::Refuse).unwrap();
        assert_eq!((mode(&directory), mode(&home.path().join("a"))), (0o700, 0o700));
    }

    #[test]
    fn one_that_others_can_enter_is_closed_or_refused_untouched() {
        for (before, open, fine, after) in [
            (0o700, Open::Refuse, true, 0o700),
            (0o500, Open::Refuse, true, 0o500),
            (0o755, Open::Close, true, 0o700),
            (0o701, Open::Close, true, 0o700),
            (0o755, Open::Refuse, false, 0o755),
            (0o710, Open::Refuse, false, 0o710),
        ] {
            let home = tempfile::tempdir().unwrap();
            fs::set_permissions(home.path(), Permissions::from_mode(before)).unwrap();
            assert_eq!(private_directory(home.path(), open).is_ok(), fine, "{before:o}");
            assert_eq!(mode(home.path()), after);
        }
    }

    #[test]
    fn another_users_directory_is_refused_untouched_also_behind_a_link() {
        let home = tempfile::tempdir().unwrap();
        // Root's own directories are root's; who runs this as root gives one away.
        let foreign = match nix::unistd::geteuid().is_root() {
            true => {
                let path = home.path().join("foreign");
                fs::create_dir(&path).unwrap();
                std::os::unix::fs::chown(&path, Some(1), Some(1)).unwrap();
                path
            }
            false => Path::new("/usr").to_owned(),
        };
        let link = home.path().join("link");
        symlink(&foreign, &link).unwrap();
        let before = mode(&foreign);
        for path in [&foreign, &link] {
            let failure = private_directory(path, Open::Close).unwrap_err();
            assert_eq!(failure.kind, Kind::WrongUser);
            assert_eq!(mode(&foreign), before);
        }
    }

    #[test]
    fn an_own_link_may_lead_to_it_and_a_file_is_in_the_way() {
        let home = tempfile::tempdir().unwrap();
        let [real, link, file] = ["real", "link", "file"].map(|name| home.path().join(name));
        fs::create_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        private_directory(&link, Open::Close).unwrap();
        assert_eq!(mode(&real), 0o700);
        fs::write(&file, "text").unwrap();
        assert_eq!(private_directory(&file, Open::Close).unwrap_err().kind, Kind::Machine);
        assert_eq!(fs::read(&file).unwrap(), b"text");
    }
}
