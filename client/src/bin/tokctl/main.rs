//! `tokctl`: asks tokctl-agent for tokens and manages what it keeps.
//!
//! `get` is the command that runs in loops and in prompts of shells, and `helper` is what other programs start
//! by the hundred, so both are parsed by hand and touch neither clap nor a file; whatever the hand-written
//! parsers do not know goes to clap, which answers for all. Commands that may read a secret cannot be traced or
//! dumped by others of their user; a `get` that asks for a passphrase hides when it asks.

mod args;
mod cmd;
mod exit;
mod expires;
mod identity;
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
mod workspace;

use std::process::ExitCode;

use args::{Cli, Global};
use clap::Parser;
use exit::Stop;
use session::Session;

fn main() -> ExitCode {
    let arguments = cmd::helper::spelled_out(std::env::args_os().collect());
    if let Some((global, get)) = quick::parse(&arguments) {
        return finish(global, |session| cmd::get::run(get, session));
    }
    if let Some(command) = cmd::helper::quick(&arguments) {
        return finish(Global::default(), |session| cmd::helper::run(command, session));
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
