//! `tokctl status --watch`: drawn again every second on a terminal, printed again after every change elsewhere.
//!
//! The agent is asked by a thread of its own, so that Ctrl-C ends this at once even while the agent does not
//! answer. An agent that goes away is not started again and again: it is said that there is none, until there
//! is one.

use std::io::{self, IsTerminal, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};
use tokctl_client::proto::error::WireFailure;
use tokctl_client::proto::request::Status2;
use tokctl_client::proto::response::{Done, Item, Progress};
use tokctl_client::{Client, Connect, Error, Handler, ProfileName, Request};

use super::row::Row;
use super::view::{self, Bar};
use super::{NOTHING_YET, select};
use crate::exit::Stop;
use crate::local_time;
use crate::output::{safe, told};
use crate::screen::{self, Screen};
use crate::session::Session;
use crate::terminal::Signals;

/// Between two drawings.
const PERIOD: Duration = Duration::from_secs(1);

pub(super) fn run(profiles: &[ProfileName], session: &Session) -> Result<(), Stop> {
    let mut client = session.client()?;
    let first = fetch(&mut client, profiles)?;
    let source = Source {
        client: Some(client),
        connect: session.connect()?.never_start(),
        profiles: profiles.to_vec(),
    };
    let can_draw = io::stdout().is_terminal()
        && std::env::var_os("TERM").is_some_and(|name| !name.is_empty() && name != "dumb");
    match can_draw && !session.output.json {
        true => draw(first, source, session),
        false => follow(first, source, session),
    }
}

/// What the agent said at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    rows: Vec<Row>,
    /// Talk and warnings.
    said: Vec<String>,
}

impl Handler for Seen {
    fn progress(&mut self, progress: &Progress<'_>) {
        self.said.push(progress.text.to_string());
    }

    fn item(&mut self, item: &Item<'_>) {
        if let Item::Status2(row) = item {
            self.rows.push(Row::from(row));
        }
    }
}

fn fetch(client: &mut Client, profiles: &[ProfileName]) -> Result<Seen, Stop> {
    let mut seen = Seen::default();
    match client.request(&Request::Status2(Status2 {}), &mut seen)? {
        Done::Said(said) if said.text.is_empty() => {}
        Done::Said(said) => seen.said.push(said.text.into_owned()),
        _ => return Err(Error::Unexpected.into()),
    }
    seen.rows = select(seen.rows, profiles)?;
    Ok(seen)
}

/// Where news comes from.
struct Source {
    client: Option<Client>,
    connect: Connect,
    profiles: Vec<ProfileName>,
}

impl Source {
    fn news(&mut self) -> Result<Seen, Box<WireFailure<'static>>> {
        let fetched = match &mut self.client {
            Some(client) => fetch(client, &self.profiles),
            None => self
                .connect
                .clone()
                .open()
                .map_err(Stop::from)
                .and_then(|client| fetch(self.client.insert(client), &self.profiles)),
        };
        fetched.map_err(|stop| {
            // The client would start an agent where the one it knew is gone.
            self.client = None;
            match stop {
                Stop::Failed(failure) => failure,
                Stop::Status(_) | Stop::BrokenPipe => Box::new(Error::Unexpected.failure()),
            }
        })
    }
}

/// Prints what there is whenever it differs, until nobody reads it any more.
fn follow(first: Seen, mut source: Source, session: &Session) -> Result<(), Stop> {
    let mut last = print(first, None, session)?;
    let mut last_failure = None;
    loop {
        wait_for_reader(PERIOD)?;
        match source.news() {
            Ok(seen) => {
                last_failure = None;
                last = print(seen, Some(last), session)?;
            }
            Err(failure) if last_failure.as_ref() == Some(&failure) => {}
            Err(failure) => {
                session.output.failure(&failure);
                last_failure = Some(failure);
            }
        }
    }
}

/// Prints what differs from the last time. That somebody used a token again is no news by itself.
fn print(seen: Seen, last: Option<Seen>, session: &Session) -> Result<Seen, Stop> {
    let used = |mut seen: Seen| {
        seen.rows.iter_mut().for_each(|row| row.last_used_at = None);
        seen
    };
    if last.as_ref().is_some_and(|last| used(last.clone()) == used(seen.clone())) {
        return Ok(seen);
    }
    seen.said.iter().for_each(|line| session.output.talk(line));
    if session.output.json {
        session.output.json(&seen.rows)?;
    } else if seen.rows.is_empty() {
        session.output.talk(NOTHING_YET);
    } else {
        if last.is_some() {
            session.output.line("")?;
        }
        super::print(&seen.rows, session)?;
    }
    Ok(seen)
}

/// Sleeps, unless nobody reads stdout any more.
fn wait_for_reader(wait: Duration) -> Result<(), Stop> {
    let stdout = io::stdout();
    let mut watched = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    match poll(&mut watched, millis(wait)) {
        Ok(0) | Err(Errno::EINTR) => Ok(()),
        Ok(_) => Err(Stop::BrokenPipe),
        Err(errno) => Err(Stop::machine(format!("cannot wait: {errno}"))),
    }
}

/// Draws every second, until Ctrl-C, which is the usual way to end this and no failure.
fn draw(first: Seen, source: Source, session: &Session) -> Result<(), Stop> {
    let mut signals = Signals::hold()?;
    // Begun while the signals are held, so that none of them is delivered to it.
    let feed = Feed::start(source)?;
    let mut screen = Screen::enter(&session.output)?;
    let (mut seen, mut failure) = (first, None);
    loop {
        screen.draw(&picture(&seen, failure.as_deref(), session))?;
        match feed.wait(&signals, Instant::now() + PERIOD)? {
            Woken::Late => feed.ask(),
            Woken::News(Ok(news)) => (seen, failure) = (news, None),
            Woken::News(Err(why)) => failure = Some(why),
            Woken::Signal(signal @ (Signal::SIGTSTP | Signal::SIGTERM | Signal::SIGHUP)) => {
                drop(screen);
                // Delivered once the signals are let go: stops or ends us, as its sender wanted.
                raise(signal).map_err(|errno| Stop::machine(format!("cannot stop: {errno}")))?;
                drop(signals);
                signals = Signals::hold()?;
                screen = Screen::enter(&session.output)?;
            }
            Woken::Signal(_) => return Ok(()),
        }
    }
}

fn picture(seen: &Seen, failure: Option<&WireFailure<'_>>, session: &Session) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(failure) = failure {
        lines.push(format!("error: {}", told(failure)));
    }
    lines.extend(seen.said.iter().map(|line| safe(line).into_owned()));
    if seen.rows.is_empty() {
        lines.push(NOTHING_YET.to_owned());
        return lines;
    }
    let page = screen::page(&session.output);
    lines.extend(view::table(&seen.rows, local_time::now(), Some(Bar::of_locale()), page));
    lines
}

type News = Result<Seen, Box<WireFailure<'static>>>;

/// A thread that asks the agent when it is told to.
struct Feed {
    questions: Sender<()>,
    news: Receiver<News>,
    /// A byte for each of the news, so that they can be waited for together with signals.
    bell: PipeReader,
}

enum Woken {
    /// The time is up.
    Late,
    News(News),
    Signal(Signal),
}

impl Feed {
    fn start(mut source: Source) -> Result<Self, Stop> {
        let (bell, mut ring) =
            io::pipe().map_err(|error| Stop::machine(format!("cannot make a pipe: {error}")))?;
        let (questions, asked) = channel();
        let (tell, news) = channel();
        std::thread::spawn(move || {
            while asked.recv().is_ok() {
                // Questions that came while the agent took its time are answered all at once.
                while asked.try_recv().is_ok() {}
                if tell.send(source.news()).is_err() || ring.write_all(b"!").is_err() {
                    return;
                }
            }
        });
        Ok(Self { questions, news, bell })
    }

    fn ask(&self) {
        let _over = self.questions.send(());
    }

    fn wait(&self, signals: &Signals, until: Instant) -> Result<Woken, Stop> {
        loop {
            let mut watched = [
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.bell.as_fd(), PollFlags::POLLIN),
            ];
            let left = until.saturating_duration_since(Instant::now());
            match poll(&mut watched, millis(left)) {
                Ok(0) => return Ok(Woken::Late),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(Stop::machine(format!("cannot wait: {errno}"))),
            }
            if let Some(signal) = signals.next()? {
                return Ok(Woken::Signal(signal));
            }
            if watched[1].any().unwrap_or(false) {
                let rung = (&self.bell).read(&mut [0]);
                rung.map_err(|error| Stop::machine(format!("cannot wait: {error}")))?;
                if let Ok(news) = self.news.try_recv() {
                    return Ok(Woken::News(news));
                }
            }
        }
    }
}

/// Rounded up, so that a wait is not spent spinning.
fn millis(wait: Duration) -> PollTimeout {
    PollTimeout::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
}
