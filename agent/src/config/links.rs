//! Where a path leads: config.toml is often a symbolic link into a directory of dotfiles.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// As many links as Linux follows (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// The path and every path that its links lead to; the last one is no link, and may not exist.
/// Links among the directories are left to the system.
pub(super) fn hops(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut hops = vec![path.to_owned()];
    let mut here = path.to_owned();
    loop {
        match fs::symlink_metadata(&here) {
            Ok(metadata) if metadata.file_type().is_symlink() => {}
            Ok(_) => return Ok(hops),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(hops),
            Err(error) => return Err(error),
        }
        if hops.len() > LINKS_MAX {
            return Err(io::Error::other("too many symbolic links"));
        }
        here = parent(&here).join(fs::read_link(&here)?);
        hops.push(here.clone());
    }
}

/// The directory that a file is in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_to_the_end() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        fs::create_dir(at("dir")).unwrap();
        fs::write(at("dir/real"), "").unwrap();
        symlink("dir/second", at("first")).unwrap();
        symlink(at("dir/real"), at("dir/second")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for (name, ends) in [
            ("first", Some(vec!["first", "dir/second", "dir/real"])),
            ("dangling", Some(vec!["dangling", "nowhere"])),
            ("absent", Some(vec!["absent"])),
            ("no/dir", Some(vec!["no/dir"])),
            ("loop", None),
        ] {
            let ends = ends.map(|ends| ends.into_iter().map(at).collect::<Vec<_>>());
            assert_eq!(hops(&at(name)).ok(), ends, "{name}");
        }
    }

    #[test]
    fn a_bare_name_is_in_the_current_directory() {
        for (path, dir) in [("a", "."), ("/a", "/"), ("b/a", "b"), ("./a", ".")] {
            assert_eq!(parent(Path::new(path)), Path::new(dir));
        }
    }
}
