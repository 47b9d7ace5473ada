//! `tokctl status`: what the token of every profile is doing. Works while the vault is sealed.

pub(crate) mod row;
mod view;
mod watch;

use std::io::{self, IsTerminal};

use tokctl_client::proto::nearest::nearest;
use tokctl_client::proto::request::Status2;
use tokctl_client::proto::response::Item;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{ProfileName, Request};

use crate::exit::{Stop, worst};
use crate::local_time;
use crate::screen;
use crate::session::Session;

use row::Row;
use view::Bar;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
LEFT is how much longer the token is good, NEXT when it is renewed or tried again, USED when somebody last \
asked for it. Below a pool stand its members: free, used up, or out until they recovered.

--check is for monitoring: it prints what has a problem or a warning and exits with the worst status, by how \
much it asks of a person: 0, 7, 5, 6, 4, 10, 11, 1.

Examples:
  tokctl status
  tokctl status acme github --watch
  tokctl status --check --json")]
pub(crate) struct StatusArgs {
    /// Names of profiles [default: all]
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profiles: Vec<ProfileName>,
    /// Draw anew every second, until Ctrl-C; in a pipe, print again whenever something changed
    #[arg(long, conflicts_with = "check")]
    watch: bool,
    /// Print only profiles with a problem, and exit with the worst one's status
    #[arg(long)]
    check: bool,
}

/// What a person is told who has no profile.
const NOTHING_YET: &str = "there is no profile yet; `tokctl add NAME` adds one";

pub(crate) fn run(args: &StatusArgs, session: &Session) -> Result<(), Stop> {
    if args.watch {
        return watch::run(&args.profiles, session);
    }
    let mut rows = Vec::new();
    let request = Request::Status2(Status2 {});
    session.collect(&mut session.client()?, &request, &mut |item| {
        if let Item::Status2(row) = item {
            rows.push(Row::from(row));
        }
    })?;
    let is_empty = rows.is_empty();
    let mut rows = select(rows, &args.profiles)?;
    let status = worst(rows.iter().map(|row| row.exit));
    if args.check {
        rows.retain(Row::is_problem);
    }
    if session.output.json {
        session.output.json(&rows)?;
    } else if is_empty {
        session.output.talk(NOTHING_YET);
    } else if !rows.is_empty() {
        print(&rows, session)?;
    }
    match args.check && status != 0 {
        true => Err(Stop::Status(status)),
        false => Ok(()),
    }
}

/// The rows of these profiles; all of them where none is named.
fn select(mut rows: Vec<Row>, profiles: &[ProfileName]) -> Result<Vec<Row>, Stop> {
    for profile in profiles {
        if rows.iter().any(|row| row.profile == profile.as_str()) {
            continue;
        }
        let failure =
            Failure::new(Kind::NoSuchProfile, "there is no profile of this name").of(profile);
        let names = rows.iter().map(|row| &*row.profile);
        return Err(match nearest(profile.as_str(), names) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")).into(),
            None => failure.hint("run `tokctl list`").into(),
        });
    }
    if !profiles.is_empty() {
        rows.retain(|row| profiles.iter().any(|profile| profile.as_str() == row.profile));
    }
    Ok(rows)
}

/// Prints a table for whoever reads stdout.
fn print(rows: &[Row], session: &Session) -> Result<(), Stop> {
    let bar = io::stdout().is_terminal().then(Bar::of_locale);
    let lines = view::table(rows, local_time::now(), bar, screen::page(&session.output));
    session.output.line(&lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_that_were_named_in_the_agents_order() {
        for (named, selected) in [
            (&[][..], Some("acme b github")),
            (&["github", "acme"], Some("acme github")),
            (&["acme", "gone"], None),
        ] {
            let rows = ["acme", "b", "github"].map(Row::unknown).to_vec();
            let named: Vec<_> =
                named.iter().map(|name| ProfileName::parse(name).unwrap()).collect();
            let names = select(rows, &named)
                .ok()
                .map(|rows| rows.into_iter().map(|row| row.profile).collect::<Vec<_>>().join(" "));
            assert_eq!(names.as_deref(), selected, "{named:?}");
        }
    }
}
