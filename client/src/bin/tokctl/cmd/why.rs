//! `tokctl why`: a profile's last attempts, and what happens next.

use std::time::Duration;

use serde::Serialize;
use tokctl_client::proto::request::Why;
use tokctl_client::proto::response::{AttemptRow, Done, Item};
use tokctl_client::{Error, Request};
use tz::TimeZone;

use crate::args::ProfileArgs;
use crate::cmd::status::row::Row;
use crate::exit::Stop;
use crate::local_time;
use crate::output::safe;
use crate::screen;
use crate::session::Session;
use crate::table::{Cell, Line, Page, layout};

#[derive(Serialize)]
struct Attempt {
    at_ms: i64,
    took_ms: u64,
    what: String,
    origin: String,
    status: Option<u16>,
    result: String,
    kind: Option<String>,
}

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    row: Row,
    attempts: Vec<Attempt>,
    next: String,
}

pub(crate) fn run(args: &ProfileArgs, session: &Session) -> Result<(), Stop> {
    let request = Request::Why(Why { profile: args.profile.as_str().into() });
    let mut attempts = Vec::new();
    let mut client = session.client()?;
    let done = session.converse(&mut client, &request, &mut |item| {
        if let Item::Attempt(attempt) = item {
            attempts.push(Attempt::from(attempt));
        }
    })?;
    let Done::Why(why) = done else { return Err(Error::Unexpected.into()) };
    let told = Told { row: Row::from(&why.status), attempts, next: why.next.into_owned() };
    match session.output.json {
        true => session.output.json(&told),
        false => {
            let page = screen::page(&session.output);
            let lines = lines(&told, local_time::now(), &local_time::zone(), page);
            session.output.line(&lines.join("\n"))
        }
    }
}

fn lines(told: &Told, now: i64, zone: &TimeZone, page: Page) -> Vec<String> {
    let row = &told.row;
    let name = safe(&row.profile);
    let left = match (row.expires_at, row.left(now)) {
        (Some(at), Some(left)) if at > now => format!(", {left} left"),
        (Some(_), _) => ", its token has expired".to_owned(),
        _ => String::new(),
    };
    let mut lines = vec![format!("{name}: {}{left}", safe(&row.state))];
    lines.extend(row.warnings.iter().map(|warning| format!("warning: {}", safe(warning))));
    match told.attempts.is_empty() {
        true => lines.push("no attempts are remembered".to_owned()),
        false => {
            let attempts: Vec<Line> =
                told.attempts.iter().map(|attempt| Line::Row(attempt.cells(zone))).collect();
            let headings = ["TIME", "SENT", "TO", "STATUS", "TOOK", "RESULT"];
            lines.extend(layout(&headings, &attempts, page));
        }
    }
    if !told.next.is_empty() {
        lines.push(format!("next: {}", safe(&told.next)));
    }
    lines.push(format!(
        "`tokctl probe {name} URL` calls a protected endpoint with and without the token"
    ));
    lines
}

impl Attempt {
    fn cells(&self, zone: &TimeZone) -> Vec<Cell> {
        let dash = |text: &str| match text.is_empty() {
            true => "-".to_owned(),
            false => safe(text).into_owned(),
        };
        // A report takes no time of ours.
        let took = match self.origin.is_empty() {
            true => "-".to_owned(),
            false => took(Duration::from_millis(self.took_ms)),
        };
        let cells = [
            local_time::shown(self.at_ms, zone),
            dash(&self.what),
            dash(&self.origin),
            self.status.map_or("-".to_owned(), |status| status.to_string()),
            took,
            dash(&self.result),
        ];
        cells.map(Cell::from).to_vec()
    }
}

/// How long an answer took: `212ms`, `1.2s`.
fn took(time: Duration) -> String {
    let ms = time.as_millis();
    match ms {
        0..1000 => format!("{ms}ms"),
        _ => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
    }
}

impl From<&AttemptRow<'_>> for Attempt {
    fn from(attempt: &AttemptRow<'_>) -> Self {
        Self {
            at_ms: attempt.at_ms,
            took_ms: attempt.took_ms,
            what: attempt.what.to_string(),
            origin: attempt.origin.to_string(),
            status: attempt.status,
            result: attempt.result.to_string(),
            kind: attempt.kind.as_ref().map(|kind| kind.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_it_took_is_short_to_read() {
        for (ms, text) in [(0, "0ms"), (999, "999ms"), (1000, "1.0s"), (30_049, "30.0s")] {
            assert_eq!(took(Duration::from_millis(ms)), text);
        }
    }
}
