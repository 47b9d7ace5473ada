//! A further socket that is wanted: for which profiles, for whom, until when.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use tokctl_proto::request;
use tokctl_proto::time::DURATION_MAX;
use tokctl_proto::{Failure, Kind, ProfileName};

use super::{name, token};
use crate::shell::socket::named_path;
use crate::shell::terms::PROFILES_MAX;

#[derive(Debug)]
pub struct NewSocket {
    /// `None` for a private one.
    pub path: Option<PathBuf>,
    pub only: BTreeSet<ProfileName>,
    pub scope: BTreeSet<String>,
    pub allow_uid: Option<u32>,
    pub lasts: Option<Duration>,
}

pub(super) fn create(create: request::SocketCreate<'_>) -> Result<NewSocket, Failure> {
    let usage = |message: String| Failure::new(Kind::Usage, message);
    let only: BTreeSet<_> = create.only.iter().map(|text| name(text)).collect::<Result<_, _>>()?;
    let Some(first) = only.first() else {
        return Err(usage("no profile was named that the socket is for".to_owned())
            .hint("name at least one with `--only`"));
    };
    if only.len() > PROFILES_MAX {
        return Err(usage(format!("a socket is for {PROFILES_MAX} profiles at most")));
    }
    let scope = token::scopes(first, &create.scope)?;
    let path = create.path.map(|path| named_path(&path)).transpose()?;
    if path.is_none() && create.allow_uid.is_some() {
        return Err(usage("another user cannot get at a private socket".to_owned())
            .hint("give it a path, in a directory that the other user can enter"));
    }
    let lasts = create.expires_s.map(Duration::from_secs);
    if lasts.is_some_and(|lasts| lasts.is_zero() || lasts > DURATION_MAX) {
        return Err(usage("a socket lasts between a second and ten years".to_owned()));
    }
    Ok(NewSocket { path, only, scope, allow_uid: create.allow_uid, lasts })
}

pub(super) fn remove(remove: &request::SocketRemove<'_>) -> Result<PathBuf, Failure> {
    named_path(&remove.path)
}
