//! Tells when config.toml may have changed. It is a hint: whoever is told reads the file again and
//! compares fingerprints, since one edit makes several events, and an edit undone makes some too.
//!
//! Directories are watched rather than files, since editors replace files. Reading and waiting for
//! a burst to end are the caller's; so is SIGHUP for where inotify is not to be had. A change to a
//! directory above, or to a symbolic link among the directories, is not noticed.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use thiserror::Error;

use super::links::{hops, parent};

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The caller makes the directory first: `ConfigFile::make_directory`.
    #[error("there is no directory {}", path.display())]
    NoDirectory { path: PathBuf },
    #[error("cannot follow the links of {}", path.display())]
    Links { path: PathBuf, source: std::io::Error },
    /// No inotify, or no more watches.
    #[error("cannot watch {}", path.display())]
    System { path: PathBuf, source: notify::Error },
}

/// Watches while it lives.
pub struct Watch {
    path: PathBuf,
    on_change: Arc<dyn Fn() + Send + Sync>,
    watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches the directory of `path`, which must exist, and those that its symbolic links lead
    /// to. `on_change` is called on the watcher's thread and must not wait.
    pub fn new(
        path: &Path,
        on_change: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, WatchError> {
        let on_change: Arc<dyn Fn() + Send + Sync> = Arc::new(on_change);
        let watcher = start(path, Arc::clone(&on_change))?;
        Ok(Self { path: path.to_owned(), on_change, watcher })
    }

    /// Watches anew, where the links lead now and what directory is there now. The caller does this
    /// when it was told of a change, before it reads. After an error the former watch goes on.
    pub fn refresh(&mut self) -> Result<(), WatchError> {
        self.watcher = start(&self.path, Arc::clone(&self.on_change))?;
        Ok(())
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({})", self.path.display())
    }
}

fn start(
    path: &Path,
    on_change: Arc<dyn Fn() + Send + Sync>,
) -> Result<RecommendedWatcher, WatchError> {
    let files = hops(path).map_err(|source| WatchError::Links { path: path.to_owned(), source })?;
    let directories: BTreeSet<_> = files.iter().map(|file| parent(file).to_owned()).collect();
    let places: BTreeSet<_> = files.into_iter().chain(directories.iter().cloned()).collect();
    let system = |path: &Path, source| WatchError::System { path: path.to_owned(), source };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // Where the watcher lost track, something may have changed.
        if event.is_err() || event.is_ok_and(|event| is_relevant(&event, &places)) {
            on_change();
        }
    })
    .map_err(|source| system(path, source))?;
    for directory in directories {
        if !directory.is_dir() {
            return Err(WatchError::NoDirectory { path: directory });
        }
        watcher
            .watch(&directory, RecursiveMode::NonRecursive)
            .map_err(|source| system(&directory, source))?;
    }
    Ok(watcher)
}

/// Whether an event is about one of our files, or about the end of their directory. Reading is no
/// change: to answer it would be to read for ever.
fn is_relevant(event: &Event, places: &BTreeSet<PathBuf>) -> bool {
    if event.need_rescan() {
        return true;
    }
    match event.kind {
        EventKind::Access(_) => false,
        _ => event.paths.iter().any(|path| places.contains(path)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::{Duration, Instant};

    use notify::event::{
        AccessKind, AccessMode, CreateKind, DataChange, Flag, ModifyKind, RemoveKind, RenameMode,
    };
    use tempfile::TempDir;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    struct Watched {
        home: TempDir,
        watch: Watch,
        told: Receiver<()>,
    }

    impl Watched {
        fn new(prepare: impl Fn(&Path)) -> Self {
            let home = tempfile::tempdir().unwrap();
            prepare(home.path());
            let (tell, told) = channel();
            let watch = Watch::new(&home.path().join("config.toml"), move || {
                tell.send(()).ok();
            });
            Self { watch: watch.unwrap(), home, told }
        }

        /// Waits until it was told and the file then reads `text`, as the agent does.
        fn sees(&self, text: &str) {
            let path = self.home.path().join("config.toml");
            let deadline = Instant::now() + DEADLINE;
            loop {
                let left = deadline.saturating_duration_since(Instant::now());
                self.told.recv_timeout(left).expect("told in time");
                if fs::read_to_string(&path).is_ok_and(|found| found == text) {
                    break;
                }
            }
            while self.told.try_recv().is_ok() {}
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.home.path().join(name), text).unwrap();
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.home.path().join(from), self.home.path().join(to)).unwrap();
        }
    }

    #[test]
    fn a_new_file_a_write_in_place_and_a_rename_are_seen() {
        let watched = Watched::new(|_| {});
        watched.write("config.toml", "a");
        watched.sees("a");
        watched.write("config.toml", "b");
        watched.sees("b");
        watched.write("new", "c");
        watched.rename("new", "config.toml");
        watched.sees("c");
    }

    #[test]
    fn a_removed_file_is_seen() {
        let watched = Watched::new(|home| fs::write(home.join("config.toml"), "a").unwrap());
        fs::remove_file(watched.home.path().join("config.toml")).unwrap();
        watched.told.recv_timeout(DEADLINE).unwrap();
    }

    #[test]
    fn a_change_behind_a_link_is_seen() {
        let watched = Watched::new(|home| {
            fs::create_dir(home.join("dotfiles")).unwrap();
            fs::write(home.join("dotfiles/tokctl.toml"), "a").unwrap();
            symlink("dotfiles/tokctl.toml", home.join("config.toml")).unwrap();
        });
        watched.write("dotfiles/tokctl.toml", "b");
        watched.sees("b");
        watched.write("dotfiles/new", "c");
        watched.rename("dotfiles/new", "dotfiles/tokctl.toml");
        watched.sees("c");
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_followed_after_a_refresh() {
        let mut watched = Watched::new(|home| {
            for name in ["one", "two"] {
                fs::create_dir(home.join(name)).unwrap();
                fs::write(home.join(name).join("t"), name).unwrap();
            }
            symlink("one/t", home.join("config.toml")).unwrap();
        });
        symlink("two/t", watched.home.path().join("new")).unwrap();
        watched.rename("new", "config.toml");
        watched.sees("two");
        watched.watch.refresh().unwrap();
        watched.write("two/t", "2");
        watched.sees("2");
    }

    #[test]
    fn a_missing_directory_is_the_callers_to_make() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("tokctl/config.toml");
        let refused = Watch::new(&path, || {}).unwrap_err();
        assert!(matches!(refused, WatchError::NoDirectory { path } if path.ends_with("tokctl")));
    }

    #[test]
    fn only_changes_to_our_files_count() {
        let places = ["/c/config.toml", "/c", "/d/t", "/d"].map(PathBuf::from).into();
        let created = EventKind::Create(CreateKind::File);
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
        for (kind, path, relevant) in [
            (created, "/c/config.toml", true),
            (written, "/c/config.toml", true),
            (renamed, "/d/t", true),
            (EventKind::Remove(RemoveKind::File), "/c/config.toml", true),
            (EventKind::Remove(RemoveKind::Folder), "/c", true),
            (EventKind::Access(AccessKind::Open(AccessMode::Any)), "/c/config.toml", false),
            (closed, "/c/config.toml", false),
            (created, "/c/.config.toml.swp", false),
            (written, "/c/t", false),
            (written, "/d/config.toml", false),
        ] {
            let event = Event::new(kind).add_path(path.into());
            assert_eq!(is_relevant(&event, &places), relevant, "{kind:?} {path}");
        }
        assert!(is_relevant(&Event::new(EventKind::Other).set_flag(Flag::Rescan), &places));
    }
}
