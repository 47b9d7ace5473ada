//! Effects carried out: each one that can fail comes back to the driver as an event.
//!
//! Tasks are spawned here, in listen.rs and in daemon.rs alone. Those here end with the
//! [`Performer`]: what a provider has not answered by then is not waited for. That is right as long
//! as no request spends a refresh token.

use std::collections::BTreeMap;

use tokctl_core::{
    AnswerId, AttemptId, Class, Effect, Event, Reply, RequestId, Served, Trouble, no_such_profile,
};
use tokctl_proto::response::{Done, Token as WireToken};
use tokctl_proto::{Failure, ProfileName, Secret, SecretStr, TokenKey, WallMs};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::mpsc::error::SendError;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::change::{self, Change, Changed};
use super::driver::{Input, Pending, Then};
use super::live::{Live, revision};
use super::obtain::{self, Answer, Means};
use super::schedule_file;
use super::stored;
use super::worker::bug;
use crate::config::Fingerprint;

/// Carries effects out.
pub(super) struct Performer {
    pub(super) means: Means,
    pub(super) requests: BTreeMap<RequestId, Pending>,
    /// A client asked the agent to stop.
    pub(super) stopping: bool,
    /// How often the vault was sealed.
    pub(super) seals: u64,
    inbox: UnboundedSender<Input>,
    tasks: JoinSet<()>,
    answers: BTreeMap<AnswerId, Answer>,
    last_answer: u64,
    prompt: String,
}

impl Performer {
    pub(super) fn new(means: Means, inbox: UnboundedSender<Input>, prompt: String) -> Self {
        Self {
            means,
            requests: BTreeMap::new(),
            stopping: false,
            seals: 0,
            inbox,
            tasks: JoinSet::new(),
            answers: BTreeMap::new(),
            last_answer: 0,
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
            Effect::AskPassphrase { request, again } => {
                if let Some(pending) = self.requests.get(&request) {
                    if again {
                        pending.reply.progress("that passphrase does not open this vault", true);
                    }
                    pending.reply.ask(&self.prompt);
                }
            }
            Effect::Admitted { request } => {
                let change =
                    self.requests.get_mut(&request).and_then(|pending| pending.change.take());
                match change {
                    Some(change) => self.carry_out(request, change),
                    None => warn!("a request was admitted that has nothing to carry out"),
                }
            }
            Effect::Unlock { passphrase } => self.unlock(passphrase),
            Effect::Seal => self.seal(),
            Effect::Load { profile } => self.load(profile, live),
            Effect::Send { attempt, key } => self.send(attempt, key, live),
            Effect::Classify { attempt, answer } => {
                let answer = self.answers.remove(&answer)?;
                let outcome = obtain::classify(&answer);
                log_outcome(&answer.profile.name, &outcome);
                return Some(Event::Classified { attempt, outcome });
            }
            Effect::Discard { answer } => {
                self.answers.remove(&answer);
            }
            Effect::SaveToken { save, key, token } => {
                let (inbox, name) = (self.inbox.clone(), key.profile.clone());
                self.means.jobs.run(
                    move |worker| stored::save_token(worker, &key, &token),
                    move |result| {
                        if let Err(failure) = &result {
                            warn!(profile = %name, problem = %failure.message, "cannot save a token");
                        }
                        send(&inbox, Input::Event(Event::Saved { save, result }));
                    },
                );
            }
            Effect::SaveSchedule(schedule) => {
                let bytes = schedule_file::to_bytes(&schedule);
                // A hint: its failure is in the log, and nobody waits for it.
                self.means.jobs.run(move |worker| worker.write_schedule(&bytes), drop);
            }
        }
        None
    }

    fn reply(&mut self, request: RequestId, reply: &Reply, live: &Live) {
        let Some(pending) = self.requests.remove(&request) else { return };
        match reply {
            Reply::Token(served) => pending.reply.done(Done::Token(wire_token(served, live))),
            Reply::Said(text) => pending.reply.said(text),
            Reply::Failed(failure) => pending.reply.failed(failure),
        }
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
        let settings = live.config.profiles.get(&profile).cloned();
        self.means.jobs.run(
            move |worker| match &settings {
                Some(settings) => stored::load(worker, settings, revision(settings)),
                None => Ok(Vec::new()),
            },
            move |result| send(&inbox, Input::Event(Event::Loaded { profile, result })),
        );
    }

    fn send(&mut self, attempt: AttemptId, key: TokenKey, live: &Live) {
        let Some(profile) = live.config.profiles.get(&key.profile) else {
            let known = live.config.profiles.keys().map(ProfileName::as_str);
            let failure = no_such_profile(&key.profile, known);
            let trouble = Trouble::new(Class::Permanent, failure);
            send(&self.inbox, Input::Answered { attempt, result: Err(trouble) });
            return;
        };
        let (profile, revision) = (profile.clone().into(), revision(profile));
        let means = self.means.clone();
        let trouble = Trouble::new(Class::Permanent, bug().of(&key.profile));
        let promise = self.promise(Input::Answered { attempt, result: Err(trouble) });
        self.spawn(async move {
            let result = obtain::obtain(means, profile, revision, key).await;
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
            Ok(answer) => {
                self.last_answer += 1;
                let id = AnswerId(self.last_answer);
                self.answers.insert(id, answer);
                Ok(id)
            }
            Err(trouble) => {
                let profile = trouble.failure.profile.as_ref().map(ProfileName::as_str);
                warn!(profile, problem = %trouble.failure.message, "obtained no token");
                Err(trouble)
            }
        };
        Event::Answered { attempt, result }
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

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(task);
    }

    fn promise(&self, broken: Input) -> Promise {
        Promise { inbox: self.inbox.clone(), input: Some(broken) }
    }
}

/// What a task owes the driver. One that panics sends what stands for that, so nobody waits for
/// ever.
struct Promise {
    inbox: UnboundedSender<Input>,
    input: Option<Input>,
}

impl Promise {
    fn keep(mut self, input: Input) {
        self.input = Some(input);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(input) = self.input.take() {
            send(&self.inbox, input);
        }
    }
}

fn send(inbox: &UnboundedSender<Input>, input: Input) {
    // The driver is gone only when the agent stops.
    if let Err(SendError(input)) = inbox.send(input) {
        input.turn_away();
    }
}

fn log_outcome(profile: &ProfileName, outcome: &tokctl_core::Outcome) {
    match outcome {
        tokctl_core::Outcome::Tokens(token) => {
            let lifetime_s = token.expires_at.map(|end| end.since(token.issued_at).as_secs());
            info!(%profile, lifetime_s, "obtained a token");
        }
        tokctl_core::Outcome::Failed(trouble) => {
            let problem = &trouble.failure.message;
            warn!(%profile, %problem, class = ?trouble.class, "obtained no token");
        }
    }
}

fn wire_token<'a>(served: &'a Served, live: &'a Live) -> WireToken<'a> {
    let header = live
        .config
        .profiles
        .get(&served.profile)
        .map_or(crate::config::HEADER_DEFAULT, |profile| profile.header.as_str());
    WireToken {
        access_token: SecretStr::from(&served.token.access_token),
        token_type: served.token.token_type.as_str().into(),
        expires_at: served.token.expires_at.map(WallMs::unix_s),
        expires_in: served.expires_in_s,
        scope: served.token.scope.as_deref().unwrap_or_default().into(),
        profile: served.profile.as_str().into(),
        header: header.into(),
        min_valid_met: served.min_valid_met,
        warning: served.warning.as_deref().map(Into::into),
        extra: SecretStr::from(&served.token.extra),
    }
}
