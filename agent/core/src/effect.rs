//! What the core wants done. Each effect that can fail comes back as an event.
//!
//! Where a refresh token is at stake each step is an effect of its own, and the next is asked for when the last
//! is on the disk: SaveIntent, Send, SaveAnswer, Classify, SaveTokens. So a crash falls between any two of them
//! and finds on the disk how far it came.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokctl_proto::{Failure, ProfileName, Secret, TokenKey};

use crate::event::{AnswerId, AttemptId, RequestId, SaveId};
use crate::happening::Happening;
use crate::refresh_token::Successor;
use crate::schedule::Schedule;
use crate::token::Token;

#[derive(Debug)]
pub enum Effect {
    /// The one answer to a request.
    Reply { request: RequestId, reply: Reply },
    /// Talk while a request waits.
    Progress { request: RequestId, text: String },
    /// Something that a person must see to, said once: a line in the log, at the level of a warning.
    Alarm { profile: ProfileName, text: String },
    /// Something happened: tell whoever wants to know. Nothing follows.
    Tell(Happening),
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
    /// Write down that the profile's present refresh token is about to be sent, for the `tries`-th time without
    /// an answer on the disk, and prove that the disk takes what will follow. An answer of before is dropped.
    /// `Event::Saved` follows; nothing is sent before it.
    SaveIntent { save: SaveId, attempt: AttemptId, key: TokenKey, tries: u32 },
    /// Ask the client of this request for what this profile presents. `Event::Subject` may follow.
    AskSubject { request: RequestId, profile: ProfileName },
    /// Ask the provider, once. `Event::Answered` follows.
    Send {
        attempt: AttemptId,
        key: TokenKey,
        credential: Credential,
        /// What is exchanged, where the profile has a `Subject`.
        subject: Option<Secret>,
    },
    /// Put the raw answer into the entry, before anybody has read it. `Event::Saved` follows. The answer stays
    /// for `Classify`.
    SaveAnswer { save: SaveId, attempt: AttemptId, answer: AnswerId },
    /// Work out what an answer means. `Event::Classified` follows.
    Classify { attempt: AttemptId, answer: AnswerId },
    /// An answer that nobody wants any more.
    Discard { answer: AnswerId },
    /// The attempt spent nothing: the intent on the disk goes back to `tries`, 0 for none, and its answer goes.
    /// Nothing follows, and a failure changes little: what stays is read as a crash.
    Withdraw { attempt: AttemptId, profile: ProfileName, tries: u32 },
    /// Put what was obtained into its entry. `Event::Saved` follows.
    SaveTokens { save: SaveId, attempt: AttemptId, key: TokenKey, obtained: Kept },
    /// Remove this token from its entry, if it is there still. Nothing follows.
    DropToken { key: TokenKey, token: Arc<Token> },
    /// The provider refused the refresh token that this attempt presented. If the entry holds it still, it is
    /// marked as dead. `Event::Buried` follows.
    Bury { attempt: AttemptId, profile: ProfileName },
    /// Write the hints for the next start. A failure is nobody's business.
    SaveSchedule(Schedule),
}

/// What goes into an entry after a success.
#[derive(Clone, Debug)]
pub struct Kept {
    /// `None`: the settings changed while it was on its way, and only the refresh token matters.
    pub token: Option<Arc<Token>>,
    /// What became of the refresh token, where one was presented.
    pub refresh: Option<Refreshed>,
    /// The client secret that waited was the one that worked: it takes the place of the present one.
    pub promote: bool,
}

/// A refresh token was presented, and the provider took it: intent and raw answer go.
#[derive(Clone, Debug)]
pub struct Refreshed {
    /// `None`: the provider lets the presented one go on (RFC 6749 section 6).
    pub successor: Option<Arc<Successor>>,
}

/// Which client secret is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credential {
    #[default]
    Present,
    /// The one that waits beside it.
    Next,
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
    /// The profile that was asked for.
    pub profile: ProfileName,
    /// The member of it whose token this is, where it is a pool.
    pub member: Option<ProfileName>,
    pub token: Arc<Token>,
    /// The scopes that were asked for, where they were not the profile's.
    pub asked: BTreeSet<String>,
    /// Seconds left, rounded down; `None` without an expiry.
    pub expires_in_s: Option<i64>,
    pub min_valid_met: bool,
    pub warning: Option<String>,
}
