//! One attempt to obtain a token, from the profile's settings to the provider's raw answer.
//!
//! The client secret is read for this one request and wiped when the request has been sent.

use std::sync::Arc;

use tokctl_core::{Class, Token, Trouble};
use tokctl_proto::{Failure, Kind, TokenKey};
use url::Url;

use super::http::{Http, MetadataCache};
use super::pin;
use super::worker::Jobs;
use crate::clock;
use crate::config::{Client, Grant, Profile, Provider};
use crate::oauth::grant::{Endpoint, client_credentials};
use crate::oauth::{HttpReply, reply};

/// What obtaining needs.
#[derive(Clone, Debug)]
pub struct Means {
    pub http: Arc<Http>,
    pub metadata: Arc<MetadataCache>,
    pub jobs: Jobs,
}

/// A provider's raw answer and what it was asked with.
#[derive(Debug)]
pub struct Answer {
    pub profile: Arc<Profile>,
    pub key: TokenKey,
    pub revision: u64,
    pub endpoint: Url,
    pub reply: HttpReply,
}

/// Asks the provider once.
pub async fn obtain(
    means: Means,
    profile: Arc<Profile>,
    revision: u64,
    key: TokenKey,
) -> Result<Answer, Trouble> {
    let client = client_of(&profile)?;
    let endpoint = endpoint(&means, &profile, client).await?;
    let name = profile.name.clone();
    let entry = means
        .jobs
        .ask(move |worker| {
            let (vault, keys) = worker.open()?;
            vault.read(keys, &name).map_err(|error| Failure::from(&error).of(&name))
        })
        .await
        .map_err(|failure| Trouble::new(Class::Permanent, failure))?;
    let secrets = match entry {
        Some(entry) => {
            if !entry.secrets.is_empty() {
                pin::check(&profile.name, &entry, client, &endpoint.token_endpoint)?;
            }
            entry.secrets
        }
        None => std::collections::BTreeMap::new(),
    };
    let request =
        client_credentials::request(client, &endpoint, &key, &secrets).map_err(refused)?;
    drop(secrets);
    let sent_at = clock::now().wall;
    let reply = means
        .http
        .send(&client.network, request, sent_at)
        .await
        .map_err(|error| error.trouble(&profile.name))?;
    Ok(Answer { endpoint: endpoint.token_endpoint, reply, revision, key, profile })
}

/// Works out what an answer means.
pub fn classify(answer: &Answer) -> tokctl_core::Outcome {
    let client = match client_of(&answer.profile) {
        Ok(client) => client,
        Err(trouble) => return tokctl_core::Outcome::Failed(trouble),
    };
    let now = clock::now().wall;
    match reply::classify(now, &answer.key, client, &answer.endpoint, &answer.reply) {
        tokctl_core::Outcome::Tokens(token) => {
            tokctl_core::Outcome::Tokens(Token { revision: answer.revision, ..token })
        }
        failed => failed,
    }
}

async fn endpoint(means: &Means, profile: &Profile, client: &Client) -> Result<Endpoint, Trouble> {
    match &client.provider {
        Provider::TokenEndpoint(url) => Ok(Endpoint::configured(url.clone(), client.client_auth)),
        Provider::Issuer { text, url } => {
            let now = clock::now().wall;
            let issuer = (text.as_str(), url);
            let metadata = means
                .metadata
                .discover(now, &means.http, &profile.name, issuer, &client.network)
                .await
                .map_err(|undiscovered| undiscovered.trouble_of(&profile.name))?;
            Endpoint::discovered(&profile.name, &metadata, client.client_auth).map_err(refused)
        }
    }
}

fn client_of(profile: &Profile) -> Result<&Client, Trouble> {
    match &profile.grant {
        Grant::ClientCredentials(client) => Ok(client),
        Grant::ApiKey => {
            let failure = Failure::new(Kind::Internal, "a stored key was to be renewed");
            Err(Trouble::new(Class::Permanent, failure.of(&profile.name)))
        }
    }
}

/// A request that could not even be made.
fn refused(failure: Failure) -> Trouble {
    let class = match failure.kind {
        Kind::SecretRequired | Kind::LoginRequired => Class::LoginRequired,
        _ => Class::Permanent,
    };
    Trouble::new(class, failure)
}
