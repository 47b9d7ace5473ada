//! The end of the agent.
//!
//! First what must not be lost: a refresh token that was presented is as good as gone until its
//! successor is on the disk, so the loop goes on until the core has nothing of that kind under way,
//! and clients are told that the agent is stopping. Then changes that somebody asked for. Nothing new
//! is begun.

use std::io;
use std::time::Duration;

use tokctl_core::Event;
use tokctl_proto::Now;
use tracing::{info, warn};

use super::{Driver, Input, Then, Turn};
use crate::clock;
use crate::shell::command::Command;
use crate::shell::nap::Nap;
use crate::shell::reply::ReplyTo;
use crate::shell::serve::stopping;

/// Longer than a provider may take for its answer (30 s) and the disk for what is in it; a service
/// manager kills after 90 s.
const FINISH_TIME_MAX: Duration = Duration::from_secs(35);
/// So many signals end the agent whatever is under way: who sends a second one means it.
const SIGNALS_MAX: u32 = 2;

impl Driver {
    /// Goes on until nothing is under way that must not be lost.
    pub(super) async fn finish(
        &mut self,
        nap: &mut Nap,
        mut now: Now,
        mut signals: u32,
    ) -> io::Result<()> {
        let leave_by = now.boot.plus(FINISH_TIME_MAX);
        self.leave_by = Some(leave_by);
        self.handle(now, Event::Stop);
        self.watchers.stop();
        self.stop_logins(now);
        self.stop_private_sockets();
        if !self.is_quiet() {
            info!("stops when the requests under way are over");
        }
        while !self.is_quiet() {
            if signals >= SIGNALS_MAX || now.boot >= leave_by {
                warn!("stops although a request to a provider is under way");
                break;
            }
            signals += u32::from(self.turn(nap, &mut now).await? == Turn::Stop);
        }
        match self.performer.purging.take() {
            Some((request, purging)) => self.purge(nap, now, request, purging).await,
            None => Ok(()),
        }
    }

    /// Whether nothing is under way that must not be lost: a refresh token or the code of a login.
    fn is_quiet(&self) -> bool {
        self.core.is_quiet() && !self.logins.is_committed()
    }

    /// Tells everybody who waits that the agent stops. Changes that are being made are let finish,
    /// for so long, since who asked for one will want to know.
    pub async fn farewell(&mut self, time_max: Duration) {
        if self.leave_by.is_none() {
            self.handle(clock::now(), Event::Stop);
            self.watchers.stop();
        }
        self.sockets.leave();
        let finishing = async {
            while !self.performer.requests.is_empty() {
                match self.inbox.recv().await {
                    Some(input) => self.last_word(input),
                    None => return,
                }
            }
        };
        let _late = tokio::time::timeout(time_max, finishing).await;
        for (_, pending) in std::mem::take(&mut self.performer.requests) {
            pending.reply.failed(&stopping());
        }
        self.inbox.close();
        while let Ok(input) = self.inbox.try_recv() {
            input.turn_away();
        }
        info!("stopped");
    }

    /// What still comes in while the agent goes down. The core has said its last: nothing new is
    /// begun.
    fn last_word(&mut self, input: Input) {
        let (request, result) = match input {
            Input::Gone(request) => {
                self.performer.requests.remove(&request);
                return;
            }
            Input::Changed { request, changed, .. } => {
                self.show(request, &changed);
                if let Some(profile) = self.logins.storing(request).cloned() {
                    return self.end_login(clock::now(), &profile, &changed.result);
                }
                (request, changed.result)
            }
            Input::Reread { then: Then::Ask { request, .. }, .. } => (request, Err(stopping())),
            input => return input.turn_away(),
        };
        if let Some(pending) = self.performer.requests.remove(&request) {
            match result {
                Ok(said) => pending.reply.said(&said),
                Err(failure) => pending.reply.failed(&failure),
            }
        }
    }
}

/// Answers a request that comes while the agent goes down.
pub(super) fn turn_away(command: &Command, reply: ReplyTo) {
    match command {
        Command::AgentStop => reply.said("the agent stops"),
        _ => reply.failed(&stopping()),
    }
}
