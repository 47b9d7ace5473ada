//! What `--dry-run` shows: what would be written and the requests that would be sent, on stdout. No secret comes this far.

use serde::Serialize;
use tokctl_client::proto::response::{Imported, Item};
use tokctl_client::{Client, Request};

use crate::exit::Stop;
use crate::output::safe;
use crate::session::Session;

#[derive(Default, Serialize)]
struct Shown {
    /// Of a profile that would be added.
    #[serde(flatten)]
    added: Option<Added>,
    requests: Vec<String>,
}

#[derive(Serialize)]
struct Added {
    profile: String,
    toml: String,
    secrets: Vec<String>,
}

/// Sends what asks for a dry run, and shows what comes of it.
pub(crate) fn show(
    client: &mut Client,
    request: &Request<'_>,
    session: &Session,
) -> Result<(), Stop> {
    let mut shown = Shown::default();
    session.collect(client, request, &mut |item| match item {
        Item::HttpRequest(request) => shown.requests.push(request.text.to_string()),
        Item::Imported(Imported { profile, toml, secrets, .. }) => {
            let (profile, toml) = (profile.to_string(), toml.to_string());
            shown.added = Some(Added { profile, toml, secrets: secrets.clone() });
        }
        _ => {}
    })?;
    if session.output.json {
        return session.output.json(&shown);
    }
    let readable = |text: &String| -> String {
        text.lines().map(|line| format!("{}\n", safe(line))).collect()
    };
    let added = shown.added.map(|it| section(&it.profile, &it.toml, &it.secrets));
    let texts: Vec<String> = added.into_iter().chain(shown.requests.iter().map(readable)).collect();
    session.output.data(texts.join("\n").as_bytes())
}

/// A profile as it would stand in config.toml, and the names of its secrets, which do not stand there.
pub(crate) fn section(profile: &str, toml: &str, secrets: &[String]) -> String {
    let name = match profile.contains('.') {
        true => format!("\"{profile}\""),
        false => profile.to_owned(),
    };
    let lines: String = toml.lines().map(|line| format!("{}\n", safe(line))).collect();
    let secrets = match secrets {
        [] => "no secret".to_owned(),
        secrets => format!("secrets: {}", secrets.join(", ")),
    };
    format!("[profiles.{name}]\n{lines}# {}\n", safe(&secrets))
}
