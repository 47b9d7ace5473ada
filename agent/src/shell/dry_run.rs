//! Telling which requests would be sent, without sending one or storing anything.
//!
//! No stored secret is read, so that the vault may be sealed or not be there at all. What is signed takes a key of the
//! moment, which is made beside the vault thread: others wait for that.

use tokctl_proto::response::{HttpRequest, Imported, Item};
use tokctl_proto::{Failure, TokenKey};

use super::change::{self, NewProfile, Preview, issuer};
use super::obtain::Means;
use super::reply::ReplyTo;
use super::worker::{Jobs, bug};
use crate::clock;
use crate::config::Profile;
use crate::oauth::dry_run::{DryRun, Until, dry_run, wants_key};
use crate::oauth::jose::PrivateKey;

/// Of the next token of a profile.
pub(super) async fn of_next(jobs: Jobs, key: TokenKey, reply: ReplyTo) {
    let name = key.profile.clone();
    let made = match jobs.ask(move |worker| change::profile(worker, &name)).await {
        Ok(profile) => made(profile, key, Until::NextToken).await,
        Err(failure) => Err(failure),
    };
    tell(made, reply);
}

/// Of the first token of a profile that would be added, after what would be written.
pub(super) async fn of_new(means: Means, mut new: NewProfile, reply: ReplyTo) {
    issuer::as_url(&mut new.settings);
    let name = new.name.clone();
    if let Err(failure) = change::check_certificate(&means.http, &new.secrets).await {
        return reply.failed(&failure.of(&name));
    }
    let generates = new.generate_key;
    let preview = means.jobs.ask(move |worker| change::preview(worker, new)).await;
    let Preview { profile, toml, secrets } = match preview {
        Ok(preview) => preview,
        Err(failure) => return reply.failed(&failure.of(&name)),
    };
    let mut made = made(profile, TokenKey::plain(name.clone()), Until::FirstToken).await;
    if let (Some(algorithm), Ok(made)) = (generates, &mut made) {
        let algorithm = algorithm.name();
        made.notes.push(format!(
            "a private key for {algorithm} would be made, `kid` would name it, and its public half \
             would be printed"
        ));
    }
    if made.is_ok() {
        reply.item(Item::Imported(Imported {
            profile: name.as_str().into(),
            toml: toml.into(),
            secrets,
            notes: Vec::new(),
            error: None,
        }));
    }
    tell(made, reply);
}

async fn made(profile: Profile, key: TokenKey, until: Until) -> Result<DryRun, Failure> {
    let making = tokio::task::spawn_blocking(move || {
        let private_key = wants_key(&profile).and_then(PrivateKey::generate);
        dry_run(clock::now().wall, &profile, &key, until, private_key)
            .map_err(|failure| failure.of(&profile.name))
    });
    making.await.unwrap_or_else(|_| Err(bug()))
}

fn tell(made: Result<DryRun, Failure>, reply: ReplyTo) {
    match made {
        Ok(made) => {
            for text in made.requests {
                reply.item(Item::HttpRequest(HttpRequest { text: text.into() }));
            }
            let notes: Vec<_> = made.notes.iter().map(String::as_str).collect();
            reply.said(&notes.join("\n"));
        }
        Err(failure) => reply.failed(&failure),
    }
}
