//! The thread that hears the agent, and the bell by which it is waited for together with signals.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use tokctl_client::proto::response::{Ask, Done, Item, Progress};
use tokctl_client::{Agent, Client, Error, Handler, Reply, Request, Secret};

use crate::exit::Stop;
use crate::terminal::Signals;

/// What the person is to do, detached from its frame.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) code: Option<String>,
    pub(super) url_complete: Option<String>,
    pub(super) expires_at: i64,
    pub(super) opens: bool,
}

/// What the agent says.
#[derive(Debug)]
pub(super) enum News {
    Step(Step),
    Talk {
        text: String,
        is_warning: bool,
    },
    Ask {
        prompt: String,
        hidden: bool,
        /// Readable when the agent has spoken since.
        agent: OwnedFd,
        answer: Sender<Answer>,
    },
    Ended(Result<String, Error>),
}

/// What becomes of a question.
#[derive(Debug)]
pub(super) enum Answer {
    Line(Secret),
    Settled,
    Cancelled,
}

pub(super) enum Woken {
    /// The time is up.
    Late,
    News(News),
    Signal(Signal),
}

/// A login as the agent tells it.
pub(super) struct Feed {
    news: Receiver<News>,
    bell: PipeReader,
}

impl Feed {
    pub(super) fn start(
        mut client: Client,
        request: Request<'static>,
        interactive: bool,
    ) -> Result<Self, Stop> {
        let (bell, ring) =
            io::pipe().map_err(|error| Stop::machine(format!("cannot make a pipe: {error}")))?;
        let (tell, news) = channel();
        std::thread::spawn(move || {
            let mut ear = Ear { tell, ring, interactive };
            let ended = match client.request(&request, &mut ear) {
                Ok(Done::Said(said)) => Ok(said.text.into_owned()),
                Ok(_) => Err(Error::Unexpected),
                Err(error) => Err(error),
            };
            ear.say(News::Ended(ended));
        });
        Ok(Self { news, bell })
    }

    pub(super) fn wait(&self, signals: &Signals, until: Option<Instant>) -> Result<Woken, Stop> {
        loop {
            let mut watched = [
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.bell.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut watched, left(until)) {
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
                // A thread that has gone without its last word has panicked.
                let news = self.news.try_recv();
                return Ok(Woken::News(news.unwrap_or(News::Ended(Err(Error::Unexpected)))));
            }
        }
    }
}

/// Rounded up, so that a wait is not spent spinning.
fn left(until: Option<Instant>) -> PollTimeout {
    let Some(until) = until else { return PollTimeout::NONE };
    let left = until.saturating_duration_since(Instant::now());
    PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX)
}

/// Hands on what is heard.
struct Ear {
    tell: Sender<News>,
    ring: PipeWriter,
    interactive: bool,
}

impl Ear {
    fn say(&mut self, news: News) {
        // Nobody listens any more when the program ends.
        let _over = self.tell.send(news);
        let _over = self.ring.write_all(b"!");
    }
}

impl Handler for Ear {
    fn interactive(&self) -> bool {
        self.interactive
    }

    fn progress(&mut self, progress: &Progress<'_>) {
        let (text, is_warning) = (progress.text.to_string(), progress.warning);
        self.say(News::Talk { text, is_warning });
    }

    fn item(&mut self, item: &Item<'_>) {
        if let Item::Login(step) = item {
            self.say(News::Step(Step {
                method: step.method.to_string(),
                url: step.url.to_string(),
                code: step.code.as_deref().map(str::to_owned),
                url_complete: step.url_complete.as_deref().map(str::to_owned),
                expires_at: step.expires_at,
                opens: step.opens,
            }));
        }
    }

    fn ask(&mut self, ask: &Ask<'_>, agent: Agent<'_>) -> Result<Reply, Error> {
        let agent = agent.as_fd().try_clone_to_owned().map_err(|source| Error::Machine {
            what: "cannot ask on the terminal".into(),
            source,
        })?;
        let (answer, answered) = channel();
        let (prompt, hidden) = (ask.prompt.to_string(), ask.hidden);
        self.say(News::Ask { prompt, hidden, agent, answer });
        match answered.recv() {
            Ok(Answer::Line(text)) => Ok(Reply::Answer(text)),
            Ok(Answer::Settled) => Ok(Reply::Settled),
            Ok(Answer::Cancelled) => Ok(Reply::Cancel),
            // The program is about to end, and with it the connection.
            Err(_) => Err(Error::Cancelled),
        }
    }
}
