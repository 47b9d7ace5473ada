//! cargo's credential provider protocol, version 1: JSON, one line each way, until cargo closes stdin.
//!
//! Cargo sends what it is given behind `Authorization:`, so it is given what the profile's `header` says there. It keeps
//! it until the end that it is told, for reading and for publishing alike.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};
use tokctl_client::{Client, ProfileName, Token};

use super::ask::{self, Header};
use super::{CargoCall, field};
use crate::exit::Stop;
use crate::session::Session;

/// A request names a registry, a crate and a checksum; larger is none of cargo's.
const LINE_BYTES_MAX: u64 = 256 * 1024;
const VERSION: u32 = 1;

#[derive(Debug, Deserialize)]
struct Asked<'a> {
    v: u32,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    registry: Registry<'a>,
    /// From the configuration, and from the command line behind them.
    #[serde(default, borrow)]
    args: Vec<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Registry<'a> {
    #[serde(rename = "index-url", borrow)]
    index_url: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
enum Answer<'a> {
    Ok(Given<'a>),
    Err(Refusal),
}

#[derive(Debug, Serialize)]
struct Given<'a> {
    kind: &'static str,
    token: &'a str,
    cache: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<i64>,
    operation_independent: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Refusal {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    caused_by: Vec<String>,
}

impl Refusal {
    /// Cargo goes on to its next provider.
    fn quiet(kind: &'static str) -> Self {
        Self { kind, message: None, caused_by: Vec::new() }
    }

    fn other(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { kind: "other", message: Some(message.into()), caused_by: hint.into_iter().collect() }
    }
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(failure) => Self::other(
                format!("tokctl: {}", crate::output::told(&failure)),
                failure.hint.as_deref().map(|hint| crate::output::safe(hint).into_owned()),
            ),
            Stop::Status(_) | Stop::BrokenPipe => Self::other("tokctl ended early", None),
        }
    }
}

pub(super) fn run(call: &CargoCall, session: &Session) -> Result<(), Stop> {
    if !call.cargo_plugin {
        return Err(field::refused("this is for cargo, which calls it with `--cargo-plugin`"));
    }
    session.output.line(r#"{"v":[1]}"#)?;
    let mut stdin = io::stdin().lock();
    let mut client = None;
    loop {
        let mut line = Vec::new();
        let read = stdin.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        read.map_err(|error| Stop::machine(format!("cannot read stdin: {error}")))?;
        if line.is_empty() {
            return Ok(());
        }
        let wanted = asked(&line).and_then(|asked| wanted(&asked, call.profile.as_ref()));
        match wanted.and_then(|wanted| given(&wanted, &mut client, session)) {
            Ok((token, header)) => session.output.json(&Answer::Ok(answer(&token, &header)))?,
            Err(refusal) => session.output.json(&Answer::Err(refusal))?,
        }
    }
}

/// What a token is wanted for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    profile: Option<ProfileName>,
    url: String,
}

fn given(
    wanted: &Wanted,
    client: &mut Option<Client>,
    session: &Session,
) -> Result<(Token, tokctl_client::Secret), Refusal> {
    let client = match client {
        Some(client) => client,
        None => client.insert(session.client()?),
    };
    let usage = ask::find(client, wanted.profile.as_ref(), &wanted.url)?;
    let usage = usage.ok_or_else(|| Refusal::quiet("url-not-supported"))?;
    let token = ask::token(client, &usage.profile, session)?;
    let header = Header::of(&token)?.authorization(&token.profile, "cargo")?;
    Ok((token, header))
}

fn asked(line: &[u8]) -> Result<Asked<'_>, Refusal> {
    serde_json::from_slice(line)
        .map_err(|_| Refusal::other("tokctl cannot read what cargo asks", None))
}

/// What cargo wants of a provider that hands tokens out and stores none.
fn wanted(asked: &Asked<'_>, named: Option<&ProfileName>) -> Result<Wanted, Refusal> {
    if asked.v != VERSION {
        return Err(Refusal::other(format!("tokctl does not speak version {}", asked.v), None));
    }
    if asked.kind != "get" {
        return Err(Refusal::quiet("operation-not-supported"));
    }
    let profile = match (named, asked.args.as_slice()) {
        (Some(named), []) => Some(named.clone()),
        (None, []) => None,
        (None, [name]) => Some(
            ProfileName::parse(name).map_err(|error| Refusal::other(error.to_string(), None))?,
        ),
        _ => return Err(Refusal::other("tokctl takes one profile as its argument", None)),
    };
    let index = field::checked("index-url", &asked.registry.index_url)?;
    let url = index.strip_prefix("sparse+").unwrap_or(index);
    match field::is_url(url) {
        true => Ok(Wanted { profile, url: url.to_owned() }),
        false => Err(Refusal::quiet("url-not-supported")),
    }
}

fn answer<'a>(token: &Token, header: &'a tokctl_client::Secret) -> Given<'a> {
    Given {
        kind: "get",
        token: header.expose(),
        cache: if token.expires_at.is_some() { "expires" } else { "session" },
        expiration: token.expires_at,
        operation_independent: true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(request: &Value, named: Option<&str>) -> Result<Wanted, Refusal> {
        let line = request.to_string();
        let named = named.map(|name| ProfileName::parse(name).unwrap());
        asked(line.as_bytes()).and_then(|asked| wanted(&asked, named.as_ref()))
    }

    #[test]
    fn cargo_wants_tokens_of_registries() {
        let registry =
            json!({ "index-url": "sparse+https://crates.acme.example/index/", "name": "acme" });
        let get =
            json!({ "v": 1, "kind": "get", "operation": "read", "registry": registry, "args": [] });
        let publish = json!({
            "v": 1, "kind": "get", "operation": "publish", "name": "a", "vers": "0.1.0", "cksum": "0",
            "registry": registry, "args": ["acme"], "new": {},
        });
        let url = "https://crates.acme.example/index/".to_owned();
        let acme = ProfileName::parse("acme").ok();
        assert_eq!(read(&get, None), Ok(Wanted { profile: None, url: url.clone() }));
        assert_eq!(
            read(&get, Some("acme")),
            Ok(Wanted { profile: acme.clone(), url: url.clone() })
        );
        assert_eq!(read(&publish, None), Ok(Wanted { profile: acme, url }));
    }

    #[test]
    fn what_is_not_for_us_is_refused_as_cargo_has_it() {
        let request = |v: u32, kind: &str, index: &str, args: &[&str]| json!({ "v": v, "kind": kind, "registry": { "index-url": index }, "args": args });
        let index = "sparse+https://a.example/";
        for (asked, kind) in [
            (request(1, "login", index, &[]), "operation-not-supported"),
            (request(1, "logout", index, &[]), "operation-not-supported"),
            (request(1, "new", index, &[]), "operation-not-supported"),
            (request(2, "get", index, &[]), "other"),
            (request(1, "get", index, &["a", "b"]), "other"),
            (request(1, "get", index, &["No Name"]), "other"),
            (request(1, "get", "sparse+https://a.example/\nx", &[]), "other"),
            (request(1, "get", "ssh://git@a.example/index", &[]), "url-not-supported"),
            (request(1, "get", "sparse+https://a@b.example/", &[]), "url-not-supported"),
            (json!({ "v": 1 }), "other"),
        ] {
            assert_eq!(read(&asked, None).unwrap_err().kind, kind, "{asked}");
        }
    }

    #[test]
    fn a_refusal_is_in_cargos_words() {
        for (refusal, expected) in [
            (Refusal::quiet("not-found"), json!({ "Err": { "kind": "not-found" } })),
            (
                Refusal::other("a", Some("b".to_owned())),
                json!({ "Err": { "kind": "other", "message": "a", "caused-by": ["b"] } }),
            ),
        ] {
            assert_eq!(serde_json::to_value(Answer::Err(refusal)).unwrap(), expected);
        }
    }
}
