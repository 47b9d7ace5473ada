//! What the core wants done. Each effect that can fail comes back as an event.

use std::sync::Arc;

use tokctl_proto::{Failure, ProfileName, Secret, TokenKey};

use crate::event::{AnswerId, AttemptId, RequestId, SaveId};
use crate::schedule::Schedule;
use crate::token::Token;

#[derive(Debug)]
pub enum Effect {
    /// The one answer to a request.
    Reply { request: RequestId, reply: Reply },
    /// Talk while a request waits.
    Progress { request: RequestId, text: String },
    /// Ask this client for the passphrase; `Event::Passphrase` may follow.
    AskPassphrase { request: RequestId, again: bool },
    /// The vault is open: carry out the request. `Event::Changed` follows.
    Admitted { request: RequestId },
    /// Open the vault. `Event::Unlocked` follows.
    Unlock { passphrase: Option<Secret> },
    /// Forget the vault's keys.
    Seal,
    /// Read an entry. `Event::Loaded` follows.
    Load { profile: ProfileName },
    /// Ask the provider. `Event::Answered` follows.
    Send { attempt: AttemptId, key: TokenKey },
    /// Work out what an answer means. `Event::Classified` follows.
    Classify { attempt: AttemptId, answer: AnswerId },
    /// An answer that nobody wants any more.
    Discard { answer: AnswerId },
    /// Put a token into its entry. `Event::Saved` follows.
    SaveToken { save: SaveId, key: TokenKey, token: Arc<Token> },
    /// Write the hints for the next start. A failure is nobody's business.
    SaveSchedule(Schedule),
}

/// The end of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Token(Served),
    Said(String),
    Failed(Failure),
}

/// A token and what goes with it.
#[derive(Clone, Debug)]
pub struct Served {
    pub profile: ProfileName,
    pub token: Arc<Token>,
    /// Seconds left, rounded down; `None` without an expiry.
    pub expires_in_s: Option<i64>,
    pub min_valid_met: bool,
    pub warning: Option<String>,
}
