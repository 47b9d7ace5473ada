//! Consent to what cannot be taken back: asked for on a terminal, given by `--yes`, and missed before anything is
//! done.

use tokctl_client::proto::request::Show;
use tokctl_client::{Client, Error, ProfileName, Request};

use crate::exit::Stop;
use crate::session::Session;

/// What somebody is to agree to.
#[derive(Debug)]
pub(super) struct Deed {
    /// What it does: `removing acme deletes its secrets`.
    pub(super) does: String,
    /// What to type to agree without being asked.
    pub(super) command: String,
    pub(super) question: String,
}

/// Fails where nobody agrees and nobody can be asked.
pub(super) fn must_be_had(session: &Session, does: &str, command: &str) -> Result<(), Stop> {
    match session.yes || session.can_ask() {
        true => Ok(()),
        false => Err(session.nobody_to_ask(
            &format!("{does}, and there is no terminal to ask on"),
            &format!("run `{command} --yes`"),
        )),
    }
}

/// The way to the agent, once somebody has agreed to what is done to a profile.
pub(super) fn to(session: &Session, profile: &ProfileName, deed: &Deed) -> Result<Client, Stop> {
    must_be_had(session, &deed.does, &deed.command)?;
    let mut client = session.client()?;
    if !session.yes {
        // There is nothing to agree to where there is nothing.
        let request = Request::Show(Show { profile: profile.as_str().into() });
        client.request(&request, &mut session.conversation())?;
    }
    match session.confirm(&deed.question, false)? {
        true => Ok(client),
        false => Err(Error::Cancelled.into()),
    }
}
