//! The agent's start on a vault with 10,000 entries, against one with 10: what it takes from the open vault to
//! the first answer, and how many entries were opened by then.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokctl_proto::request::{Get, Request, Unlock};
use tokctl_tests::Home;
use tokctl_tests::bin::Programs;
use tokctl_tests::home::PASSPHRASE;
use tokctl_tests::wire::Raw;

use super::{Aim, median, ratio};
use crate::run::{cargo, run};
use crate::say::say;

const FEW: usize = 10;
const MANY: usize = 10_000;
/// Nobody notices it.
const ANSWER_MS_MAX: f64 = 50.0;
/// That of the profile that was asked for.
const OPENED_MAX: f64 = 1.0;
const ROUNDS: usize = 11;
/// Each costs a second of scrypt, twice.
const ROUNDS_WITH_PASSPHRASE: usize = 5;

type Part = fn(&Start) -> f64;

/// What one start came to.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// From the program's start to the word that the socket can be used.
    ready_ms: f64,
    /// From the request to unlock to its answer; nothing where the vault opens by itself.
    unlock_ms: f64,
    /// From there to the first token.
    first_ms: f64,
    /// From the first token to that of another profile.
    second_ms: f64,
    /// Entries that were opened before the first token was there.
    opened: f64,
}

pub(super) fn measure(programs: &Programs) -> Result<Vec<Aim>> {
    let mut aims = Vec::new();
    for (vault, rounds) in
        [("without a passphrase", ROUNDS), ("under a passphrase", ROUNDS_WITH_PASSPHRASE)]
    {
        say!("\n== the agent's start with {MANY} entries, {vault}, {rounds} rounds");
        let with_passphrase = rounds == ROUNDS_WITH_PASSPHRASE;
        let few = filled(programs, FEW, with_passphrase)?;
        let many = filled(programs, MANY, with_passphrase)?;
        aims.extend(compare(&few, &many, vault, with_passphrase, rounds)?);
        if !with_passphrase {
            // The schedule is a hint: without it everything is there all the same, if later.
            let lose = |home: &Home| std::fs::remove_file(home.path().join("state/schedule.json"));
            lose(&many)?;
            let start = started(&many, false)?;
            say!(
                "without schedule.json: first token after {:.1} ms, the next after {:.1} ms more",
                start.first_ms,
                start.second_ms
            );
        }
    }
    Ok(aims)
}

fn compare(
    few: &Home,
    many: &Home,
    vault: &str,
    with_passphrase: bool,
    rounds: usize,
) -> Result<Vec<Aim>> {
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut turns = [(few, &mut of_few), (many, &mut of_many)];
        if round % 2 == 1 {
            turns.reverse();
        }
        for (home, starts) in turns {
            starts.push(started(home, with_passphrase)?);
        }
    }
    let all = |starts: &[Start], of: Part| starts.iter().map(of).collect::<Vec<_>>();
    let parts: [(&str, Part); 4] = [
        ("start to ready", |start| start.ready_ms),
        ("unlock", |start| start.unlock_ms),
        ("the first token", |start| start.first_ms),
        ("the second token", |start| start.second_ms),
    ];
    say!("{:<20}{FEW:>12}{MANY:>12}{:>9}", "", "ratio");
    for (what, of) in parts {
        let (few, many) = (all(&of_few, of), all(&of_many, of));
        if median(&few) > 0.0 {
            let ratio = ratio(&many, &few);
            say!("{what:<20}{:>9.2} ms{:>9.2} ms{ratio:>9.2}", median(&few), median(&many));
        }
    }
    let mut aims = vec![
        Aim {
            what: format!("{MANY} entries {vault}: open to the first token"),
            value: Some(median(&all(&of_many, |start| start.first_ms))),
            most: ANSWER_MS_MAX,
            unit: " ms",
        },
        Aim {
            what: format!("{MANY} entries {vault}: opened before the first token"),
            value: of_many.iter().map(|start| start.opened).reduce(f64::max),
            most: OPENED_MAX,
            unit: "",
        },
    ];
    if with_passphrase {
        let unlock = |start: &Start| start.unlock_ms;
        aims.push(Aim {
            what: format!("unlocking {MANY} entries / {FEW}"),
            value: Some(ratio(&all(&of_many, unlock), &all(&of_few, unlock))),
            most: 1.1,
            unit: "",
        });
    }
    Ok(aims)
}

/// A home with so many entries, made by the agent's own code: a copy of an entry under another name does not
/// open.
fn filled(programs: &Programs, entries: usize, with_passphrase: bool) -> Result<Home> {
    let home = Home::with_programs(programs.clone(), None)?;
    let passphrase = home.secret_file("passphrase", PASSPHRASE);
    let fill = ["bench", "--quiet", "--profile", "dev", "-p", "tokctl-agent", "--bench", "fill"];
    let mut command = cargo(fill);
    command.arg("--").arg(home.path()).arg(entries.to_string());
    if with_passphrase {
        command.arg(passphrase);
    }
    run(&mut command)?;
    Ok(home)
}

/// Starts the agent, asks for two tokens, and stops it.
fn started(home: &Home, with_passphrase: bool) -> Result<Start> {
    let opened = Opened::watch(&home.vault().join("entries"))?;
    let begun = Instant::now();
    let mut agent = Agent::start(home)?;
    let ready_ms = millis(begun.elapsed());
    let mut client = Raw::connect(&home.socket());
    client.preamble(&home.path());

    let begun = Instant::now();
    if with_passphrase {
        let passphrase = Some(PASSPHRASE.into());
        client.request(&Request::Unlock(Unlock { passphrase, ..Unlock::default() }));
        answered(&mut client)?;
    }
    let unlock_ms = if with_passphrase { millis(begun.elapsed()) } else { 0.0 };
    let first_ms = got(&mut client, "p3")?;
    let opened = opened.count()?;
    let second_ms = got(&mut client, "p7")?;
    agent.stop()?;
    Ok(Start { ready_ms, unlock_ms, first_ms, second_ms, opened })
}

/// Milliseconds to a token.
fn got(client: &mut Raw, profile: &str) -> Result<f64> {
    let begun = Instant::now();
    client.request(&Request::Get(Get { profile: profile.into(), ..Get::default() }));
    answered(client)?;
    Ok(millis(begun.elapsed()))
}

/// Reads to the end of an answer.
fn answered(client: &mut Raw) -> Result<()> {
    loop {
        let answer = client.answer().context("the agent hung up")?;
        if answer.get("done").is_some() {
            return Ok(());
        }
        ensure!(answer.get("progress").is_some(), "not done: {answer}");
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

struct Agent(Child);

impl Agent {
    fn start(home: &Home) -> Result<Self> {
        let mut command: Command = home.agent(["--ready-on-stdout"]).into_command();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut agent = Self(child);
        let mut line = String::new();
        let stdout = agent.0.stdout.take().context("stdout is piped")?;
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(home.socket().exists(), "the agent did not start: {line}");
        Ok(agent)
    }

    fn stop(&mut self) -> Result<()> {
        kill(Pid::from_raw(self.0.id().try_into()?), Signal::SIGTERM)?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Counts the files of a directory that somebody opens.
struct Opened(Inotify);

impl Opened {
    fn watch(directory: &Path) -> Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        inotify.add_watch(directory, AddWatchFlags::IN_OPEN)?;
        Ok(Self(inotify))
    }

    /// Files and not openings: one that is read twice is one. A queue that ran over counts as very many.
    fn count(&self) -> Result<f64> {
        let mut names = std::collections::BTreeSet::new();
        loop {
            let events = match self.0.read_events() {
                Ok(events) => events,
                Err(nix::errno::Errno::EAGAIN) => return Ok(names.len() as f64),
                Err(error) => return Err(error.into()),
            };
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    return Ok(f64::INFINITY);
                }
                names.extend(event.name);
            }
        }
    }
}
