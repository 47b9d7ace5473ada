//! `set-secret`: stores a secret for the origins that the profile's settings name now.

use tokctl_proto::setting::secret_of;
use tokctl_proto::{ProfileName, Secret};

use super::{Changed, changed_meanwhile, on_vault, profile, secrets};
use crate::config::{Grant, Profile};
use crate::shell::obtain::Means;
use crate::shell::pin::{During, Pin};
use crate::shell::worker::{Refused, Worker};

pub(super) async fn set_secret(
    means: Means,
    name: ProfileName,
    secret_name: Option<String>,
    value: Secret,
) -> Changed {
    let of = name.clone();
    let profile = match means.jobs.ask(move |worker| profile(worker, &of)).await {
        Ok(profile) => profile,
        Err(failure) => return Changed::failed(failure),
    };
    let secret_name = secret_name.unwrap_or_else(|| default_name(&profile).to_owned());
    if let Err(failure) = secrets::check(&[(secret_name.as_str(), &value)].into()) {
        return Changed::failed(failure.of(&name));
    }
    match Pin::of(&profile, &means.http, &means.metadata, During::SetSecret).await {
        Ok(pin) => {
            let secret = (secret_name, value);
            on_vault(&means, move |worker| store(worker, &profile, secret, pin)).await
        }
        Err(failure) => Changed::failed(failure.of(&name)),
    }
}

fn default_name(profile: &Profile) -> &'static str {
    secret_of(match profile.grant {
        Grant::ApiKey => "api_key",
        Grant::ClientCredentials(_) => "client_credentials",
    })
}

pub(super) fn store(
    worker: &mut Worker,
    planned: &Profile,
    secret: (String, Secret),
    pin: Pin,
) -> Result<Changed, Refused> {
    let name = &planned.name;
    // The secret was typed for the settings of that moment.
    if profile(worker, name)?.grant != planned.grant {
        return Err(changed_meanwhile(name).into());
    }
    let stored = secrets::store(worker, name, vec![secret], pin, false)?;
    Ok(Changed {
        entries: vec![name.clone()],
        warnings: stored.warnings,
        ..Changed::said(format!("stored the secret of {name}"))
    })
}
