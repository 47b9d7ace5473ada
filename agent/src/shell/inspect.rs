//! What is known of the access token that is held: its claims where it is a JWT, and what its provider says of it
//! (RFC 7662). Looking changes nothing, asks for no token, and never shows the token itself.

use std::sync::Arc;

use tokctl_core::Trouble;
use tokctl_proto::response::{Done, Inspected};
use tokctl_proto::{Failure, Kind, Secret, SecretStr, TokenKey};

use super::obtain::Means;
use super::reply::ReplyTo;
use super::revoke::{Place, Warrant, doomed, place};
use super::speaker::Wants;
use super::worker::Worker;
use super::{live, pin};
use crate::clock;
use crate::config::{Grant, Profile};
use crate::oauth::claims;
use crate::oauth::grant::Held;
use crate::oauth::introspection::{self, Introspected};
use crate::vault::Entry;

/// Looks at the token of a key and answers.
pub(super) async fn inspect(means: Means, key: TokenKey, reply: ReplyTo) {
    let profile = key.profile.clone();
    let held = means.jobs.ask(move |worker| held(worker, &key)).await;
    let (token, warrant) = match held {
        Ok(held) => held,
        Err(failure) => return reply.failed(&failure.of(&profile)),
    };
    let claims = claims::of(&token).unwrap_or_default();
    let introspected = match &warrant {
        Some(warrant) => ask(&means, warrant, &token).await,
        None => Ok(None),
    };
    let introspected = match introspected {
        Ok(introspected) => introspected,
        // The claims are there all the same.
        Err(trouble) if !claims.is_empty() => {
            reply.progress(&format!("{profile}: {}", trouble.failure.message), true);
            None
        }
        Err(trouble) => return reply.failed(&trouble.failure.of(&profile)),
    };
    if introspected.as_ref().is_some_and(|it| it.answer.is_none()) {
        reply.progress(&format!("{profile}: the provider's answer is too large to be shown"), true);
    }
    let active = introspected.as_ref().map(|it| it.active);
    let answer = introspected.and_then(|it| it.answer).unwrap_or_default();
    reply.done(Done::Inspected(Inspected {
        introspection: SecretStr::from(&answer),
        claims: SecretStr::from(&claims),
        active,
    }));
}

/// The token, and who may ask about it.
fn held(worker: &mut Worker, key: &TokenKey) -> Result<(Secret, Option<Warrant>), Failure> {
    let name = &key.profile;
    worker.open()?;
    let profile = super::change::profile(worker, name)?;
    if let Grant::Pool(_) = &profile.grant {
        let message = "a pool has no tokens of its own: its members have theirs";
        return Err(Failure::new(Kind::Usage, message).hint("name a member of it"));
    }
    let (vault, keys) = worker.open()?;
    let entry = vault.read(keys, name).map_err(|error| Failure::from(&error))?;
    let profile = Arc::new(profile);
    let token = entry.as_ref().map(|entry| token_of(&profile, entry, key)).transpose()?.flatten();
    let warrant = entry.as_ref().and_then(|entry| doomed::warrant(&profile, entry));
    match token {
        Some(token) => Ok((token, warrant)),
        None => {
            Err(Failure::new(Kind::Usage, "no such token is held, so there is nothing to look at")
                .hint(format!("run `tokctl get {name}` first")))
        }
    }
}

fn token_of(profile: &Profile, entry: &Entry, key: &TokenKey) -> Result<Option<Secret>, Failure> {
    if profile.grant == Grant::ApiKey {
        pin::check_handed_out(&profile.name, entry)?;
        return Ok(entry.secrets.get("key").cloned());
    }
    let revision = live::revision(profile);
    let token = entry.tokens.get(key).filter(|token| token.revision == revision);
    Ok(token.map(|token| token.access_token.clone()))
}

/// Asks the provider, where it can be asked.
async fn ask(
    means: &Means,
    warrant: &Warrant,
    token: &Secret,
) -> Result<Option<Introspected>, Trouble> {
    let Some(place) = place(means, warrant, |endpoints| endpoints.introspection.as_ref()).await?
    else {
        return Ok(None);
    };
    let Place { url, endpoint, .. } = &place;
    let make = |held: Held<'_>| introspection::request(&warrant.asker(endpoint, held), url, token);
    let reply = warrant.speaker(means, &place).send(url, Wants::SomethingElse, make).await?;
    let (now, sent) = (clock::now().wall, warrant.sent(&place, token));
    let asker = warrant.asker(endpoint, warrant.held(now));
    introspection::read(now, &asker, url, &reply, &sent).map(Some)
}

#[cfg(test)]
mod tests;
