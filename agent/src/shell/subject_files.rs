//! The files of subjects, watched: a projected token of Kubernetes is replaced long before it ends, and the one that
//! takes the place of a refused one is tried at once.
//!
//! What is read here is compared and not kept; what is presented is read anew for each exchange. A file whose directory
//! is not there, or that the system has no watch left for, is not watched: then the wait after a refusal is waited out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tokctl_proto::ProfileName;
use tokio::sync::mpsc::UnboundedSender;
use tracing::info;
use zeroize::Zeroizing;

use super::driver::Input;
use super::live::Live;
use crate::config::{Fingerprint, Subject, Watch, WatchError};
use crate::oauth::subject::SUBJECT_BYTES_MAX;

/// Each takes a thread and one of the user's 128 instances of inotify; a machine has one or two such files.
const WATCHED_MAX: usize = 16;

/// The files that the configuration in use names.
#[derive(Debug)]
pub(super) struct SubjectFiles {
    inbox: UnboundedSender<Input>,
    watches: BTreeMap<PathBuf, Watch>,
}

impl SubjectFiles {
    pub(super) fn new(inbox: UnboundedSender<Input>) -> Self {
        Self { inbox, watches: BTreeMap::new() }
    }

    /// Watches what is named now and was not, and nothing that is named no more.
    pub(super) fn follow(&mut self, live: &Live) {
        let named: BTreeSet<&Path> = files(live).map(|(_, path)| path).collect();
        self.watches.retain(|path, _| named.contains(path.as_path()));
        for path in named {
            if self.watches.contains_key(path) || self.watches.len() >= WATCHED_MAX {
                continue;
            }
            match watch(path, self.inbox.clone()) {
                Ok(watch) => drop(self.watches.insert(path.to_owned(), watch)),
                Err(error) => info!(%error, "the file of a subject is not watched"),
            }
        }
    }

    /// The links that lead to a file may be others now. Whose subject it is.
    pub(super) fn changed(&mut self, live: &Live, path: &Path) -> Vec<ProfileName> {
        if let Some(watch) = self.watches.get_mut(path)
            && let Err(error) = watch.refresh()
        {
            info!(%error, "the file of a subject is watched where it was");
        }
        files(live).filter(|(_, own)| *own == path).map(|(name, _)| name.clone()).collect()
    }
}

fn files(live: &Live) -> impl Iterator<Item = (&ProfileName, &Path)> {
    live.config.profiles.iter().filter_map(|(name, profile)| match profile.grant.subject()? {
        Subject::File(path) => Some((name, path.as_path())),
        _ => None,
    })
}

fn watch(path: &Path, inbox: UnboundedSender<Input>) -> Result<Watch, WatchError> {
    let (own, last) = (path.to_owned(), Mutex::new(look(path)));
    Watch::new(path, move || {
        // Before the look: while a watch takes another's place both are told, and the later look has to be the last.
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let found = look(&own);
        if found != *last {
            let is_there = found.is_some();
            *last = found;
            if is_there {
                let _stopped = inbox.send(Input::SubjectChanged(own.clone()));
            }
        }
    })
}

/// What stands in a file, told apart from what stood there before; nothing where there is no file.
fn look(path: &Path) -> Option<Fingerprint> {
    // Looked at before it is opened: opening a named pipe waits for its writer.
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mut text = Zeroizing::new(Vec::with_capacity(SUBJECT_BYTES_MAX + 1));
    let file = File::open(path).ok()?;
    file.take(SUBJECT_BYTES_MAX as u64 + 1).read_to_end(&mut text).ok()?;
    Some(Fingerprint::of(&text))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;
    use crate::config;

    const DEADLINE: Duration = Duration::from_secs(10);

    fn live(text: &str) -> Live {
        Live::new(config::parse(text).unwrap(), Fingerprint::of(text.as_bytes()), 1)
    }

    /// `acme` and `twin` present what stands there.
    fn named(path: &Path) -> Live {
        let exchange = format!(
            "grant = \"token_exchange\"\ntoken_endpoint = \"https://as.example/t\"\n\
             subject = \"file:{}\"\n",
            path.display()
        );
        live(&format!("[profiles.acme]\n{exchange}[profiles.twin]\n{exchange}"))
    }

    /// As the kubelet does: what is named leads through a link to a directory, and that link is replaced.
    fn project(volume: &Path, version: &str, token: &str) {
        fs::create_dir(volume.join(version)).unwrap();
        fs::write(volume.join(version).join("token"), token).unwrap();
        symlink(version, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    }

    #[tokio::test]
    async fn each_swap_of_a_projected_token_is_told_once() {
        let volume = tempfile::tempdir().unwrap();
        let path = volume.path().join("token");
        project(volume.path(), "..1", "one");
        symlink("..data/token", &path).unwrap();
        let live = named(&path);
        let (sender, mut told) = mpsc::unbounded_channel();
        let mut files = SubjectFiles::new(sender);
        files.follow(&live);
        for (version, token) in [("..2", "two"), ("..3", "three"), ("..4", "four")] {
            project(volume.path(), version, token);
            let input = tokio::time::timeout(DEADLINE, told.recv()).await.unwrap().unwrap();
            let Input::SubjectChanged(changed) = input else { panic!("{input:?}") };
            assert_eq!(changed, path);
            let whose = files.changed(&live, &changed);
            assert_eq!(whose.iter().map(ProfileName::as_str).collect::<Vec<_>>(), ["acme", "twin"]);
        }
        // The same again is nothing new.
        project(volume.path(), "..5", "four");
        project(volume.path(), "..6", "six");
        let input = tokio::time::timeout(DEADLINE, told.recv()).await.unwrap().unwrap();
        assert!(matches!(input, Input::SubjectChanged(_)));
        assert!(told.try_recv().is_err(), "it was told twice");
    }

    #[tokio::test]
    async fn what_is_named_no_more_is_not_watched_and_what_is_not_there_may_come() {
        let volume = tempfile::tempdir().unwrap();
        let path = volume.path().join("token");
        let (sender, mut told) = mpsc::unbounded_channel();
        let mut files = SubjectFiles::new(sender);
        files.follow(&named(Path::new("/no/such/directory/token")));
        assert!(files.watches.is_empty());
        files.follow(&named(&path));
        fs::write(&path, "first").unwrap();
        let input = tokio::time::timeout(DEADLINE, told.recv()).await.unwrap().unwrap();
        assert!(matches!(input, Input::SubjectChanged(_)));
        files.follow(&live(""));
        assert!(files.watches.is_empty());
    }
}
