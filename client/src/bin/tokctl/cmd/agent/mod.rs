//! `tokctl agent`: starts, stops and looks at the agent.

mod ephemeral;
mod log;
mod reload;
mod start;
mod status;
mod stop;

use clap::Subcommand;

pub(crate) use ephemeral::EphemeralArgs;

use crate::exit::Stop;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Start an agent unless one runs, and print the path of its socket
    Start(EphemeralArgs),
    /// Stop the agent; the next command that needs one starts it again
    Stop,
    /// Show the agent and its vault; starts none
    Status,
    /// Have the agent read config.toml again
    Reload,
    /// Print the end of the agent's log
    Log(log::LogArgs),
}

pub(crate) fn run(command: &AgentCommand, session: &Session) -> Result<(), Stop> {
    match command {
        AgentCommand::Start(args) => start::run(args, session),
        AgentCommand::Stop => stop::run(session),
        AgentCommand::Status => status::run(session),
        AgentCommand::Reload => reload::run(session),
        AgentCommand::Log(args) => log::run(args, session),
    }
}
