//! The only asynchronous part: sockets, tasks, signals.

pub mod change;
pub mod command;
pub mod daemon;
pub mod driver;
mod failure;
pub mod http;
mod inbound;
mod inspect;
pub mod listen;
pub mod live;
pub mod login;
mod nap;
pub mod obtain;
mod perform;
pub mod pin;
mod private;
mod purge;
mod query;
pub mod reply;
pub mod revoke;
mod rotate;
mod rows;
pub mod schedule_file;
pub mod serve;
pub mod socket;
pub mod stored;
pub mod worker;
