//! `tokctl agent status`: the agent and its vault. Starts no agent.

use tokctl_client::proto::request::AgentStatus;
use tokctl_client::proto::response::Done;
use tokctl_client::{Error, Request};

use crate::exit::Stop;
use crate::output::safe;
use crate::session::Session;

pub(super) fn run(session: &Session) -> Result<(), Stop> {
    let mut client = session.connect()?.never_start().open()?;
    let Done::Agent(agent) = client.request(&Request::AgentStatus(AgentStatus {}), &mut ())? else {
        return Err(Error::Unexpected.into());
    };
    if session.output.json {
        return session.output.json(&agent);
    }
    let mut text = String::new();
    for (name, value) in [
        ("state", &*agent.state),
        ("profiles", &agent.profiles.to_string()),
        ("pid", &agent.pid.to_string()),
        ("version", &agent.version),
        ("socket", &agent.socket),
        ("vault", &agent.vault),
        ("connections", &agent.connections.to_string()),
    ] {
        text.push_str(&format!("{name:13}{}\n", safe(value)));
    }
    session.output.data(text.as_bytes())?;
    if let Some(problem) = &agent.config_problem {
        session.output.warn(&format!("the configuration in the file is not in use: {problem}"));
    }
    for warning in &agent.warnings {
        session.output.warn(warning);
    }
    Ok(())
}
