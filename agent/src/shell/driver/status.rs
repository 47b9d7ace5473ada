//! What the agent says of itself and of its profiles. Asking changes nothing and needs no open
//! vault.

use std::sync::atomic::Ordering;

use tokctl_core::no_such_profile;
use tokctl_proto::response::{Agent, Done, Item, Why};
use tokctl_proto::{Now, ProfileName};

use super::Driver;
use crate::shell::query::{self, Rows};
use crate::shell::reply::ReplyTo;
use crate::shell::rows;

impl Driver {
    pub(super) fn status(&self, now: Now, rows: Rows, reply: ReplyTo) {
        let warnings = match rows {
            // They are the agent's owner's to read.
            _ if reply.is_further() => Vec::new(),
            Rows::Status => self.warnings(now),
            // Its rows say themselves what a profile lacks.
            Rows::Status2 => {
                let orphaned = self.tombstones.warnings(|name| !self.has(name));
                self.facts.unwatched.iter().cloned().chain(orphaned).collect()
            }
        };
        for warning in warnings.into_iter().chain(self.config_warning_for(&reply)) {
            reply.progress(&warning, true);
        }
        let said = match self.core.lock_state() {
            "none" => "there is no vault yet; run `tokctl init`",
            "sealed" => "the vault is sealed: nothing is renewed or served; run `tokctl unlock`",
            _ => "",
        };
        let mut statuses = self.core.statuses(now);
        for status in &mut statuses {
            status.warnings.extend(self.tombstones.warning(&status.profile));
        }
        query::status(&self.performer.means.jobs, statuses, said, rows, reply);
    }

    /// What a profile has been doing, oldest first, and what happens next.
    pub(super) fn why(&self, now: Now, name: &ProfileName, reply: ReplyTo) {
        if let Some(warning) = self.config_warning_for(&reply) {
            reply.progress(&warning, true);
        }
        let Some(why) = self.core.why(now, name) else {
            let known = self.live.config.profiles.keys().map(ProfileName::as_str);
            return reply.failed(&no_such_profile(name, known));
        };
        for attempted in &why.history {
            reply.item(Item::Attempt(rows::attempt(attempted)));
        }
        reply.done(Done::Why(Why {
            status: rows::status2(&why.status),
            next: why.next.as_str().into(),
        }));
    }

    /// The same, unless it is for whoever came by a further socket: it may name any profile.
    fn config_warning_for(&self, reply: &ReplyTo) -> Option<String> {
        self.config_warning().filter(|_| !reply.is_further())
    }

    /// What to say before whatever goes by another configuration than the file's.
    pub(super) fn config_warning(&self) -> Option<String> {
        let problem = self.config_problem.as_ref()?;
        let in_use = match self.live.is_none() {
            true => "no profile is in use until this is mended",
            false => "the last good configuration is in use",
        };
        Some(format!("{in_use}: {}", problem.message))
    }

    /// What a user should know without having asked for it.
    fn warnings(&self, now: Now) -> Vec<String> {
        let unsaved = self.core.statuses(now).into_iter().filter(|status| status.unsaved);
        let unsaved = unsaved.map(|status| {
            let name = status.profile;
            format!("{name}: the newest token could not be saved; it is served from memory")
        });
        let unrevoked = self.tombstones.warnings(|_| true);
        self.facts.unwatched.iter().cloned().chain(unsaved).chain(unrevoked).collect()
    }

    pub(super) fn agent_status(&self, now: Now, reply: ReplyTo) {
        reply.done(Done::Agent(Agent {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            socket: self.facts.socket.as_str().into(),
            vault: self.facts.vault.as_str().into(),
            state: self.core.lock_state().into(),
            started_at: self.facts.started_at.unix_s(),
            profiles: u32::try_from(self.live.config.profiles.len()).unwrap_or(u32::MAX),
            connections: self.facts.desk.connections.load(Ordering::Relaxed),
            config_problem: self
                .config_problem
                .as_ref()
                .map(|problem| problem.message.as_str().into()),
            warnings: self
                .facts
                .life
                .map(|life| life.told(now))
                .into_iter()
                .chain(self.warnings(now))
                .collect(),
        }));
    }
}
