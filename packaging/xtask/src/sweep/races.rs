//! A herd of processes at expiry: tokctl, oidc-agent, and a script in which each refreshes for itself.
//! `TOKCTL_RACE` says how many, `TOKCTL_ROTATIONS` how often.

use std::time::Duration;

use anyhow::{Result, bail};
use tokctl_tests::machine::number_from;
use tokctl_tests::rotation::race::{self, Size};

use super::{Ended, Sizes};
use crate::prepare::debian_packages;
use crate::run::{cargo, run as build};
use crate::say::say;

const RACE: u64 = 1_000;
const ROTATIONS: u64 = 10;
/// Long enough for a thousand processes to come through on two cores.
const TOKEN_TTL: Duration = Duration::from_secs(20);

const PROGRAMS: [(&str, &str, &str); 2] = [
    ("oidc-agent", "oidc-agent-cli", "raced beside tokctl"),
    ("python3", "python3", "the script that does without tokctl"),
];

pub(super) fn run(_sizes: Sizes) -> Result<Ended> {
    build(&mut cargo(["build", "-p", "tokctl-client", "-p", "tokctl-agent"]))?;
    let count = |name, usual| number_from(name, usual).try_into().unwrap_or(usize::MAX);
    let size = Size {
        processes: count("TOKCTL_RACE", RACE),
        rotations: count("TOKCTL_ROTATIONS", ROTATIONS),
        token_ttl: TOKEN_TTL,
    };
    if let Err(error) = debian_packages(&PROGRAMS) {
        say!("{error:#}");
    }
    let ours = race::tokctl(size);
    say!("{ours}");
    let mut lines: Vec<String> = race::TABLE_HEAD.lines().map(str::to_owned).collect();
    lines.push(ours.to_string());
    match race::oidc_agent(size) {
        Ok(race) => lines.push(race.to_string()),
        Err(error) => lines.push(format!("not run: oidc-agent: {error:#}")),
    }
    match race::naive(size) {
        Some(race) => lines.push(race.to_string()),
        None => lines.push("not run: the script: there is no python3".to_owned()),
    }
    match ours.is_clean() {
        true => Ok(Ended::Done(lines)),
        false => bail!("{}\n{ours:?}", lines.join("\n")),
    }
}
