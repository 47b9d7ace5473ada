//! Tokens revoked at their provider (RFC 7009): one after the other, refresh tokens first.
//!
//! Nothing is forgotten here. Whoever calls this deletes what was revoked afterwards, so that a crash between leaves
//! the token where it was and the command can be given again: a provider says of a token that is revoked
//! already what it says of one that it has just revoked (section 2.2).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokctl_core::{Class, Trouble};
use tokctl_proto::{Failure, Kind, ProfileName, Secret, WallMs};
use url::Url;

use super::obtain::{Means, subject};
use super::speaker::{Speaker, Wants};
use super::{pin, provider};
use crate::clock;
use crate::config::{Client, ClientAuth, Endpoints};
use crate::oauth::about_token::{Asker, TokenKind};
use crate::oauth::client_auth::Holds;
use crate::oauth::grant::{Endpoint, Held};
use crate::oauth::revocation::{self, Revocation};
use crate::vault::Via;

pub(super) mod bury;
pub(super) mod doomed;
#[cfg(test)]
mod tests;
pub(super) mod words;
pub mod work_off;

pub(super) use doomed::Doomed;

/// What all tokens of a profile may take together. A provider that is slow rather than down would else hold a
/// person up for as long as thirty time-outs; what is left is revoked later.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Who revokes, and where what it proves itself with may go. Made of a profile and its entry, or of a tombstone.
#[derive(Clone, Debug)]
pub(super) struct Warrant {
    pub(super) name: ProfileName,
    /// As in config.toml.
    pub(super) grant: &'static str,
    pub(super) client: Client,
    pub(super) origins: BTreeSet<String>,
    pub(super) way: Via,
    pub(super) secrets: BTreeMap<String, Secret>,
}

/// Why a token is alive and stays so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The provider has nowhere to revoke it.
    NoEndpoint,
    /// The provider does not revoke tokens of its kind.
    Unsupported,
    /// The client proves itself by a token of the moment, and nobody has brought one.
    Unproved,
    /// The provider refused it, after it had revoked the refresh token.
    Refused(String),
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Worth nothing any more.
    pub(super) revoked: Vec<Doomed>,
    pub(super) left: Vec<(Doomed, Left)>,
    /// Taken to be alive, and to be revoked later (section 2.2.1).
    pub(super) later: Vec<Doomed>,
    /// Why later, where there are any.
    pub(super) trouble: Option<Trouble>,
}

/// Where a provider takes questions about tokens, and how the client proves itself there.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) url: Url,
    /// The token endpoint.
    pub(super) endpoint: Endpoint,
    /// Somebody else's token that proves the client.
    pub(super) subject: Option<Secret>,
}

/// Which of a provider's endpoints is meant.
pub(super) type Which = fn(&Endpoints) -> Option<&Url>;

/// Revokes tokens in the order in which they come. An error is a refusal: then nothing is to be forgotten.
pub(super) async fn revoke(
    means: &Means,
    warrant: &Warrant,
    doomed: Vec<Doomed>,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let all_left = |doomed: Vec<Doomed>, why: Left| Outcome {
        left: doomed.into_iter().map(|token| (token, why.clone())).collect(),
        ..Outcome::default()
    };
    let place = match place(means, warrant, |endpoints| endpoints.revocation.as_ref()).await {
        Ok(Some(Place { subject: None, .. }))
            if warrant.client.client_auth == Some(ClientAuth::Federated) =>
        {
            return Ok(all_left(doomed, Left::Unproved));
        }
        Ok(Some(place)) => place,
        Ok(None) => return Ok(all_left(doomed, Left::NoEndpoint)),
        Err(trouble) => return put_off(outcome, doomed, trouble),
    };
    let begun = clock::now().boot;
    let mut waiting = doomed.into_iter();
    while let Some(token) = waiting.next() {
        let told = match clock::now().boot.since(begun) < TIME_MAX {
            true => ask(means, warrant, &place, &token).await,
            false => Revocation::Failed(too_slow(&warrant.name)),
        };
        let had_refresh_token = outcome.revoked.iter().any(|it| it.kind == TokenKind::Refresh);
        match told {
            Revocation::Done => outcome.revoked.push(token),
            Revocation::Unsupported => outcome.left.push((token, Left::Unsupported)),
            // What matters is gone, and the rest with it as a rule (section 2.1): to fail for that would leave a
            // profile that cannot be logged out.
            Revocation::Failed(trouble)
                if trouble.class == Class::Permanent && had_refresh_token =>
            {
                match token.kind {
                    // The one before it, which was burnt for it.
                    TokenKind::Refresh => outcome.revoked.push(token),
                    TokenKind::Access => {
                        outcome.left.push((token, Left::Refused(trouble.failure.message)));
                    }
                }
            }
            Revocation::Failed(trouble) => {
                let rest = std::iter::once(token).chain(waiting).collect();
                return put_off(outcome, rest, trouble);
            }
        }
    }
    Ok(outcome)
}

/// Puts tokens off, if that is of any use.
fn put_off(outcome: Outcome, later: Vec<Doomed>, trouble: Trouble) -> Result<Outcome, Failure> {
    match trouble.class {
        Class::Retry => Ok(Outcome { later, trouble: Some(trouble), ..outcome }),
        Class::Permanent | Class::LoginRequired => Err(trouble.failure),
    }
}

async fn ask(means: &Means, warrant: &Warrant, place: &Place, token: &Doomed) -> Revocation {
    let Place { url, endpoint, .. } = place;
    let make = |held: Held<'_>| {
        revocation::request(&warrant.asker(endpoint, held), url, token.kind, &token.token)
    };
    match warrant.speaker(means, place).send(url, Wants::SomethingElse, make).await {
        Ok(reply) => {
            let (now, sent) = (clock::now().wall, warrant.sent(place, &token.token));
            let asker = warrant.asker(endpoint, warrant.held(now));
            revocation::judge(now, &asker, url, token.kind, &reply, &sent)
        }
        // What cannot be made now cannot be made later.
        Err(Trouble { class: Class::LoginRequired, failure, .. }) => {
            Revocation::Failed(Trouble::new(Class::Permanent, failure))
        }
        Err(trouble) => Revocation::Failed(trouble),
    }
}

fn too_slow(name: &ProfileName) -> Trouble {
    let message = "the provider takes too long";
    let failure = Failure::new(Kind::ProviderUnreachable, message);
    Trouble::new(Class::Retry, failure.of(name))
}

/// Where the provider takes such requests, if it does, and if what is sent may go there.
pub(super) async fn place(
    means: &Means,
    warrant: &Warrant,
    which: Which,
) -> Result<Option<Place>, Trouble> {
    let Warrant { name, grant, client, secrets, .. } = warrant;
    let found = provider::find(means, name, client, Holds::of(grant, secrets)).await?;
    let Some(url) = which(&found.endpoints).cloned() else { return Ok(None) };
    warrant.check(&url)?;
    let subject = subject::at_hand(name, client).await?;
    Ok(Some(Place { url, endpoint: found.endpoint, subject }))
}

impl Warrant {
    /// Whether what is sent may go there. Where nothing is stored but access tokens, nothing was pinned: those
    /// go where the settings say with which they were obtained.
    fn check(&self, endpoint: &Url) -> Result<(), Trouble> {
        if self.origins.is_empty() && self.secrets.is_empty() {
            return Ok(());
        }
        pin::check_pinned(&self.name, (&self.origins, &self.way), &self.client.network, endpoint)
    }

    pub(super) fn asker<'a>(&'a self, endpoint: &'a Endpoint, held: Held<'a>) -> Asker<'a> {
        let Self { name, grant, client, .. } = self;
        Asker { profile: name, grant, client, endpoint, held }
    }

    /// What was sent, for whoever reads the reply: nothing is signed again.
    pub(super) fn held(&self, now: WallMs) -> Held<'_> {
        Held { secrets: &self.secrets, subject: None, now, unique: [0; 16] }
    }

    pub(super) fn speaker<'a>(&'a self, means: &'a Means, place: &'a Place) -> Speaker<'a> {
        let Self { name, grant, client, secrets, .. } = self;
        Speaker {
            http: &means.http,
            profile: name,
            grant,
            client,
            auth: place.endpoint.auth,
            secrets,
            subject: place.subject.as_ref(),
        }
    }

    /// All that a request may hold.
    pub(super) fn sent(&self, place: &Place, token: &Secret) -> Vec<Secret> {
        self.secrets.values().chain([token]).chain(&place.subject).cloned().collect()
    }
}
