//! `tokctl get`: prints an access token that is good now.

use std::mem::ManuallyDrop;
use std::time::Duration;

use tokctl_client::proto::request::DryRun;
use tokctl_client::proto::time::Spoken;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{DpopFor, GetOptions, ProfileName, Request, Secret, Token};

use crate::args::GetArgs;
use crate::cmd::dry_run;
use crate::cmd::export::mask;
use crate::exit::Stop;
use crate::session::Session;
use crate::variable::secret_parts;

mod fields;

use fields::{Format, Json};

pub(crate) fn run(args: GetArgs, session: &Session) -> Result<(), Stop> {
    if args.dry_run {
        return dry(&args, session);
    }
    let format = args.format.as_deref().map(Format::parse).transpose()?;
    let options = GetOptions {
        scope: args
            .scope
            .iter()
            .flat_map(|typed| typed.split_whitespace())
            .map(str::to_owned)
            .collect(),
        audience: args.audience,
        resource: args.resource,
        min_valid: args.min_valid,
        best_effort: args.best_effort,
        refresh: args.refresh,
        timeout: args.timeout,
        uses: args.uses,
        wait: args.wait,
        name_member: session.output.json || format.is_some(),
        dpop: args.method.zip(args.url).map(|(method, url)| DpopFor {
            method,
            url,
            nonce: args.nonce,
        }),
    };
    // Not dropped: the process is about to end, and the system closes and unmaps all at once.
    let mut client = ManuallyDrop::new(session.client()?);
    let token = client.get_with(&args.profile, &options, &mut session.conversation())?;
    if let Some(warning) = &token.warning {
        session.output.warn(&format!("{}: {warning}", token.profile));
    }
    if session.output.verbose {
        session.output.talk(&format!("{}: {}", token.profile, described(&token)));
    }
    if args.dpop && token.dpop.is_none() {
        return Err(not_bound(&args.profile));
    }
    if args.header && token.header().expose().is_empty() {
        return Err(no_header(&args.profile));
    }
    if !args.no_mask {
        mask::send(|| masked(&token, args.header));
    }
    if let Some(format) = &format {
        session.output.secret(&format.fill(&token)?)
    } else if session.output.json {
        session.output.json(&Json(&token))
    } else if let Some(proof) = &token.dpop {
        session.output.secret(&token.header())?;
        session.output.secret(&header(proof))
    } else if args.header {
        session.output.secret(&token.header())
    } else {
        session.output.secret(&token.access_token)
    }
}

/// What a log must not show of what is printed: the token and its parts, and what stands for it in a header, such as its
/// base64.
fn masked(token: &Token, in_header: bool) -> Vec<Secret> {
    let mut secrets = secret_parts(token);
    if in_header {
        let line = token.header();
        let last = line.expose().rsplit(' ').next().unwrap_or_default();
        if !token.access_token.expose().contains(last) {
            secrets.push(Secret::new(last.to_owned()));
        }
    }
    secrets
}

/// The header line of a proof (RFC 9449 section 4.1).
fn header(proof: &Secret) -> Secret {
    let name = "DPoP: ";
    // Room for everything at once: a string that grows leaves copies behind.
    let mut line = String::with_capacity(name.len() + proof.expose().len());
    line.push_str(name);
    line.push_str(proof.expose());
    Secret::new(line)
}

fn not_bound(profile: &ProfileName) -> Stop {
    let message = "the token is not bound to a key, so there is nothing to prove";
    let failure = Failure::new(Kind::Usage, message).of(profile);
    Stop::from(failure.hint(format!("run `tokctl get {profile}`, without `--dpop`")))
}

fn no_header(profile: &ProfileName) -> Stop {
    let message = "the token goes into the query of a URL, not into a header";
    let failure = Failure::new(Kind::Usage, message).of(profile);
    Stop::from(
        failure.hint(format!("run `tokctl get {profile}`; `tokctl show {profile}` has `query`")),
    )
}

fn dry(args: &GetArgs, session: &Session) -> Result<(), Stop> {
    let texts = |values: &[String]| values.iter().map(|value| value.clone().into()).collect();
    let request = Request::DryRun(DryRun {
        profile: args.profile.as_str().into(),
        scope: texts(&args.scope),
        audience: texts(&args.audience),
        resource: texts(&args.resource),
        interactive: session.can_ask(),
    });
    dry_run::show(&mut session.client()?, &request, session)
}

/// The token without the token.
fn described(token: &Token) -> String {
    let left = token.expires_in.and_then(|seconds| u64::try_from(seconds).ok());
    let valid = match left.map(Duration::from_secs) {
        Some(left) => format!("valid {}", Spoken(left)),
        None => "no known end".to_owned(),
    };
    let mut text = format!("{} token, {valid}", token.token_type);
    if !token.scope.is_empty() {
        text.push_str(&format!(", scope {}", token.scope));
    }
    if let Some(member) = &token.member {
        text.push_str(&format!(", of {member}"));
    }
    text
}
