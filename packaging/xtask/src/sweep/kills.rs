//! The agent is killed all over refreshes of tokens that each use burns; and how long the window is in which
//! that costs a refresh token. `TOKCTL_KILLS` says how often.

use anyhow::{Result, bail};
use tokctl_tests::machine::number_from;
use tokctl_tests::rotation::kills::Kills;
use tokctl_tests::rotation::window::Window;
use tokctl_tests::trace;

use super::{Ended, Sizes};
use crate::run::{cargo, run as build};
use crate::say::say;

const KILLS: u64 = 5_000;
/// Undisturbed refreshes whose window is measured.
const WINDOWS: usize = 200;

pub(super) fn run(_sizes: Sizes) -> Result<Ended> {
    if !trace::is_allowed() {
        return Ok(Ended::NotRun("ptrace is not allowed".into()));
    }
    build(&mut cargo(["build", "-p", "tokctl-client", "-p", "tokctl-agent"]))?;
    let kills = Kills::run(number_from("TOKCTL_KILLS", KILLS), |done| {
        if done % 500 == 0 {
            say!("{done} kills");
        }
    });
    for problem in kills.problems() {
        say!("{problem}");
    }
    say!("{kills}");
    let window = Window::measured(WINDOWS);
    match kills.problems().next() {
        None => Ok(Ended::Done(format!("{kills}\n{window}").lines().map(str::to_owned).collect())),
        Some(first) => bail!("{kills}\n{window}\nthe first: {first}"),
    }
}
