//! `tokctl socket list`.

use std::time::Duration;

use serde::Serialize;
use tokctl_client::Request;
use tokctl_client::proto::request::SocketList;
use tokctl_client::proto::response::Item;
use tokctl_client::proto::time::Spoken;

use crate::exit::Stop;
use crate::local_time;
use crate::output::safe;
use crate::session::Session;
use crate::table;

#[derive(Serialize)]
struct Row {
    path: String,
    only: Vec<String>,
    scope: Vec<String>,
    allow_uid: Option<u32>,
    expires_at: Option<i64>,
    connections: u32,
}

const HEADINGS: &[&str] = &["PATH", "ONLY", "SCOPE", "USER", "LEFT", "CONNECTED"];

pub(super) fn run(session: &Session) -> Result<(), Stop> {
    let mut rows = Vec::new();
    let request = Request::SocketList(SocketList {});
    session.collect(&mut session.client()?, &request, &mut |item| {
        if let Item::Socket(socket) = item {
            rows.push(Row {
                path: socket.path.to_string(),
                only: socket.only.clone(),
                scope: socket.scope.clone(),
                allow_uid: socket.allow_uid,
                expires_at: socket.expires_at,
                connections: socket.connections,
            });
        }
    })?;
    if session.output.json {
        return session.output.json(&rows);
    }
    if rows.is_empty() {
        session.output.talk("there is no further socket; `tokctl socket create` makes one");
        return Ok(());
    }
    let now = local_time::now();
    let cells: Vec<Vec<String>> = rows.iter().map(|row| cells(row, now)).collect();
    session.output.data(table::render(HEADINGS, &cells).as_bytes())
}

fn cells(row: &Row, now: i64) -> Vec<String> {
    let dash = || "-".to_owned();
    let left = |at: i64| u64::try_from(at.saturating_sub(now)).unwrap_or(0);
    let scope = if row.scope.is_empty() { dash() } else { row.scope.join(" ") };
    vec![
        safe(&row.path).into_owned(),
        safe(&row.only.join(",")).into_owned(),
        safe(&scope).into_owned(),
        row.allow_uid.map_or_else(dash, |uid| uid.to_string()),
        row.expires_at.map_or_else(dash, |at| Spoken(Duration::from_secs(left(at))).to_string()),
        row.connections.to_string(),
    ]
}
