//! What is known of a refresh token, without the token.

use std::time::Duration;

use tokctl_proto::{Secret, WallMs};

/// The refresh token of an entry, as far as decisions need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// When the provider issued it or it was stored.
    pub obtained_at: WallMs,
    /// When it was last presented with success.
    pub used_at: Option<WallMs>,
    /// Where the provider or a person said so.
    pub expires_at: Option<WallMs>,
    /// How often it was sent without an answer on the disk: 0 for a token in good standing.
    pub tries: u32,
    /// The provider refused it.
    pub is_dead: bool,
}

/// The refresh token that takes the place of the presented one.
#[derive(Clone, Debug)]
pub struct Successor {
    pub secret: Secret,
    /// From `refresh_token_expires_in` and its like: many providers name it, no RFC does.
    pub expires_at: Option<WallMs>,
}

impl RefreshToken {
    /// The time by which it must have been used to stay alive, if one is known.
    pub fn dies_at(&self, idle: Option<Duration>) -> Option<WallMs> {
        let idle = idle
            .map(|idle| self.used_at.unwrap_or(self.obtained_at).max(self.obtained_at).plus(idle));
        self.expires_at.into_iter().chain(idle).min()
    }
}
