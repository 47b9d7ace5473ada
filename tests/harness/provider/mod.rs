//! A provider on loopback that does as it is told: it answers, hangs, fails and counts on command.
//!
//! It is for the demo and for faults that no real provider shows when asked. Whether tokctl and the standards
//! agree is for the certified provider of tests/idp to say.

mod answer;
mod received;
mod refresh;
mod serve;
mod token;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use answer::Answer;
pub use received::Received;

/// The client that every provider knows unless its settings say otherwise.
pub const CLIENT_ID: &str = "cc";
pub const CLIENT_SECRET: &str = "cc-secret";

/// How a provider begins.
#[derive(Clone, Debug)]
pub struct Settings {
    /// 0 takes any free port.
    pub port: u16,
    /// A path after the host in the issuer, as `/tenant`; empty for none.
    pub path: String,
    pub lifetime: Duration,
    /// Client ids and their secrets.
    pub clients: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            port: 0,
            path: String::new(),
            lifetime: Duration::from_secs(600),
            clients: BTreeMap::from([(CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned())]),
        }
    }
}

/// A running provider. It ends with its value.
#[derive(Debug)]
pub struct Provider {
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

/// What the threads of a provider have in common.
#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    path: String,
    clients: BTreeMap<String, String>,
    stopping: AtomicBool,
    state: Mutex<State>,
    /// Told whenever `state` changes.
    changed: Condvar,
    connections: AtomicU64,
}

#[derive(Debug)]
struct State {
    lifetime: Duration,
    /// How the next token requests are answered, before the standing answer.
    next: Vec<Answer>,
    standing: Answer,
    /// What is at other paths than those that every provider has, or in their place.
    pages: BTreeMap<String, Answer>,
    /// Counts the releases; a request that hangs waits for the next.
    released: u64,
    hanging: usize,
    requests: Vec<Received>,
    /// Token requests that were answered with a token.
    tokens: BTreeMap<String, Issued>,
    refresh_tokens: refresh::RefreshTokens,
    issued: u64,
    open: BTreeMap<u64, TcpStream>,
}

#[derive(Clone, Debug)]
struct Issued {
    client_id: String,
    scope: String,
    expires: Instant,
}

impl Shared {
    /// A test that panicked while it held the lock has failed already; its threads may go on.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn issuer(&self) -> String {
        format!("http://{}{}", self.address, self.path)
    }
}

impl Provider {
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(Settings::default())
    }

    #[track_caller]
    pub fn start_with(settings: Settings) -> Self {
        Self::try_start(settings)
            .unwrap_or_else(|error| panic!("the provider cannot listen: {error}"))
    }

    pub fn try_start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", settings.port))?;
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            path: settings.path,
            clients: settings.clients,
            stopping: AtomicBool::new(false),
            state: Mutex::new(State {
                lifetime: settings.lifetime,
                next: Vec::new(),
                standing: Answer::Token,
                pages: BTreeMap::new(),
                released: 0,
                hanging: 0,
                requests: Vec::new(),
                tokens: BTreeMap::new(),
                refresh_tokens: refresh::RefreshTokens::default(),
                issued: 0,
                open: BTreeMap::new(),
            }),
            changed: Condvar::new(),
            connections: AtomicU64::new(0),
        });
        let listening = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || serve::listen(&listener, &shared))
        };
        Ok(Self { shared, listening: Some(listening) })
    }

    pub fn port(&self) -> u16 {
        self.shared.address.port()
    }

    pub fn issuer(&self) -> String {
        self.shared.issuer()
    }

    pub fn token_endpoint(&self) -> String {
        format!("{}/token", self.issuer())
    }

    /// An API that takes this provider's tokens.
    pub fn api(&self) -> String {
        format!("{}/api/me", self.issuer())
    }

    /// How long tokens live that are issued from now on.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.shared.state().lifetime = lifetime;
    }

    /// How token requests are answered from now on, until told otherwise.
    pub fn answer(&self, answer: Answer) {
        self.shared.state().standing = answer;
    }

    /// How the next token request is answered; further calls queue up behind.
    pub fn answer_next(&self, answer: Answer) {
        self.shared.state().next.push(answer);
    }

    /// What is at a path from now on, whatever is asked there; of the answers those that need no token request.
    /// What is posted there is counted among the token requests.
    pub fn serve(&self, path: &str, answer: Answer) {
        self.shared.state().pages.insert(path.to_owned(), answer);
    }

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.shared.address)
    }

    /// Lets every request go on that hangs now.
    pub fn release(&self) {
        self.shared.state().released += 1;
        self.shared.changed.notify_all();
    }

    /// Every token request so far, whatever it was answered with.
    pub fn token_requests(&self) -> Vec<Received> {
        self.shared.state().requests.clone()
    }

    /// Waits until so many token requests have come.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) {
        self.wait_for(&format!("{count} token requests come"), |state| {
            state.requests.len() >= count
        });
    }

    /// Waits until so many requests hang.
    #[track_caller]
    pub fn wait_for_hanging(&self, count: usize) {
        self.wait_for(&format!("{count} requests hang"), |state| state.hanging >= count);
    }

    /// A refresh token of a family of its own, as a login would have brought it. Each use burns it.
    pub fn mint_refresh_token(&self) -> String {
        self.shared.state().refresh_tokens.first()
    }

    /// How often a refresh token was exchanged for its successor.
    pub fn rotations(&self) -> u64 {
        self.shared.state().refresh_tokens.rotations()
    }

    /// How many families ended because a burnt refresh token was presented again.
    pub fn revoked_families(&self) -> usize {
        self.shared.state().refresh_tokens.revoked()
    }

    /// Waits until so many refresh tokens were exchanged, whether or not anybody heard of it.
    #[track_caller]
    pub fn wait_for_rotations(&self, count: u64) {
        self.wait_for(&format!("{count} rotations come"), |state| {
            state.refresh_tokens.rotations() >= count
        });
    }

    /// Whether the token was issued here and has not expired.
    pub fn is_live(&self, token: &str) -> bool {
        let state = self.shared.state();
        state.tokens.get(token).is_some_and(|issued| issued.expires > Instant::now())
    }

    /// Waits until a token that was issued here has expired.
    #[track_caller]
    pub fn wait_for_expiry(&self, token: &str) {
        crate::eventually("the token expires", || (!self.is_live(token)).then_some(()));
    }

    #[track_caller]
    fn wait_for(&self, what: &str, holds: impl Fn(&State) -> bool) {
        let patience = crate::wait::PATIENCE;
        let (_state, waited) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.state(), patience, |state| !holds(state))
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        assert!(!waited.timed_out(), "it never happened within {patience:?} that {what}");
    }
}

impl Drop for Provider {
    /// Closes every connection and frees the port.
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
        // Wakes the listener from accept; where that fails it has ended already.
        drop(TcpStream::connect(self.shared.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::http;

    /// Asks for a token as a proper client does; the status and the answer.
    fn ask(port: u16) -> String {
        let body = "grant_type=client_credentials&scope=api";
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(
            stream,
            "POST /token HTTP/1.1\r\nhost: x\r\nauthorization: Basic Y2M6Y2Mtc2VjcmV0\r\n\
             content-type: application/x-www-form-urlencoded\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn token_in(answer: &str) -> String {
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let value: serde_json::Value = serde_json::from_str(body).unwrap();
        value["access_token"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_token_is_taken_by_the_api_until_it_expires() {
        let provider = Provider::start_with(Settings {
            lifetime: Duration::from_secs(1),
            ..Settings::default()
        });
        let token = token_in(&ask(provider.port()));
        assert_eq!(http::get_json(&provider.api(), Some(&token)).unwrap().0, 200);
        provider.wait_for_expiry(&token);
        assert_eq!(http::get_json(&provider.api(), Some(&token)).unwrap().0, 401);
        let request = provider.token_requests().remove(0);
        assert_eq!(request.client(), Some((CLIENT_ID, CLIENT_SECRET)));
        assert_eq!(request.param("scope"), Some("api"));
    }

    #[test]
    fn answers_come_in_the_order_they_were_queued() {
        let provider = Provider::start();
        provider.answer_next(Answer::unavailable(7));
        provider.answer_next(Answer::Close);
        let refused = ask(provider.port());
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 7\r\n"));
        assert_eq!(ask(provider.port()), "");
        token_in(&ask(provider.port()));
        assert_eq!(provider.token_requests().len(), 3);
    }

    #[test]
    fn a_request_that_hangs_is_answered_when_it_is_released() {
        let provider = Provider::start();
        provider.answer_next(Answer::Hang);
        let port = provider.port();
        let asking = std::thread::spawn(move || ask(port));
        provider.wait_for_hanging(1);
        token_in(&ask(port));
        provider.release();
        token_in(&asking.join().unwrap());
    }

    #[test]
    fn a_page_is_served_as_it_was_told_whoever_asks() {
        let provider = Provider::start();
        provider.serve("/token", Answer::json(200, "{\"a\":1}"));
        provider.serve("/late", Answer::json(201, "{}").held());
        assert!(ask(provider.port()).ends_with("{\"a\":1}"));
        assert_eq!(provider.token_requests()[0].path, "/token");
        let url = provider.url("/late");
        let asking = std::thread::spawn(move || http::get_json(&url, None).unwrap().0);
        provider.wait_for_hanging(1);
        provider.release();
        assert_eq!(asking.join().unwrap(), 201);
        // Whoever has enough of it ends it.
        provider.serve("/endless", Answer::Endless);
        let mut stream = TcpStream::connect(("127.0.0.1", provider.port())).unwrap();
        stream.write_all(b"GET /endless HTTP/1.1\r\n\r\n").unwrap();
        stream.read_exact(&mut [0; 100_000]).unwrap();
    }

    #[test]
    fn a_provider_that_ends_takes_its_connections_along_and_frees_its_port() {
        let provider = Provider::start();
        let port = provider.port();
        provider.answer_next(Answer::Hang);
        let asking = std::thread::spawn(move || ask(port));
        let mut idle = TcpStream::connect(("127.0.0.1", port)).unwrap();
        provider.wait_for_hanging(1);
        drop(provider);
        assert_eq!(asking.join().unwrap(), "");
        assert_eq!(idle.read(&mut [0]).unwrap_or(0), 0);
        drop(Provider::start_with(Settings { port, ..Settings::default() }));
    }

    #[test]
    fn the_metadata_is_where_each_standard_looks_for_it() {
        let provider =
            Provider::start_with(Settings { path: "/tenant".into(), ..Settings::default() });
        let host = format!("http://127.0.0.1:{}", provider.port());
        for (path, there) in [
            ("/tenant/.well-known/openid-configuration", true),
            ("/.well-known/oauth-authorization-server/tenant", true),
            ("/.well-known/openid-configuration", false),
            ("/.well-known/oauth-authorization-server", false),
        ] {
            let (status, body) = http::get_json(&format!("{host}{path}"), None).unwrap();
            assert_eq!(status == 200, there, "{path}");
            assert_eq!(body["issuer"] == format!("{host}/tenant"), there, "{path}");
        }
    }
}
