//! Requests that bring secrets, copied into memory of their own. Those of before secrets had an end are
//! the later ones without it.

use tokctl_proto::request::{Add, Add2, Add3, DatedSecret, SetSecret, SetSecret2};
use tokctl_proto::{Failure, Kind, WallMs};

use super::{Command, assignments, name};
use crate::import::{DraftSecret, read_key_file};
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

/// What a file says goes below what was typed.
pub(super) fn add3(add: Add3<'_>) -> Result<Command, Failure> {
    let Add3 { profile, settings, secrets, replace, interactive, dry_run, .. } = add;
    if add.generate_key.is_some() && !dry_run {
        return Err(Failure::new(Kind::Usage, "this agent does not know the request"));
    }
    let file = add.from_json.map(|text| read_key_file(&text.to_secret())).transpose();
    let file = file.map_err(|error| {
        let failure = Failure::new(Kind::Usage, error.to_string());
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    let mut command = add2(Add2 { profile, settings, secrets, replace, interactive })?;
    if let (Some(file), Command::Admitted { change: Change::Add { settings, secrets, .. }, .. }) =
        (file, &mut command)
    {
        let is_typed = |key: &str| settings.iter().any(|typed| typed.key == key);
        let own = file.settings.into_iter().filter(|own| {
            // Plain http is allowed by a person, who is told so, and by no file.
            own.key != "allow_http_loopback" && !is_typed(&own.key)
        });
        let own: Vec<_> = own.collect();
        settings.extend(own);
        let key =
            file.secrets.into_iter().find(|key| !secrets.iter().any(|it| it.name == key.name));
        secrets.extend(key.map(|DraftSecret { name, value, expires_at }| NewSecret {
            name: name.to_owned(),
            value,
            expires_at,
        }));
    }
    Ok(match command {
        Command::Admitted { change: Change::Add { name, settings, replace, .. }, .. }
            if dry_run =>
        {
            Command::DryAdd { name, settings, replace }
        }
        command => command,
    })
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
