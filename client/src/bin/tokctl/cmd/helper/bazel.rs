//! bazel's credential helpers (EngFlow's credential-helper-spec): a URI as JSON on stdin, headers as JSON on stdout.
//!
//! Other programs than bazel speak it. A URI that is nobody's is a failure, as the specification has it; bazel asks only
//! for the hosts that its configuration gives to this helper.

use std::borrow::Cow;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use tokctl_client::proto::{Failure, Kind};

use super::ask::{self, Header};
use super::{Call, field};
use crate::exit::Stop;
use crate::session::Session;

#[derive(Debug, Deserialize)]
struct Asked<'a> {
    #[serde(borrow)]
    uri: Cow<'a, str>,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(serialize_with = "one_header")]
    headers: &'a Header,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

fn one_header<S: Serializer>(header: &&Header, serializer: S) -> Result<S::Ok, S::Error> {
    let mut headers = serializer.serialize_map(Some(1))?;
    headers.serialize_entry(&header.name, &[header.value.expose()])?;
    headers.end()
}

pub(super) fn run(call: &Call, session: &Session) -> Result<(), Stop> {
    if call.verb != "get" {
        return Err(field::refused(format!("unknown command `{}`: there is `get`", call.verb)));
    }
    let input = field::stdin()?;
    let url = url(&input)?;
    let mut client = session.client()?;
    let Some(usage) = ask::find(&mut client, call.profile.as_ref(), &url)? else {
        let message = format!("no profile's `api_urls` hold {url}");
        return Err(Failure::new(Kind::NoSuchProfile, message).into());
    };
    let token = ask::token(&mut client, &usage.profile, session)?;
    let header = Header::of(&token)?;
    session.output.json(&answer(&header, token.expires_at))
}

/// Where the headers are to go. gRPC over TLS goes where https goes.
fn url(input: &[u8]) -> Result<String, Stop> {
    let asked: Asked<'_> = serde_json::from_slice(input)
        .map_err(|_| field::refused("what is asked on stdin is no JSON object with a `uri`"))?;
    let uri = field::checked("uri", &asked.uri)?;
    let url = match uri.split_once("://") {
        Some(("grpcs", rest)) => format!("https://{rest}"),
        Some(("grpc", rest)) => format!("http://{rest}"),
        _ => uri.to_owned(),
    };
    match field::is_url(&url) && (url.starts_with("https://") || url.starts_with("http://")) {
        true => Ok(url),
        false => Err(field::refused("the `uri` is none of https, http, grpcs or grpc")),
    }
}

fn answer(header: &Header, expires_at: Option<i64>) -> Answer<'_> {
    Answer { headers: header, expires: expires_at.and_then(ask::rfc3339) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokctl_client::Secret;

    use super::*;

    #[test]
    fn a_uri_is_looked_for_as_a_url() {
        for (input, expected) in [
            (
                json!({ "uri": "https://build.acme.example/a" }),
                Some("https://build.acme.example/a"),
            ),
            (
                json!({ "uri": "grpcs://build.acme.example/a.B/C", "new": [1] }),
                Some("https://build.acme.example/a.B/C"),
            ),
            (json!({ "uri": "grpc://127.0.0.1:80/a.B/C" }), Some("http://127.0.0.1:80/a.B/C")),
            (json!({ "uri": "unix:/run/x" }), None),
            (json!({ "uri": "ftp://a.example/" }), None),
            (json!({ "uri": "https://good.example\\@evil.example/" }), None),
            (json!({ "uri": "https://a.example/\nx" }), None),
            (json!({ "uri": "https://a.example/\r" }), None),
            (json!({ "uri": "https://a.example/\0" }), None),
            (json!({ "url": "https://a.example/" }), None),
            (json!([]), None),
        ] {
            let read = url(input.to_string().as_bytes()).ok();
            assert_eq!(read.as_deref(), expected, "{input}");
        }
    }

    #[test]
    fn the_answer_is_the_header_with_its_end() {
        let header = Header { name: "X-Api-Key".to_owned(), value: Secret::new("abc".to_owned()) };
        for (expires_at, expected) in [
            (None, json!({ "headers": { "X-Api-Key": ["abc"] } })),
            (
                Some(1_800_000_000),
                json!({ "headers": { "X-Api-Key": ["abc"] }, "expires": "2027-01-15T08:00:00Z" }),
            ),
        ] {
            assert_eq!(serde_json::to_value(answer(&header, expires_at)).unwrap(), expected);
        }
    }
}
