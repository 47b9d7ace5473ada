//! The end of everything: the agent goes down as always, and takes along what it has kept.
//!
//! It is done when the loop is over, so nothing is begun beside it, and what was under way is at its end.

use std::io;

use tokctl_core::RequestId;
use tokctl_proto::Now;
use tracing::{info, warn};

use super::{Driver, Pending};
use crate::shell::nap::Nap;
use crate::shell::purge;

/// How it is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shell) struct Purging {
    /// No provider is asked.
    pub(in crate::shell) local: bool,
}

impl Driver {
    /// Removes everything once the changes under way are made.
    pub(super) async fn purge(
        &mut self,
        nap: &mut Nap,
        mut now: Now,
        request: RequestId,
        purging: Purging,
    ) -> io::Result<()> {
        let leave_by = self.leave_by.unwrap_or(now.boot);
        while self.performer.requests.keys().any(|other| *other != request) && now.boot < leave_by {
            // A signal changes nothing: the agent is going down.
            let _stop = self.turn(nap, &mut now).await?;
        }
        let Some(Pending { reply, .. }) = self.performer.requests.remove(&request) else {
            info!("nothing is removed: whoever wanted that has gone");
            return Ok(());
        };
        match purge::purge(&self.performer.means, purging.local, &reply).await {
            Ok(said) => {
                self.is_purged = true;
                reply.said(&said);
            }
            Err(failure) => {
                warn!(problem = %failure.message, "not everything was removed");
                reply.failed(&failure);
            }
        }
        Ok(())
    }

    /// Whether nothing is left of configuration, vault and state.
    pub fn is_purged(&self) -> bool {
        self.is_purged
    }
}
