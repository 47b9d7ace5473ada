//! docker's protocol (docker-credential-helpers): a verb, the server on stdin, JSON on stdout.
//!
//! What goes wrong is told on stdout too, where docker looks for it. Docker calls a helper by its name and with no
//! arguments of ours, so the profile is found by the server, and the name that goes with the token by the kind of
//! registry. The end of a token cannot be told; docker asks anew for each command.

use serde::Serialize;
use tokctl_client::proto::error::WireFailure;
use tokctl_client::{Client, Report, Usage};

use super::ask::{self, Shown};
use super::{Call, field};
use crate::exit::Stop;
use crate::session::Session;

/// By these texts docker tells what is no failure (errors.go of docker-credential-helpers).
const NOT_FOUND: &str = "credentials not found in native keychain";
const NO_SERVER: &str = "no credentials server URL";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'a str,
    secret: &'a str,
}

pub(super) fn run(call: &Call, session: &Session) -> Result<(), Stop> {
    let outcome = match call.verb.as_str() {
        "get" => get(call, session),
        "erase" => erase(call, session),
        // Docker would ask for each that is listed and hand it to its daemon.
        "list" => session.output.line("{}"),
        "version" => {
            session.output.line(concat!("docker-credential-tokctl ", env!("CARGO_PKG_VERSION")))
        }
        // What `docker login` was given, which is the token.
        "store" => field::stdin().map(drop),
        other => Err(field::refused(format!("unknown credential action `{other}`"))),
    };
    if let Err(Stop::Failed(failure)) = &outcome {
        session.output.line(&told(failure))?;
    }
    outcome
}

fn get(call: &Call, session: &Session) -> Result<(), Stop> {
    let input = field::stdin()?;
    let Some(server) = server(&input)? else { return say(NO_SERVER, session) };
    let mut client = session.client()?;
    let Some(usage) = find(&mut client, call, server)? else { return say(NOT_FOUND, session) };
    let token = ask::token(&mut client, &usage.profile, session)?;
    let (shown_username, secret) = match Shown::of(&token, "docker")? {
        Shown::Basic { username, password } => (Some(username), password),
        Shown::Other { credential, .. } => (None, credential),
    };
    let username = shown_username.as_ref().map(tokctl_client::Secret::expose);
    let username = username.or(call.username.as_deref()).unwrap_or_else(|| usual_name(server));
    let username = field::checked("Username", username)?;
    session.output.json(&Answer { server_url: server, username, secret: secret.expose() })
}

/// Has the token replaced that would be given: docker does not say which one it is about, nor that anybody refused it. So
/// a key, which cannot be replaced, is no suspect.
fn erase(call: &Call, session: &Session) -> Result<(), Stop> {
    let input = field::stdin()?;
    let Some(server) = server(&input)? else { return say(NO_SERVER, session) };
    let mut client = session.client()?;
    let Some(usage) = find(&mut client, call, server)? else { return Ok(()) };
    let token = ask::token(&mut client, &usage.profile, session)?;
    if token.expires_at.is_some() {
        client.report(&usage.profile, &Report::new(401).token(token.access_token))?;
    }
    Ok(())
}

/// A word of the protocol that is no failure of ours.
fn say(text: &str, session: &Session) -> Result<(), Stop> {
    session.output.line(text)?;
    Err(Stop::Status(1))
}

fn find(client: &mut Client, call: &Call, server: &str) -> Result<Option<Usage>, Stop> {
    for url in urls(server) {
        if let Some(usage) = ask::find(client, call.profile.as_ref(), &url)? {
            return Ok(Some(usage));
        }
    }
    Ok(None)
}

fn server(input: &[u8]) -> Result<Option<&str>, Stop> {
    let server = field::checked("ServerURL", field::text(input)?.trim())?;
    Ok(Some(server).filter(|server| !server.is_empty()))
}

/// Where the server is: docker names a registry by its host, and Docker Hub by a URL. It talks plain http to a registry
/// on loopback.
fn urls(server: &str) -> Vec<String> {
    if server.contains("://") {
        return if field::is_url(server) { vec![server.to_owned()] } else { Vec::new() };
    }
    let host = server.split('/').next().unwrap_or_default();
    let path = field::escaped(server.strip_prefix(host).unwrap_or_default());
    if !field::is_host(host) {
        return Vec::new();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_loopback = name == "localhost" || name.starts_with("127.") || name == "[::1]";
    let schemes: &[&str] = if is_loopback { &["https", "http"] } else { &["https"] };
    let slash = if path.is_empty() { "/" } else { "" };
    schemes.iter().map(|scheme| format!("{scheme}://{host}{path}{slash}")).collect()
}

/// The name that goes with a token, which registries know by its kind.
fn usual_name(server: &str) -> &'static str {
    let host = server.split_once("://").map_or(server, |(_, rest)| rest);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let below = |domain: &str| {
        host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    match () {
        () if below("gcr.io") || below("pkg.dev") => "oauth2accesstoken",
        () if below("azurecr.io") => "00000000-0000-0000-0000-000000000000",
        () if below("amazonaws.com") => "AWS",
        () if below("quay.io") => "$oauthtoken",
        () => "oauth2",
    }
}

/// A failure on one line, as docker shows it.
fn told(failure: &WireFailure<'_>) -> String {
    let line = crate::output::told(failure);
    match &failure.hint {
        Some(hint) => format!("tokctl: {line} ({})", crate::output::safe(hint)),
        None => format!("tokctl: {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_looked_for_where_docker_talks_to_it() {
        for (server, expected) in [
            ("registry.acme.example", &["https://registry.acme.example/"][..]),
            ("registry.acme.example:5000", &["https://registry.acme.example:5000/"]),
            ("https://index.docker.io/v1/", &["https://index.docker.io/v1/"]),
            ("registry.acme.example/team", &["https://registry.acme.example/team"]),
            ("localhost:5000", &["https://localhost:5000/", "http://localhost:5000/"]),
            ("127.0.0.1:5000", &["https://127.0.0.1:5000/", "http://127.0.0.1:5000/"]),
            ("good.example\\@evil.example", &[]),
            ("https://good.example\\@evil.example/", &[]),
            ("a b", &[]),
        ] {
            assert_eq!(urls(server), expected, "{server}");
        }
    }

    #[test]
    fn a_server_is_one_line() {
        for (input, expected) in [
            ("registry.acme.example\n", Some("registry.acme.example")),
            ("  registry.acme.example", Some("registry.acme.example")),
            ("\n", None),
            ("", None),
        ] {
            assert_eq!(server(input.as_bytes()).unwrap(), expected, "{input:?}");
        }
        for input in ["a\nb", "a\rb", "a\0b"] {
            assert!(server(input.as_bytes()).is_err(), "{input:?}");
        }
    }

    #[test]
    fn the_name_beside_a_token_is_the_one_its_registry_wants() {
        for (server, name) in [
            ("eu.gcr.io", "oauth2accesstoken"),
            ("europe-docker.pkg.dev", "oauth2accesstoken"),
            ("acme.azurecr.io", "00000000-0000-0000-0000-000000000000"),
            ("1.dkr.ecr.eu-west-1.amazonaws.com", "AWS"),
            ("https://quay.io/v2/", "$oauthtoken"),
            ("notquay.io", "oauth2"),
            ("ghcr.io", "oauth2"),
        ] {
            assert_eq!(usual_name(server), name, "{server}");
        }
    }
}
