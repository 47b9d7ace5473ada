//! A request, checked and detached from the bytes it came in.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tokctl_core::{Get, Refresh, Report, RequestId};
use tokctl_proto::request::{self, Request};
use tokctl_proto::{Failure, Kind, ProfileName, Secret, SecretStr, TokenKey};

use super::change::{Assignment, Change, NewProfile};
use super::import::Wanted;
use super::login::Wish;
use super::probe::Endpoint;

mod import;
mod login;
mod report;
mod secrets;
mod sockets;
#[cfg(test)]
mod tests;
mod token;

pub use sockets::NewSocket;
pub use token::ProofFor;

/// What a client wants.
#[derive(Debug)]
pub enum Command {
    Get(Get),
    /// The same, answered by `Done::Token2`.
    Get2(Get),
    /// The same, answered by `Done::Token3`.
    Get3(Get, Option<Box<ProofFor>>),
    /// The token of it is called with there.
    Probe(Get, Box<Endpoint>),
    Refresh(Refresh),
    Report(Report),
    Why(ProfileName),
    /// How a profile's token is used, and whether at that URL.
    Usage {
        profile: Option<ProfileName>,
        url: Option<String>,
        /// Without a profile: which ones it may be; `None`: any.
        among: Option<BTreeSet<ProfileName>>,
    },
    Login(Wish),
    /// Of these profiles; none: of all, and of the vault.
    Watch(BTreeSet<ProfileName>),
    Unlock {
        passphrase: Option<Secret>,
        interactive: bool,
    },
    Lock,
    /// Needs an open vault before it is carried out.
    Admitted {
        change: Change,
        interactive: bool,
    },
    /// Needs an open vault, and changes nothing.
    Inspect {
        key: TokenKey,
        interactive: bool,
    },
    /// Needs an open vault, unless it only looks.
    Import {
        wanted: Box<Wanted>,
        interactive: bool,
    },
    /// Ends the agent with all that it keeps.
    Purge {
        /// No provider is asked.
        local: bool,
        interactive: bool,
    },
    /// Is carried out whatever the vault is.
    Direct(Change),
    List,
    Show(ProfileName),
    /// Which requests would be sent for a token.
    DryRun(TokenKey),
    /// The same of a profile that is not added.
    DryAdd(Box<NewProfile>),
    /// The settings that are in effect.
    Resolved(ProfileName),
    /// One, or all.
    Presets(Option<String>),
    Status,
    Status2,
    ConfigRead,
    AgentStatus,
    AgentStop,
    AgentReload,
    SocketCreate(Box<NewSocket>),
    SocketList,
    SocketRemove(PathBuf),
}

impl Command {
    /// Checks a request. `Answer` and `Cancel` are no commands: they belong to one that is under
    /// way.
    pub fn parse(id: RequestId, request: Request<'_>) -> Result<Self, Failure> {
        Ok(match request {
            Request::Get(get) => Self::Get(token::get(id, get)?),
            Request::Init(init) => Self::Direct(Change::Init {
                passphrase: secret(init.passphrase),
                replace: init.replace,
                network: assignments(init.network),
            }),
            Request::Add(add) => secrets::add(add)?,
            Request::Add2(add) => secrets::add2(add)?,
            Request::Add3(add) => secrets::add3(add)?,
            Request::Set(set) => Self::Direct(Change::Set {
                name: name(&set.profile)?,
                assignments: assignments(set.assignments),
            }),
            Request::SetSecret(set) => secrets::set_secret(set)?,
            Request::SetSecret2(set) => secrets::set_secret2(set)?,
            Request::List(_) => Self::List,
            Request::Show(show) => Self::Show(name(&show.profile)?),
            Request::DryRun(run) => Self::DryRun(token::dry_run(run)?),
            Request::Show2(show) => Self::Resolved(name(&show.profile)?),
            Request::Presets(presets) => {
                Self::Presets(presets.name.map(std::borrow::Cow::into_owned))
            }
            Request::Rename(rename) => Self::Admitted {
                change: Change::Rename { from: name(&rename.from)?, to: name(&rename.to)? },
                interactive: rename.interactive,
            },
            Request::Remove(remove) => Self::Admitted {
                // A client of before knows of no `local`, and its user has agreed to nothing else.
                change: Change::Remove { name: name(&remove.profile)?, local: true },
                interactive: remove.interactive,
            },
            Request::Remove2(remove) => Self::Admitted {
                change: Change::Remove { name: name(&remove.profile)?, local: remove.local },
                interactive: remove.interactive,
            },
            Request::Logout(logout) => Self::Admitted {
                change: Change::Logout { name: name(&logout.profile)?, local: logout.local },
                interactive: logout.interactive,
            },
            Request::Revoke(revoke) => Self::Admitted {
                interactive: revoke.interactive,
                change: Change::Revoke(token::revoke(revoke)?),
            },
            Request::Status(_) => Self::Status,
            Request::Lock(_) => Self::Lock,
            Request::Unlock(unlock) => Self::Unlock {
                passphrase: secret(unlock.passphrase),
                interactive: unlock.interactive,
            },
            Request::Passwd(passwd) => Self::Direct(Change::Passwd {
                passphrase: secret(passwd.passphrase),
                new_passphrase: secret(passwd.new_passphrase),
            }),
            Request::ConfigRead(_) => Self::ConfigRead,
            Request::ConfigWrite(write) => Self::Direct(Change::ConfigWrite {
                text: write.text.into_owned(),
                fingerprint: write.fingerprint.into_owned(),
            }),
            Request::AgentStatus(_) => Self::AgentStatus,
            Request::AgentStop(_) => Self::AgentStop,
            Request::AgentReload(_) => Self::AgentReload,
            Request::Get2(get) => Self::Get2(token::get2(id, get)?),
            Request::Get3(get) => {
                let (get, proof) = token::get3(id, get)?;
                Self::Get3(get, proof)
            }
            Request::Refresh(refresh) => Self::Refresh(token::refresh(id, refresh)?),
            Request::Report(report) => Self::Report(report::report(id, report)?),
            Request::Why(why) => Self::Why(name(&why.profile)?),
            Request::Status2(_) => Self::Status2,
            Request::Inspect(inspect) => {
                Self::Inspect { interactive: inspect.interactive, key: token::inspect(inspect)? }
            }
            Request::Purge(purge) => {
                Self::Purge { local: purge.local, interactive: purge.interactive }
            }
            Request::Login(wish) => Self::Login(login::login(wish)?),
            Request::Import(wanted) => import::import(wanted)?,
            Request::Usage(usage) => Self::Usage {
                profile: usage.profile.as_deref().map(name).transpose()?,
                url: usage.url.map(std::borrow::Cow::into_owned),
                among: None,
            },
            Request::Watch(watch) => {
                Self::Watch(watch.profiles.iter().map(|text| name(text)).collect::<Result<_, _>>()?)
            }
            Request::SocketCreate(create) => Self::SocketCreate(Box::new(sockets::create(create)?)),
            Request::SocketList(_) => Self::SocketList,
            Request::SocketRemove(remove) => Self::SocketRemove(sockets::remove(&remove)?),
            Request::Probe(probe) => {
                let (get, endpoint) = token::probe(id, probe)?;
                Self::Probe(get, endpoint)
            }
            Request::Answer(_) | Request::Cancel(_) => {
                return Err(Failure::new(Kind::Usage, "there is no request under way"));
            }
        })
    }
}

fn name(text: &str) -> Result<ProfileName, Failure> {
    ProfileName::parse(text).map_err(|error| Failure::new(Kind::Usage, error.to_string()))
}

fn secret(text: Option<SecretStr<'_>>) -> Option<Secret> {
    text.map(|text| text.to_secret())
}

fn assignments(assignments: Vec<request::Assignment<'_>>) -> Vec<Assignment> {
    let own = |text: std::borrow::Cow<'_, str>| std::borrow::Cow::Owned(text.into_owned());
    assignments
        .into_iter()
        .map(|assignment| Assignment {
            key: own(assignment.key),
            values: assignment.values.into_iter().map(own).collect(),
        })
        .collect()
}
