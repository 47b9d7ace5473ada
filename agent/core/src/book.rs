//! What a profile has been doing, and what APIs said to its tokens.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::time::Spoken;
use tokctl_proto::{BootMs, Kind, ProfileName, TokenKey, WallMs};

use crate::core::Core;
use crate::event::AttemptId;
use crate::history::{ATTEMPTS_KEPT, Attempted};
use crate::lane::is_plain;
use crate::outcome::{Obtained, Reached, Trouble};

/// What is remembered of a profile besides its tokens. There is a book only where there is something to say.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// Oldest first. Shared with the schedule that is being written.
    pub(crate) history: Arc<VecDeque<Attempted>>,
    /// An API said to slow down.
    pub(crate) cooling_until: BootMs,
    /// An API refused a stored key: nobody but a person can help.
    pub(crate) refused_at: Option<WallMs>,
    /// By the last answer.
    pub(crate) clock_ahead_s: Option<i64>,
    /// What the last run knew of the refresh token's life. The entry says better once it has been read.
    pub(crate) keep_alive_at: Option<WallMs>,
}

impl Core {
    pub(crate) fn book(&mut self, name: &ProfileName) -> &mut Book {
        self.books.entry(name.clone()).or_default()
    }

    /// Until when an API has said to leave it alone.
    pub(crate) fn cooling_until(&self, name: &ProfileName) -> Option<BootMs> {
        let until = self.books.get(name)?.cooling_until;
        (until > self.now.boot).then_some(until)
    }

    /// Writes an attempt down that brought a token.
    pub(crate) fn note_success(&mut self, attempt: AttemptId, obtained: &Obtained) {
        let lifetime = obtained.token.lifetime();
        let result = match lifetime {
            Some(lifetime) => format!("a token for {}", Spoken(lifetime)),
            None => "a token without an end".to_owned(),
        };
        let clock_ahead_s = obtained.clock_ahead_s;
        if let Some(name) = self.note(attempt, Some(obtained.status), result, None) {
            self.book(&name).clock_ahead_s = clock_ahead_s;
        }
    }

    /// Writes an attempt down that brought none.
    pub(crate) fn note_failure(&mut self, attempt: AttemptId, trouble: &Trouble) {
        let status = match trouble.reached {
            Reached::Answered(status) => Some(status),
            Reached::Nobody | Reached::Perhaps => None,
        };
        let failure = &trouble.failure;
        self.note(attempt, status, failure.message.clone(), Some(failure.kind));
    }

    fn note(
        &mut self,
        attempt: AttemptId,
        status: Option<u16>,
        result: String,
        kind: Option<Kind>,
    ) -> Option<ProfileName> {
        let (key, origin, begun) = self.flight(attempt)?;
        let profile = self.profiles.get(&key.profile)?;
        let attempted = Attempted {
            at: begun.wall,
            took: self.now.boot.since(begun.boot),
            what: what_was_sent(profile.grant, key),
            origin: origin.to_string(),
            status,
            result,
            kind,
        };
        let name = key.profile.clone();
        self.write_down(&name, attempted);
        Some(name)
    }

    /// Writes a report down.
    pub(crate) fn note_report(&mut self, name: &ProfileName, status: u16, result: String) {
        let attempted = Attempted {
            at: self.now.wall,
            took: Duration::ZERO,
            what: "report".to_owned(),
            origin: String::new(),
            status: Some(status),
            result,
            kind: None,
        };
        self.write_down(name, attempted);
    }

    fn write_down(&mut self, name: &ProfileName, attempted: Attempted) {
        let history = Arc::make_mut(&mut self.book(name).history);
        if history.len() == ATTEMPTS_KEPT {
            history.pop_front();
        }
        history.push_back(attempted);
        self.touch_schedule();
    }
}

/// `client_credentials scope=read,write`.
fn what_was_sent(grant: &str, key: &TokenKey) -> String {
    if is_plain(key) {
        return grant.to_owned();
    }
    let key = key.to_string();
    match key.split_once(' ') {
        Some((_, asked)) => format!("{grant} {asked}"),
        None => grant.to_owned(),
    }
}
