//! `tokctl lock`: seals the vault. An agent that does not run has nothing to seal, so none is started.

use tokctl_client::Request;
use tokctl_client::proto::request::Lock;

use crate::exit::Stop;
use crate::session::Session;

pub(crate) fn run(session: &Session) -> Result<(), Stop> {
    let mut client = session.connect()?.never_start().open()?;
    session.tell(&mut client, &Request::Lock(Lock {}))
}
