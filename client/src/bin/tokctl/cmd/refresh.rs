//! `tokctl refresh`: renews tokens now, whatever their age.
//!
//! `--all` keeps a few requests under way at a time: one provider that hangs does not hold up the others,
//! and the agent limits what goes to one of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tokctl_client::proto::error::WireFailure;
use tokctl_client::proto::request::Status2;
use tokctl_client::proto::response::{Item, Progress};
use tokctl_client::proto::time::parse_duration;
use tokctl_client::{Client, Connect, Error, Handler, ProfileName, RefreshOptions, Request};

use crate::exit::{Stop, worst};
use crate::session::Session;

/// Connections of `--all`: as many as the agent has under way to one origin.
const CONNECTIONS_MAX: usize = 4;

#[derive(clap::Args, Debug)]
#[command(
    after_help = "What was done is said on stderr; --all with --json prints one array on stdout.\n\n\
    Examples:\n  tokctl refresh acme\n  tokctl refresh --all --json"
)]
pub(crate) struct RefreshArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse, required_unless_present = "all")]
    profile: Option<ProfileName>,
    /// Renew the token of every profile that has a provider; the exit status is the worst of all
    #[arg(long, conflicts_with_all = ["profile", "scope", "audience", "resource"])]
    all: bool,
    /// Renew the token for these scopes; repeat it or separate them by spaces
    #[arg(long)]
    scope: Vec<String>,
    /// Renew the token for this audience
    #[arg(long)]
    audience: Vec<String>,
    /// Renew the token for this resource (RFC 8707)
    #[arg(long)]
    resource: Vec<String>,
    /// Wait no longer than this for each [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

pub(crate) fn run(args: RefreshArgs, session: &Session) -> Result<(), Stop> {
    let scope = args.scope.iter().flat_map(|typed| typed.split_whitespace());
    let options = RefreshOptions {
        scope: scope.map(str::to_owned).collect(),
        audience: args.audience,
        resource: args.resource,
        timeout: args.timeout,
    };
    let Some(profile) = args.profile else { return all(&options, session) };
    let said = session.client()?.refresh(&profile, &options, &mut session.conversation())?;
    session.output.talk(&said);
    Ok(())
}

/// What came of one profile.
#[derive(Serialize)]
struct Outcome {
    profile: String,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<WireFailure<'static>>,
    #[serde(skip)]
    warnings: Vec<String>,
}

fn all(options: &RefreshOptions, session: &Session) -> Result<(), Stop> {
    let profiles = with_provider(session)?;
    let connect = session.connect()?;
    let next = AtomicUsize::new(0);
    let (tell, told) = channel();
    let mut outcomes = Vec::with_capacity(profiles.len());
    thread::scope(|scope| {
        for _ in 0..profiles.len().min(CONNECTIONS_MAX) {
            let (tell, connect) = (tell.clone(), connect.clone());
            let (profiles, next) = (&profiles, &next);
            scope.spawn(move || work(&connect, profiles, next, options, &tell));
        }
        drop(tell);
        for outcome in told {
            say(&outcome, session);
            outcomes.push(outcome);
        }
    });
    outcomes.sort_by(|one, other| one.profile.cmp(&other.profile));
    let exit = |outcome: &Outcome| outcome.error.as_ref().map_or(0, |failure| failure.exit);
    let status = worst(outcomes.iter().map(exit));
    if session.output.json {
        session.output.json(&outcomes)?;
    } else if outcomes.is_empty() {
        session.output.talk("there is no profile with a provider");
    } else if status != 0 {
        session.output.hint("`tokctl why NAME` tells what was tried");
    }
    match status {
        0 => Ok(()),
        status => Err(Stop::Status(status)),
    }
}

/// The profiles whose tokens come from a provider: no stored keys, no entries without a profile, and no pools,
/// whose members are profiles themselves.
fn with_provider(session: &Session) -> Result<Vec<ProfileName>, Stop> {
    let mut profiles = Vec::new();
    session.collect(&mut session.client()?, &Request::Status2(Status2 {}), &mut |item| {
        if let Item::Status2(row) = item
            && !matches!(&*row.state, "stored" | "orphan")
            && row.members.is_empty()
        {
            profiles.extend(ProfileName::parse(&row.profile).ok());
        }
    })?;
    Ok(profiles)
}

/// Renews one profile after the other until none is left.
fn work(
    connect: &Connect,
    profiles: &[ProfileName],
    next: &AtomicUsize,
    options: &RefreshOptions,
    tell: &Sender<Outcome>,
) {
    let mut client = None;
    while let Some(profile) = profiles.get(next.fetch_add(1, Ordering::Relaxed)) {
        let mut warnings = Warnings(Vec::new());
        let renewed = kept(&mut client, connect)
            .and_then(|client| client.refresh(profile, options, &mut warnings));
        let name = profile.to_string();
        let (message, error) = match renewed {
            Ok(message) => (Some(message), None),
            Err(error) => {
                let failure = error.failure();
                let profile = failure.profile.clone().or(Some(name.clone().into()));
                (None, Some(WireFailure { profile, ..failure }))
            }
        };
        let ok = error.is_none();
        let outcome = Outcome { profile: name, ok, message, error, warnings: warnings.0 };
        if tell.send(outcome).is_err() {
            return;
        }
    }
}

fn kept<'a>(client: &'a mut Option<Client>, connect: &Connect) -> Result<&'a mut Client, Error> {
    match client {
        Some(client) => Ok(client),
        None => Ok(client.insert(connect.clone().open()?)),
    }
}

fn say(outcome: &Outcome, session: &Session) {
    for warning in &outcome.warnings {
        session.output.warn(warning);
    }
    if session.output.json {
        return;
    }
    if let Some(message) = &outcome.message {
        session.output.talk(message);
    }
    if let Some(failure) = &outcome.error {
        session.output.error(failure);
    }
}

/// Keeps what must be acted on; there is nobody to ask from several threads.
struct Warnings(Vec<String>);

impl Handler for Warnings {
    fn progress(&mut self, progress: &Progress<'_>) {
        if progress.warning {
            self.0.push(progress.text.to_string());
        }
    }
}
