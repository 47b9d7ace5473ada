//! `tokctl`: asks tokctl-agent for tokens and manages what it keeps.
//!
//! `get` is the command that runs in loops and in prompts of shells, so it is parsed by hand and touches
//! neither clap nor a file; whatever the hand-written parser does not know goes to clap, which answers
//! for all. Commands that may read a secret cannot be traced or dumped by others of their user; a `get` that
//! asks for a passphrase hides when it asks.

mod args;
mod cmd;
mod exit;
mod expires;
mod json;
mod local_time;
mod output;
mod prose;
mod quick;
mod screen;
mod secret_input;
mod session;
mod settings;
mod table;
mod terminal;
mod usage;
mod variable;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Cli, Global};
use clap::Parser;
use exit::Stop;
use session::Session;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some((global, get)) = quick::parse(&arguments) {
        return finish(global, |session| cmd::get::run(get, session));
    }
    terminal::hide_from_others();
    match Cli::try_parse_from(&arguments) {
        Ok(cli) => finish(cli.global, |session| cmd::run(cli.command, session)),
        Err(error) => usage::answer(&error, &arguments),
    }
}

fn finish(global: Global, run: impl FnOnce(&Session) -> Result<(), Stop>) -> ExitCode {
    let session = Session::new(global);
    match run(&session) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => exit::end(stop, &session.output),
    }
}
