//! The agent as a library, so that tests and fuzzers reach its parts. ARCHITECTURE.md is the map.

pub mod clock;
pub mod config;
pub mod entropy;
pub mod harden;
pub mod import;
pub mod log;
#[cfg(test)]
mod mutants;
pub mod oauth;
pub mod shell;
pub mod vault;
