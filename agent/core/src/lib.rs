//! The decisions of `tokctl-agent`: events in, effects out.
//!
//! [`Core`] reads no clock, draws no randomness from the system, opens no file and awaits nothing; Cargo
//! keeps tokio out of this crate. So the simulator and the daemon run the same code, and a list of events
//! is a test.

mod agenda;
mod backoff;
mod book;
mod change;
mod core;
mod effect;
mod entry;
mod event;
mod flight;
mod get;
mod granted;
mod happening;
mod history;
mod hold;
mod key;
mod lane;
mod lock;
mod login;
mod outcome;
mod parked;
pub mod policy;
mod pool;
mod profile;
mod refresh_token;
mod renew;
mod report;
mod rng;
mod schedule;
mod status;
mod subject;
mod token;
pub mod traffic;
mod unsaved;
mod verdict;
mod waiters;

pub use crate::core::Core;
pub use effect::{Credential, Effect, Kept, Refreshed, Reply, Served};
pub use event::{
    AnswerId, AttemptId, Burial, Changed, Contents, Event, Get, LoginState, Refresh, Report,
    RequestId, SaveId, Start, Unread, Vault, VaultChange,
};
pub use get::{no_such_profile, stopping};
pub use granted::missing_scopes;
pub use happening::Happening;
pub use history::{ATTEMPTS_KEPT, Attempted};
pub use outcome::{Cause, Class, Obtained, Outcome, Reached, Trouble};
pub use profile::{Ahead, Keep, Lanes, Policy, Pool, Profile, Rate, Rotation, Source, Subject};
pub use refresh_token::{RefreshToken, Successor};
pub use schedule::{Schedule, ScheduledKey, ScheduledOrigin, ScheduledProfile};
pub use status::{MemberStatus, ProfileStatus, TokenState, Why};
pub use token::Token;
