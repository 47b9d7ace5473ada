//! Requests that bring secrets, copied into memory of their own. Those of before secrets had an end are
//! the later ones without it.

use tokctl_proto::escape::shown;
use tokctl_proto::nearest::nearest;
use tokctl_proto::request::{Add, Add2, Add3, DatedSecret, SetSecret, SetSecret2};
use tokctl_proto::{Failure, Kind, Secret, WallMs};

use super::{Command, assignments, name};
use crate::config::Algorithm;
use crate::import::{DraftSecret, read_key_file};
use crate::shell::change::{Change, NewProfile, NewSecret};

pub(super) fn add(add: Add<'_>) -> Result<Command, Failure> {
    let Add { profile, settings, secrets, replace, interactive } = add;
    let secrets = secrets
        .into_iter()
        .map(|secret| DatedSecret { name: secret.name, value: secret.value, expires_at: None })
        .collect();
    add2(Add2 { profile, settings, secrets, replace, interactive })
}

pub(super) fn add2(add: Add2<'_>) -> Result<Command, Failure> {
    let (interactive, new) = (add.interactive, new_profile(add)?);
    Ok(Command::Admitted { change: Change::Add(new), interactive })
}

fn new_profile(add: Add2<'_>) -> Result<NewProfile, Failure> {
    let own = |secret: DatedSecret<'_>| NewSecret {
        name: secret.name.into_owned(),
        value: secret.value.to_secret(),
        expires_at: secret.expires_at.map(WallMs::from_unix_s),
    };
    Ok(NewProfile {
        name: name(&add.profile)?,
        settings: assignments(add.settings),
        secrets: add.secrets.into_iter().map(own).collect(),
        replace: add.replace,
        generate_key: None,
    })
}

pub(super) fn add3(add: Add3<'_>) -> Result<Command, Failure> {
    let Add3 { profile, settings, secrets, replace, interactive, dry_run, .. } = add;
    let mut new = new_profile(Add2 { profile, settings, secrets, replace, interactive })?;
    new.generate_key = add.generate_key.as_deref().map(asymmetric).transpose()?;
    if let Some(text) = add.from_json {
        if new.generate_key.is_some() {
            let message = "the file has a private key already, and another would be made";
            return Err(Failure::new(Kind::Usage, message).hint("leave out one of the two"));
        }
        fill_in(&mut new, &text.to_secret())?;
    }
    Ok(match dry_run {
        true => Command::DryAdd(Box::new(new)),
        false => Command::Admitted { change: Change::Add(new), interactive },
    })
}

/// An algorithm that a private key can be made for.
fn asymmetric(typed: &str) -> Result<Algorithm, Failure> {
    let known = Algorithm::named(typed).filter(|known| *known != Algorithm::Hs256);
    known.ok_or_else(|| {
        let names = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256, Algorithm::Ps256]
            .map(Algorithm::name);
        let hint = match nearest(&typed.to_ascii_uppercase(), names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", names.join(", ")),
        };
        let message = format!("no private key can be made for `{}`", shown(typed));
        Failure::new(Kind::Usage, message).hint(hint)
    })
}

/// What a file says goes below what was typed.
fn fill_in(new: &mut NewProfile, text: &Secret) -> Result<(), Failure> {
    let file = read_key_file(text).map_err(|error| {
        let failure = Failure::new(Kind::Usage, error.to_string());
        match error.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    let NewProfile { settings, secrets, .. } = new;
    let is_typed = |key: &str| settings.iter().any(|typed| typed.key == key);
    let own = file.settings.into_iter().filter(|own| {
        // Plain http is allowed by a person, who is told so, and by no file.
        own.key != "allow_http_loopback" && !is_typed(&own.key)
    });
    let own: Vec<_> = own.collect();
    settings.extend(own);
    let key = file.secrets.into_iter().find(|key| !secrets.iter().any(|it| it.name == key.name));
    secrets.extend(key.map(|DraftSecret { name, value, expires_at }| NewSecret {
        name: name.to_owned(),
        value,
        expires_at,
    }));
    Ok(())
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
