//! Effects that write: each is one job of the vault thread.

use std::sync::Arc;

use tokctl_core::{AnswerId, AttemptId, Event, Kept, SaveId, Schedule, Token};
use tokctl_proto::{Failure, ProfileName, TokenKey};
use tracing::warn;

use super::{Performer, send};
use crate::shell::driver::Input;
use crate::shell::worker::{Worker, bug};
use crate::shell::{rotate, schedule_file};

impl Performer {
    pub(super) fn save_intent(&self, save: SaveId, key: TokenKey, tries: u32) {
        let name = key.profile.clone();
        self.save(save, key.profile, "the intent of a request", move |worker| {
            rotate::save_intent(worker, &name, tries)
        });
    }

    pub(super) fn save_tokens(&self, save: SaveId, key: TokenKey, obtained: Kept) {
        let name = key.profile.clone();
        self.save(save, name, "what was obtained", move |worker| {
            rotate::save_tokens(worker, &key, &obtained)
        });
    }

    pub(super) fn withdraw(&self, profile: ProfileName, tries: u32) {
        let name = profile.clone();
        self.write(profile, "that a request spent nothing", move |worker| {
            rotate::withdraw(worker, &name, tries)
        });
    }

    pub(super) fn drop_token(&self, key: TokenKey, token: Arc<Token>) {
        let name = key.profile.clone();
        self.write(name, "that a token was refused", move |worker| {
            rotate::drop_token(worker, &key, &token)
        });
    }

    /// It is a hint: its failure is in the log, and nobody waits for it.
    pub(super) fn save_schedule(&self, schedule: Schedule) {
        let job =
            move |worker: &mut Worker| worker.write_schedule(&schedule_file::to_bytes(&schedule));
        self.means.jobs.run(job, drop);
    }

    /// Runs a write that `Event::Saved` follows.
    fn save(
        &self,
        save: SaveId,
        profile: ProfileName,
        what: &'static str,
        job: impl FnOnce(&Worker) -> Result<(), Failure> + Send + 'static,
    ) {
        let inbox = self.inbox.clone();
        self.means.jobs.run(
            move |worker| job(worker),
            move |result| {
                if let Err(failure) = &result {
                    warn!(%profile, problem = %failure.message, "cannot save {what}");
                }
                send(&inbox, Input::Event(Event::Saved { save, result }));
            },
        );
    }

    /// Runs a write that nothing follows.
    fn write(
        &self,
        profile: ProfileName,
        what: &'static str,
        job: impl FnOnce(&Worker) -> Result<(), Failure> + Send + 'static,
    ) {
        self.means.jobs.run(
            move |worker| job(worker),
            move |result| {
                if let Err(failure) = result {
                    warn!(%profile, problem = %failure.message, "cannot save {what}");
                }
            },
        );
    }

    pub(super) fn save_answer(&self, save: SaveId, answer: AnswerId) -> Option<Event> {
        let Some(answer) = self.answers.get(&answer).map(Arc::clone) else {
            warn!("an answer was to be saved that is not there");
            return Some(Event::Saved { save, result: Err(bug()) });
        };
        let name = answer.key.profile.clone();
        self.save(save, name, "an answer", move |worker| rotate::save_answer(worker, &answer));
        None
    }

    pub(super) fn bury(&self, attempt: AttemptId, profile: ProfileName) {
        let inbox = self.inbox.clone();
        let name = profile.clone();
        self.means.jobs.run(
            move |worker| rotate::bury(worker, &name),
            move |result| {
                match &result {
                    Ok(burial) => warn!(%profile, ?burial, "the refresh token was refused"),
                    Err(failure) => {
                        warn!(%profile, problem = %failure.message, "cannot mark a refresh token");
                    }
                }
                send(&inbox, Input::Event(Event::Buried { attempt, result }));
            },
        );
    }
}
