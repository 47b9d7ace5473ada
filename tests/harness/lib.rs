//! What the tests, the demo and the bench run tokctl with: private homes, providers, terminals, sockets.
//!
//! Everything here belongs to whoever made it and ends with it: directories, ports and processes. Nothing
//! here reaches an agent that it did not start.

pub mod api;
pub mod authlib;
pub mod bin;
pub mod browser;
pub mod ca;
mod further;
pub mod gate;
pub mod git;
pub mod home;
pub mod http;
pub mod idp;
pub mod job;
pub mod jwt;
pub mod keys;
pub mod liar;
pub mod login;
pub mod machine;
pub mod moto;
pub mod process;
pub mod provider;
pub mod pty;
pub mod python;
pub mod rotation;
mod service;
pub mod sshd;
pub mod trace;
pub mod wait;
pub mod wire;

pub use api::Api;
pub use home::Home;
pub use process::{Output, Run};
pub use provider::Provider;
pub use wait::eventually;
