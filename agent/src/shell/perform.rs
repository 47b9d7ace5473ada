//! Effects carried out: each one that can fail comes back to the driver as an event.
//!
//! Tasks are spawned here, in listen.rs and in daemon.rs alone. Those here are never aborted but by
//! the end of the [`Performer`], which comes when nothing is under way that must not be lost, or when
//! that has taken too long (`driver/stop.rs`).

use std::collections::BTreeMap;

use std::sync::Arc;

use tokctl_core::{
    AnswerId, AttemptId, Class, Credential, Effect, Event, Outcome, Reached, Reply, RequestId,
    Served, Trouble, Unread, no_such_profile,
};
use tokctl_proto::response::Done;
use tokctl_proto::{Failure, ProfileName, Secret, TokenKey};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::mpsc::error::SendError;
use tokio::task::{AbortHandle, JoinSet};
use tracing::{info, warn};

use super::change::{self, Change, Changed, NewProfile};
use super::driver::{Input, Pending, Purging, Task, Then, TokenForm};
use super::dry_run;
use super::hooks::{self, Errand};
use super::import::{self, Door, Wanted};
use super::inspect;
use super::live::{Live, revision};
use super::login::{self, News};
use super::obtain::{self, Answer, Means};
use super::probe;
use super::reply::ReplyTo;
use super::revoke::work_off::{self, Tried};
use super::rows;
use super::stored::{self, Loaded};
use super::worker::bug;
use crate::config::Fingerprint;
use crate::vault::EntryId;

mod handed_out;
mod promise;
mod proof;
mod subject;
#[cfg(test)]
mod tests;
mod writes;

pub(super) use proof::prove;

use promise::Promise;

/// Carries effects out.
pub(super) struct Performer {
    pub(super) means: Means,
    pub(super) requests: BTreeMap<RequestId, Pending>,
    /// A client asked the agent to stop.
    pub(super) stopping: bool,
    /// Everything is to be removed, and the agent to end with it.
    pub(super) purging: Option<(RequestId, Purging)>,
    /// How often the vault was sealed.
    pub(super) seals: u64,
    pub(super) inbox: UnboundedSender<Input>,
    tasks: JoinSet<()>,
    /// Shared with a job that saves one.
    answers: BTreeMap<AnswerId, Arc<Answer>>,
    last_answer: u64,
    /// How many there were.
    imports: u64,
    prompt: String,
}

impl Performer {
    pub(super) fn new(means: Means, inbox: UnboundedSender<Input>, prompt: String) -> Self {
        Self {
            means,
            requests: BTreeMap::new(),
            stopping: false,
            purging: None,
            seals: 0,
            inbox,
            tasks: JoinSet::new(),
            answers: BTreeMap::new(),
            last_answer: 0,
            imports: 0,
            prompt,
        }
    }

    /// Does what an effect says, or starts it. What is known at once is returned as an event.
    pub(super) fn perform(&mut self, effect: Effect, live: &Live) -> Option<Event> {
        match effect {
            Effect::Reply { request, reply } => self.reply(request, &reply, live),
            Effect::Progress { request, text } => {
                if let Some(pending) = self.requests.get(&request) {
                    pending.reply.progress(&text, false);
                }
            }
            Effect::AskPassphrase { request, again } => self.ask_passphrase(request, again),
            Effect::Admitted { request } => self.admitted(request),
            Effect::Unlock { passphrase } => self.unlock(passphrase),
            Effect::Seal => self.seal(),
            Effect::Load { profile } => self.load(profile, live),
            Effect::AskSubject { request, profile } => {
                return self.ask_subject(request, profile, live);
            }
            Effect::Send { attempt, key, credential, subject } => {
                self.send(attempt, key, credential, subject, live);
            }
            Effect::Classify { attempt, answer } => return Some(self.classify(attempt, answer)),
            Effect::Discard { answer } => drop(self.answers.remove(&answer)),
            Effect::SaveIntent { save, key, tries, .. } => self.save_intent(save, key, tries),
            Effect::SaveAnswer { save, answer, .. } => return self.save_answer(save, answer),
            Effect::SaveTokens { save, key, obtained, .. } => self.save_tokens(save, key, obtained),
            Effect::Withdraw { profile, tries, .. } => self.withdraw(profile, tries),
            Effect::DropToken { key, token } => self.drop_token(key, token),
            Effect::Bury { attempt, profile } => self.bury(attempt, profile),
            Effect::Alarm { profile, text } => warn!(%profile, "{text}"),
            Effect::SaveSchedule(schedule) => self.save_schedule(schedule),
            // The driver has done so.
            Effect::Tell(_) => {}
        }
        None
    }

    fn reply(&mut self, request: RequestId, reply: &Reply, live: &Live) {
        let Some(pending) = self.requests.remove(&request) else { return };
        if let Reply::Token(served) = reply
            && let Err(failure) = handed_out::check(served, live)
        {
            return pending.reply.failed(&failure);
        }
        match reply {
            Reply::Token(served) if matches!(pending.form, TokenForm::Probe(_)) => {
                self.probe(pending, served.clone(), live);
            }
            Reply::Token(served) if proof::is_bound(served) => {
                self.reply_bound(pending, served.clone(), live);
            }
            Reply::Token(served) => pending.reply.done(match pending.form {
                TokenForm::Token => Done::Token(rows::token(served, live)),
                TokenForm::Token2 => Done::Token2(rows::token2(served, live)),
                TokenForm::Token3(_) | TokenForm::Probe(_) => {
                    Done::Token3(rows::token3(served, live, None))
                }
            }),
            Reply::Said(text) => pending.reply.said(text),
            Reply::Failed(failure) => pending.reply.failed(failure),
        }
    }

    fn ask_passphrase(&self, request: RequestId, again: bool) {
        let Some(pending) = self.requests.get(&request) else { return };
        if again {
            pending.reply.progress("that passphrase does not open this vault", true);
        }
        pending.reply.ask(&self.prompt);
    }

    pub(super) fn admitted(&mut self, request: RequestId) {
        match self.requests.get_mut(&request).and_then(|pending| pending.task.take()) {
            Some(Task::Change(change)) => self.carry_out(request, change),
            Some(Task::Inspect(key)) => self.inspect(request, key),
            Some(Task::Import(wanted)) => self.import(request, *wanted),
            // The driver has begun it.
            Some(Task::Login(_)) => warn!("a login was admitted twice"),
            Some(Task::Purge(purging)) => self.purging = Some((request, purging)),
            None => warn!("a request was admitted that has nothing to carry out"),
        }
    }

    fn classify(&mut self, attempt: AttemptId, answer: AnswerId) -> Event {
        let outcome = match self.answers.remove(&answer) {
            Some(answer) => {
                let outcome = obtain::classify(&answer);
                log_outcome(&answer.profile.name, &outcome);
                outcome
            }
            None => {
                Outcome::Failed(Trouble::new(Class::Permanent, bug()).reached(Reached::Perhaps))
            }
        };
        Event::Classified { attempt, outcome }
    }

    fn unlock(&self, passphrase: Option<Secret>) {
        let (inbox, seals) = (self.inbox.clone(), self.seals);
        self.means.jobs.run(
            move |worker| {
                let keys = worker.vault.unlock(passphrase.as_ref());
                let keys = keys.map_err(|error| Failure::from(&error))?;
                stored::opened(worker, &keys);
                worker.keys = Some(keys);
                info!("opened the vault");
                Ok(())
            },
            move |result| send(&inbox, Input::Unlocked { result, seals }),
        );
    }

    fn seal(&mut self) {
        self.seals += 1;
        self.means.jobs.run(
            |worker| {
                worker.keys = None;
                Ok(())
            },
            drop,
        );
    }

    fn load(&self, profile: ProfileName, live: &Live) {
        let inbox = self.inbox.clone();
        let settings = live.config.profiles.get(&profile).cloned().map(Arc::new);
        self.means.jobs.run(
            move |worker| match settings {
                Some(settings) => {
                    let revision = revision(&settings);
                    stored::load(worker, settings, revision)
                }
                None => Ok(Loaded::default()),
            },
            move |result| send(&inbox, Input::Loaded { profile, result }),
        );
    }

    /// Gives the answer that an earlier run has left in an entry a handle of this run.
    pub(super) fn loaded(
        &mut self,
        profile: ProfileName,
        result: Result<Loaded, Failure>,
    ) -> Event {
        let result = result.map(|Loaded { mut contents, unread }| {
            contents.unread = unread.map(|answer| {
                info!(%profile, "found an answer that was saved and not read");
                let (key, revision) = (answer.key.clone(), answer.revision);
                Unread { answer: self.keep(*answer), key, revision }
            });
            contents
        });
        Event::Loaded { profile, result }
    }

    fn send(
        &mut self,
        attempt: AttemptId,
        key: TokenKey,
        credential: Credential,
        subject: Option<Secret>,
        live: &Live,
    ) {
        let Some(profile) = live.config.profiles.get(&key.profile) else {
            let known = live.config.profiles.keys().map(ProfileName::as_str);
            let failure = no_such_profile(&key.profile, known);
            let trouble = Trouble::new(Class::Permanent, failure);
            send(&self.inbox, Input::Answered { attempt, result: Err(trouble) });
            return;
        };
        let (profile, revision) = (profile.clone().into(), revision(profile));
        let means = self.means.clone();
        // Nobody knows how far a task came that panicked.
        let trouble = Trouble::new(Class::Permanent, bug().of(&key.profile));
        let trouble = trouble.reached(Reached::Perhaps);
        let promise = self.promise(Input::Answered { attempt, result: Err(trouble) });
        self.spawn(async move {
            let result = obtain::obtain(means, profile, revision, key, credential, subject).await;
            promise.keep(Input::Answered { attempt, result });
        });
    }

    /// Keeps a provider's answer until the core says what is to become of it.
    pub(super) fn answered(
        &mut self,
        attempt: AttemptId,
        result: Result<Answer, Trouble>,
    ) -> Event {
        let result = match result {
            Ok(answer) => Ok(self.keep(answer)),
            Err(trouble) => {
                let profile = trouble.failure.profile.as_ref().map(ProfileName::as_str);
                warn!(profile, problem = %trouble.failure.message, "obtained no token");
                Err(trouble)
            }
        };
        Event::Answered { attempt, result }
    }

    fn keep(&mut self, answer: Answer) -> AnswerId {
        self.last_answer += 1;
        let id = AnswerId(self.last_answer);
        self.answers.insert(id, Arc::new(answer));
        id
    }

    pub(super) fn carry_out(&mut self, request: RequestId, change: Change) {
        let (means, seals) = (self.means.clone(), self.seals);
        let changed = Changed::failed(bug());
        let promise = self.promise(Input::Changed { request, changed, seals });
        self.spawn(async move {
            let changed = change::carry_out(means, change).await;
            promise.keep(Input::Changed { request, changed, seals });
        });
    }

    /// Answers by itself: its changes are those of the profiles that it asks to be added.
    fn import(&mut self, request: RequestId, wanted: Wanted) {
        let Some(Pending { reply, .. }) = self.requests.remove(&request) else { return };
        self.imports += 1;
        let door = Door { inbox: self.inbox.clone(), nth: self.imports };
        let means = self.means.clone();
        self.spawn(import::import(means, wanted, door, reply));
    }

    /// Calls with a token and without, and answers by itself.
    fn probe(&mut self, pending: Pending, served: Served, live: &Live) {
        let TokenForm::Probe(endpoint) = pending.form else { return };
        let is_bound = proof::is_bound(&served);
        let (means, live) = (self.means.clone(), live.clone());
        self.spawn(probe::probe(means, live, served, *endpoint, is_bound, pending.reply));
    }

    /// Answers by itself: nothing is changed by a look.
    fn inspect(&mut self, request: RequestId, key: TokenKey) {
        let Some(Pending { reply, .. }) = self.requests.remove(&request) else { return };
        let means = self.means.clone();
        self.spawn(inspect::inspect(means, key, reply));
    }

    pub(super) fn dry_run(&mut self, key: TokenKey, reply: ReplyTo) {
        self.spawn(dry_run::of_next(self.means.jobs.clone(), key, reply));
    }

    pub(super) fn dry_add(&mut self, new: NewProfile, reply: ReplyTo) {
        self.spawn(dry_run::of_new(self.means.clone(), new, reply));
    }

    /// Looks for the tombstones of a vault that was just opened.
    pub(super) fn find_tombstones(&self) {
        let inbox = self.inbox.clone();
        self.means.jobs.run(
            |worker| work_off::find(worker),
            move |found| match found {
                Ok(found) => send(&inbox, Input::Tombstones(found)),
                Err(failure) => warn!(problem = %failure.message, "cannot look for tombstones"),
            },
        );
    }

    /// Tries a tombstone.
    pub(super) fn work_off(&mut self, id: EntryId) {
        let means = self.means.clone();
        let why = bug().message;
        let tried = Tried::Again { waiting: None, retry_after: None, why };
        let promise = self.promise(Input::Tried { id, tried });
        self.spawn(async move {
            let tried = work_off::work_off(means, id).await;
            promise.keep(Input::Tried { id, tried });
        });
    }

    /// Reads config.toml again, unless its bytes are those in use.
    pub(super) fn reread(&self, in_use: Fingerprint, then: Then) {
        let inbox = self.inbox.clone();
        self.means.jobs.run(
            move |worker| {
                let live = worker.read_config()?;
                Ok((live.fingerprint != in_use).then_some(live))
            },
            move |result| send(&inbox, Input::Reread { result, then }),
        );
    }

    /// Carries a login out; what it says and how it ends reaches the driver.
    pub(super) fn login(&mut self, begin: login::Begin, teller: login::Teller) -> AbortHandle {
        let promise = self.promise(teller.input(News::Ended(Err(bug()))));
        self.spawn(async move {
            let ended = login::run(begin, teller.clone()).await;
            promise.keep(teller.input(News::Ended(ended)));
        })
    }

    /// Runs a program that is told what happened.
    pub(super) fn run_hook(&mut self, kind: &'static str, errand: Errand) {
        let promise = self.promise(Input::HookEnded(kind));
        self.spawn(async move {
            hooks::run(kind, errand).await;
            promise.keep(Input::HookEnded(kind));
        });
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(task)
    }

    fn promise(&self, broken: Input) -> Promise {
        Promise::new(self.inbox.clone(), broken)
    }
}

fn send(inbox: &UnboundedSender<Input>, input: Input) {
    // The driver is gone only when the agent stops.
    if let Err(SendError(input)) = inbox.send(input) {
        input.turn_away();
    }
}

fn log_outcome(profile: &ProfileName, outcome: &Outcome) {
    match outcome {
        Outcome::Tokens(tokctl_core::Obtained { token, .. }) => {
            let lifetime_s = token.expires_at.map(|end| end.since(token.issued_at).as_secs());
            info!(%profile, lifetime_s, "obtained a token");
        }
        Outcome::Failed(trouble) => {
            let problem = &trouble.failure.message;
            warn!(%profile, %problem, class = ?trouble.class, "obtained no token");
        }
    }
}
