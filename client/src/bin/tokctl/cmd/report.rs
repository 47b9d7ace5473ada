//! `tokctl report`: tells what an API said to a token.
//!
//! stdin belongs to the script that calls us, so it is read unasked only where nothing else can name the token
//! that a 401 is about.

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::ValueEnum;
use tokctl_client::proto::time::parse_duration;
use tokctl_client::{ProfileName, Report, Secret};

use crate::exit::Stop;
use crate::secret_input::{AccessToken, SecretInput};
use crate::session::Session;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The token of a 401 is dropped, and no newer one; the next `get` has another. A 429 opens a cool-down. A 403 is \
recorded, and the granted scope is shown against the asked one.

A 401 needs the token or its hash: without an option the token is read from stdin. For 403 and 429 stdin is \
read with --token-stdin alone.

Examples:
  printf %s \"$TOKEN\" | tokctl report acme --status 401
  tokctl report acme --status 401 --token-sha256 \"$(printf %s \"$TOKEN\" | sha256sum | cut -c-64)\"
  tokctl report search --member acct2 --status 429 --retry-after 30")]
pub(crate) struct ReportArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// The status of the API's answer
    #[arg(long, value_name = "STATUS")]
    status: Status,
    /// How long the API said to wait, in its Retry-After
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    retry_after: Option<Duration>,
    /// The member of a pool that it happened to [default: the one whose token it is]
    #[arg(long, value_name = "NAME", value_parser = ProfileName::parse)]
    member: Option<ProfileName>,
    /// The SHA-256 of the token, in place of the token
    #[arg(long, value_name = "HEX", value_parser = sha256, conflicts_with = "token")]
    token_sha256: Option<String>,
    #[command(flatten)]
    token: SecretInput<AccessToken>,
}

/// What an API can say that concerns the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Status {
    #[value(name = "401")]
    Unauthorized = 401,
    #[value(name = "403")]
    Forbidden = 403,
    #[value(name = "429")]
    TooManyRequests = 429,
}

pub(crate) fn run(args: ReportArgs, session: &Session) -> Result<(), Stop> {
    let mut report = Report::new(args.status as u16);
    if let Some(wait) = args.retry_after {
        report = report.retry_after(wait);
    }
    if let Some(member) = args.member {
        report = report.member(member);
    }
    if let Some(digits) = args.token_sha256 {
        report = report.token_sha256(digits);
    } else if let Some(token) = token(args.token, args.status, session)? {
        report = report.token(token);
    }
    let said = session.client()?.report(&args.profile, &report)?;
    session.output.talk(&said);
    Ok(())
}

fn token(
    input: SecretInput<AccessToken>,
    status: Status,
    session: &Session,
) -> Result<Option<Secret>, Stop> {
    if input.is_given() || status != Status::Unauthorized {
        return input.read(session);
    }
    if !io::stdin().is_terminal() {
        return input.or_stdin().read(session);
    }
    if !session.can_ask() {
        return Err(session.nobody_to_ask(
            "a 401 is about one token, and none was given",
            "give it on stdin, or use `--token-sha256 HEX`",
        ));
    }
    let token = session.ask("the token that was refused", true)?;
    match token.is_empty() {
        true => Err(Stop::usage("the token is empty")),
        false => Ok(Some(token)),
    }
}

fn sha256(typed: &str) -> Result<String, String> {
    match typed.len() == 64 && typed.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(typed.to_ascii_lowercase()),
        false => Err("write the 64 hexadecimal digits that `sha256sum` prints".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_digits() {
        for (digits, fits) in
            [("aF09".repeat(16), true), ("a".repeat(63), false), ("g".repeat(64), false)]
        {
            assert_eq!(sha256(&digits).is_ok(), fits, "{digits}");
        }
    }
}
