//! What `tokctl add` asks on a terminal: what no token can be had without.
//!
//! An answer that cannot be right is asked for again at once, before a secret is typed after it. Whether it
//! is right, the agent says.

use tokctl_client::ProfileName;
use tokctl_client::proto::nearest::nearest;
use tokctl_client::proto::setting::{GRANTS, secret_of};

use super::{Named, is_plain_loopback};
use crate::exit::Stop;
use crate::session::Session;
use crate::settings::Assignments;

/// How often a question is put to somebody whose answers cannot be right.
const TRIES: usize = 3;

/// Asks for what is missing. The optional is asked for only where nothing at all was given.
pub(super) fn ask_for_missing(
    profile: &ProfileName,
    settings: &mut Assignments,
    secrets: &mut Vec<Named>,
    session: &Session,
) -> Result<(), Stop> {
    // Its members have what it takes.
    if settings.value("pool").is_some() {
        return Ok(());
    }
    let all = settings.is_empty();
    if settings.value("grant").is_none() {
        let typed = answer(session, "grant [client_credentials]", grant)?;
        settings.put("grant", if typed.is_empty() { "client_credentials" } else { &typed });
    }
    let grant = settings.value("grant").unwrap_or_default().to_owned();
    let has_client = matches!(&*grant, "client_credentials" | "refresh_token");
    if has_client {
        ask_for_provider(settings, session)?;
        if settings.value("client_id").is_none() {
            settings.put("client_id", &answer(session, "client id", something)?);
        }
    }
    if all && grant == "api_key" {
        let typed = answer(session, "header [Authorization: Bearer {token}]", header)?;
        if !typed.is_empty() {
            settings.put("header", &typed);
        }
    }
    match &*grant {
        "refresh_token" => ask_for_refresh_token(profile, settings, secrets, session)?,
        _ if settings.value("client_auth") != Some("none") && secrets.is_empty() => {
            let name = secret_of(&grant);
            let value = session.ask(&format!("{} of {profile}", name.replace('_', " ")), true)?;
            if value.is_empty() {
                return Err(Stop::usage("the secret is empty"));
            }
            secrets.push((name, value));
        }
        _ => {}
    }
    if all && has_client {
        let scope = answer(session, "scope, or empty for the provider's default", |_| Ok(()))?;
        if !scope.is_empty() {
            settings.put("scope", &scope);
        }
    }
    Ok(())
}

/// Many clients with refresh tokens have no secret, since they are programs on people's own machines.
fn ask_for_refresh_token(
    profile: &ProfileName,
    settings: &mut Assignments,
    secrets: &mut Vec<Named>,
    session: &Session,
) -> Result<(), Stop> {
    let has = |secrets: &[Named], name| secrets.iter().any(|(given, _)| *given == name);
    if settings.value("client_auth") != Some("none") && !has(secrets, "client_secret") {
        let prompt = format!("client secret of {profile}, or empty where there is none");
        let value = session.ask(&prompt, true)?;
        match value.is_empty() {
            true => settings.put("client_auth", "none"),
            false => secrets.push(("client_secret", value)),
        }
    }
    if !has(secrets, "refresh_token") {
        let value = session.ask(&format!("refresh token of {profile}"), true)?;
        if value.is_empty() {
            return Err(Stop::usage("the refresh token is empty"));
        }
        secrets.push(("refresh_token", value));
    }
    Ok(())
}

fn ask_for_provider(settings: &mut Assignments, session: &Session) -> Result<(), Stop> {
    if settings.value("issuer").is_some() || settings.value("token_endpoint").is_some() {
        return Ok(());
    }
    let issuer = answer(session, "issuer URL, or empty for a token endpoint", |typed| {
        if typed.is_empty() { Ok(()) } else { url(typed) }
    })?;
    match issuer.is_empty() {
        false => settings.put("issuer", &issuer),
        true => settings.put("token_endpoint", &answer(session, "token endpoint URL", url)?),
    }
    Ok(())
}

/// An answer that is no secret and that `check` lets pass.
fn answer(
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
    Err(Stop::usage(format!("no answer that fits after {TRIES} attempts")))
}

fn something(typed: &str) -> Result<(), String> {
    match typed.is_empty() {
        true => Err("it cannot be empty".to_owned()),
        false => Ok(()),
    }
}

fn grant(typed: &str) -> Result<(), String> {
    if typed.is_empty() || GRANTS.contains(&typed) {
        return Ok(());
    }
    Err(match nearest(typed, GRANTS.iter().copied()) {
        Some(near) => format!("there is no grant `{typed}`; did you mean `{near}`?"),
        None => format!("there is no grant `{typed}`; known are `{}`", GRANTS.join("`, `")),
    })
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
            (grant as Check, "", true),
            (grant, "api_key", true),
            (grant, "api-key", false),
            (grant, "saml", false),
            (something, "", false),
            (something, "x", true),
            (url, "https://acme.example", true),
            (url, "HTTPS://a", true),
            (url, "https://", false),
            (url, "acme.example", false),
            (url, "http://acme.example", false),
            (url, "http://localhost:9400", true),
            (url, "äöü€://x", false),
            (url, "", false),
            (header, "", true),
            (header, "X-Api-Key: {token}", true),
            (header, "X-Api-Key", false),
            (header, "X-Api-Key: k", false),
        ] {
            assert_eq!(check(typed).is_ok(), passes, "{typed}");
        }
    }
}
