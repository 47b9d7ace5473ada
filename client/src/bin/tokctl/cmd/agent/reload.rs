//! `tokctl agent reload`: has the agent read config.toml again, where watching the file does not work.

use tokctl_client::Request;
use tokctl_client::proto::request::AgentReload;

use crate::exit::Stop;
use crate::session::Session;

pub(super) fn run(session: &Session) -> Result<(), Stop> {
    session.tell(&mut session.client()?, &Request::AgentReload(AgentReload {}))
}
