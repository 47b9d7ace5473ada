//! Requests that bring secrets, copied into memory of their own. Those of before secrets had an end are
//! the later ones without it.

use tokctl_proto::request::{Add, Add2, DatedSecret, SetSecret, SetSecret2};
use tokctl_proto::{Failure, WallMs};

use super::{Command, assignments, name};
use crate::shell::change::{Change, NewSecret};

pub(super) fn add(add: Add<'_>) -> Result<Command, Failure> {
    let Add { profile, settings, secrets, replace, interactive } = add;
    let secrets = secrets
        .into_iter()
        .map(|secret| DatedSecret { name: secret.name, value: secret.value, expires_at: None })
        .collect();
    add2(Add2 { profile, settings, secrets, replace, interactive })
}

pub(super) fn add2(add: Add2<'_>) -> Result<Command, Failure> {
    let own = |secret: DatedSecret<'_>| NewSecret {
        name: secret.name.into_owned(),
        value: secret.value.to_secret(),
        expires_at: secret.expires_at.map(WallMs::from_unix_s),
    };
    let change = Change::Add {
        name: name(&add.profile)?,
        settings: assignments(add.settings),
        secrets: add.secrets.into_iter().map(own).collect(),
        replace: add.replace,
    };
    Ok(Command::Admitted { change, interactive: add.interactive })
}

pub(super) fn set_secret(set: SetSecret<'_>) -> Result<Command, Failure> {
    let SetSecret { profile, name, value, interactive } = set;
    let (next, expires_at) = (false, None);
    set_secret2(SetSecret2 { profile, name, value, next, expires_at, interactive })
}

pub(super) fn set_secret2(set: SetSecret2<'_>) -> Result<Command, Failure> {
    let change = Change::SetSecret {
        name: name(&set.profile)?,
        secret_name: set.name.map(|name| name.into_owned()),
        value: set.value.to_secret(),
        next: set.next,
        expires_at: set.expires_at.map(WallMs::from_unix_s),
    };
    Ok(Command::Admitted { change, interactive: set.interactive })
}
