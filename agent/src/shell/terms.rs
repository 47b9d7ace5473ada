//! What a further socket gives, to whom, and until when.
//!
//! Everything is decided here: which requests are taken, what is left of them, and what is told. Names of other profiles
//! do not get out, except of those that its own are made of: members of a pool, and whose token is presented.

use std::collections::BTreeSet;

use tokctl_core::Get;
use tokctl_proto::nearest::nearest;
use tokctl_proto::request::Request;
use tokctl_proto::response::Item;
use tokctl_proto::{Failure, Kind, ProfileName, WallMs};

use super::command::Command;

#[cfg(test)]
mod tests;

/// A person writes them on one command line.
pub const PROFILES_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The profiles that it knows: one at least, [`PROFILES_MAX`] at most.
    pub only: BTreeSet<ProfileName>,
    /// The scopes that can be asked for at most; none: whatever a caller asks for.
    pub scope: BTreeSet<String>,
    /// Who may connect besides the agent's own user.
    pub allow_uid: Option<u32>,
    pub expires_at: Option<WallMs>,
}

impl Terms {
    /// Whether somebody may connect. The agent's own user always may.
    pub fn lets_in(&self, uid: u32, own: u32) -> bool {
        uid == own || self.allow_uid == Some(uid)
    }

    pub fn has_ended(&self, now: WallMs) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether such a request is taken at all. Asked before it is looked into, so that what is not served is refused
    /// alike whatever it says.
    pub fn admit(&self, request: &Request<'_>) -> Result<(), Failure> {
        match request {
            Request::Get(_)
            | Request::Get2(_)
            | Request::Get3(_)
            | Request::Report(_)
            | Request::Status(_)
            | Request::Status2(_)
            | Request::Usage(_)
            | Request::Why(_) => Ok(()),
            _ => Err(self.refusal()),
        }
    }

    /// What is left of a command.
    pub fn narrow(&self, mut command: Command) -> Result<Command, Failure> {
        match &mut command {
            Command::Get(get) | Command::Get2(get) | Command::Get3(get, _) => {
                self.narrow_get(get)?;
            }
            Command::Report(report) => self.knows(&report.profile)?,
            Command::Why(name) => self.knows(name)?,
            Command::Usage { profile: Some(name), .. } => self.knows(name)?,
            Command::Usage { profile: None, among, .. } => *among = Some(self.only.clone()),
            // Their rows are sorted out on the way back.
            Command::Status | Command::Status2 => {}
            _ => return Err(self.refusal()),
        }
        Ok(command)
    }

    fn narrow_get(&self, get: &mut Get) -> Result<(), Failure> {
        self.knows(&get.key.profile)?;
        // The vault is its owner's to open: a passphrase has no business in a container.
        get.interactive = false;
        if self.scope.is_empty() {
            return Ok(());
        }
        if get.key.scope.is_empty() {
            get.key.scope.clone_from(&self.scope);
            return Ok(());
        }
        match get.key.scope.difference(&self.scope).next() {
            None => Ok(()),
            Some(more) => {
                let message = format!("this socket does not ask for the scope `{more}`");
                let given = self.scope.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
                Err(Failure::new(Kind::SocketScoped, message)
                    .of(&get.key.profile)
                    .hint(format!("it asks for `{given}` at most")))
            }
        }
    }

    fn knows(&self, name: &ProfileName) -> Result<(), Failure> {
        match self.only.contains(name) {
            true => Ok(()),
            false => Err(self.no_such_profile(name)),
        }
    }

    /// Whether something may be told.
    pub fn shows(&self, item: &Item<'_>) -> bool {
        let profile = match item {
            Item::Status(row) => &row.profile,
            Item::Status2(row) => &row.profile,
            _ => return true,
        };
        self.only.iter().any(|name| name.as_str() == profile)
    }

    /// A failure as it is told here.
    pub fn told(&self, failure: &Failure) -> Failure {
        match (failure.kind, &failure.profile) {
            (Kind::NoSuchProfile, Some(name)) => self.no_such_profile(name),
            // A line of config.toml may be about any profile.
            (Kind::ConfigInvalid, name)
                if !name.as_ref().is_some_and(|name| self.only.contains(name)) =>
            {
                Failure::new(Kind::ConfigInvalid, "the agent's configuration cannot be used")
                    .hint("`tokctl agent status` tells its owner why")
            }
            _ => failure.clone(),
        }
    }

    /// The nearest of its own may be meant. One of its own that is not there any more is like any other.
    fn no_such_profile(&self, name: &ProfileName) -> Failure {
        let failure =
            Failure::new(Kind::NoSuchProfile, "there is no profile of this name").of(name);
        let others = self.only.iter().filter(|known| *known != name).map(ProfileName::as_str);
        match nearest(name.as_str(), others) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("this socket knows {}", self.names())),
        }
    }

    fn refusal(&self) -> Failure {
        let message =
            format!("this socket hands out tokens of {} and does nothing else", self.names());
        Failure::new(Kind::SocketScoped, message)
            .hint("run it at the agent's own socket, without this TOKCTL_SOCK")
    }

    pub fn names(&self) -> String {
        self.only.iter().map(ProfileName::as_str).collect::<Vec<_>>().join(", ")
    }
}
