//! `tokctl agent start`: sees to it that an agent runs, and says where. A vault that TOKCTL_IDENTITY opens is opened, so
//! that the steps of a job that follow can do without it.

use serde::Serialize;
use tokctl_client::proto::request::{AgentStatus, Unlock};
use tokctl_client::proto::response::Done;
use tokctl_client::proto::secret::SecretStr;
use tokctl_client::{Client, Error, Request, Secret};

use super::EphemeralArgs;
use crate::exit::Stop;
use crate::session::Session;

#[derive(Serialize)]
struct Started<'a> {
    pid: u32,
    socket: &'a str,
}

pub(super) fn run(args: &EphemeralArgs, session: &Session) -> Result<(), Stop> {
    let connect = args.connect(session)?;
    let identity = connect.identity().cloned();
    let mut client = connect.open()?;
    if let Some(identity) = identity {
        unlock(&mut client, &identity, session)?;
    }
    let Done::Agent(agent) = client.request(&Request::AgentStatus(AgentStatus {}), &mut ())? else {
        return Err(Error::Unexpected.into());
    };
    match session.output.json {
        true => session.output.json(&Started { pid: agent.pid, socket: &agent.socket }),
        false => session.output.line(&agent.socket),
    }
}

fn unlock(client: &mut Client, identity: &Secret, session: &Session) -> Result<(), Stop> {
    let Done::Agent(agent) = client.request(&Request::AgentStatus(AgentStatus {}), &mut ())? else {
        return Err(Error::Unexpected.into());
    };
    if agent.state != "sealed" {
        return Ok(());
    }
    let passphrase = Some(SecretStr::from(identity));
    session.tell(client, &Request::Unlock(Unlock { passphrase, interactive: false }))
}
