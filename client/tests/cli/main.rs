//! The command line against a scripted agent: stories as data, and what data cannot tell.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod autostart;
mod edit;
mod prompts;
mod script;
mod secrets;
mod stories;
mod streams;
mod wire;
