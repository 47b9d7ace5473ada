//! `tokctl curl`: runs the system's curl with a token.
//!
//! The token is never in an argument, in the environment or on stdin: curl reads it from a file of memory that it
//! inherits. Every URL is checked against the profile's `api_urls` before a token is asked for.
//!
//! A request that can be made again is: once with another token after a 401, and after a pause or with another member of
//! a pool after a 429. That takes one URL, a body that can be read twice, and an answer that was held back. All else
//! is curl itself, in place of this process.
//!
//! `~/.curlrc` is not read: what stands there could send the token elsewhere.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokctl_client::proto::time::parse_duration;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{Client, DpopFor, GetOptions, ProfileName, Report, Secret, Token};

use crate::exit::Stop;
use crate::identity;
use crate::session::Session;

mod config;
mod head;
mod line;
mod mask;
mod options;
mod run;

use config::{Carried, Memory, percent_encoded};
use head::Head;
use line::Line;
use mask::Mask;

/// What a failure of our own exits with: the others are curl's.
const OURS: u8 = 125;
/// An API that says so often to slow down is taken at its word.
const PAUSES_MAX: u32 = 5;
const WAIT: Duration = Duration::from_secs(60);

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The words behind PROFILE are curl's, all of them. Every URL among them must be where the profile's `api_urls` allow \
it. `~/.curlrc` is not read, and options that would show the token or send it elsewhere are refused: -K, -u, --trace, \
--location-trusted and others. So is a header of the token's name. -L needs a token in `Authorization`, which curl \
itself takes along to no other scheme, host or port.

After a 401 the token is renewed, once; after a 429 there is a pause, or another member of the pool takes over. Not \
so with several URLs, with -D, -J or -C, where a body comes from stdin or a pipe, and where more than 1 MiB has come.

The exit status is curl's; 125 when tokctl itself failed, 127 when there is no curl.

Examples:
  tokctl curl acme https://api.acme.example/v1/orders
  tokctl curl acme -sS -X POST --json '{\"a\": 1}' https://api.acme.example/v1/orders
  tokctl curl --scope write acme -- -T report.pdf https://api.acme.example/v1/files/")]
pub(crate) struct CurlArgs {
    /// Ask for these scopes in place of the profile's; repeat it or separate them by spaces
    #[arg(long)]
    scope: Vec<String>,
    /// Ask for this audience in place of the profile's
    #[arg(long)]
    audience: Vec<String>,
    /// Ask for this resource in place of the profile's (RFC 8707)
    #[arg(long)]
    resource: Vec<String>,
    /// Wait this long for the end of a cool-down, or for a free member of a pool [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    wait: Option<Duration>,
    /// Name of the profile, and the arguments of curl
    #[arg(
        value_names = ["PROFILE", "CURL-ARGUMENT"],
        num_args = 1..,
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
    )]
    words: Vec<OsString>,
}

pub(crate) fn run(args: &CurlArgs, session: &Session) -> Result<(), Stop> {
    call(args, session).map_err(|stop| match stop {
        Stop::Failed(mut failure) => {
            if !run::NOT_RUN.contains(&failure.exit) {
                failure.exit = OURS;
            }
            Stop::Failed(failure)
        }
        other => other,
    })
}

fn call(args: &CurlArgs, session: &Session) -> Result<(), Stop> {
    let (profile, words) = split(&args.words)?;
    let line = Line::parse(words)?;
    if line.has("location") || line.has("follow") {
        check_redirects()?;
    }
    let mut client = session.client()?;
    for url in line.urls() {
        client.usage(Some(&profile), Some(url))?;
    }
    let texts = |values: &[String]| -> Vec<String> {
        values.iter().flat_map(|typed| typed.split_whitespace()).map(str::to_owned).collect()
    };
    let options = GetOptions {
        scope: texts(&args.scope),
        audience: args.audience.clone(),
        resource: args.resource.clone(),
        wait: Some(args.wait.unwrap_or(WAIT)),
        name_member: true,
        dpop: line.single().map(|(url, method)| DpopFor {
            method,
            url: url.to_owned(),
            nonce: None,
        }),
        ..GetOptions::default()
    };
    Call { line, profile, options, session }.all(&mut client)
}

/// The profile, and what is curl's: all behind it, but for a `--` that only parts the two.
fn split(words: &[OsString]) -> Result<(ProfileName, &[OsString]), Stop> {
    let (profile, rest) = words.split_first().ok_or_else(|| Stop::usage("no profile is named"))?;
    let profile = ProfileName::parse(&profile.to_string_lossy())
        .map_err(|error| Stop::usage(error.to_string()))?;
    match rest.split_first() {
        Some((first, rest)) if first == "--" => Ok((profile, rest)),
        _ => Ok((profile, rest)),
    }
}

/// Since 7.83.0 curl takes an `Authorization` of its own options along to no other scheme or port (CVE-2022-27774).
fn check_redirects() -> Result<(), Stop> {
    let told = identity::program("curl")
        .arg("--version")
        .output()
        .map_err(|error| run::not_run(&error))?;
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let version = text.split_whitespace().nth(1).unwrap_or_default();
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) >= (Some(7), Some(83)) {
        true => Ok(()),
        false => {
            Err(Failure::new(Kind::Usage, "this curl could take the token along to another origin")
                .hint("leave out `--location`, or use curl 7.83 or newer")
                .into())
        }
    }
}

/// One call, however many requests it takes.
struct Call<'a> {
    line: Line,
    profile: ProfileName,
    options: GetOptions,
    session: &'a Session,
}

/// What has been tried.
#[derive(Debug, Default)]
struct Tried {
    renewal: bool,
    nonce: bool,
    pauses: u32,
}

impl Call<'_> {
    fn all(mut self, client: &mut Client) -> Result<(), Stop> {
        let mut token = self.get(client)?;
        let mut tried = Tried::default();
        loop {
            let carried = self.carried(client, &token)?;
            let ran = self.once(&token, &carried)?;
            let Some((head, held)) = ran.held else { return ended(ran.status) };
            match self.next(client, &head, &token, &mut tried) {
                Ok(Some(next)) => token = next,
                outcome => {
                    if let Err(Stop::Failed(failure)) = outcome {
                        let hint = failure.hint.as_deref().map(|hint| format!("; {hint}"));
                        let hint = hint.unwrap_or_default();
                        self.session
                            .output
                            .warn(&format!("{}: {}{hint}", self.profile, failure.message));
                    }
                    let _closed = run::write(&held);
                    return ended(ran.status);
                }
            }
        }
    }

    fn get(&self, client: &mut Client) -> Result<Token, Stop> {
        let token =
            client.get_with(&self.profile, &self.options, &mut self.session.conversation())?;
        if let Some(warning) = &token.warning {
            self.session.output.warn(&format!("{}: {warning}", token.profile));
        }
        Ok(token)
    }

    /// How this token goes along, which a member of a pool has its own mind of.
    fn carried(&self, client: &mut Client, token: &Token) -> Result<Carried, Stop> {
        let header = token.header();
        if header.is_empty() {
            let owner = match &token.member {
                Some(member) => {
                    ProfileName::parse(member).map_err(|error| Stop::usage(error.to_string()))?
                }
                None => self.profile.clone(),
            };
            let Some(name) = client.usage(Some(&owner), None)?.query else {
                return Err(tokctl_client::Error::Unexpected.into());
            };
            if self.line.parts.iter().any(|part| part.tells_url) || self.line.has("xattr") {
                return Err(Stop::usage(
                    "what is written of a URL would hold the token, which is in its query",
                ));
            }
            return Ok(Carried::Query(name, token.access_token.clone()));
        }
        let mut headers = vec![header];
        if let Some(proof) = &token.dpop {
            headers.push(Secret::new(format!("DPoP: {}", proof.expose())));
        }
        self.check_headers(&headers, token.dpop.is_some())?;
        Ok(Carried::Headers(headers))
    }

    fn check_headers(&self, headers: &[Secret], is_bound: bool) -> Result<(), Stop> {
        let names: Vec<String> = headers
            .iter()
            .filter_map(|header| header.expose().split_once(':'))
            .map(|(name, _)| name.trim().to_ascii_lowercase())
            .collect();
        let own = self.line.parts.iter().flat_map(|part| &part.headers);
        if let Some(name) = own.into_iter().find(|name| names.contains(name)) {
            let message = format!("the header `{name}` is the token's");
            return Err(Failure::new(Kind::Usage, message).hint("leave it out").into());
        }
        let follows = self.line.has("location") || self.line.has("follow");
        if follows && (is_bound || names.first().is_none_or(|name| name != "authorization")) {
            let reason = match is_bound {
                true => "a token that is bound to a key is proved for one URL alone",
                false => "curl would take the token's header along to another origin",
            };
            let message = format!("redirects cannot be followed: {reason}");
            return Err(Failure::new(Kind::Usage, message).hint("leave out `--location`").into());
        }
        Ok(())
    }

    /// Runs curl once, in our place where nothing can come of its answer.
    fn once(&self, token: &Token, carried: &Carried) -> Result<run::Ran, Stop> {
        let memory = |content: &[u8]| {
            Memory::new(content)
                .map_err(|error| Stop::machine(format!("cannot hand the token over: {error}")))
        };
        let prints = !self.line.has("output") && !self.line.has("remote-name");
        let quiet_meter = prints && io::stdout().is_terminal();
        let mut configurations = Vec::new();
        for part in &self.line.parts {
            let text = config::text(part, carried, quiet_meter);
            configurations.push(memory(text.expose().as_bytes())?);
        }
        let heads = self.can_be_repeated().then(|| memory(b"")).transpose()?;
        let mut arguments = vec![OsString::from("--disable")];
        for (index, (part, configuration)) in
            self.line.parts.iter().zip(&configurations).enumerate()
        {
            if index > 0 {
                arguments.push("--next".into());
            }
            arguments.extend(part.words.iter().cloned());
            arguments.extend(["--config".into(), configuration.path().into_os_string()]);
        }
        if let Some(heads) = &heads {
            arguments.extend(["--dump-header".into(), heads.path().into_os_string()]);
        }
        let mask = self.line.has("verbose").then(|| mask(token));
        match (heads, mask) {
            (None, None) => Err(run::not_run(&run::replace(&arguments))),
            (heads, mask) => run::run(&arguments, heads.as_ref(), mask),
        }
    }

    /// Whether a second request could be made, and its answer be the one that is seen.
    fn can_be_repeated(&self) -> bool {
        const SEEN: &[&str] =
            &["dump-header", "remote-header-name", "continue-at", "no-clobber", "skip-existing"];
        self.line.single().is_some()
            && !SEEN.iter().any(|option| self.line.has(option))
            && !self.line.parts.iter().any(|part| part.is_spent)
    }

    /// Tells the agent what the API said, and gives the token for another request where one makes sense.
    fn next(
        &mut self,
        client: &mut Client,
        head: &Head,
        token: &Token,
        tried: &mut Tried,
    ) -> Result<Option<Token>, Stop> {
        let nonce = self.options.dpop.as_mut().filter(|_| token.dpop.is_some() && !tried.nonce);
        if let (401, Some(dpop), Some(nonce)) = (head.status, nonce, &head.dpop_nonce) {
            // The server wants its nonce in the proof (RFC 9449 section 9), and says nothing of the token.
            dpop.nonce = Some(nonce.clone());
            tried.nonce = true;
            return self.get(client).map(Some);
        }
        let is_worth_it = match head.status {
            401 => !std::mem::replace(&mut tried.renewal, true),
            _ => {
                tried.pauses += 1;
                tried.pauses <= PAUSES_MAX
            }
        };
        let mut report = Report::new(head.status).token(token.access_token.clone());
        if let Some(wait) = head.retry_after {
            report = report.retry_after(wait);
        }
        if let Some(Ok(member)) = token.member.as_deref().map(ProfileName::parse) {
            report = report.member(member);
        }
        let said = client.report(&self.profile, &report)?;
        if !is_worth_it {
            return Ok(None);
        }
        if !self.line.has("silent") {
            self.session
                .output
                .talk(&format!("{}: the API said {}: {said}", self.profile, head.status));
        }
        let next = self.get(client)?;
        let is_same = next.access_token.expose() == token.access_token.expose();
        Ok((head.status != 401 || !is_same).then_some(next))
    }
}

/// All that a token could be seen as.
fn mask(token: &Token) -> Mask {
    let text = token.access_token.expose();
    let mut forms = vec![
        token.access_token.clone(),
        Secret::new(STANDARD.encode(text)),
        Secret::new(percent_encoded(text).to_string()),
    ];
    forms.extend(token.dpop.clone());
    Mask::new(forms)
}

fn ended(status: u8) -> Result<(), Stop> {
    match status {
        0 => Ok(()),
        status => Err(Stop::Status(status)),
    }
}
