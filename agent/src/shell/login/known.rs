//! What a login knows of its provider, and its requests there.
//!
//! Secrets are read from the entry for each request and wiped after it: a login may wait for a person
//! for ten minutes.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tokctl_core::{Class, Trouble};
use tokctl_proto::{Failure, Kind, ProfileName, Secret, TokenKey};
use url::Url;

use super::Wish;
use super::authorize::random;
use crate::clock;
use crate::config::{Client, Endpoints, Profile, Provider};
use crate::oauth::grant::{self, Held};
use crate::oauth::reply::{self, Asked, Purpose};
use crate::oauth::{Endpoint, HttpReply, HttpRequest, Metadata};
use crate::shell::obtain::{Answer, Means};
use crate::shell::pin;
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
        let (endpoint, metadata) = match &client.provider {
            Provider::TokenEndpoint(url) => (Endpoint::configured(url.clone(), client), None),
            Provider::Issuer { text, url } => {
                let now = clock::now().wall;
                let (http, issuer) = (&means.http, (text.as_str(), url));
                let cache = &means.metadata;
                let found = cache.discover(now, http, name, issuer, &client.network);
                let metadata = found.await.map_err(|missed| missed.trouble_of(name).failure)?;
                (Endpoint::discovered(name, text, &metadata, client)?, Some(metadata))
            }
        };
        let endpoints = match &metadata {
            Some(metadata) => client.endpoints.or(&metadata.endpoints),
            None => client.endpoints.clone(),
        };
        let scope = client.scope.union(&wish.scope).cloned().collect();
        Ok(Self { means, profile, revision, endpoint, endpoints, metadata, scope })
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
        make: impl FnOnce(Held<'_>) -> Result<HttpRequest, Failure>,
    ) -> Result<Replied, Trouble> {
        let client = self.client();
        let entry = self.entry().await?;
        if let Some(entry) = entry.as_ref().filter(|entry| !entry.secrets.is_empty()) {
            pin::check(&self.profile.name, entry, &client.network, to)?;
        }
        let sent = entry.as_ref().map(|entry| entry.secrets_to_send()).unwrap_or_default();
        let secrets = entry.map(|entry| entry.secrets).unwrap_or_default();
        let sent_at = clock::now().wall;
        let unique = random().map_err(|error| machine(&self.profile.name, &error))?;
        let held = Held { secrets: &secrets, subject: None, now: sent_at, unique };
        let request = make(held).map_err(grant::refused)?;
        let reply = self.means.http.send(&client.network, request, sent_at).await;
        let reply = reply.map_err(|error| error.trouble(&self.profile.name))?;
        Ok(Replied { reply, sent })
    }

    async fn entry(&self) -> Result<Option<Entry>, Trouble> {
        let name = self.profile.name.clone();
        let read = self.means.jobs.ask(move |worker| {
            let (vault, keys) = worker.open()?;
            vault.read(keys, &name).map_err(|error| Failure::from(&error).of(&name))
        });
        read.await.map_err(|failure| Trouble::new(Class::Permanent, failure))
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

fn machine(name: &ProfileName, error: &io::Error) -> Trouble {
    Trouble::new(Class::Permanent, Failure::new(Kind::Machine, error.to_string()).of(name))
}

fn client_of(profile: &Profile) -> Result<&Client, Failure> {
    profile.grant.client().filter(|_| profile.grant.is_login()).ok_or_else(|| {
        Failure::new(Kind::Internal, "a login of a profile that has none").of(&profile.name)
    })
}
