//! The command line against a scripted agent: stories as data, and what data cannot tell.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod adding;
mod autostart;
mod edit;
mod exec;
mod export;
mod login;
mod person;
mod prompts;
mod refresh_all;
mod script;
mod secrets;
mod status;
mod stories;
mod streams;
mod wire;

/// Whether this is root, without whom some things cannot be set up. Says that a test was not run when it is not:
/// past the capture of `cargo test`, and into the list with which `cargo xtask test` closes.
fn is_root(what_for: &str) -> bool {
    use std::io::Write;

    let root = nix::unistd::geteuid().is_root();
    if !root {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("a test");
        let line = format!("not run: {name}: only root can {what_for}\n");
        drop(std::io::stderr().write_all(line.as_bytes()));
        if let Some(path) = std::env::var_os("TOKCTL_TESTS_NOT_RUN") {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
            file.unwrap().write_all(line.as_bytes()).unwrap();
        }
    }
    root
}
