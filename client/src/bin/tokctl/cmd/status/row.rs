//! What the agent says of a profile, kept beyond its frame.

use std::time::Duration;

use serde::Serialize;
use tokctl_client::proto::error::WireFailure;
use tokctl_client::proto::response::{self, StatusRow2};
use tokctl_client::proto::time::Spoken;

/// A profile as `status --json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    pub(crate) profile: String,
    pub(crate) state: String,
    pub(crate) issued_at: Option<i64>,
    pub(crate) expires_at: Option<i64>,
    pub(crate) next_at: Option<i64>,
    pub(crate) last_used_at: Option<i64>,
    pub(crate) error: Option<WireFailure<'static>>,
    pub(crate) exit: u8,
    pub(crate) unsaved: bool,
    pub(crate) warnings: Vec<String>,
    pub(crate) members: Vec<Member>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Member {
    pub(crate) profile: String,
    pub(crate) free: bool,
    pub(crate) free_at: Option<i64>,
    pub(crate) uses_left: Option<u32>,
}

impl Row {
    /// How much longer the token is good, where there is one that ends.
    pub(crate) fn left(&self, now: i64) -> Option<Spoken> {
        let left = self.expires_at?.saturating_sub(now);
        Some(Spoken(Duration::from_secs(u64::try_from(left).unwrap_or(0))))
    }

    /// A profile of which nothing is known, for tests to add to.
    #[cfg(test)]
    pub(crate) fn unknown(profile: &str) -> Self {
        Self {
            profile: profile.to_owned(),
            state: "none".to_owned(),
            issued_at: None,
            expires_at: None,
            next_at: None,
            last_used_at: None,
            error: None,
            exit: 0,
            unsaved: false,
            warnings: Vec::new(),
            members: Vec::new(),
        }
    }

    /// Whether somebody should look at it.
    pub(crate) fn is_problem(&self) -> bool {
        self.exit != 0 || !self.warnings.is_empty()
    }
}

impl From<&StatusRow2<'_>> for Row {
    fn from(row: &StatusRow2<'_>) -> Self {
        Self {
            profile: row.profile.to_string(),
            state: row.state.to_string(),
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            next_at: row.next_at,
            last_used_at: row.last_used_at,
            error: row.error.clone().map(WireFailure::into_owned),
            exit: row.exit,
            unsaved: row.unsaved,
            warnings: row.warnings.clone(),
            members: row.members.iter().map(Member::from).collect(),
        }
    }
}

impl From<&response::Member> for Member {
    fn from(member: &response::Member) -> Self {
        Self {
            profile: member.profile.clone(),
            free: member.free,
            free_at: member.free_at,
            uses_left: member.uses_left,
        }
    }
}
