//! `tokctl login` under way, and the test in the place of the browser.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::process::{Output, Run, Running};
use crate::{Home, eventually};

/// A page is there long before this.
const PAGE_WITHIN: Duration = Duration::from_secs(60);

/// A login that waits for its person.
#[derive(Debug)]
pub struct Login {
    running: Running,
}

impl Login {
    /// Starts `tokctl login` of a profile with these further arguments.
    #[track_caller]
    pub fn start(home: &Home, profile: &str, arguments: &[&str]) -> Self {
        Self::run(home.tokctl(["login", profile]).args(arguments))
    }

    /// The same of a `tokctl login` that has its environment.
    #[track_caller]
    pub fn run(run: Run) -> Self {
        Self { running: run.arg("--json").start() }
    }

    /// Sends `tokctl` a signal, as Ctrl-C does.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.running.pid()).map(Pid::from_raw);
        if let Err(error) = kill(pid.expect("a pid is small"), signal) {
            panic!("cannot send {signal} to `tokctl login`: {error}");
        }
    }

    /// What the person is told to do.
    #[track_caller]
    pub fn step(&self) -> Value {
        let lines = eventually("the login says what to do", || self.running.lines(1));
        match serde_json::from_str(&lines[0]) {
            Ok(step) => step,
            Err(error) => panic!("no step of a login ({error}): {lines:?}"),
        }
    }

    /// Where the person is sent.
    #[track_caller]
    pub fn address(&self) -> Address {
        Address(self.step()["url"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(self) -> Output {
        self.running.finish()
    }
}

/// The address of an authorization request.
#[derive(Clone, Debug)]
pub struct Address(pub String);

impl Address {
    /// A parameter of the request.
    #[track_caller]
    pub fn parameter(&self, name: &str) -> String {
        let query = self.0.split_once('?').map_or("", |(_, query)| query);
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        match pairs.find(|(key, _)| key == name) {
            Some((_, value)) => value.into_owned(),
            None => panic!("no {name} in {}", self.0),
        }
    }

    /// The port that the browser comes back to.
    #[track_caller]
    pub fn port(&self) -> u16 {
        let uri = self.parameter("redirect_uri");
        let port = uri.split(':').nth(2).and_then(|rest| rest.split('/').next()?.parse().ok());
        port.unwrap_or_else(|| panic!("no port in {uri}"))
    }

    /// Whether anybody listens there.
    pub fn is_listened_to(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port())).is_ok()
    }

    /// The head of the request with which a browser comes back.
    #[track_caller]
    pub fn head(&self, query: &str) -> String {
        let (uri, port) = (self.parameter("redirect_uri"), self.port());
        let path = uri.splitn(4, '/').nth(3).unwrap_or_default();
        format!("GET /{path}?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")
    }

    /// Comes back with the state of this login, and gives what the browser shows.
    #[track_caller]
    pub fn come_back(&self, query: &str) -> String {
        self.send(self.head(&format!("{query}&state={}", self.parameter("state"))).as_bytes())
    }

    /// Sends bytes to where the browser is expected, and gives what is answered.
    #[track_caller]
    pub fn send(&self, bytes: &[u8]) -> String {
        let exchange = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port()))?;
            stream.set_read_timeout(Some(PAGE_WITHIN))?;
            stream.write_all(bytes)?;
            let mut answer = Vec::new();
            // What was sent and not read may take the end of the answer away.
            drop(stream.read_to_end(&mut answer));
            Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        exchange().unwrap_or_else(|error| panic!("nobody waits for the browser: {error}"))
    }
}
