//! The decisions of `tokctl-agent`: events in, effects out.
//!
//! [`Core`] reads no clock, draws no randomness from the system, opens no file and awaits nothing; Cargo
//! keeps tokio out of this crate. So the simulator and the daemon run the same code, and a list of events
//! is a test.

mod backoff;
mod change;
mod core;
mod effect;
mod event;
mod get;
mod key;
mod lane;
mod lock;
mod outcome;
pub mod policy;
mod profile;
mod renew;
mod rng;
mod schedule;
mod status;
mod token;
mod verdict;
mod waiters;

pub use crate::core::Core;
pub use effect::{Effect, Reply, Served};
pub use event::{
    AnswerId, AttemptId, Changed, Event, Get, RequestId, SaveId, Start, Vault, VaultChange,
};
pub use get::no_such_profile;
pub use outcome::{Class, Outcome, Trouble};
pub use profile::{Lanes, Profile, Source};
pub use schedule::{Schedule, ScheduledKey};
pub use status::{ProfileStatus, TokenState};
pub use token::Token;
