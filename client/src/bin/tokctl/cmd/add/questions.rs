//! What `tokctl add` asks on a terminal: what no token can be had without.
//!
//! An answer that cannot be right is asked for again at once, before a secret is typed after it. Whether it
//! is right, the agent says.

use std::path::PathBuf;

use tokctl_client::{Client, Secret};

use super::draft::Draft;
use super::is_plain_loopback;
use super::needs::{self, Need};
use super::{kind, preset};
use crate::exit::Stop;
use crate::secret_input::{Key, SecretInput};
use crate::session::Session;

/// How often a question is put to somebody whose answers cannot be right.
pub(super) const TRIES: usize = 3;

/// Asks for what is missing. The optional is asked for only where nothing at all was given, and of presets.
pub(super) fn ask(
    draft: &mut Draft<'_>,
    client: &mut Client,
    session: &Session,
) -> Result<(), Stop> {
    // Its members have what it takes; and what such a file leaves open, the agent names.
    if draft.settings.has("pool") || draft.from_json.is_some() {
        preset::warn_of_unverified(draft, session);
        return Ok(());
    }
    let all = draft.settings.is_empty();
    if draft.grant().is_none() {
        kind::ask(draft, client, session)?;
    }
    match (&draft.preset, &draft.from_json) {
        (Some(_), _) => preset::ask(draft, session),
        (None, Some(_)) => Ok(()),
        (None, None) => ask_for_missing(draft, all, session),
    }
}

fn ask_for_missing(draft: &mut Draft<'_>, all: bool, session: &Session) -> Result<(), Stop> {
    let grant = draft.grant().unwrap_or_default().to_owned();
    let has_client = matches!(
        &*grant,
        "client_credentials" | "authorization_code" | "device_code" | "refresh_token"
    );
    if has_client {
        ask_for_provider(draft, &grant, session)?;
        if !draft.settings.has("client_id") {
            draft.settings.put("client_id", &answer(session, "client id", something)?);
        }
    }
    if all && grant == "api_key" && !draft.settings.has("query") {
        let typed = answer(session, "header [Authorization: Bearer {token}]", header)?;
        if !typed.is_empty() {
            draft.settings.put("header", &typed);
        }
    }
    if grant == "command" && !draft.settings.has("command") {
        kind::ask_for_program(draft, session)?;
    }
    ask_for_secrets(draft, session)?;
    if all && has_client {
        let scope = answer(session, "scope, or empty for the provider's default", anything)?;
        if !scope.is_empty() {
            draft.settings.put("scope", &scope);
        }
    }
    Ok(())
}

/// Asks for the secrets that are not there yet.
pub(super) fn ask_for_secrets(draft: &mut Draft<'_>, session: &Session) -> Result<(), Stop> {
    let name = draft.profile;
    for need in needs::of(draft) {
        match need {
            Need::MaybeClientSecret => {
                let prompt = format!("client secret of {name}, or empty where there is none");
                let value = session.ask(&prompt, true)?;
                match value.is_empty() {
                    true => draft.settings.put("client_auth", "none"),
                    false => draft.secrets.push(("client_secret", value)),
                }
            }
            // A key is several lines, and a terminal takes one. A shared one is text like any other secret.
            Need::Secret("private_key") if draft.settings.value("alg") != Some("HS256") => {
                let key = key_file(draft, session)?;
                draft.secrets.push(("private_key", key));
            }
            Need::Secret(secret) => {
                let prompt = format!("{} of {name}", secret.replace('_', " "));
                draft.secrets.push((secret, hidden(session, &prompt)?));
            }
        }
    }
    Ok(())
}

fn key_file(draft: &Draft<'_>, session: &Session) -> Result<Secret, Stop> {
    let prompt = format!("file of the private key of {} (PEM or JWK)", draft.profile);
    file(session, &prompt, |path| SecretInput::<Key>::from_file(path, session))
}

/// Asks for a file until one can be read.
pub(super) fn file<T>(
    session: &Session,
    prompt: &str,
    read: impl Fn(&std::path::Path) -> Result<T, Stop>,
) -> Result<T, Stop> {
    for _ in 0..TRIES {
        let typed = answer(session, prompt, something)?;
        match read(&path(&typed)) {
            Ok(read) => return Ok(read),
            Err(Stop::Failed(failure)) => session.output.warn(&failure.message),
            Err(stop) => return Err(stop),
        }
    }
    Err(no_answer())
}

/// The file that somebody means who is used to a shell.
fn path(typed: &str) -> PathBuf {
    match (typed.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => typed.into(),
    }
}

fn hidden(session: &Session, prompt: &str) -> Result<Secret, Stop> {
    for _ in 0..TRIES {
        let value = session.ask(prompt, true)?;
        match something(value.expose()) {
            Ok(()) => return Ok(value),
            Err(why) => session.output.warn(&why),
        }
    }
    Err(no_answer())
}

fn ask_for_provider(draft: &mut Draft<'_>, grant: &str, session: &Session) -> Result<(), Stop> {
    if draft.settings.has("issuer") || draft.settings.has("token_endpoint") {
        return Ok(());
    }
    let typed = answer(session, "issuer URL, or empty for a token endpoint", |typed| {
        if typed.is_empty() { Ok(()) } else { issuer(typed) }
    })?;
    if !typed.is_empty() {
        draft.settings.put("issuer", &typed);
        return Ok(());
    }
    let endpoints: &[(&str, &str)] = match grant {
        "authorization_code" => &[
            ("token_endpoint", "token endpoint URL"),
            ("authorization_endpoint", "authorization endpoint URL"),
        ],
        "device_code" => &[
            ("token_endpoint", "token endpoint URL"),
            ("device_authorization_endpoint", "device authorization endpoint URL"),
        ],
        _ => &[("token_endpoint", "token endpoint URL")],
    };
    for (key, prompt) in endpoints {
        if !draft.settings.has(key) {
            draft.settings.put(key, &answer(session, prompt, url)?);
        }
    }
    Ok(())
}

/// An answer that is no secret and that `check` lets pass.
pub(super) fn answer(
    session: &Session,
    prompt: &str,
    check: impl Fn(&str) -> Result<(), String>,
) -> Result<String, Stop> {
    for _ in 0..TRIES {
        let typed = session.ask(prompt, false)?.expose().trim().to_owned();
        match check(&typed) {
            Ok(()) => return Ok(typed),
            Err(why) => session.output.warn(&why),
        }
    }
    Err(no_answer())
}

pub(super) fn no_answer() -> Stop {
    Stop::usage(format!("no answer that fits after {TRIES} attempts"))
}

pub(super) fn anything(_: &str) -> Result<(), String> {
    Ok(())
}

pub(super) fn something(typed: &str) -> Result<(), String> {
    match typed.is_empty() {
        true => Err("it cannot be empty".to_owned()),
        false => Ok(()),
    }
}

/// The agent makes a URL of a bare host.
pub(super) fn issuer(typed: &str) -> Result<(), String> {
    let is_host = typed.contains('.') && !typed.contains([':', ' ']) && !typed.contains("//");
    if is_host || url(typed).is_ok() {
        return Ok(());
    }
    Err("write a URL that starts with https://, or its host; http:// is for this machine alone"
        .to_owned())
}

fn url(typed: &str) -> Result<(), String> {
    let is_https = typed.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"));
    match (is_https && typed.len() > 8) || is_plain_loopback(typed) {
        true => Ok(()),
        false => {
            Err("write a URL that starts with https://; http:// is for this machine alone"
                .to_owned())
        }
    }
}

fn header(typed: &str) -> Result<(), String> {
    let has_token = ["{token}", "{basic}"].iter().any(|place| typed.contains(place));
    match typed.is_empty() || (typed.contains(':') && has_token) {
        true => Ok(()),
        false => {
            Err("write a whole header with `{token}` in it, as in `X-Api-Key: {token}`".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_cannot_be_right_is_known() {
        type Check = fn(&str) -> Result<(), String>;
        for (check, typed, passes) in [
            (something as Check, "", false),
            (something, "x", true),
            (url, "https://acme.example", true),
            (url, "HTTPS://a", true),
            (url, "https://", false),
            (url, "acme.example", false),
            (url, "http://acme.example", false),
            (url, "http://localhost:9400", true),
            (url, "äöü€://x", false),
            (url, "", false),
            (issuer, "acme.eu.auth0.com", true),
            (issuer, "acme.example/realm", true),
            (issuer, "https://acme.example", true),
            (issuer, "http://127.0.0.1:1", true),
            (issuer, "http://acme.example", false),
            (issuer, "//acme.example", false),
            (issuer, "acme.example:8443", false),
            (issuer, "my acme.example", false),
            (issuer, "acme", false),
            (issuer, "", false),
            (header, "", true),
            (header, "X-Api-Key: {token}", true),
            (header, "X-Api-Key", false),
            (header, "X-Api-Key: k", false),
        ] {
            assert_eq!(check(typed).is_ok(), passes, "{typed}");
        }
    }
}
