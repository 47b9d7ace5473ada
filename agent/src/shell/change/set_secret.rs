//! `set-secret`: stores a secret for the origins that the profile's settings name now.

use tokctl_proto::setting::secret_of;
use tokctl_proto::{Failure, Kind, ProfileName, Secret, WallMs};

use super::{Changed, NewSecret, changed_meanwhile, on_vault, profile, secrets};
use crate::config::Profile;
use crate::oauth::client_auth::{CLIENT_SECRET, CLIENT_SECRET_NEXT};
use crate::shell::obtain::Means;
use crate::shell::pin::{During, Pin};
use crate::shell::worker::{Refused, Worker};

/// What was asked for.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) secret_name: Option<String>,
    pub(super) value: Secret,
    pub(super) next: bool,
    pub(super) expires_at: Option<WallMs>,
}

pub(super) async fn set_secret(means: Means, name: ProfileName, given: Given) -> Changed {
    let of = name.clone();
    let profile = match means.jobs.ask(move |worker| profile(worker, &of)).await {
        Ok(profile) => profile,
        Err(failure) => return Changed::failed(failure),
    };
    let secret = match named(&profile, given) {
        Ok(secret) => secret,
        Err(failure) => return Changed::failed(failure.of(&name)),
    };
    match Pin::of(&profile, &means.http, &means.metadata, During::SetSecret).await {
        Ok(pin) => on_vault(&means, move |worker| store(worker, &profile, secret, pin)).await,
        Err(failure) => Changed::failed(failure.of(&name)),
    }
}

/// The secret under the name that it is stored by.
fn named(profile: &Profile, given: Given) -> Result<NewSecret, Failure> {
    let Given { secret_name, value, next, expires_at } = given;
    let name = match (next, secret_name.as_deref()) {
        (false, Some(name)) => name.to_owned(),
        (false, None) => secret_of(profile.grant.name()).to_owned(),
        (true, None | Some(CLIENT_SECRET)) if profile.grant.client().is_some() => {
            CLIENT_SECRET_NEXT.to_owned()
        }
        // Stored, it would never be tried.
        (true, _) => {
            return Err(Failure::new(
                Kind::Usage,
                "only a client secret can wait beside the present one",
            )
            .hint("leave out `--next`"));
        }
    };
    let secret = NewSecret { name, value, expires_at };
    secrets::check(&profile.grant, std::slice::from_ref(&secret))?;
    Ok(secret)
}

pub(super) fn store(
    worker: &mut Worker,
    planned: &Profile,
    secret: NewSecret,
    pin: Pin,
) -> Result<Changed, Refused> {
    let name = &planned.name;
    // The secret was typed for the settings of that moment.
    if profile(worker, name)?.grant != planned.grant {
        return Err(changed_meanwhile(name).into());
    }
    let said = match (&planned.grant, secret.name.as_str()) {
        (_, CLIENT_SECRET_NEXT) => {
            format!(
                "stored the next client secret of {name}; it is tried when the present one is refused"
            )
        }
        (grant, secrets::REFRESH_TOKEN) if grant.has_refresh_token() => {
            format!("stored the refresh token of {name}")
        }
        _ => format!("stored the secret of {name}"),
    };
    let stored = secrets::store(worker, planned, vec![secret], pin, false)?;
    Ok(Changed { entries: vec![name.clone()], warnings: stored.warnings, ..Changed::said(said) })
}
