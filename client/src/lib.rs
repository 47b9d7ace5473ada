//! A blocking client of tokctl-agent: asks it for access tokens and manages what it keeps.
//!
//! [`Client::connect`] finds the user's agent and starts one where there is none; [`Client::get`] asks for a
//! token. A client may be kept: it sends one request after the other over one connection, and connects
//! again when the agent was restarted meanwhile.
//!
//! There is no cache in here, since the agent's answer costs about what connecting to a socket costs; no
//! HTTP and no TLS, since the agent alone talks to providers; and nothing asynchronous.
//!
//! ```
//! use tokctl_client::{Client, Error, GetOptions, ProfileName};
//!
//! # use std::io::{Read, Write};
//! # use tokctl_client::proto::{codec, frame, response, Response};
//! # let directory = tempfile::tempdir().unwrap();
//! # let socket = directory.path().join("agent.sock");
//! # let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
//! # let agent = std::thread::spawn(move || {
//! #     let (mut stream, _) = listener.accept().unwrap();
//! #     let mut request = [0; 1024];
//! #     assert_ne!(stream.read(&mut request).unwrap(), 0);
//! #     let answer = Response::Done(response::Done::Token(response::Token {
//! #         access_token: "eyJ0".into(), token_type: "Bearer".into(), expires_at: None,
//! #         expires_in: None, scope: "".into(), profile: "acme".into(),
//! #         header: "Authorization: Bearer {token}".into(), min_valid_met: true, warning: None,
//! #         extra: "".into(),
//! #     }));
//! #     let mut bytes = Default::default();
//! #     frame::append(1, &answer, &mut bytes).unwrap();
//! #     stream.write_all(&bytes).unwrap();
//! # });
//! # fn call(request: &str, header: &str) { assert_eq!(header, "Authorization: Bearer eyJ0") }
//! # fn example(socket: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
//! let acme = ProfileName::parse("acme")?;
//! let mut client = Client::connect_to(socket)?; // or `Client::connect()?`: the user's own agent
//! let token = client.get(&acme, &GetOptions::default())?;
//! call("https://api.acme.example/", token.header().expose());
//! # Ok(())
//! # }
//! # example(&socket).unwrap();
//! # agent.join().unwrap();
//! ```

mod autostart;
mod connect;
mod connection;
mod error;
mod handler;
mod private_socket;
pub mod subject;
mod token;
mod usage;
mod watch;

use std::path::Path;
use std::time::Duration;

use tokctl_proto::Kind;
use tokctl_proto::endpoint::Places;
use tokctl_proto::request;
use tokctl_proto::response::{Ask, AskSubject, Done, Item, Progress};
use tokctl_proto::secret::SecretStr;

pub use connect::{Connect, MAX_LIFE};
pub use error::Error;
pub use handler::{Agent, Handler, Reply};
pub use private_socket::PrivateSocket;
pub use tokctl_proto as proto;
pub use tokctl_proto::{ProfileName, Request, Secret};
pub use token::{DpopFor, GetOptions, RefreshOptions, Report, Token};
pub use usage::Usage;
pub use watch::{Event, Events};

use connection::{Connection, Whole};

/// How long the agent may be silent after the time that a `get` allowed it, before it counts as hung.
const GRACE: Duration = Duration::from_secs(5);
/// The whole wait of a `get` that does not say; the agent applies the same.
const GET_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest silence of an agent that asks nobody anything: a slow disk, or a queue of work before it.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A connection to the agent, for one request at a time.
#[derive(Debug)]
pub struct Client {
    connect: Connect,
    connection: Connection,
}

impl Client {
    /// Connects to the user's agent and starts one where there is none.
    pub fn connect() -> Result<Self, Error> {
        Connect::from_environment()?.open()
    }

    /// Connects to the agent at that socket.
    pub fn connect_to(socket: &Path) -> Result<Self, Error> {
        Connect::to(socket)?.open()
    }

    /// Asks for an access token.
    pub fn get(&mut self, profile: &ProfileName, options: &GetOptions) -> Result<Token, Error> {
        self.get_with(profile, options, &mut ())
    }

    /// Asks for an access token, with somebody to hear the talk and to answer questions.
    ///
    /// An agent that goes away before it answers, as one that is being updated does, is asked once more
    /// after it is back; a token that must be new (`refresh`) is not asked for twice.
    pub fn get_with(
        &mut self,
        profile: &ProfileName,
        options: &GetOptions,
        handler: &mut dyn Handler,
    ) -> Result<Token, Error> {
        match self.get_once(profile, options, handler) {
            Err(Error::Closed) if !options.refresh => self.get_once(profile, options, handler),
            outcome => outcome,
        }
    }

    fn get_once(
        &mut self,
        profile: &ProfileName,
        options: &GetOptions,
        handler: &mut dyn Handler,
    ) -> Result<Token, Error> {
        let interactive = handler.interactive();
        let request = match &options.dpop {
            Some(dpop) => Request::Get3(options.request3(profile, dpop, interactive)),
            None if options.needs_get2() => Request::Get2(options.request2(profile, interactive)),
            None => Request::Get(options.request(profile, interactive)),
        };
        let wait = options.timeout.unwrap_or(GET_TIMEOUT);
        let patience = wait.saturating_add(options.wait.unwrap_or_default()).saturating_add(GRACE);
        let done = self.exchange(&request, Some(patience), handler)?;
        match self.connection.read(&done)? {
            Done::Token(token) => Ok(Token::from(token)),
            Done::Token2(token) => Ok(Token::from(token)),
            Done::Token3(token) => Ok(Token::from(token)),
            _ => Err(Error::Unexpected),
        }
    }

    /// Renews a token now, whatever its age, and gives what the agent says of it.
    pub fn refresh(
        &mut self,
        profile: &ProfileName,
        options: &RefreshOptions,
        handler: &mut dyn Handler,
    ) -> Result<String, Error> {
        let request = Request::Refresh(options.request(profile, handler.interactive()));
        self.said(&request, handler)
    }

    /// Tells what an API said to a token, and gives what the agent does about it. The agent drops the token of
    /// a 401, and no newer one; the next [`Self::get`] has another.
    pub fn report(&mut self, profile: &ProfileName, report: &Report) -> Result<String, Error> {
        match self.said(&Request::Report(report.request(profile)), &mut ()) {
            // Reported twice is reported once.
            Err(Error::Closed) => self.said(&Request::Report(report.request(profile)), &mut ()),
            outcome => outcome,
        }
    }

    /// Tells how a profile's token is used, and that it may be used at `url`; without a profile, whose token is used
    /// there. Nothing is sent anywhere.
    pub fn usage(
        &mut self,
        profile: Option<&ProfileName>,
        url: Option<&str>,
    ) -> Result<Usage, Error> {
        let request = Request::Usage(request::Usage {
            profile: profile.map(|profile| profile.as_str().into()),
            url: url.map(Into::into),
        });
        match self.request(&request, &mut ())? {
            Done::Usage(usage) => Usage::read(usage),
            _ => Err(Error::Unexpected),
        }
    }

    fn said(&mut self, request: &Request<'_>, handler: &mut dyn Handler) -> Result<String, Error> {
        match self.request(request, handler)? {
            Done::Said(said) => Ok(said.text.into_owned()),
            _ => Err(Error::Unexpected),
        }
    }

    /// Sends any request and hands what comes before its end to `handler`.
    ///
    /// There is no time limit of the client's own where a person may be typing. What changes nothing is asked once
    /// more, as a `get` is, if the agent goes away before it said anything.
    pub fn request(
        &mut self,
        request: &Request<'_>,
        handler: &mut dyn Handler,
    ) -> Result<Done<'_>, Error> {
        let mut listener = Listener { handler, was_told: false };
        let done = match self.exchange(request, patience(request), &mut listener) {
            Err(Error::Closed) if changes_nothing(request) && !listener.was_told => {
                self.exchange(request, patience(request), &mut listener)
            }
            outcome => outcome,
        }?;
        self.connection.read(&done)
    }

    /// Where configuration, vault, state and socket lie.
    pub fn places(&self) -> &Places {
        &self.connect.places
    }

    fn exchange(
        &mut self,
        request: &Request<'_>,
        patience: Option<Duration>,
        handler: &mut dyn Handler,
    ) -> Result<Whole, Error> {
        match self.exchange_once(request, patience, handler) {
            Err(Error::Agent(failure)) if failure.kind == Kind::VaultSealed.name() => {
                let Some(identity) = self.connect.identity().cloned() else {
                    return Err(Error::Agent(failure));
                };
                // A sealed vault's agent has done nothing of the request.
                let passphrase = Some(SecretStr::from(&identity));
                let unlock = Request::Unlock(request::Unlock { passphrase, interactive: false });
                self.exchange_once(&unlock, Some(SILENCE_MAX), &mut ())?;
                self.exchange_once(request, patience, handler)
            }
            outcome => outcome,
        }
    }

    fn exchange_once(
        &mut self,
        request: &Request<'_>,
        patience: Option<Duration>,
        handler: &mut dyn Handler,
    ) -> Result<Whole, Error> {
        self.reconnect()?;
        self.connection.request(request, patience, handler)
    }

    /// Connects again where a request was left in the middle.
    fn reconnect(&mut self) -> Result<(), Error> {
        if !self.connection.is_idle() {
            self.connection = autostart::open(&self.connect)?;
        }
        Ok(())
    }
}

/// Knows whether anything was handed on: what was shown to somebody cannot be taken back and shown again.
struct Listener<'a> {
    handler: &'a mut dyn Handler,
    was_told: bool,
}

impl Handler for Listener<'_> {
    fn interactive(&self) -> bool {
        self.handler.interactive()
    }

    fn progress(&mut self, progress: &Progress<'_>) {
        self.was_told = true;
        self.handler.progress(progress);
    }

    fn item(&mut self, item: &Item<'_>) {
        self.was_told = true;
        self.handler.item(item);
    }

    fn ask(&mut self, ask: &Ask<'_>, agent: Agent<'_>) -> Result<Reply, Error> {
        self.was_told = true;
        self.handler.ask(ask, agent)
    }

    fn subject(&mut self, ask: &AskSubject<'_>) -> Result<Secret, Error> {
        self.was_told = true;
        self.handler.subject(ask)
    }
}

/// Whether the request can be sent twice without a difference to anybody.
fn changes_nothing(request: &Request<'_>) -> bool {
    matches!(
        request,
        Request::List(_)
            | Request::Show(_)
            | Request::Status(_)
            | Request::Status2(_)
            | Request::Why(_)
            | Request::Usage(_)
            | Request::ConfigRead(_)
            | Request::SocketList(_)
    )
}

/// How long an agent may be silent over a request that needs no person.
fn patience(request: &Request<'_>) -> Option<Duration> {
    match request {
        Request::List(_)
        | Request::Show(_)
        | Request::Status(_)
        | Request::Status2(_)
        | Request::Why(_)
        | Request::Usage(_)
        | Request::Lock(_)
        | Request::ConfigRead(_)
        | Request::AgentStatus(_)
        | Request::AgentReload(_)
        | Request::AgentStop(_)
        | Request::SocketCreate(_)
        | Request::SocketList(_)
        | Request::SocketRemove(_) => Some(SILENCE_MAX),
        Request::Refresh(refresh) => {
            let wait = refresh.timeout_ms.map(|whole| Duration::from_millis(whole.into()));
            Some(wait.unwrap_or(GET_TIMEOUT).saturating_add(GRACE))
        }
        Request::Report(_) => Some(GET_TIMEOUT.saturating_add(GRACE)),
        _ => None,
    }
}
