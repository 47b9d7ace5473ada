//! What a profile has been doing, for `why`: the last attempts, without a secret.

use std::time::Duration;

use tokctl_proto::{Kind, WallMs};

/// Attempts that are remembered of each profile.
pub const ATTEMPTS_KEPT: usize = 10;

/// One attempt to obtain a token, or one report of what an API said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    pub at: WallMs,
    pub took: Duration,
    /// What was sent, as in `client_credentials scope=read`; `report` for a report.
    pub what: String,
    /// Scheme, host and port that it was sent to; empty for a report.
    pub origin: String,
    /// Of the answer.
    pub status: Option<u16>,
    /// What came of it, safe to show.
    pub result: String,
    /// `None` when a token came.
    pub kind: Option<Kind>,
}
