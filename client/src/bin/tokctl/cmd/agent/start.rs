//! `tokctl agent start`: sees to it that an agent runs, and says where.

use serde::Serialize;
use tokctl_client::proto::request::AgentStatus;
use tokctl_client::proto::response::Done;
use tokctl_client::{Error, Request};

use crate::exit::Stop;
use crate::session::Session;

#[derive(Serialize)]
struct Started<'a> {
    pid: u32,
    socket: &'a str,
}

pub(super) fn run(session: &Session) -> Result<(), Stop> {
    let mut client = session.client()?;
    let Done::Agent(agent) = client.request(&Request::AgentStatus(AgentStatus {}), &mut ())? else {
        return Err(Error::Unexpected.into());
    };
    match session.output.json {
        true => session.output.json(&Started { pid: agent.pid, socket: &agent.socket }),
        false => session.output.line(&agent.socket),
    }
}
