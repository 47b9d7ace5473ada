//! `add`: a profile with its secrets.
//!
//! The entry is written first: a crash leaves an entry without a profile, which is kept and shown,
//! rather than a profile that fails for want of a secret. `--replace` makes the profile anew, so
//! what was stored for the old one goes; a crash between leaves the old profile, to which the new
//! secret is not sent unless it is pinned to the same origins.

use tokctl_proto::setting::secret_of;
use tokctl_proto::{Failure, Kind, ProfileName};

use super::{Assignment, Changed, NewSecret, changed_meanwhile, issuer, on_vault, secrets};
use crate::config::{self, Client, ClientAuth, Grant, Profile};
use crate::shell::obtain::Means;
use crate::shell::pin::{During, Pin};
use crate::shell::worker::{Refused, Worker};

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Add {
    pub(super) name: ProfileName,
    pub(super) settings: Vec<Assignment>,
    pub(super) secrets: Vec<NewSecret>,
    pub(super) replace: bool,
}

pub(super) async fn add(means: Means, mut add: Add) -> Changed {
    issuer::as_url(&mut add.settings);
    let (planned, spelled) = match planned(&means, &add).await {
        Ok((profile, pin)) => (Ok((add, profile, pin)), None),
        Err(refused) => match respelled(&means, &add, &refused.failure).await {
            Some(planned) => {
                let spelled = issuer::of(&planned.0.settings).map(str::to_owned);
                (Ok(planned), spelled)
            }
            None => (Err(refused), None),
        },
    };
    let mut changed = match planned {
        Ok((add, profile, pin)) => {
            on_vault(&means, move |worker| store(worker, add, &profile, pin)).await
        }
        Err(Refused { failure, paste }) => Changed { paste, ..Changed::failed(failure) },
    };
    if let (Ok(said), Some(spelled)) = (&mut changed.result, spelled) {
        said.push_str(&format!("\nits provider spells the issuer {spelled}"));
    }
    changed
}

/// The same with the provider's spelling of its issuer, where that differs by the slash at the end.
async fn respelled(means: &Means, add: &Add, why: &Failure) -> Option<(Add, Profile, Pin)> {
    if why.kind != Kind::ConfigInvalid {
        return None;
    }
    let settings = issuer::respelled(&add.settings)?;
    let add = Add { settings, ..add.clone() };
    let (profile, pin) = planned(means, &add).await.ok()?;
    Some((add, profile, pin))
}

/// The profile as it will be, and where its secrets may go.
async fn planned(means: &Means, add: &Add) -> Result<(Profile, Pin), Refused> {
    let asked = add.clone();
    let profile = means.jobs.ask(move |worker| Ok(plan(worker, &asked))).await??;
    let pin = Pin::of(&profile, &means.http, &means.metadata, During::Add).await;
    Ok((profile, pin.map_err(|failure| failure.of(&add.name))?))
}

/// Checks everything that can be checked before a provider is asked or a file is written.
pub(super) fn plan(worker: &mut Worker, add: &Add) -> Result<Profile, Refused> {
    worker.open()?;
    Ok(checked(worker, add)?.0)
}

/// The settings as they would be written, whatever the vault is.
pub(in crate::shell) fn preview(
    worker: &Worker,
    name: &ProfileName,
    settings: Vec<Assignment>,
    secrets: Vec<NewSecret>,
    replace: bool,
) -> Result<String, Failure> {
    let add = Add { name: name.clone(), settings, secrets, replace };
    let (_, text) = checked(worker, &add).map_err(|refused| refused.failure)?;
    Ok(config::profile_toml(&text, name).unwrap_or_default())
}

/// The profile, and the text of the configuration with it.
fn checked(worker: &Worker, add: &Add) -> Result<(Profile, String), Refused> {
    let Add { name, settings, replace, .. } = add;
    let text = worker.dry_edit(name, |text| config::add_profile(text, name, settings, *replace))?;
    let config = config::parse(&text).map_err(Failure::from)?;
    let profile = config.profiles.get(name).cloned();
    let profile =
        profile.ok_or_else(|| Failure::new(Kind::Internal, "the profile is not there").of(name))?;
    secrets::check(&profile.grant, &add.secrets).map_err(|failure| failure.of(name))?;
    Ok((profile, text))
}

pub(super) fn store(
    worker: &mut Worker,
    add: Add,
    planned: &Profile,
    pin: Pin,
) -> Result<Changed, Refused> {
    // Others had time to add the same name, or to change what every profile goes by, since this was
    // planned.
    if plan(worker, &add)? != *planned {
        return Err(changed_meanwhile(&add.name).into());
    }
    let Add { name, settings, secrets: values, replace } = add;
    let stored = match !values.is_empty() || replace {
        true => Some(secrets::store(worker, planned, values, pin.clone(), replace)?),
        false => None,
    };
    let edited = worker
        .edit_config(Some(&name), |text| config::add_profile(text, &name, &settings, replace));
    let live = match edited {
        Ok(live) => live,
        Err(refused) => {
            if let Some(stored) = stored {
                secrets::put_back(worker, &name, stored);
            }
            return Err(refused);
        }
    };
    let said = Changed::said(format!("added {name}{}", secret_of_new(worker, planned, &pin)));
    Ok(match stored {
        Some(stored) => {
            // What was obtained for the old one may be somebody else's.
            let forget = if replace { vec![name.clone()] } else { Vec::new() };
            let entries = vec![name];
            Changed { live: Some(live), warnings: stored.warnings, entries, forget, ..said }
        }
        None => Changed { live: Some(live), ..said },
    })
}

/// Whether a client proves itself by a secret that it shares with the provider.
fn needs_client_secret(client: &Client) -> bool {
    !matches!(
        client.client_auth,
        Some(
            ClientAuth::None | ClientAuth::PrivateKeyJwt | ClientAuth::Tls | ClientAuth::Federated
        )
    )
}

/// Where the secret of a profile that was just added goes, and what is missing. It may have been there
/// before, in an entry without a profile.
fn secret_of_new(worker: &Worker, profile: &Profile, pin: &Pin) -> String {
    let name = &profile.name;
    let entry = worker.open().ok().and_then(|(vault, keys)| vault.read(keys, name).ok()?);
    let held = entry.filter(|entry| pin.is_of(entry)).map(|entry| secrets::names(&entry));
    let held = held.unwrap_or_default();
    let is_needed = match &profile.grant {
        Grant::ClientCredentials(client) => needs_client_secret(client),
        Grant::RefreshToken(_)
        | Grant::ApiKey
        | Grant::JwtBearer(_)
        | Grant::GithubApp(_)
        | Grant::SelfSignedJwt(_) => true,
        Grant::AuthorizationCode(_)
        | Grant::DeviceCode(_)
        | Grant::TokenExchange(_)
        | Grant::AwsWebIdentity(_)
        | Grant::Steps(_)
        | Grant::Command(_)
        | Grant::Pool(_) => false,
    };
    let mut text = String::new();
    if !held.is_empty() && !pin.origins.is_empty() {
        let origins: Vec<&str> = pin.origins.iter().map(String::as_str).collect();
        text.push_str(&format!("; its secret is sent to {} alone", origins.join(", ")));
    }
    if is_needed && !held.iter().any(|held| held == secret_of(profile.grant.name())) {
        let what = match &profile.grant {
            Grant::RefreshToken(_) => "refresh token",
            Grant::JwtBearer(_) | Grant::GithubApp(_) | Grant::SelfSignedJwt(_) => "private key",
            _ => "secret",
        };
        text.push_str(&format!("; no {what} is stored for it: run `tokctl set-secret {name}`"));
    }
    text
}
