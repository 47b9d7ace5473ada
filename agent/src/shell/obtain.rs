//! One attempt to obtain a token, from the profile's settings to the provider's raw answer.
//!
//! Its secrets are read for this one request and wiped when its answer has been read: a provider may
//! repeat one in what it says of a refusal.

use std::sync::Arc;

use tokctl_core::{Cause, Class, Credential, Reached, Token, Trouble};
use tokctl_proto::{Failure, Kind, TokenKey};

use super::http::{Http, MetadataCache};
use super::pin;
use super::rotate::no_refresh_token;
use super::worker::Jobs;
use crate::clock;
use crate::config::{Client, Profile, Provider};
use crate::oauth::HttpRequest;
use crate::oauth::client_auth;
use crate::oauth::grant::{Endpoint, client_credentials, refresh_token};
use crate::oauth::reply::{self, Asked, Purpose};
use crate::vault::{Entry, NoRefreshToken};

mod answer;

pub use answer::Answer;

/// What obtaining needs.
#[derive(Clone, Debug)]
pub struct Means {
    pub http: Arc<Http>,
    pub metadata: Arc<MetadataCache>,
    pub jobs: Jobs,
}

/// Asks the provider once. What it takes is read from the entry for this one request.
pub async fn obtain(
    means: Means,
    profile: Arc<Profile>,
    revision: u64,
    key: TokenKey,
    credential: Credential,
) -> Result<Answer, Trouble> {
    let client = client_of(&profile)?;
    let endpoint = endpoint(&means, &profile, client).await?;
    let entry = entry(&means, &profile).await?;
    if let Some(entry) = entry.as_ref().filter(|entry| holds_secrets(entry)) {
        pin::check(&profile.name, entry, client, &endpoint.token_endpoint)?;
    }
    let sent = entry.as_ref().map(Entry::secrets_to_send).unwrap_or_default();
    let request = request(&profile, client, &endpoint, &key, credential, entry)?;
    let sent_at = clock::now().wall;
    let reply = means
        .http
        .send(&client.network, request, sent_at)
        .await
        .map_err(|error| error.trouble(&profile.name))?;
    Ok(Answer { endpoint: endpoint.token_endpoint, reply, revision, key, profile, sent })
}

async fn entry(means: &Means, profile: &Profile) -> Result<Option<Entry>, Trouble> {
    let name = profile.name.clone();
    let read = means.jobs.ask(move |worker| {
        let (vault, keys) = worker.open()?;
        vault.read(keys, &name).map_err(|error| Failure::from(&error).of(&name))
    });
    read.await.map_err(|failure| {
        let class = match failure.kind {
            // A disk that does not answer, a vault that was locked meanwhile.
            Kind::Machine | Kind::VaultSealed => Class::Retry,
            _ => Class::Permanent,
        };
        Trouble::new(class, failure)
    })
}

fn holds_secrets(entry: &Entry) -> bool {
    !entry.secrets.is_empty() || entry.refresh.is_some()
}

/// The request, made of what the entry holds; the rest of that is wiped when it is made.
fn request(
    profile: &Profile,
    client: &Client,
    endpoint: &Endpoint,
    key: &TokenKey,
    credential: Credential,
    entry: Option<Entry>,
) -> Result<HttpRequest, Trouble> {
    let name = &profile.name;
    // Another than the one of the intent would be sent without a trace on the disk.
    let presented = entry.as_ref().and_then(Entry::presented).cloned();
    let secrets = entry.map(|entry| entry.secrets).unwrap_or_default();
    let secrets = match credential {
        Credential::Present => secrets,
        Credential::Next => client_auth::with_next(secrets).ok_or_else(|| {
            let failure = Failure::new(Kind::SecretRequired, "no further client secret is stored")
                .of(name)
                .hint(format!("run `tokctl set-secret {name} --next`"));
            Trouble::new(Class::Permanent, failure).because(Cause::InvalidClient)
        })?,
    };
    let made = match &profile.grant {
        grant if grant.has_refresh_token() => {
            let presented =
                presented.ok_or_else(|| refused(no_refresh_token(name, NoRefreshToken::Absent)))?;
            refresh_token::request(client, endpoint, key, &secrets, &presented)
        }
        _ => client_credentials::request(client, endpoint, key, &secrets),
    };
    made.map_err(refused)
}

/// Works out what an answer means.
pub fn classify(answer: &Answer) -> tokctl_core::Outcome {
    let client = match client_of(&answer.profile) {
        Ok(client) => client,
        Err(trouble) => return tokctl_core::Outcome::Failed(trouble),
    };
    let now = clock::now().wall;
    let grant = &answer.profile.grant;
    let Answer { key, endpoint, sent, .. } = answer;
    let purpose = Purpose::of(grant);
    let asked = Asked { key, grant, client, endpoint, sent, purpose };
    match reply::classify(now, &asked, &answer.reply) {
        tokctl_core::Outcome::Tokens(obtained) => {
            tokctl_core::Outcome::Tokens(tokctl_core::Obtained {
                token: Token { revision: answer.revision, ..obtained.token },
                ..obtained
            })
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
                // The token endpoint has heard nothing yet, whatever the issuer has.
                .map_err(|missed| missed.trouble_of(&profile.name).reached(Reached::Nobody))?;
            Endpoint::discovered(&profile.name, &metadata, client.client_auth).map_err(refused)
        }
    }
}

fn client_of(profile: &Profile) -> Result<&Client, Trouble> {
    profile.grant.client().ok_or_else(|| {
        let failure = Failure::new(Kind::Internal, "a stored key was to be renewed");
        Trouble::new(Class::Permanent, failure.of(&profile.name))
    })
}

/// A request that could not even be made.
fn refused(failure: Failure) -> Trouble {
    let class = match failure.kind {
        Kind::SecretRequired | Kind::LoginRequired => Class::LoginRequired,
        _ => Class::Permanent,
    };
    Trouble::new(class, failure)
}
