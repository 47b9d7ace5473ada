//! What a login knows of its provider, and its requests there.
//!
//! Secrets are read from the entry for each request and wiped after it: a login may wait for a person
//! for ten minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokctl_core::{Class, Trouble};
use tokctl_proto::{Failure, Kind, ProfileName, Secret, TokenKey};
use url::Url;

use super::Wish;
use crate::clock;
use crate::config::{Client, ClientAuth, Endpoints, Profile, Provider, Subject};
use crate::oauth::client_auth::Holds;
use crate::oauth::grant::{Held, unfit_key};
use crate::oauth::jose::PrivateKey;
use crate::oauth::jose::dpop::DPOP_KEY;
use crate::oauth::reply::{self, Asked, Purpose};
use crate::oauth::{Endpoint, HttpReply, HttpRequest, Metadata};
use crate::shell::obtain::{Answer, Means, subject};
use crate::shell::provider::{self, Found};
use crate::shell::speaker::{Speaker, Wants};
use crate::shell::{bound_key, pin};
use crate::vault::Entry;

/// What a login knows.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) means: Means,
    pub(super) profile: Arc<Profile>,
    revision: u64,
    /// The token endpoint.
    pub(super) endpoint: Endpoint,
    /// Those that the profile names, and those of its issuer's metadata.
    pub(super) endpoints: Endpoints,
    pub(super) metadata: Option<Metadata>,
    pub(super) scope: BTreeSet<String>,
    /// Names the key that tokens will be bound to (RFC 9449 section 10).
    pub(super) dpop_jkt: Option<String>,
}

impl Known {
    /// Asks the issuer, where there is one.
    pub(super) async fn gather(
        means: Means,
        profile: Arc<Profile>,
        revision: u64,
        wish: &Wish,
    ) -> Result<Self, Failure> {
        let (name, client) = (&profile.name, client_of(&profile)?);
        let failure = |trouble: Trouble| trouble.failure;
        refuse_unproved(name, client)?;
        bound_key::ensure(&means, &profile).await.map_err(failure)?;
        let held = entry(&means, name).await.map_err(failure)?.map(|entry| entry.secrets);
        let held = held.unwrap_or_default();
        let holds = Holds::of(profile.grant.name(), &held);
        let dpop_jkt = thumbprint(&profile, &held)?;
        drop(held);
        let found = provider::find(&means, name, client, holds).await.map_err(failure)?;
        let Found { endpoint, endpoints, metadata } = found;
        let scope = client.scope.union(&wish.scope).cloned().collect();
        Ok(Self { means, profile, revision, endpoint, endpoints, metadata, scope, dpop_jkt })
    }

    pub(super) fn client(&self) -> &Client {
        client_of(&self.profile).expect("it was there when this was gathered")
    }

    /// The issuer, where the profile names one.
    pub(super) fn issuer(&self) -> Option<&str> {
        match &self.client().provider {
            Provider::Issuer { text, .. } => Some(text),
            Provider::TokenEndpoint(_) => None,
        }
    }

    /// Why there is no endpoint that metadata would call `name`.
    pub(super) fn without(&self, name: &str) -> Failure {
        let profile = &self.profile.name;
        let message = match &self.metadata {
            Some(metadata) => metadata.without(name),
            None => format!("the profile names no {name}"),
        };
        let hint = format!("run `tokctl set {profile} {name}=URL`");
        Failure::new(Kind::ConfigInvalid, message).of(profile).hint(hint)
    }

    /// Sends a request to `to`, made of the secrets that the entry holds for there.
    pub(super) async fn send(
        &self,
        to: &Url,
        wants: Wants,
        make: impl Fn(Held<'_>) -> Result<HttpRequest, Failure> + Sync,
    ) -> Result<Replied, Trouble> {
        let (name, client) = (&self.profile.name, self.client());
        let entry = entry(&self.means, name).await?;
        if let Some(entry) = entry.as_ref().filter(|entry| pin::sends_secrets(entry)) {
            pin::check(name, entry, &client.network, to)?;
        }
        let mut sent = entry.as_ref().map(|entry| entry.secrets_to_send()).unwrap_or_default();
        let subject = subject::at_hand(name, client).await?;
        let secrets = entry.map(|entry| entry.secrets).unwrap_or_default();
        let speaker = Speaker {
            http: &self.means.http,
            profile: name,
            grant: self.profile.grant.name(),
            client,
            auth: self.endpoint.auth,
            secrets: &secrets,
            subject: subject.as_ref(),
        };
        let reply = speaker.send(to, wants, make).await?;
        sent.extend(subject);
        Ok(Replied { reply, sent })
    }

    /// What a login is for: the plain token of its profile.
    pub(super) fn key(&self) -> TokenKey {
        TokenKey::plain(self.profile.name.clone())
    }

    /// The answer of the token endpoint, to be kept and read.
    pub(super) fn answer(&self, replied: Replied) -> Answer {
        let Replied { reply, sent } = replied;
        let (profile, endpoint) = (Arc::clone(&self.profile), self.endpoint.token_endpoint.clone());
        let (key, revision, subject) = (self.key(), self.revision, None);
        Answer { profile, key, revision, endpoint, reply, sent, subject }
    }

    /// Why the endpoint called `name` gave nothing, unless it did.
    pub(super) fn check(
        &self,
        name: &'static str,
        endpoint: &Url,
        replied: &Replied,
    ) -> Result<(), Failure> {
        let asked = Asked {
            key: &self.key(),
            grant: &self.profile.grant,
            endpoint,
            sent: &replied.sent,
            purpose: Purpose::Other(name),
        };
        let refused = reply::refused(clock::now().wall, &asked, &replied.reply);
        refused.map_or(Ok(()), |trouble| Err(trouble.failure))
    }
}

/// A reply, and the secrets that the request may have held.
#[derive(Debug)]
pub(super) struct Replied {
    pub(super) reply: HttpReply,
    pub(super) sent: Vec<Secret>,
}

async fn entry(means: &Means, name: &ProfileName) -> Result<Option<Entry>, Trouble> {
    let name = name.clone();
    let read = means.jobs.ask(move |worker| {
        let (vault, keys) = worker.open()?;
        vault.read(keys, &name).map_err(|error| Failure::from(&error).of(&name))
    });
    read.await.map_err(|failure| Trouble::new(Class::Permanent, failure))
}

/// The name of the key that the tokens will be bound to.
fn thumbprint(
    profile: &Profile,
    secrets: &BTreeMap<String, Secret>,
) -> Result<Option<String>, Failure> {
    let Some(key) = secrets.get(DPOP_KEY).filter(|_| client_of(profile).is_ok_and(|it| it.dpop))
    else {
        return Ok(None);
    };
    let key = PrivateKey::asymmetric(key)
        .map_err(|error| unfit_key(&profile.name, profile.grant.name(), DPOP_KEY, &error))?;
    Ok(key.public().map(|public| public.thumbprint()))
}

/// A client that somebody has to bring a token for cannot prove itself at the end of a login, and a person would have
/// agreed for nothing.
fn refuse_unproved(name: &ProfileName, client: &Client) -> Result<(), Failure> {
    match (client.client_auth, &client.subject) {
        (Some(ClientAuth::Federated), Some(Subject::File(_))) => Ok(()),
        (Some(ClientAuth::Federated), _) => {
            let message = "the client proves itself by a token that a login cannot bring";
            let failure = Failure::new(Kind::ConfigInvalid, message).of(name);
            Err(failure.hint(format!(
                "run `tokctl set {name} subject=file:PATH`, or give it another `client_auth`"
            )))
        }
        _ => Ok(()),
    }
}

fn client_of(profile: &Profile) -> Result<&Client, Failure> {
    profile.grant.client().filter(|_| profile.grant.is_login()).ok_or_else(|| {
        Failure::new(Kind::Internal, "a login of a profile that has none").of(&profile.name)
    })
}
