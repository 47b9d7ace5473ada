//! `import`: profiles from the file of another program.
//!
//! The file is read beside everything else, since an encrypted one takes a while. Each profile is then added through
//! the driver's own door, as a client's `add` is: with its turn at the entry, its pin and its secrets. One that cannot
//! be added holds up no other, and what became of each is told. A crash leaves some of them added, whole.

use std::collections::BTreeSet;

use tokctl_core::RequestId;
use tokctl_proto::codec;
use tokctl_proto::escape::shown;
use tokctl_proto::response::{Done, Imported, Item, Response};
use tokctl_proto::{Failure, Kind, ProfileName, Secret};
use tokio::sync::mpsc::{self, UnboundedSender};

use super::change::{self, Change, NewProfile, NewSecret};
use super::command::Command;
use super::driver::Input;
use super::obtain::Means;
use super::reply::{Encoding, Outgoing, ReplyTo, Sent};
use super::worker::bug;
use crate::import::{self, Draft, ImportError, Source};

/// More profiles than a person takes over at once: a file with more is not what it was taken for.
const DRAFTS_MAX: usize = 256;
/// Requests of imports. Those of clients count from 1 and never come so far, those of logins begin above.
const INSIDE: u64 = 1 << 62;
/// Two for each profile, where its issuer is spelt in two ways.
const REQUESTS_EACH: u64 = 2 * DRAFTS_MAX as u64;

/// What was asked for.
#[derive(Debug)]
pub struct Wanted {
    pub source: Source,
    pub text: Secret,
    pub path: String,
    pub passphrase: Option<Secret>,
    pub select: Vec<String>,
    pub name: Option<ProfileName>,
    pub replace: bool,
    pub dry_run: bool,
}

/// The driver's door, and the requests that this import may make there.
pub(super) struct Door {
    pub(super) inbox: UnboundedSender<Input>,
    pub(super) nth: u64,
}

/// Reads the file, adds what is in it, and answers.
pub(super) async fn import(means: Means, wanted: Wanted, door: Door, reply: ReplyTo) {
    let read = tokio::task::spawn_blocking(move || {
        let drafts = drafts(&wanted);
        (wanted, drafts)
    });
    let (wanted, drafts) = match read.await {
        Ok((wanted, Ok(drafts))) => (wanted, drafts),
        Ok((_, Err(failure))) => return reply.failed(&failure),
        Err(_) => return reply.failed(&bug()),
    };
    let mut importer = Importer { means, door, next: 0, seen: BTreeSet::new(), failed: Vec::new() };
    let (replace, dry_run, count) = (wanted.replace, wanted.dry_run, drafts.len());
    let mut left: Vec<String> = Vec::new();
    for draft in drafts {
        let leftover = draft.leftover.clone();
        let is_added = importer.one(draft, replace, dry_run, &reply).await;
        left.extend(leftover.filter(|text| is_added && !dry_run && !left.contains(text)));
    }
    for text in left {
        reply.progress(&text, true);
    }
    importer.finish(count, dry_run, reply);
}

/// The profiles of the file, under the names that they get.
fn drafts(wanted: &Wanted) -> Result<Vec<Draft>, Failure> {
    let Wanted { source, text, path, passphrase, select, name, .. } = wanted;
    let file = import::File { text, path, passphrase: passphrase.as_ref(), select };
    let mut drafts = import::read(*source, &file).map_err(|error| refused(&error, path))?;
    if drafts.len() > DRAFTS_MAX {
        let message = format!("{} profiles would be added, which is too many", drafts.len());
        return Err(Failure::new(Kind::Usage, message).hint("name those that are wanted"));
    }
    match (name, drafts.as_mut_slice()) {
        (None, _) => {}
        (Some(name), [draft]) => draft.rename(name),
        (Some(_), drafts) => {
            let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
            let message = format!("a name is for one profile, and the file has {}", names.len());
            let hint = format!("name the one that is wanted: it has {}", names.join(", "));
            return Err(Failure::new(Kind::Usage, message).hint(hint));
        }
    }
    Ok(drafts)
}

fn refused(error: &ImportError, path: &str) -> Failure {
    let kind = match error {
        ImportError::WrongPassphrase => Kind::WrongPassphrase,
        _ => Kind::Usage,
    };
    let message = match path.is_empty() {
        true => error.to_string(),
        false => format!("{}: {error}", shown(path)),
    };
    Failure { hint: error.hint(), ..Failure::new(kind, message) }
}

/// What became of one profile.
struct Outcome {
    said: Result<String, Failure>,
    warnings: Vec<String>,
}

struct Importer {
    means: Means,
    door: Door,
    next: u64,
    seen: BTreeSet<ProfileName>,
    failed: Vec<Failure>,
}

impl Importer {
    /// Adds a profile, or looks whether it could be, and tells what came of it: whether it is there now.
    async fn one(&mut self, draft: Draft, replace: bool, dry_run: bool, reply: &ReplyTo) -> bool {
        let toml = self.preview(&draft, replace, dry_run).await;
        let names: Vec<String> = draft.secrets.iter().map(|it| it.name.to_owned()).collect();
        let (name, mut notes) = (draft.name.clone(), draft.notes.clone());
        let (toml, said) = match toml {
            Ok(toml) if dry_run => (toml, Ok(())),
            Ok(toml) => {
                let Outcome { said, warnings } = self.spelt(draft, replace).await;
                notes.extend(warnings);
                (toml, said.map(drop))
            }
            Err(failure) => (String::new(), Err(failure)),
        };
        let error = said.as_ref().err().map(|failure| failure.message.clone().into());
        reply.item(Item::Imported(Imported {
            profile: name.as_str().into(),
            toml: toml.into(),
            secrets: names,
            notes,
            error,
        }));
        let is_there = said.is_ok();
        self.failed.extend(said.err());
        is_there
    }

    /// The settings as they would be written.
    async fn preview(
        &mut self,
        draft: &Draft,
        replace: bool,
        dry_run: bool,
    ) -> Result<String, Failure> {
        let name = draft.name.clone();
        if !self.seen.insert(name.clone()) {
            let message = "another profile of the file has this name too";
            return Err(Failure::new(Kind::ProfileExists, message)
                .of(&name)
                .hint("take them over one by one, with `--name`"));
        }
        let new = new_profile(draft, replace || !dry_run);
        let preview = self.means.jobs.ask(move |worker| change::preview(worker, new)).await?;
        Ok(preview.toml)
    }

    /// Adds a profile. Where its file may have the issuer with a slash too many, the other spelling is tried too:
    /// issuers are compared code point by code point (RFC 8414 section 3.3).
    async fn spelt(&mut self, draft: Draft, replace: bool) -> Outcome {
        let first = self.add(&draft, replace).await;
        let is_misspelt = |failure: &Failure| failure.kind == Kind::ConfigInvalid;
        if !draft.issuer_may_lack_slash || !first.said.as_ref().is_err_and(is_misspelt) {
            return first;
        }
        let second = self.add(&draft.without_slash(), replace).await;
        if second.said.is_ok() { second } else { first }
    }

    /// Asks the driver to add a profile, as a client does.
    async fn add(&mut self, draft: &Draft, replace: bool) -> Outcome {
        let id = RequestId(INSIDE | (self.door.nth * REQUESTS_EACH + self.next));
        self.next += 1;
        let change = Change::Add(new_profile(draft, replace));
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let command = Command::Admitted { change, interactive: false };
        let reply = ReplyTo::new(Encoding::Json, sender);
        // Without a driver the reply is dropped, which is an answer too.
        let _stopped = self.door.inbox.send(Input::Request { id, command, reply });
        let mut warnings = Vec::new();
        while let Some(Outgoing { bytes, kind, .. }) = receiver.recv().await {
            let response = codec::decode_line::<Response<'_>>(&bytes);
            match (response, kind) {
                (Ok(Response::Done(Done::Said(said))), _) => {
                    return Outcome { said: Ok(said.text.into_owned()), warnings };
                }
                (Ok(Response::Error(error)), _) => {
                    return Outcome { said: Err(failure(&error, &draft.name)), warnings };
                }
                (Ok(Response::Progress(progress)), _) if progress.warning => {
                    warnings.push(progress.text.into_owned());
                }
                (_, Sent::Last) => break,
                _ => {}
            }
        }
        Outcome { said: Err(bug().of(&draft.name)), warnings }
    }

    fn finish(self, count: usize, dry_run: bool, reply: ReplyTo) {
        let mut failed = self.failed;
        let profiles = |count: usize| match count {
            1 => "1 profile".to_owned(),
            count => format!("{count} profiles"),
        };
        match (failed.len(), count) {
            (0, count) if dry_run => reply.said(&format!("would add {}", profiles(count))),
            (0, count) => reply.said(&format!("added {}", profiles(count))),
            (1, 1) => reply.failed(&failed.remove(0)),
            (lost, count) => {
                let first = failed.remove(0);
                let message = format!(
                    "{lost} of {} could not be added; the first: {}",
                    profiles(count),
                    first.message
                );
                reply.failed(&Failure { message, ..first });
            }
        }
    }
}

fn new_profile(draft: &Draft, replace: bool) -> NewProfile {
    let (name, settings) = (draft.name.clone(), draft.settings.clone());
    NewProfile { name, settings, secrets: secrets(draft), replace, generate_key: None }
}

fn secrets(draft: &Draft) -> Vec<NewSecret> {
    let own = |secret: &import::DraftSecret| NewSecret {
        name: secret.name.to_owned(),
        value: secret.value.clone(),
        expires_at: secret.expires_at,
    };
    draft.secrets.iter().map(own).collect()
}

/// The failure of an `add`, with what an `import` can do about it.
fn failure(error: &tokctl_proto::error::WireFailure<'_>, name: &ProfileName) -> Failure {
    let known = Kind::ALL.iter().find(|kind| kind.name() == error.kind);
    let failure = Failure::new(known.copied().unwrap_or(Kind::Internal), error.message.as_ref());
    let failure = Failure { hint: error.hint.as_deref().map(str::to_owned), ..failure.of(name) };
    match failure.kind {
        Kind::ProfileExists => failure.hint("use `--replace`, or `--name` for another name"),
        _ => failure,
    }
}
