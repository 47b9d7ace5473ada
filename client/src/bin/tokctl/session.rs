//! What the commands of one run share: how to talk, whether to ask, and the way to the agent.

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use tokctl_client::proto::response::{Ask, Done, Item, Progress};
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{Agent, Client, Connect, Error, Handler, Reply, Request, Secret};

use crate::args::Global;
use crate::exit::Stop;
use crate::output::Output;
use crate::terminal::{Terminal, Typed};

/// One run of the program.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) output: Output,
    /// Confirmations were given in advance.
    pub(crate) yes: bool,
    no_prompt: bool,
    can_ask: Cell<Option<bool>>,
    /// stdin was given to one secret; there is no second in it.
    pub(crate) stdin_is_taken: Cell<bool>,
    /// Variables that held secrets, not to be handed to an agent.
    pub(crate) withheld: RefCell<Vec<OsString>>,
}

impl Session {
    pub(crate) fn new(global: Global) -> Self {
        let Global { quiet, verbose, json, no_prompt, yes, color } = global;
        Self {
            output: Output { json, quiet, verbose, color },
            yes,
            no_prompt,
            can_ask: Cell::new(None),
            stdin_is_taken: Cell::new(false),
            withheld: RefCell::new(Vec::new()),
        }
    }

    /// Whether somebody is there to be asked.
    pub(crate) fn can_ask(&self) -> bool {
        let known = self.can_ask.get();
        known.unwrap_or_else(|| {
            let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            let can_ask = !self.no_prompt
                && io::stdin().is_terminal()
                && io::stderr().is_terminal()
                && !set("TOKCTL_NO_PROMPT")
                && !set("CI");
            self.can_ask.set(Some(can_ask));
            can_ask
        })
    }

    /// Asks a question of our own. The caller has seen that somebody is there.
    pub(crate) fn ask(&self, prompt: &str, hidden: bool) -> Result<Secret, Stop> {
        match Terminal::open()?.ask(prompt, hidden, None)? {
            Typed::Line(text) => Ok(text),
            Typed::Settled => Err(Error::Cancelled.into()),
        }
    }

    /// Asks for consent: `y` or `yes`, or what `enter` stands for.
    pub(crate) fn confirm(&self, question: &str, enter: bool) -> Result<bool, Stop> {
        if self.yes {
            return Ok(true);
        }
        let choice = if enter { "[Y/n]" } else { "[y/N]" };
        let typed = self.ask(&format!("{question} {choice}"), false)?;
        Ok(match typed.expose().trim() {
            "" => enter,
            answer => matches!(answer, "y" | "Y" | "yes"),
        })
    }

    /// How the agent is found.
    pub(crate) fn connect(&self) -> Result<Connect, Stop> {
        let mut connect = Connect::from_environment()?;
        for variable in self.withheld.borrow().iter() {
            connect = connect.withhold(variable);
        }
        Ok(connect)
    }

    /// Connects, and starts an agent where there is none.
    pub(crate) fn client(&self) -> Result<Client, Stop> {
        Ok(self.connect()?.open()?)
    }

    /// Sends a request whose answer is something to say, and says it.
    pub(crate) fn tell(&self, client: &mut Client, request: &Request<'_>) -> Result<(), Stop> {
        self.collect(client, request, &mut |_| {})
    }

    /// Sends a request that lists, and says what the agent says at its end.
    pub(crate) fn collect(
        &self,
        client: &mut Client,
        request: &Request<'_>,
        on_item: &mut dyn FnMut(&Item<'_>),
    ) -> Result<(), Stop> {
        match self.converse(client, request, on_item)? {
            Done::Said(said) => {
                self.output.talk(&said.text);
                Ok(())
            }
            _ => Err(Error::Unexpected.into()),
        }
    }

    /// Sends a request that lists, and gives its end.
    pub(crate) fn converse<'a>(
        &self,
        client: &'a mut Client,
        request: &Request<'_>,
        on_item: &mut dyn FnMut(&Item<'_>),
    ) -> Result<Done<'a>, Stop> {
        let mut conversation = Conversation { session: self, on_item: Some(on_item) };
        Ok(client.request(request, &mut conversation)?)
    }

    /// Where the agent's questions and its talk go.
    pub(crate) fn conversation(&self) -> Conversation<'_> {
        Conversation { session: self, on_item: None }
    }

    /// The failure of a command that needs somebody to ask where nobody is.
    pub(crate) fn nobody_to_ask(&self, message: &str, hint: &str) -> Stop {
        Failure::new(Kind::Usage, message).hint(hint).into()
    }
}

/// Shows the agent's talk, and puts its questions to the person at the terminal.
pub(crate) struct Conversation<'a> {
    session: &'a Session,
    on_item: Option<&'a mut dyn FnMut(&Item<'_>)>,
}

impl Handler for Conversation<'_> {
    fn interactive(&self) -> bool {
        self.session.can_ask()
    }

    fn progress(&mut self, progress: &Progress<'_>) {
        match progress.warning {
            true => self.session.output.warn(&progress.text),
            false => self.session.output.talk(&progress.text),
        }
    }

    fn item(&mut self, item: &Item<'_>) {
        match item {
            // An error follows, and says more than a closed stdout would.
            Item::Paste(paste) => {
                let _closed = self.session.output.line(paste.text.trim_end_matches('\n'));
            }
            other => {
                if let Some(on_item) = &mut self.on_item {
                    on_item(other);
                }
            }
        }
    }

    fn ask(&mut self, ask: &Ask<'_>, agent: Agent<'_>) -> Result<Reply, Error> {
        match Terminal::open()?.ask(&ask.prompt, ask.hidden, Some(agent.as_fd()))? {
            Typed::Line(text) => Ok(Reply::Answer(text)),
            Typed::Settled => Ok(Reply::Settled),
        }
    }
}
