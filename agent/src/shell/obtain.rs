//! One attempt to obtain a token, from the profile's settings to the raw answer.
//!
//! Each kind of asking has its file. Its secrets are read for this one request and wiped when its answer has been
//! read: a provider may repeat one in what it says of a refusal. A grant that asks nobody over the network ends in an
//! answer too, so that all of them are read, saved and served in one way.

use std::sync::Arc;

use tokctl_core::{Class, Credential, Outcome, Reached, Token, Trouble};
use tokctl_proto::{Failure, Kind, Secret, TokenKey};
use url::Url;
use zeroize::Zeroizing;

use super::http::{Http, MetadataCache};
use super::pin;
use super::worker::Jobs;
use crate::clock;
use crate::config::{Grant, Network, Profile};
use crate::entropy;
use crate::oauth::id_token::{self, Person, Refused};
use crate::oauth::reply::{self, Asked, Purpose};
use crate::oauth::{HttpReply, HttpRequest};
use crate::vault::Entry;

mod answer;
mod aws_web_identity;
mod command;
mod github_app;
mod self_signed;
mod steps;
pub(super) mod subject;
mod token_endpoint;

pub use answer::Answer;

/// What obtaining needs.
#[derive(Clone, Debug)]
pub struct Means {
    pub http: Arc<Http>,
    pub metadata: Arc<MetadataCache>,
    pub jobs: Jobs,
}

/// What is obtained, and for whom.
#[derive(Debug)]
struct Asking {
    means: Means,
    profile: Arc<Profile>,
    revision: u64,
    key: TokenKey,
    /// Which client secret is sent.
    credential: Credential,
    /// What a client or another profile has brought, to be presented.
    subject: Option<Secret>,
}

/// Asks once. What it takes is read from the entry for this one request.
pub async fn obtain(
    means: Means,
    profile: Arc<Profile>,
    revision: u64,
    key: TokenKey,
    credential: Credential,
    subject: Option<Secret>,
) -> Result<Answer, Trouble> {
    let own = Arc::clone(&profile);
    let asking = Asking { means, profile: own, revision, key, credential, subject };
    match &profile.grant {
        Grant::AwsWebIdentity(role) => aws_web_identity::ask(asking, role).await,
        Grant::GithubApp(app) => github_app::ask(asking, app).await,
        Grant::SelfSignedJwt(settings) => self_signed::sign(asking, settings).await,
        Grant::Steps(steps) => steps::ask(asking, steps).await,
        Grant::Command(program) => command::run(asking, program).await,
        _ => token_endpoint::ask(asking).await,
    }
}

/// Works out what an answer means.
pub fn classify(answer: &Answer) -> Outcome {
    let now = clock::now().wall;
    let Answer { key, endpoint, sent, .. } = answer;
    let grant = &answer.profile.grant;
    let asked = Asked { key, grant, endpoint, sent, purpose: Purpose::of(grant) };
    match reply::classify(now, &asked, &answer.reply) {
        Outcome::Tokens(obtained) => match of_somebody_else(answer) {
            Some(failure) => Outcome::Failed(Trouble {
                successor: obtained.successor.map(Box::new),
                ..Trouble::new(Class::LoginRequired, failure)
                    .reached(Reached::Answered(obtained.status))
            }),
            None => Outcome::Tokens(tokctl_core::Obtained {
                token: Token { revision: answer.revision, ..obtained.token },
                ..obtained
            }),
        },
        failed => failed,
    }
}

/// Why a renewal is not for whoever logged in (OpenID Connect Core section 12.2), if it is not. Its
/// refresh token is kept all the same: the one before may be spent.
fn of_somebody_else(answer: &Answer) -> Option<Failure> {
    let Answer { profile, subject, reply, .. } = answer;
    let (subject, id_token) = subject.as_ref().zip(reply::id_token(reply))?;
    let before = Person { iss: subject.iss.clone(), sub: subject.sub.clone() };
    let client_id = &profile.grant.client()?.client_id;
    let refused = match id_token::check_renewed(&id_token, &before, client_id) {
        // It says nothing of anybody.
        Ok(()) | Err(Refused::Malformed(_)) => return None,
        Err(refused) => refused,
    };
    let name = &profile.name;
    let message =
        format!("the token came for another account than the one that logged in: {refused}");
    let hint = format!("run `tokctl login {name}`");
    Some(Failure::new(Kind::LoginRequired, message).of(name).hint(hint))
}

impl Asking {
    /// What is stored for the profile, if it may be sent to all of these places.
    async fn entry_for(&self, places: &[Url]) -> Result<Option<Entry>, Trouble> {
        let entry = self.entry().await?;
        self.check(entry.as_ref(), places)?;
        Ok(entry)
    }

    /// Whether what is stored may be sent to all of these places.
    fn check(&self, entry: Option<&Entry>, places: &[Url]) -> Result<(), Trouble> {
        let Some(entry) = entry.filter(|entry| pin::holds_secrets(entry)) else { return Ok(()) };
        places
            .iter()
            .try_for_each(|place| pin::check(&self.profile.name, entry, self.network(), place))
    }

    async fn entry(&self) -> Result<Option<Entry>, Trouble> {
        let name = self.profile.name.clone();
        let read = self.means.jobs.ask(move |worker| {
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

    fn network(&self) -> &Network {
        static NONE: std::sync::LazyLock<Network> = std::sync::LazyLock::new(Network::default);
        self.profile.grant.network().unwrap_or(&NONE)
    }

    /// Sends a request once.
    async fn send(&self, request: HttpRequest) -> Result<HttpReply, Trouble> {
        let sent_at = clock::now().wall;
        let sent = self.means.http.send(self.network(), request, sent_at).await;
        sent.map_err(|error| error.trouble(&self.profile.name))
    }

    /// The answer to read.
    fn answered(self, endpoint: Url, reply: HttpReply, sent: Vec<Secret>) -> Answer {
        let Self { profile, revision, key, .. } = self;
        Answer { profile, key, revision, endpoint, reply, sent, subject: None }
    }

    /// An answer that was made here: the text of a token reply.
    fn answered_here(self, body: &Secret, sent: Vec<Secret>) -> Answer {
        let now = clock::now().wall;
        let reply = HttpReply {
            status: 200,
            content_type: None,
            retry_after: None,
            date: None,
            sent_at: now,
            received_at: now,
            body: Zeroizing::new(body.expose().as_bytes().to_vec()),
        };
        let here = Url::parse("tokctl:here").expect("it is a URL");
        self.answered(here, reply, sent)
    }
}

/// Random bytes of one request alone.
fn unique() -> Result<[u8; 16], Trouble> {
    let mut unique = [0; 16];
    entropy::fill(&mut unique).map_err(|error| {
        let failure = Failure::new(Kind::Machine, error.to_string());
        Trouble::new(Class::Retry, failure).reached(Reached::Nobody)
    })?;
    Ok(unique)
}
