//! A cached `tokctl get` as a whole process, from spawn to exit, against programs that do as little.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use tokctl_tests::Home;

use super::echo::Echo;
use super::ssh::SshAgent;
use super::{Aim, floor, median, micros, ratio};
use crate::say::say;

/// The floors read this much.
const ANSWER_BYTES: usize = 1024;
/// Rounds that are not counted.
const WARM_UP: u32 = 20;

/// A program that is started again and again.
#[derive(Debug)]
struct Variant {
    name: &'static str,
    command: Command,
    micros: Vec<f64>,
}

impl Variant {
    fn new(name: &'static str, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self { name, command, micros: Vec::new() }
    }

    fn run(&mut self) -> Result<f64> {
        let begun = Instant::now();
        let status = self.command.status()?;
        let took = micros(begun.elapsed());
        ensure!(status.success(), "{} failed ({status})", self.name);
        Ok(took)
    }
}

pub(super) fn measure(home: &Home, rounds: u32) -> Result<Vec<Aim>> {
    say!("\n== a cached `tokctl get` as a whole process, {rounds} rounds");
    let directory = tempfile::tempdir()?;
    let echo = Echo::start(directory.path().join("echo.sock"), ANSWER_BYTES)?;
    let ssh = SshAgent::start(directory.path())?;

    let mut variants = vec![Variant::new("tokctl get", home.tokctl(["get", "p0"]).into_command())];
    let floors =
        [("C, static with musl", "musl-gcc", "musl-tools"), ("C, gcc -static", "gcc", "gcc")];
    for (name, compiler, package) in floors {
        if let Some(program) = floor::compiled(compiler, package, directory.path())? {
            let mut command = Command::new(program);
            command.env_clear().arg(&echo.socket).arg(ANSWER_BYTES.to_string());
            variants.push(Variant::new(name, command));
        }
    }
    if let Some(agent) = &ssh {
        let mut command = Command::new("ssh-add");
        command.arg("-l").env("SSH_AUTH_SOCK", &agent.socket);
        variants.push(Variant::new("ssh-add -l", command));
    }

    for round in 0..WARM_UP + rounds {
        // Nobody is always first.
        let first = usize::try_from(round)? % variants.len();
        for turn in 0..variants.len() {
            let index = (first + turn) % variants.len();
            let took = variants[index].run()?;
            if round >= WARM_UP {
                variants[index].micros.push(took);
            }
        }
    }

    let times = |name: &str| {
        variants.iter().find(|variant| variant.name == name).map(|variant| &variant.micros[..])
    };
    let get = times("tokctl get").unwrap_or_default();
    for variant in &variants {
        let (time, share) = (median(&variant.micros), ratio(&variant.micros, get));
        say!("{:<22}{time:>8.0} us{share:>8.2} of a get", variant.name);
    }
    let aim = |what: &str, against: &str, most: f64| Aim {
        what: format!("tokctl get / {what}"),
        value: times(against).map(|floor| ratio(get, floor)),
        most,
        unit: "",
    };
    Ok(vec![
        aim("a C program, static with musl", "C, static with musl", 1.5),
        aim("the same by gcc -static", "C, gcc -static", 0.75),
        aim("ssh-add -l", "ssh-add -l", 0.1),
    ])
}
