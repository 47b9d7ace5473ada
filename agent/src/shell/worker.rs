//! The one thread that touches files: vault, configuration, schedule. First in, first out, so
//! writes keep their order, no fsync holds up a client, and nothing is ever written by two at once.
//!
//! The vault's keys live here and nowhere else. A job that panics fails alone: the next one finds
//! files that are whole, since each is replaced in one step, and nothing in memory but keys and
//! names.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokctl_proto::{Failure, Kind, ProfileName};
use tokio::sync::oneshot;

use super::failure;
use super::live::Live;
use crate::config::{self, ConfigFile, EditError, FileError, UpdateError};
use crate::vault::{Keys, VaultDir};

/// What jobs work with.
#[derive(Debug)]
pub struct Worker {
    pub vault: VaultDir,
    /// Present while the vault is open.
    pub keys: Option<Keys>,
    pub config: ConfigFile,
    pub state: PathBuf,
    /// The profiles of the configuration that was read last: a token of any other is not saved.
    pub known: BTreeSet<ProfileName>,
    /// How often the configuration was read.
    pub reads: u64,
    /// Profiles with a login whose answer is in the entry and is being read: it is not to be taken for
    /// one that a crash left behind.
    pub logins: BTreeSet<ProfileName>,
    /// The agent belongs to a job, and what it keeps may end with it.
    pub is_ephemeral: bool,
}

impl Worker {
    pub fn new(vault: VaultDir, config: ConfigFile, state: PathBuf) -> Self {
        Self {
            vault,
            keys: None,
            config,
            state,
            known: BTreeSet::new(),
            reads: 0,
            logins: BTreeSet::new(),
            is_ephemeral: false,
        }
    }

    /// The vault and its keys, while it is open.
    pub fn open(&self) -> Result<(&VaultDir, &Keys), Failure> {
        match &self.keys {
            Some(keys) => Ok((&self.vault, keys)),
            None => {
                Err(Failure::new(Kind::VaultSealed, "the vault is sealed")
                    .hint("run `tokctl unlock`"))
            }
        }
    }

    /// Reads and checks config.toml.
    pub fn read_config(&mut self) -> Result<Live, Failure> {
        let snapshot = self.config.read()?;
        let config = config::parse(&snapshot.text)?;
        self.reads += 1;
        let live = Live::new(config, snapshot.fingerprint, self.reads);
        self.known = live.config.profiles.keys().cloned().collect();
        Ok(live)
    }

    /// Changes config.toml and reads it back. `name` is the profile whose lines a person is to put
    /// in by hand where that is not possible.
    pub fn edit_config(
        &mut self,
        name: Option<&ProfileName>,
        edit: impl Fn(&str) -> Result<String, EditError>,
    ) -> Result<Live, Refused> {
        match self.config.update(&edit) {
            Ok(_) => Ok(self.read_config()?),
            Err(error) => Err(self.refused(name, error, edit)),
        }
    }

    /// The text that an edit would make, if the file may be changed.
    pub fn dry_edit(
        &self,
        name: &ProfileName,
        edit: impl Fn(&str) -> Result<String, EditError>,
    ) -> Result<String, Refused> {
        let text = self.config.read().map_err(Failure::from)?.text;
        let edited = match edit(&text) {
            Ok(edited) => self.config.writable().map(|_| edited).map_err(UpdateError::File),
            Err(error) => Err(UpdateError::Edit(error)),
        };
        edited.map_err(|error| self.refused(Some(name), error, edit))
    }

    fn refused(
        &self,
        name: Option<&ProfileName>,
        error: UpdateError<EditError>,
        edit: impl Fn(&str) -> Result<String, EditError>,
    ) -> Refused {
        let paste = name.filter(|_| is_for_hands(&error)).and_then(|name| {
            let text = self.config.read().map(|read| read.text).unwrap_or_default();
            let edited = edit(&text).or_else(|_| edit("")).ok()?;
            Some(section(name, &config::profile_toml(&edited, name)?))
        });
        let failure = Failure::from(error);
        Refused { failure: name.map_or(failure.clone(), |name| failure.of(name)), paste }
    }

    /// Writes the schedule. It is a hint, so a failure is only worth a line in the log.
    pub fn write_schedule(&self, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.state.join("schedule.json");
        if let Err(error) = failure::replace_plain(&path, bytes) {
            tracing::warn!(%error, path = %path.display(), "cannot write the schedule");
        }
        Ok(())
    }
}

/// An edit of config.toml that was not made.
#[derive(Debug)]
pub struct Refused {
    pub failure: Failure,
    /// TOML for the user to put in by hand.
    pub paste: Option<String>,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, paste: None }
    }
}

/// Whether the file can only be changed by a person: it is read-only, or it does not parse as it
/// stands.
fn is_for_hands(error: &UpdateError<EditError>) -> bool {
    matches!(
        error,
        UpdateError::File(FileError::ReadOnly { .. }) | UpdateError::Edit(EditError::File(_))
    )
}

fn section(name: &ProfileName, lines: &str) -> String {
    // A dot would make a table inside a table.
    let name = match name.as_str().contains('.') {
        true => format!("\"{name}\""),
        false => name.to_string(),
    };
    format!("[profiles.{name}]\n{lines}")
}

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// Hands jobs to the thread.
///
/// The queue has no bound of its own: a job comes from a request, of which there are as many as
/// connections, or from an effect of one.
#[derive(Clone, Debug)]
pub struct Jobs(mpsc::Sender<Job>);

impl Jobs {
    /// Starts the thread. It ends when the last `Jobs` is dropped and the queue is empty.
    pub fn start(mut worker: Worker) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = mpsc::channel::<Job>();
        let thread = thread::Builder::new().name("vault".to_owned()).spawn(move || {
            while let Ok(job) = receiver.recv() {
                job(&mut worker);
            }
        })?;
        Ok((Self(sender), thread))
    }

    /// Queues a job. What it comes to reaches `then`, on the same thread and in any case: somebody
    /// waits for it.
    pub fn run<T: 'static>(
        &self,
        job: impl FnOnce(&mut Worker) -> Result<T, Failure> + Send + 'static,
        then: impl FnOnce(Result<T, Failure>) + Send + 'static,
    ) {
        let job: Job = Box::new(move |worker| {
            let result = catch_unwind(AssertUnwindSafe(|| job(worker)));
            then(result.unwrap_or_else(|_| Err(bug())));
        });
        // The thread ends only after the last sender is gone.
        let _ended = self.0.send(job);
    }

    /// Queues a job and waits for what it returns.
    pub async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Worker) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (sender, receiver) = oneshot::channel();
        self.run(job, move |result| {
            let _asker_is_gone = sender.send(result);
        });
        receiver.await.unwrap_or_else(|_| Err(bug()))
    }
}

/// What a caller is told when a job or a task of ours has panicked. Where is in the log.
pub(super) fn bug() -> Failure {
    Failure::new(Kind::Internal, "the agent could not carry this out: this is a bug")
        .hint("`tokctl agent log` says where")
}
