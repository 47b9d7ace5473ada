//! The keys of grants that are no client's at a token endpoint: a cloud role, an app, a JWT of one's own, a program.

use std::time::Duration;

use url::Url;

use super::super::error::{Broken, ConfigError};
use super::super::section::Section;
use super::super::{AwsRole, GithubApp, Jwt, Network, Program, Subject, address, check, subject};
use super::client::{jwt, pairs};
use super::{lacking, network, required};

/// Where AWS is asked unless the profile names a region's endpoint. It answers for every role, from one region.
const STS: &str = "https://sts.amazonaws.com/";
/// What AWS calls a session that nobody has named.
const SESSION_NAME: &str = "tokctl";
/// Whom AWS's documents have GitHub make a job's token for.
const STS_AUDIENCE: &str = "sts.amazonaws.com";
const GITHUB_API: &str = "https://api.github.com/";
/// A program that asks somebody, or somebody's server, is given up after this.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn aws_role(section: &Section<'_>, agent: &Network) -> Result<AwsRole, ConfigError> {
    let network = network(section, agent)?;
    let subject = section.checked(subject::KEY, subject::subject)?;
    let subject = subject.ok_or_else(|| section.lacks(lacking("`subject`")))?;
    let audience = section.checked(subject::AUDIENCE, check::plain_text)?;
    let is_asked_for = subject == Subject::GithubActions;
    Ok(AwsRole {
        endpoint: endpoint_or(section, STS, network.allow_http_loopback)?,
        role_arn: required(section, "role_arn")?,
        session_name: section
            .checked("role_session_name", session_name)?
            .unwrap_or_else(|| SESSION_NAME.to_owned()),
        duration: section.duration("session_duration"),
        subject,
        subject_audience: audience.or_else(|| is_asked_for.then(|| STS_AUDIENCE.to_owned())),
        network,
    })
}

/// `[\w+=,.@-]{2,64}`, as AssumeRoleWithWebIdentity takes it.
fn session_name(text: &str) -> Result<String, Broken> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    match (2..=64).contains(&text.len()) && text.bytes().all(fits) {
        true => Ok(text.to_owned()),
        false => Err(Broken::new("must be 2 to 64 of letters, digits and `_+=,.@-`")),
    }
}

pub(super) fn github_app(section: &Section<'_>, agent: &Network) -> Result<GithubApp, ConfigError> {
    let network = network(section, agent)?;
    let number = |text: &str| match !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err(Broken::new("must be a number, as in the address of the installation")),
    };
    let installation_id = section.checked("installation_id", number)?;
    Ok(GithubApp {
        api: endpoint_or(section, GITHUB_API, network.allow_http_loopback)?,
        client_id: required(section, "client_id")?,
        installation_id: installation_id
            .ok_or_else(|| section.lacks(lacking("`installation_id`")))?,
        repositories: section.all_checked("repositories", check::plain_text)?,
        permissions: pairs(section, "permissions", |name, level| {
            Ok((check::plain_text(name)?, check::plain_text(level)?))
        })?,
        jwt: jwt(section)?,
        network,
    })
}

pub(super) fn self_signed(section: &Section<'_>) -> Result<Jwt, ConfigError> {
    jwt(section)
}

pub(super) fn program(section: &Section<'_>) -> Result<Program, ConfigError> {
    let command: Vec<String> = section.all_checked("command", check::argument)?;
    if command.is_empty() {
        return Err(section.lacks(lacking("`command`")));
    }
    Ok(Program {
        command,
        timeout: section.duration("command_timeout").unwrap_or(COMMAND_TIMEOUT),
        assume_ttl: section.duration("assume_ttl"),
    })
}

/// What `token_endpoint` names, in a grant that knows where to ask without it.
fn endpoint_or(
    section: &Section<'_>,
    default: &str,
    http_loopback: bool,
) -> Result<Url, ConfigError> {
    let named = section.checked("token_endpoint", |text| address::endpoint(text, http_loopback))?;
    Ok(named.unwrap_or_else(|| Url::parse(default).expect("the default is a URL")))
}
