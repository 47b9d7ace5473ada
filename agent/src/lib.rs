//! The agent as a library, so that tests and fuzzers reach its parts.

pub mod config;
pub mod oauth;
pub mod vault;
