//! A cached get over a kept connection, against a bare tokio echo of the same bytes over the same kind of
//! socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::unistd::Pid;
use tokctl_proto::frame::{Frame, Preamble};
use tokctl_proto::request::{Get, Request};
use tokctl_tests::Home;
use tokctl_tests::wire::{framed, preamble};

use super::core::OneCore;
use super::echo::Echo;
use super::{Aim, median, micros, ratio};
use crate::say::say;

/// Exchanges in a row before the other has its turn: enough to forget the switch, few enough that both see
/// the same machine.
const EXCHANGES: u32 = 100;

pub(super) fn measure(home: &Home, rounds: u32) -> Result<Vec<Aim>> {
    say!("\n== a cached get over a kept connection, {rounds} rounds of {EXCHANGES}");
    let request = framed(&Request::Get(Get { profile: "p0".into(), ..Get::default() }));
    let mut agent = connected(&home.socket())?;
    agent.write_all(&preamble(&Preamble::new(Some(home.path()))))?;
    agent.write_all(&request)?;
    let answer_bytes = first_answer(&mut agent)?;

    let directory = tempfile::tempdir()?;
    let echo = Echo::start(directory.path().join("echo.sock"), answer_bytes)?;
    let mut bare = connected(&echo.socket)?;
    let agent_pid = home.agent_pid().context("no agent")?;
    let _one_core = OneCore::for_all(&[Pid::this(), agent_pid, echo.pid()?])?;

    let mut answer = vec![0; answer_bytes];
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut turns = [(&mut agent, &mut ours), (&mut bare, &mut theirs)];
        if round % 2 == 1 {
            turns.reverse();
        }
        for (stream, times) in turns {
            let begun = Instant::now();
            for _ in 0..EXCHANGES {
                stream.write_all(&request)?;
                stream.read_exact(&mut answer)?;
            }
            times.push(micros(begun.elapsed()) / f64::from(EXCHANGES));
        }
    }
    say!("answer of {answer_bytes} bytes");
    say!("get {:.1} us, bare echo {:.1} us, all of it on one core", median(&ours), median(&theirs));
    Ok(vec![Aim {
        what: "get over a kept connection / bare tokio echo".into(),
        value: Some(ratio(&ours, &theirs)),
        most: 1.3,
        unit: "",
    }])
}

fn connected(socket: &Path) -> Result<UnixStream> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

/// How many bytes an answer has. Those after it may differ by a digit of the seconds that are left, so the
/// bench's token lives a day: five digits, and varint lengths that stay.
fn first_answer(stream: &mut UnixStream) -> Result<usize> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        if let Some((_, used)) = Frame::split(&bytes)? {
            ensure!(used == bytes.len(), "the agent said more than one answer");
            return Ok(used);
        }
        let read = stream.read(&mut chunk)?;
        ensure!(read > 0, "the agent hung up");
        bytes.extend_from_slice(&chunk[..read]);
    }
}
