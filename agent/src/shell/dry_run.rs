//! Telling which requests would be sent, without sending one or storing anything.
//!
//! No secret is read, so that the vault may be sealed or not be there at all.

use tokctl_proto::response::{HttpRequest, Item};
use tokctl_proto::{Failure, Kind, ProfileName, TokenKey};

use super::change::{self, Assignment, issuer};
use super::reply::ReplyTo;
use super::worker::{Jobs, Worker};
use crate::clock;
use crate::config::{self, Profile};
use crate::oauth::dry_run::{DryRun, Until, dry_run, wants_key};
use crate::oauth::jose::PrivateKey;

/// Of the next token of a profile.
pub(super) fn of_next(jobs: &Jobs, key: TokenKey, reply: ReplyTo) {
    let made = move |worker: &mut Worker| {
        let profile = change::profile(worker, &key.profile)?;
        made(&profile, &key, Until::NextToken)
    };
    jobs.run(made, move |made| tell(made, reply));
}

/// Of the first token of a profile that would be added.
pub(super) fn of_new(
    jobs: &Jobs,
    name: ProfileName,
    mut settings: Vec<Assignment>,
    replace: bool,
    reply: ReplyTo,
) {
    issuer::as_url(&mut settings);
    let made = move |worker: &mut Worker| {
        let text = worker.config.read()?.text;
        let text = config::add_profile(&text, &name, &settings, replace)
            .map_err(|error| Failure::from(error).of(&name))?;
        let profiles = config::parse(&text)?.profiles;
        let profile = profiles
            .get(&name)
            .ok_or_else(|| Failure::new(Kind::Internal, "the profile is not there").of(&name))?;
        made(profile, &TokenKey::plain(name), Until::FirstToken)
    };
    jobs.run(made, move |made| tell(made, reply));
}

fn made(profile: &Profile, key: &TokenKey, until: Until) -> Result<DryRun, Failure> {
    let private_key = wants_key(profile).and_then(PrivateKey::generate);
    dry_run(clock::now().wall, profile, key, until, private_key)
        .map_err(|failure| failure.of(&profile.name))
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
