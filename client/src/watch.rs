//! What happens to tokens, one event after the other, for as long as the agent runs.

use tokctl_proto::request::Watch;
use tokctl_proto::response::{self, Item};
use tokctl_proto::{ProfileName, Request, Response};

use crate::connection::Connection;
use crate::error::Error;
use crate::{Client, autostart};

/// Something that happened to a profile's tokens or to the vault. It holds no token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// `renewed`, `failed`, `login_needed`, `locked`, `unlocked`; a newer agent may know others.
    pub what: String,
    /// `None` where it is about the vault. Of a pool, the member.
    pub profile: Option<ProfileName>,
    /// The scopes that were asked for in place of the profile's, separated by spaces.
    pub scope: String,
    /// When the new token ends, Unix seconds.
    pub expires_at: Option<i64>,
    /// Of a failure, as in an error: its kind,
    pub kind: Option<String>,
    /// what happened,
    pub message: Option<String>,
    /// and what to do.
    pub hint: Option<String>,
}

impl From<&response::Event<'_>> for Event {
    fn from(event: &response::Event<'_>) -> Self {
        Self {
            at_ms: event.at_ms,
            what: event.what.to_string(),
            profile: event.profile.as_deref().and_then(|name| ProfileName::parse(name).ok()),
            scope: event.scope.to_string(),
            expires_at: event.expires_at,
            kind: event.kind.as_deref().map(str::to_owned),
            message: event.message.as_deref().map(str::to_owned),
            hint: event.hint.as_deref().map(str::to_owned),
        }
    }
}

/// Events as they come; each call of `next` waits for one.
///
/// It ends with one error: that of an agent that stops, or [`Error::Ended`]. What happens until somebody watches again
/// is told to nobody.
#[derive(Debug)]
pub struct Events {
    connection: Connection,
    is_over: bool,
}

impl Client {
    /// Watches these profiles; none: all, and the vault. When this returns nothing is missed any more.
    pub fn watch(mut self, profiles: &[ProfileName]) -> Result<Events, Error> {
        match begin(&mut self.connection, profiles) {
            // It was restarted since it was connected to.
            Err(Error::Closed) => {
                self.connection = autostart::open(&self.connect)?;
                begin(&mut self.connection, profiles)?;
            }
            begun => begun?,
        }
        Ok(Events { connection: self.connection, is_over: false })
    }
}

fn begin(connection: &mut Connection, profiles: &[ProfileName]) -> Result<(), Error> {
    let profiles = profiles.iter().map(|name| name.as_str().into()).collect();
    connection.begin(&Request::Watch(Watch { profiles }), None)?;
    match connection.next()? {
        Response::Progress(_) => Ok(()),
        Response::Error(failure) => Err(failure.into_owned().into()),
        _ => Err(Error::Unexpected),
    }
}

impl Events {
    fn wait(&mut self) -> Result<Event, Error> {
        loop {
            match self.connection.next() {
                Ok(Response::Item(Item::Event(event))) => return Ok(Event::from(&event)),
                Ok(Response::Item(_) | Response::Progress(_)) => {}
                Ok(Response::Error(failure)) => return Err(failure.into_owned().into()),
                Ok(_) => return Err(Error::Unexpected),
                Err(Error::Closed) => return Err(Error::Ended),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Iterator for Events {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let event = self.wait();
        self.is_over = event.is_err();
        Some(event)
    }
}
