//! What is remembered between runs without any secret: hints, never truths.

use tokctl_proto::{TokenKey, WallMs};

/// One line per key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    pub keys: Vec<ScheduledKey>,
}

/// What is known of a key without opening its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledKey {
    pub key: TokenKey,
    pub issued_at: Option<WallMs>,
    pub expires_at: Option<WallMs>,
    pub last_used: Option<WallMs>,
    /// No request before this, because of a failure or of a provider's Retry-After.
    pub cool_down: Option<WallMs>,
    /// In a row.
    pub failures: u32,
}
