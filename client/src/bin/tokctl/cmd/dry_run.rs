//! What `--dry-run` shows: the requests that would be sent, on stdout. No secret comes this far.

use serde::Serialize;
use tokctl_client::proto::response::Item;
use tokctl_client::{Client, Request};

use crate::exit::Stop;
use crate::output::safe;
use crate::session::Session;

#[derive(Serialize)]
struct Requests {
    requests: Vec<String>,
}

/// Sends what asks for a dry run, and shows what comes of it.
pub(crate) fn show(
    client: &mut Client,
    request: &Request<'_>,
    session: &Session,
) -> Result<(), Stop> {
    let mut requests = Vec::new();
    session.collect(client, request, &mut |item| {
        if let Item::HttpRequest(request) = item {
            requests.push(request.text.to_string());
        }
    })?;
    if session.output.json {
        return session.output.json(&Requests { requests });
    }
    let readable = |text: &String| -> String {
        text.lines().map(|line| format!("{}\n", safe(line))).collect()
    };
    let texts: Vec<String> = requests.iter().map(readable).collect();
    session.output.data(texts.join("\n").as_bytes())
}
