//! Every call that a refresh makes on a file fails: once, and from there on.

use anyhow::{Result, bail};
use tokctl_tests::rotation::errors::Errors;
use tokctl_tests::trace;

use super::{Ended, Sizes};
use crate::run::{cargo, run as build};
use crate::say::say;

pub(super) fn run(_sizes: Sizes) -> Result<Ended> {
    if !trace::is_allowed() || !trace::CAN_FAIL_CALLS {
        return Ok(Ended::NotRun("it needs ptrace on x86_64 Linux".into()));
    }
    build(&mut cargo(["build", "-p", "tokctl-client", "-p", "tokctl-agent"]))?;
    let errors = Errors::run(1);
    for problem in &errors.broken {
        say!("{problem}");
    }
    match errors.broken.first() {
        None => Ok(Ended::Done(errors.to_string().lines().map(str::to_owned).collect())),
        Some(first) => bail!("{errors}\nthe first: {first}"),
    }
}
