//! `tokctl probe`: what an API says to a profile's token, and what that means. The agent calls; the token does not come
//! here.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use serde::Serialize;
use tokctl_client::proto::request::Probe;
use tokctl_client::proto::response::{Answered, Done};
use tokctl_client::{Error, ProfileName, Request, Secret};

use crate::exit::Stop;
use crate::output::safe;
use crate::session::Session;

/// What fits into a request to the agent, with room for the rest of it.
const DATA_BYTES_MAX: u64 = 32 * 1024;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Two requests are sent, so think before you probe with a method that changes something. No redirect is followed, and \
the token goes nowhere but where the profile's `api_urls` allow it. Nothing is recorded: `tokctl report` does that.

The exit status is 0 whatever the API said; with --json it can be told apart.

Examples:
  tokctl probe acme https://api.acme.example/v1/orders
  tokctl probe acme https://api.acme.example/v1/orders -X POST --data-file order.json
  tokctl probe acme https://api.acme.example/v1/orders --scope write --json")]
pub(crate) struct ProbeArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// The endpoint to call
    #[arg(value_name = "URL")]
    url: String,
    /// The method [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD")]
    method: Option<String>,
    /// Send this file as the body
    #[arg(long, value_name = "FILE")]
    data_file: Option<PathBuf>,
    /// The type of the body [default: application/json]
    #[arg(long, value_name = "TYPE", requires = "data_file")]
    content_type: Option<String>,
    /// Ask for these scopes in place of the profile's; repeat it or separate them by spaces
    #[arg(long)]
    scope: Vec<String>,
    /// Ask for this audience in place of the profile's
    #[arg(long)]
    audience: Vec<String>,
    /// Ask for this resource in place of the profile's (RFC 8707)
    #[arg(long)]
    resource: Vec<String>,
}

#[derive(Serialize)]
struct Seen<'a> {
    profile: &'a str,
    verdict: &'a str,
    hint: Option<&'a str>,
    with: Answer<'a>,
    without: Answer<'a>,
    asked: Vec<&'a str>,
    granted: Vec<&'a str>,
    audience: &'a [String],
}

#[derive(Serialize)]
struct Answer<'a> {
    status: Option<u16>,
    problem: Option<&'a str>,
    www_authenticate: Option<&'a str>,
    retry_after: Option<u32>,
    body: &'a str,
}

pub(crate) fn run(args: &ProbeArgs, session: &Session) -> Result<(), Stop> {
    let ProbeArgs { profile, url, method, content_type, scope, audience, resource, .. } = args;
    let body = args.data_file.as_ref().map(read).transpose()?;
    let list = |values: &'_ [String]| values.iter().map(|value| value.clone().into()).collect();
    let scope = scope.iter().flat_map(|typed| typed.split_whitespace()).map(Into::into).collect();
    let request = Request::Probe(Probe {
        profile: profile.as_str().into(),
        url: url.as_str().into(),
        method: method.as_deref().map(Into::into),
        body: body.as_ref().map(Into::into),
        content_type: content_type.as_deref().map(Into::into),
        scope,
        audience: list(audience),
        resource: list(resource),
        interactive: session.can_ask(),
    });
    let mut client = session.client()?;
    let done = client.request(&request, &mut session.conversation())?;
    let Done::Probed(probed) = done else { return Err(Error::Unexpected.into()) };
    let seen = Seen {
        profile: profile.as_str(),
        verdict: &probed.verdict,
        hint: probed.hint.as_deref(),
        with: Answer::from(&probed.with),
        without: Answer::from(&probed.without),
        asked: probed.asked.split_whitespace().collect(),
        granted: probed.granted.split_whitespace().collect(),
        audience: &probed.audience,
    };
    match session.output.json {
        true => session.output.json(&seen),
        false => {
            session.output.line(&lines(&seen).join("\n"))?;
            seen.hint.into_iter().for_each(|hint| session.output.hint(hint));
            Ok(())
        }
    }
}

fn read(path: &PathBuf) -> Result<Secret, Stop> {
    let failed =
        |error: std::io::Error| Stop::machine(format!("cannot read {}: {error}", path.display()));
    // As large as it can be, so that it never grows.
    let mut text = String::with_capacity(DATA_BYTES_MAX as usize + 1);
    let mut file = File::open(path).map_err(failed)?.take(DATA_BYTES_MAX + 1);
    file.read_to_string(&mut text).map_err(failed)?;
    match text.len() as u64 > DATA_BYTES_MAX {
        true => Err(Stop::usage(format!(
            "{} is larger than {} KiB",
            path.display(),
            DATA_BYTES_MAX / 1024
        ))),
        false => Ok(Secret::new(text)),
    }
}

impl<'a> From<&'a Answered<'_>> for Answer<'a> {
    fn from(answered: &'a Answered<'_>) -> Self {
        Self {
            status: answered.status,
            problem: answered.problem.as_deref(),
            www_authenticate: answered.www_authenticate.as_deref(),
            retry_after: answered.retry_after_s,
            body: &answered.body,
        }
    }
}

fn lines(seen: &Seen<'_>) -> Vec<String> {
    let words = |words: &[&str]| match words {
        [] => "-".to_owned(),
        words => safe(&words.join(" ")).into_owned(),
    };
    let mut lines = vec![format!("{}: {}", safe(seen.profile), safe(seen.verdict))];
    lines.extend(seen.with.lines("with the token"));
    lines.extend(seen.without.lines("without it"));
    lines.push(format!("scope: asked {}, granted {}", words(&seen.asked), words(&seen.granted)));
    if !seen.audience.is_empty() {
        lines.push(format!("audience: {}", safe(&seen.audience.join(" "))));
    }
    lines
}

impl Answer<'_> {
    fn lines(&self, which: &str) -> Vec<String> {
        let first = match (self.status, self.problem) {
            (Some(status), _) => format!("{which}: HTTP {status}"),
            (None, problem) => format!("{which}: {}", safe(problem.unwrap_or("no answer"))),
        };
        let retry_after = self.retry_after.map(|seconds| format!("  Retry-After: {seconds}"));
        let challenge =
            self.www_authenticate.map(|text| format!("  WWW-Authenticate: {}", safe(text)));
        let body = Some(self.body).filter(|body| !body.is_empty());
        let body = body.map(|body| format!("  {}", safe(body)));
        [Some(first), challenge, retry_after, body].into_iter().flatten().collect()
    }
}
