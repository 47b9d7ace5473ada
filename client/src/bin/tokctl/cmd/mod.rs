//! The commands, one file each.

pub(crate) mod add;
pub(crate) mod agent;
mod consent;
pub(crate) mod curl;
pub(crate) mod dry_run;
mod edit;
pub(crate) mod exec;
pub(crate) mod export;
pub(crate) mod get;
mod help;
pub(crate) mod helper;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod inspect;
mod list;
mod lock;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod passwd;
pub(crate) mod presets;
pub(crate) mod probe;
pub(crate) mod purge;
pub(crate) mod refresh;
pub(crate) mod remove;
mod rename;
pub(crate) mod report;
pub(crate) mod revoke;
mod set;
pub(crate) mod set_secret;
pub(crate) mod show;
pub(crate) mod socket;
pub(crate) mod status;
pub(crate) mod unlock;
pub(crate) mod watch;
mod why;

use crate::args::Command;
use crate::exit::Stop;
use crate::session::Session;

pub(crate) fn run(command: Command, session: &Session) -> Result<(), Stop> {
    match command {
        Command::Init(args) => init::run(&args, session),
        Command::Add(args) => add::run(*args, session),
        Command::Import(command) => import::run(&command, session),
        Command::Set(args) => set::run(args, session),
        Command::SetSecret(args) => set_secret::run(&args, session),
        Command::Get(args) => get::run(args, session),
        Command::Curl(args) => curl::run(&args, session),
        Command::Refresh(args) => refresh::run(args, session),
        Command::Report(args) => report::run(args, session),
        Command::Revoke(args) => revoke::run(&args, session),
        Command::Helper(command) => helper::run(command, session),
        Command::Login(args) => login::run(&args, session),
        Command::Logout(args) => logout::run(&args, session),
        Command::List => list::run(session),
        Command::Show(args) => show::run(&args, session),
        Command::Edit => edit::run(session),
        Command::Rename(args) => rename::run(&args, session),
        Command::Remove(args) => remove::run(&args, session),
        Command::Purge(args) => purge::run(&args, session),
        Command::Exec(args) => exec::run(args, session),
        Command::Socket(command) => socket::run(&command, session),
        Command::Export(args) => export::run(&args, session),
        Command::Watch(args) => watch::run(&args, session),
        Command::StepAside(args) => exec::step_aside(&args, session),
        Command::Status(args) => status::run(&args, session),
        Command::Why(args) => why::run(&args, session),
        Command::Inspect(args) => inspect::run(&args, session),
        Command::Probe(args) => probe::run(&args, session),
        Command::Lock => lock::run(session),
        Command::Unlock(args) => unlock::run(&args, session),
        Command::Passwd(args) => passwd::run(&args, session),
        Command::Agent(command) => agent::run(&command, session),
        Command::Help(args) => help::run(&args, session),
    }
}
