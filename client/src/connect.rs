//! How an agent is found: what the environment says, and what a caller adds to it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::Duration;

use tokctl_proto::Secret;
use tokctl_proto::endpoint::{Environment, Places};

use crate::error::Error;
use crate::{Client, autostart};

/// Holds an age identity. It is handed to the agent over the socket, and never on in an environment.
const IDENTITY: &str = "TOKCTL_IDENTITY";
/// Whether an agent that is started belongs to this job.
const EPHEMERAL: &str = "TOKCTL_EPHEMERAL";
/// The life of such an agent where nothing else is said: as long as a job may run at most hosts.
pub const MAX_LIFE: Duration = Duration::from_secs(6 * 3600);

/// How to find an agent, and what to do when there is none.
#[derive(Clone, Debug)]
pub struct Connect {
    pub(crate) places: Places,
    pub(crate) start: bool,
    pub(crate) withheld: Vec<OsString>,
    identity: Option<Secret>,
    pub(crate) max_life: Option<Duration>,
}

impl Connect {
    /// The agent of this process's user and environment, started if need be: one that ends with its job
    /// where TOKCTL_EPHEMERAL says so. TOKCTL_IDENTITY opens a vault that is found sealed.
    pub fn from_environment() -> Result<Self, Error> {
        let is_ephemeral = std::env::var_os(EPHEMERAL).is_some_and(|value| is_yes(&value));
        Ok(Self {
            places: Places::from_environment()?,
            start: true,
            withheld: Vec::new(),
            identity: identity()?,
            max_life: is_ephemeral.then_some(MAX_LIFE),
        })
    }

    /// The agent at that socket, as if TOKCTL_SOCK named it: none is started there.
    pub fn to(socket: &Path) -> Result<Self, Error> {
        let places = Places::look_up(Environment {
            variable: &|name| match name {
                "TOKCTL_SOCK" => Some(socket.into()),
                other => std::env::var_os(other),
            },
            uid: nix::unistd::geteuid().as_raw(),
            owner: &|_| None,
            current_dir: &|| std::env::current_dir().ok(),
        })?;
        Ok(Self {
            places,
            start: false,
            withheld: Vec::new(),
            identity: identity()?,
            max_life: None,
        })
    }

    /// Fails where no agent runs, instead of starting one.
    #[must_use]
    pub fn never_start(mut self) -> Self {
        self.start = false;
        self
    }

    /// Keeps a variable of the environment, one that held a secret, from an agent that is started.
    #[must_use]
    pub fn withhold(mut self, variable: impl Into<OsString>) -> Self {
        self.withheld.push(variable.into());
        self
    }

    /// Has an agent that is started belong to this job: it ends after so long at the latest.
    #[must_use]
    pub fn ephemeral(mut self, max_life: Duration) -> Self {
        self.max_life = Some(max_life);
        self
    }

    /// The age identity by which a vault that is found sealed is opened. None for the agent of another
    /// user, who has no business with it.
    pub fn identity(&self) -> Option<&Secret> {
        let is_ours = self.places.agent_uid == Some(nix::unistd::geteuid().as_raw());
        self.identity.as_ref().filter(|_| is_ours)
    }

    /// Where configuration, vault, state and socket lie.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Connects.
    pub fn open(self) -> Result<Client, Error> {
        let connection = autostart::open(&self)?;
        Ok(Client { connect: self, connection })
    }
}

fn identity() -> Result<Option<Secret>, Error> {
    match std::env::var_os(IDENTITY) {
        None => Ok(None),
        Some(value) if value.is_empty() => Ok(None),
        Some(value) => {
            Secret::from_utf8(value.into_vec()).map(Some).ok_or(Error::NotText(IDENTITY))
        }
    }
}

/// As people write yes and no into variables.
fn is_yes(value: &OsStr) -> bool {
    let value = value.to_string_lossy().trim().to_ascii_lowercase();
    !matches!(value.as_str(), "" | "0" | "no" | "false" | "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_says_yes_unless_it_says_no() {
        for (value, yes) in [
            ("1", true),
            ("true", true),
            ("yes", true),
            ("", false),
            ("0", false),
            ("False", false),
            (" no ", false),
            ("off", false),
        ] {
            assert_eq!(is_yes(OsStr::new(value)), yes, "{value}");
        }
    }

    #[test]
    fn the_agent_of_another_user_gets_no_identity() {
        let mut connect = Connect::to(Path::new("/nonexistent/agent.sock")).unwrap();
        connect.identity = Some(Secret::new("AGE-SECRET-KEY-1X".to_owned()));
        let own = nix::unistd::geteuid().as_raw();
        for (uid, is_given) in [(Some(own), true), (Some(own + 1), false), (None, false)] {
            connect.places.agent_uid = uid;
            assert_eq!(connect.identity().is_some(), is_given, "{uid:?}");
        }
    }
}
