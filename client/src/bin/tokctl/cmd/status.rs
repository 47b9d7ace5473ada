//! `tokctl status`: what the token of every profile is doing. Works while the vault is sealed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokctl_client::Request;
use tokctl_client::proto::request::Status;
use tokctl_client::proto::response::Item;
use tokctl_client::proto::time::Spoken;

use crate::exit::Stop;
use crate::output::safe;
use crate::session::Session;
use crate::table;

#[derive(Serialize)]
struct Row {
    profile: String,
    state: String,
    expires_at: Option<i64>,
    next_at: Option<i64>,
    error: Option<String>,
    unsaved: bool,
}

pub(crate) fn run(session: &Session) -> Result<(), Stop> {
    let mut rows = Vec::new();
    session.collect(&mut session.client()?, &Request::Status(Status {}), &mut |item| {
        if let Item::Status(row) = item {
            rows.push(Row {
                profile: row.profile.to_string(),
                state: row.state.to_string(),
                expires_at: row.expires_at,
                next_at: row.next_at,
                error: row.error.as_ref().map(|error| error.to_string()),
                unsaved: row.unsaved,
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
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let cells: Vec<Vec<String>> = rows.iter().map(|row| cells(row, now)).collect();
    session
        .output
        .data(table::render(&["PROFILE", "STATE", "EXPIRES", "NEXT", "NOTE"], &cells).as_bytes())
}

fn cells(row: &Row, now: i64) -> Vec<String> {
    let mut notes = Vec::new();
    if row.unsaved {
        notes.push("not saved: the vault cannot be written".to_owned());
    }
    notes.extend(row.error.as_deref().map(|error| safe(error).into_owned()));
    vec![
        safe(&row.profile).into_owned(),
        safe(&row.state).into_owned(),
        spoken(row.expires_at, now),
        spoken(row.next_at, now),
        notes.join("; "),
    ]
}

/// A time as seen from now.
fn spoken(at: Option<i64>, now: i64) -> String {
    let Some(at) = at else { return "-".to_owned() };
    let apart = Spoken(Duration::from_secs(at.abs_diff(now)));
    match at >= now {
        true => format!("in {apart}"),
        false => format!("{apart} ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seen_from_now() {
        for (at, text) in [
            (None, "-"),
            (Some(1000), "in 0s"),
            (Some(1061), "in 1m 1s"),
            (Some(940), "1m ago"),
            (Some(i64::MIN), "106751991167300d 15h ago"),
        ] {
            assert_eq!(spoken(at, 1000), text);
        }
    }
}
