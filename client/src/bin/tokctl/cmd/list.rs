//! `tokctl list`: the profiles.

use serde::Serialize;
use tokctl_client::Request;
use tokctl_client::proto::request::List;
use tokctl_client::proto::response::Item;

use crate::exit::Stop;
use crate::output::safe;
use crate::session::Session;
use crate::table;

#[derive(Serialize)]
struct Row {
    profile: String,
    grant: String,
    provider: String,
    stored: bool,
}

pub(crate) fn run(session: &Session) -> Result<(), Stop> {
    let mut rows = Vec::new();
    session.collect(&mut session.client()?, &Request::List(List {}), &mut |item| {
        if let Item::Profile(row) = item {
            rows.push(Row {
                profile: row.profile.to_string(),
                grant: row.grant.to_string(),
                provider: row.provider.to_string(),
                stored: row.stored,
            });
        }
    })?;
    if session.output.json {
        return session.output.json(&rows);
    }
    if rows.is_empty() {
        session.output.talk("there is no profile yet; `tokctl add NAME` adds one");
        return Ok(());
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let secret = match (row.stored, &*row.grant) {
                (true, _) => "stored",
                // Its members have theirs.
                (false, "pool") => "-",
                (false, _) => "missing",
            };
            let provider = match row.grant.is_empty() {
                true => "without a profile",
                false => &row.provider,
            };
            [&*row.profile, &row.grant, secret, provider]
                .map(|cell| if cell.is_empty() { "-".to_owned() } else { safe(cell).into_owned() })
                .to_vec()
        })
        .collect();
    session
        .output
        .data(table::render(&["PROFILE", "GRANT", "SECRET", "PROVIDER"], &cells).as_bytes())
}
