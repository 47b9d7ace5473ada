//! Questions about what is on the disk. They run on the vault thread and answer the client from
//! there.

use std::collections::{BTreeMap, BTreeSet};

use tokctl_core::{ProfileStatus, no_such_profile};
use tokctl_proto::frame::BODY_BYTES_MAX;
use tokctl_proto::response::{Config, Done, Item, Preset, Profile, ProfileRow, Question, Setting};
use tokctl_proto::{Failure, Kind, ProfileName};

use super::change::secrets;
use super::live::Live;
use super::reply::ReplyTo;
use super::rows;
use super::worker::{Jobs, Worker};
use crate::config::{self, Provider, Snapshot, preset};
use crate::vault::Entry;

/// A text that goes into a frame, with its path beside it and as JSON too, unless it is made of
/// quotes.
const CONFIG_BYTES_MAX: usize = BODY_BYTES_MAX - 8 * 1024;

/// Every profile, and every entry that has none.
pub(super) fn list(jobs: &Jobs, live: &Live, reply: ReplyTo) {
    let live = live.clone();
    jobs.run(entries, move |stored| {
        let stored = match stored {
            Ok(stored) => stored,
            Err(failure) => return reply.failed(&failure),
        };
        let profiles = &live.config.profiles;
        let orphans = stored.iter().filter(|name| !profiles.contains_key(*name));
        let mut names: Vec<&ProfileName> = profiles.keys().chain(orphans).collect();
        names.sort();
        for name in names {
            let profile = profiles.get(name);
            reply.item(Item::Profile(ProfileRow {
                profile: name.as_str().into(),
                grant: profile.map_or("", |profile| profile.grant.name()).into(),
                provider: profile.map_or("", provider).into(),
                stored: stored.contains(name),
            }));
        }
        reply.said("");
    });
}

fn entries(worker: &mut Worker) -> Result<Vec<ProfileName>, Failure> {
    worker.vault.entries().map_err(|error| Failure::from(&error))
}

/// The rows of a listing of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    Status,
    Status2,
}

/// What every profile's plain token is doing, and every entry that has no profile; `said` at the end.
pub(super) fn status(
    jobs: &Jobs,
    statuses: Vec<ProfileStatus>,
    said: &'static str,
    as_rows: Rows,
    reply: ReplyTo,
) {
    jobs.run(entries, move |stored| {
        let stored = stored.unwrap_or_else(|failure| {
            reply.progress(&failure.message, true);
            Vec::new()
        });
        let mut rows: BTreeMap<&ProfileName, Option<&ProfileStatus>> =
            stored.iter().map(|name| (name, None)).collect();
        rows.extend(statuses.iter().map(|status| (&status.profile, Some(status))));
        for (name, status) in rows {
            reply.item(match (as_rows, status) {
                (Rows::Status, status) => Item::Status(rows::status(name, status)),
                (Rows::Status2, Some(status)) => Item::Status2(rows::status2(status)),
                (Rows::Status2, None) => Item::Status2(rows::orphan2(name)),
            });
        }
        reply.said(said);
    });
}

/// How a token is used, and where.
pub(super) fn usage(
    live: &Live,
    profile: Option<&ProfileName>,
    url: Option<&str>,
    among: Option<&BTreeSet<ProfileName>>,
    reply: ReplyTo,
) {
    match config::usage(&live.config, profile, url, among) {
        Ok(usage) => reply.done(Done::Usage(rows::usage(&usage))),
        Err(failure) => reply.failed(&failure),
    }
}

fn provider(profile: &config::Profile) -> &str {
    match profile.grant.client().map(|client| &client.provider) {
        Some(Provider::Issuer { text, .. }) => text,
        Some(Provider::TokenEndpoint(url)) => url.as_str(),
        None => "",
    }
}

/// A profile's settings as the file has them, and what is stored for it as far as that can be seen. The
/// warning says where those are not the ones in use.
pub(super) fn show(jobs: &Jobs, name: ProfileName, warning: Option<String>, reply: ReplyTo) {
    let of = name.clone();
    jobs.run(
        move |worker| shown(worker, &of),
        move |shown| match shown {
            Ok((toml, stored)) => {
                if let Some(warning) = &warning {
                    reply.progress(warning, true);
                }
                let (secrets, origins) = stored.unzip();
                reply.done(Done::Profile(Profile {
                    profile: name.as_str().into(),
                    toml: toml.into(),
                    secrets,
                    origins,
                }));
            }
            Err(failure) => reply.failed(&failure),
        },
    );
}

/// The settings of a profile that are in effect, and where each is from.
pub(super) fn resolved(jobs: &Jobs, name: ProfileName, warning: Option<String>, reply: ReplyTo) {
    let of = name.clone();
    jobs.run(
        move |worker| {
            let snapshot = worker.config.read()?;
            let found = config::resolved(&snapshot.text, &of)?;
            found.ok_or_else(|| match worker.read_config() {
                Ok(live) => {
                    no_such_profile(&of, live.config.profiles.keys().map(ProfileName::as_str))
                }
                Err(failure) => failure,
            })
        },
        move |found| match found {
            Ok(found) => {
                if let Some(warning) = &warning {
                    reply.progress(warning, true);
                }
                for one in found {
                    reply.item(Item::Setting(Setting {
                        key: one.key.into(),
                        value: one.value.into(),
                        layer: one.layer.name().into(),
                    }));
                }
                reply.said("");
            }
            Err(failure) => reply.failed(&failure),
        },
    );
}

/// What is known of providers: of one, or of all.
pub(super) fn presets(name: Option<&str>, reply: ReplyTo) {
    let found = match name.map(preset::named).transpose() {
        Ok(one) => one,
        Err(failure) => return reply.failed(&failure),
    };
    for preset in preset::all().filter(|preset| found.is_none_or(|one| one.name == preset.name)) {
        let question = |question: &preset::Question| Question {
            key: question.key.clone(),
            prompt: question.prompt.clone(),
            optional: question.optional,
        };
        reply.item(Item::Preset(Preset {
            name: preset.name.into(),
            title: preset.title.as_str().into(),
            grant: preset.grant().into(),
            verified: preset.verified,
            setup_url: preset.setup_url.as_str().into(),
            setup: preset.setup_as_told(),
            ask: preset.ask.iter().map(question).collect(),
            secrets: preset.secrets(),
        }));
    }
    reply.said("");
}

type Stored = (Vec<String>, Vec<String>);

fn shown(worker: &mut Worker, name: &ProfileName) -> Result<(String, Option<Stored>), Failure> {
    let snapshot = worker.config.read()?;
    let toml = config::profile_toml(&snapshot.text, name);
    let stored = match worker.open() {
        Ok((vault, keys)) => match vault.read(keys, name) {
            Ok(entry) => Some(entry.map(named).unwrap_or_default()),
            Err(error) => return Err(Failure::from(&error).of(name)),
        },
        Err(_) => None,
    };
    let Some(toml) = toml else {
        // Not "it is not in config.toml" of a file that cannot be read.
        let live = worker.read_config()?;
        return match entries(worker)?.contains(name) {
            true => Ok((String::new(), stored)),
            false => {
                Err(no_such_profile(name, live.config.profiles.keys().map(ProfileName::as_str)))
            }
        };
    };
    Ok((toml, stored))
}

/// The names of what an entry holds, and where that may be sent.
fn named(entry: Entry) -> Stored {
    (secrets::names(&entry), entry.origins.into_iter().collect())
}

/// The text of config.toml.
pub(super) fn config_read(jobs: &Jobs, reply: ReplyTo) {
    jobs.run(config_text, move |read| match read {
        Ok((snapshot, path)) => reply.done(Done::Config(Config {
            text: snapshot.text.into(),
            fingerprint: snapshot.fingerprint.to_string().into(),
            path: path.into(),
        })),
        Err(failure) => reply.failed(&failure),
    });
}

fn config_text(worker: &mut Worker) -> Result<(Snapshot, String), Failure> {
    let snapshot = worker.config.read()?;
    let path = worker.config.path().to_string_lossy().into_owned();
    if snapshot.text.len() > CONFIG_BYTES_MAX {
        let message = format!("{path} is too large to be sent to an editor");
        return Err(Failure::new(Kind::Usage, message)
            .hint("open it in an editor yourself; the agent notices when it changes"));
    }
    Ok((snapshot, path))
}
