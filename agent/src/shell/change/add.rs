//! `add`: a profile with its secrets.
//!
//! The entry is written first: a crash leaves an entry without a profile, which is kept and shown,
//! rather than a profile that fails for want of a secret. `--replace` makes the profile anew, so
//! what was stored for the old one goes; a crash between leaves the old profile, to which the new
//! secret is not sent unless it is pinned to the same origins.

use tokctl_proto::setting::secret_of;
use tokctl_proto::{Failure, Kind};

use super::{Changed, NewProfile, certificate, changed_meanwhile, issuer, key, on_vault, secrets};
use crate::config::{self, ClientAuth, Grant, Profile};
use crate::oauth::certificate::TLS_CERTIFICATE;
use crate::oauth::client_auth::{PRIVATE_KEY, proof_name, set_secret};
use crate::shell::life;
use crate::shell::obtain::Means;
use crate::shell::pin::{During, Pin};
use crate::shell::worker::{Refused, Worker};

pub(super) async fn add(means: Means, mut new: NewProfile) -> Changed {
    issuer::as_url(&mut new.settings);
    let (planned, spelled) = match planned(&means, new.clone()).await {
        Ok(planned) => (planned, None),
        Err(Refused { failure, paste }) => match respelled(&means, &new, &failure).await {
            Some(planned) => {
                let spelled = issuer::of(&planned.0.settings).map(str::to_owned);
                (planned, spelled)
            }
            None => return Changed { paste, ..Changed::failed(failure) },
        },
    };
    let (new, profile, pin) = planned;
    if let Err(failure) = certificate::check(&means.http, &new.secrets).await {
        return Changed::failed(failure.of(&new.name));
    }
    let made = match new.generate_key {
        Some(algorithm) => match key::make(algorithm).await {
            Ok(made) => Some(made),
            Err(failure) => return Changed::failed(failure.of(&new.name)),
        },
        None => None,
    };
    let mut changed = on_vault(&means, move |worker| store(worker, new, &profile, pin, made)).await;
    if let (Ok(said), Some(spelled)) = (&mut changed.result, spelled) {
        said.push_str(&format!("\nits provider spells the issuer {spelled}"));
    }
    changed
}

/// The same with the provider's spelling of its issuer, where that differs by the slash at the end.
async fn respelled(
    means: &Means,
    new: &NewProfile,
    why: &Failure,
) -> Option<(NewProfile, Profile, Pin)> {
    if why.kind != Kind::ConfigInvalid {
        return None;
    }
    let settings = issuer::respelled(&new.settings)?;
    planned(means, NewProfile { settings, ..new.clone() }).await.ok()
}

/// The profile as it will be, and where its secrets may go.
async fn planned(means: &Means, new: NewProfile) -> Result<(NewProfile, Profile, Pin), Refused> {
    let plan = move |worker: &mut Worker| {
        let new = key::completed(worker, new)?;
        Ok::<_, Refused>((plan(worker, &new)?, new))
    };
    let (profile, new) = means.jobs.ask(move |worker| Ok(plan(worker))).await??;
    let pin = Pin::of(&profile, &means.http, &means.metadata, During::Add).await;
    let pin = pin.map_err(|failure| failure.of(&new.name))?;
    Ok((new, profile, pin))
}

/// Checks everything that can be checked before a provider is asked or a file is written.
pub(super) fn plan(worker: &mut Worker, new: &NewProfile) -> Result<Profile, Refused> {
    worker.open()?;
    let (profile, _) = checked(worker, new)?;
    key::loses_none(worker, new)?;
    Ok(profile)
}

/// A profile as it would be.
#[derive(Debug)]
pub(in crate::shell) struct Preview {
    pub(in crate::shell) profile: Profile,
    /// Its settings as they would be written.
    pub(in crate::shell) toml: String,
    /// What would be stored, by its names.
    pub(in crate::shell) secrets: Vec<String>,
}

/// Looks what an `add` would come to, whatever the vault is.
pub(in crate::shell) fn preview(worker: &Worker, new: NewProfile) -> Result<Preview, Failure> {
    let look = |new| {
        let new = key::completed(worker, new)?;
        let (profile, text) = checked(worker, &new)?;
        let toml = config::profile_toml(&text, &new.name).unwrap_or_default();
        let names = new.secrets.iter().map(|it| secrets::stored_name(&profile.grant, &it.name));
        let secrets = names.chain(new.generate_key.map(|_| PRIVATE_KEY.to_owned())).collect();
        Ok(Preview { profile, toml, secrets })
    };
    look(new).map_err(|refused: Refused| refused.failure)
}

/// The profile, and the text of the configuration with it.
pub(super) fn checked(worker: &Worker, new: &NewProfile) -> Result<(Profile, String), Refused> {
    let NewProfile { name, settings, replace, .. } = new;
    let text = worker.dry_edit(name, |text| config::add_profile(text, name, settings, *replace))?;
    let config = config::parse(&text).map_err(Failure::from)?;
    let profile = config.profiles.get(name).cloned();
    let profile =
        profile.ok_or_else(|| Failure::new(Kind::Internal, "the profile is not there").of(name))?;
    if worker.is_ephemeral {
        life::check(&profile)?;
    }
    secrets::check(&profile.grant, &new.secrets).map_err(|failure| failure.of(name))?;
    Ok((profile, text))
}

pub(super) fn store(
    worker: &mut Worker,
    mut new: NewProfile,
    planned: &Profile,
    pin: Pin,
    made: Option<key::Made>,
) -> Result<Changed, Refused> {
    // Others had time to add the same name, or to change what every profile goes by, since this was
    // planned.
    if plan(worker, &new)? != *planned {
        return Err(changed_meanwhile(&new.name).into());
    }
    let public_key = made.map(|made| made.put_into(&mut new, planned));
    let NewProfile { name, settings, secrets: values, replace, .. } = new;
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
    let said = Changed { public_key, ..said };
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

/// The secret that a profile cannot do without, where that is known before anybody is asked.
fn needed(grant: &Grant) -> Option<&'static str> {
    match grant {
        Grant::ClientCredentials(client) => match client.client_auth {
            Some(ClientAuth::None | ClientAuth::Federated) => None,
            auth => Some(proof_name(auth)),
        },
        Grant::RefreshToken(_)
        | Grant::ApiKey
        | Grant::JwtBearer(_)
        | Grant::GithubApp(_)
        | Grant::SelfSignedJwt(_) => Some(secret_of(grant.name())),
        Grant::AuthorizationCode(_)
        | Grant::DeviceCode(_)
        | Grant::TokenExchange(_)
        | Grant::AwsWebIdentity(_)
        | Grant::Steps(_)
        | Grant::Command(_)
        | Grant::Pool(_) => None,
    }
}

/// Where the secret of a profile that was just added goes, and what is missing. It may have been there
/// before, in an entry without a profile.
fn secret_of_new(worker: &Worker, profile: &Profile, pin: &Pin) -> String {
    let name = &profile.name;
    let entry = worker.open().ok().and_then(|(vault, keys)| vault.read(keys, name).ok()?);
    let held = entry.filter(|entry| pin.is_of(entry)).map(|entry| secrets::names(&entry));
    let held = held.unwrap_or_default();
    let mut text = String::new();
    if !held.is_empty() && !pin.origins.is_empty() {
        let origins: Vec<&str> = pin.origins.iter().map(String::as_str).collect();
        text.push_str(&format!("; its secret is sent to {} alone", origins.join(", ")));
    }
    if let Some(needed) = needed(&profile.grant)
        && !held.iter().any(|held| held == needed)
    {
        let what = match needed {
            secrets::REFRESH_TOKEN => "refresh token",
            PRIVATE_KEY => "private key",
            TLS_CERTIFICATE => "certificate",
            _ => "secret",
        };
        let how = set_secret(name, profile.grant.name(), needed);
        text.push_str(&format!("; no {what} is stored for it: {how}"));
    }
    text
}
