//! tokctl as the parent of a program: passes signals on, keeps its files, restarts it, and ends as it ended.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use tokctl_client::proto::error::WireFailure;
use tokctl_client::{ProfileName, Token};

use super::child::{Change, Child, has_terminal};
use super::copy::Streams;
use super::news::{Listener, News, Teller};
use super::redact::Secrets;
use super::signals::{Arrived, Signals};
use super::tokens::Tokens;
use super::{Plan, child_command, ours, renewal};
use crate::exit::Stop;
use crate::session::Session;
use crate::variable::{Variable, secret_parts};

/// For a program to end in that was asked to.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// For what got SIGKILL to be gone in.
const KILLED: Duration = Duration::from_secs(1);

/// Between two looks whether what a program left behind is gone: nobody tells about the end of another's child.
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn run(
    plan: Plan,
    tokens: Tokens,
    variables: Vec<Variable>,
    session: &Session,
) -> Result<(), Stop> {
    let has_group = plan.restart && !has_terminal();
    // Before any thread, so that signals come to nobody else.
    let signals = Signals::hold().map_err(ours)?;
    let (teller, news) = Listener::new().map_err(ours)?;
    let (enough, enough_is_open) =
        io::pipe().map_err(|error| ours(Stop::machine(format!("cannot make a pipe: {error}"))))?;
    let secrets = Secrets::new();
    secrets.add(tokens.secrets());
    let mut parent = Parent {
        plan,
        tokens,
        variables,
        session,
        signals,
        teller,
        news,
        secrets,
        enough,
        copies: 0,
        has_group,
    };
    parent.write_files().map_err(ours)?;
    let connect = session.connect().map_err(ours)?;
    let child = parent.start()?;
    if parent.plan.follows_renewals() {
        let min_valid = parent.plan.min_valid;
        renewal::watch(&connect, min_valid, parent.tokens.all(), &parent.teller);
    }
    let status = parent.attend(child)?;
    parent.wait_for_output(enough_is_open).map_err(ours)?;
    match status {
        0 => Ok(()),
        status => Err(Stop::Status(status)),
    }
}

struct Parent<'a> {
    plan: Plan,
    tokens: Tokens,
    variables: Vec<Variable>,
    session: &'a Session,
    signals: Signals,
    teller: Teller,
    news: Listener,
    secrets: Secrets,
    enough: PipeReader,
    /// Streams that are being copied.
    copies: usize,
    has_group: bool,
}

/// A restart under way.
struct Restart {
    kill_at: Instant,
    was_killed: bool,
    /// Somebody wants the program to end meanwhile: it is not started again.
    is_given_up: bool,
    /// Of the program itself, once it has ended.
    status: Option<u8>,
}

enum Woken {
    Late,
    Signal(Arrived),
    News(News),
}

impl Parent<'_> {
    fn start(&mut self) -> Result<Child, Stop> {
        let mut command = child_command(&self.plan.program, &self.variables, self.session);
        let streams = Streams::connect(&mut command, self.plan.masked)
            .map_err(|error| ours(Stop::machine(format!("cannot make a pipe: {error}"))))?;
        let child = Child::start(command, self.has_group)
            .map_err(|error| ours(Stop::machine(format!("cannot start a process: {error}"))))?;
        self.copies += streams.start(&self.secrets, &self.teller, &self.enough).map_err(ours)?;
        Ok(child)
    }

    /// Sees the program, and those that follow it, to the end; gives the exit status of the last.
    fn attend(&mut self, mut child: Child) -> Result<u8, Stop> {
        let mut restart: Option<Restart> = None;
        loop {
            if let Some(status) = self.follow_up(&child, &mut restart) {
                match status {
                    Some(status) => return Ok(status),
                    None => child = self.start()?,
                }
            }
            match self.wait(until(restart.as_ref())).map_err(ours)? {
                Woken::Late => {}
                Woken::News(news) => self.hear(news, &child, &mut restart),
                Woken::Signal(arrived) if arrived.signal == Signal::SIGCHLD => {
                    match &mut restart {
                        None => {
                            if let Some(status) = self.look_after(&child)? {
                                return Ok(status);
                            }
                        }
                        Some(restart) if restart.status.is_none() => {
                            restart.status = self.look_after(&child)?;
                        }
                        // Of somebody else: as the first process of a container we are everybody's parent.
                        Some(_) => {}
                    }
                }
                Woken::Signal(arrived) => pass_on(arrived, &child, &mut restart),
            }
        }
    }

    /// Stops where the child was stopped; gives its status once it has ended.
    fn look_after(&self, child: &Child) -> Result<Option<u8>, Stop> {
        while let Some(change) = child.change().map_err(ours)? {
            match change {
                Change::Stopped(signal) => self.signals.stop(signal).map_err(ours)?,
                Change::Ended(status) => return Ok(Some(status)),
            }
        }
        Ok(None)
    }

    /// Takes a restart further: the status to end with, or none where the program is to be started again.
    fn follow_up(&self, child: &Child, restart: &mut Option<Restart>) -> Option<Option<u8>> {
        let under_way = restart.as_mut()?;
        // What SIGKILL does not end, nobody waits for.
        let has_ended = under_way.status.is_some()
            && (!child.has_left_others() || under_way.kill_at + KILLED <= Instant::now());
        if has_ended {
            let restart = restart.take()?;
            return Some(restart.status.filter(|_| restart.is_given_up));
        }
        if !under_way.was_killed && under_way.kill_at <= Instant::now() {
            under_way.was_killed = true;
            child.signal(Signal::SIGKILL);
        }
        None
    }

    fn hear(&mut self, news: News, child: &Child, restart: &mut Option<Restart>) {
        match news {
            News::Copied(why) => {
                self.copies -= 1;
                why.iter().for_each(|why| self.session.output.warn(why));
            }
            News::Warning(text) => self.session.output.warn(&text),
            News::Renewed(profile, token) => {
                if let Err(failure) = self.take_over(&profile, *token) {
                    let why = &failure.message;
                    self.session
                        .output
                        .warn(&format!("{profile}: its new token is of no use: {why}"));
                    return;
                }
                if self.plan.restart && restart.is_none() {
                    let program = self.plan.program[0].display();
                    self.session
                        .output
                        .talk(&format!("{profile} was renewed: restarting `{program}`"));
                    child.signal(Signal::SIGTERM);
                    // One that is stopped would not hear it.
                    child.signal(Signal::SIGCONT);
                    *restart = Some(Restart {
                        kill_at: Instant::now() + self.plan.grace,
                        was_killed: false,
                        is_given_up: false,
                        status: None,
                    });
                }
            }
        }
    }

    /// A new token; one that cannot be put where it belongs leaves the one before.
    fn take_over(
        &mut self,
        profile: &ProfileName,
        token: Token,
    ) -> Result<(), WireFailure<'static>> {
        // Masked before anybody has it.
        self.secrets.add(secret_parts(&token));
        self.plan.mask(|| secret_parts(&token));
        let before = self.tokens.replace(profile, token);
        let outcome = self.tokens.variables(&self.plan.assignments).and_then(|variables| {
            self.write_files_of(Some(profile))?;
            self.variables = variables;
            Ok(())
        });
        match outcome {
            Err(Stop::Failed(failure)) => {
                before.map(|before| self.tokens.replace(profile, before));
                Err(*failure)
            }
            _ => Ok(()),
        }
    }

    fn write_files(&mut self) -> Result<(), Stop> {
        self.write_files_of(None)
    }

    fn write_files_of(&mut self, profile: Option<&ProfileName>) -> Result<(), Stop> {
        for place in &mut self.plan.places {
            if profile.is_none_or(|profile| place.profiles().contains(&profile)) {
                place.write(&self.tokens)?;
            }
        }
        Ok(())
    }

    /// What the program's own children print yet is waited for, as long as for a program that is to end.
    fn wait_for_output(&mut self, enough: PipeWriter) -> Result<(), Stop> {
        let deadline = Instant::now() + self.plan.grace;
        let mut enough = Some(enough);
        while self.copies > 0 {
            if Instant::now() >= deadline {
                drop(enough.take());
            }
            match self.wait(enough.is_some().then_some(deadline))? {
                Woken::News(News::Copied(why)) => {
                    self.copies -= 1;
                    why.iter().for_each(|why| self.session.output.warn(why));
                }
                Woken::Signal(Arrived { signal, .. }) if is_an_end(signal) => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }

    fn wait(&self, until: Option<Instant>) -> Result<Woken, Stop> {
        loop {
            let mut watched = [
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.news.as_fd(), PollFlags::POLLIN),
            ];
            let timeout = until.map_or(PollTimeout::NONE, |until| {
                let left = until.saturating_duration_since(Instant::now());
                // Rounded up, so that a wait is not spent spinning.
                PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
            });
            match poll(&mut watched, timeout) {
                Ok(0) => return Ok(Woken::Late),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(Stop::machine(format!("cannot wait: {errno}"))),
            }
            if let Some(arrived) = self.signals.next()? {
                return Ok(Woken::Signal(arrived));
            }
            if watched[1].any().unwrap_or(false)
                && let Some(news) = self.news.next()
            {
                return Ok(Woken::News(news));
            }
        }
    }
}

/// When a restart is to be looked after again.
fn until(restart: Option<&Restart>) -> Option<Instant> {
    let restart = restart?;
    match (restart.status, restart.was_killed) {
        (Some(_), _) => Some(Instant::now() + LOOK),
        (None, false) => Some(restart.kill_at),
        (None, true) => None,
    }
}

/// What was typed reaches the child by itself where it is in our group; a hang-up, which is told to the leader of a
/// session alone, does not.
fn pass_on(arrived: Arrived, child: &Child, restart: &mut Option<Restart>) {
    let signal = arrived.signal;
    if let Some(restart) = restart.as_mut().filter(|_| is_an_end(signal)) {
        restart.is_given_up = true;
    }
    let has_reached_it = arrived.is_typed && child.is_in_our_group() && signal != Signal::SIGHUP;
    if !has_reached_it {
        child.signal(signal);
    }
}

fn is_an_end(signal: Signal) -> bool {
    matches!(signal, Signal::SIGHUP | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGTERM)
}
