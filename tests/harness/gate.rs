//! A gate in front of a provider: what comes through reaches it as it is, and a test says what comes through. So a
//! provider that is otherwise in order is away, overloaded or slow when a story wants it to be.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::http::Message;
use crate::wait;

/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(60);

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// It reaches the provider, and the answer comes back.
    Through,
    /// The connection is closed without a word, as where nobody is.
    Nowhere,
    /// 503 with a Retry-After of so many seconds.
    Busy(u32),
    /// It reaches the provider, and the answer is kept until [`Gate::release`].
    KeepAnswer,
}

/// A running gate. It ends with its value.
#[derive(Debug)]
pub struct Gate {
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    /// `host:port` of the provider.
    provider: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    next: Vec<Pass>,
    standing: Pass,
    /// First lines and bodies of what came, whatever became of it.
    requests: Vec<(String, String)>,
    /// Answers that are kept.
    kept: usize,
    is_released: bool,
    is_over: bool,
}

impl Gate {
    /// A gate before the provider at this http URL.
    #[track_caller]
    pub fn before(provider: &str) -> Self {
        let start = || -> io::Result<Self> {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            let rest = provider.strip_prefix("http://").ok_or(io::ErrorKind::InvalidInput)?;
            let shared = Arc::new(Shared {
                address: listener.local_addr()?,
                provider: rest.split('/').next().unwrap_or_default().to_owned(),
                state: Mutex::new(State {
                    next: Vec::new(),
                    standing: Pass::Through,
                    requests: Vec::new(),
                    kept: 0,
                    is_released: false,
                    is_over: false,
                }),
                changed: Condvar::new(),
            });
            let listening = {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || listen(&listener, &shared))
            };
            Ok(Self { shared, listening: Some(listening) })
        };
        start().unwrap_or_else(|error| panic!("no gate before {provider}: {error}"))
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.shared.address)
    }

    /// What becomes of requests from now on.
    pub fn set(&self, pass: Pass) {
        self.shared.state().standing = pass;
    }

    /// What becomes of the next request; further calls queue up behind.
    pub fn set_next(&self, pass: Pass) {
        self.shared.state().next.push(pass);
    }

    /// Bodies of every request so far.
    pub fn bodies(&self) -> Vec<String> {
        self.shared.state().requests.iter().map(|(_, body)| body.clone()).collect()
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) {
        self.wait_for(&format!("{count} requests come"), |state| state.requests.len() >= count);
    }

    /// Waits until the provider's answer to a request is kept.
    #[track_caller]
    pub fn wait_for_kept(&self) {
        self.wait_for("an answer is kept", |state| state.kept > 0);
    }

    /// Lets every answer go that is kept, now and later.
    pub fn release(&self) {
        self.shared.state().is_released = true;
        self.shared.changed.notify_all();
    }

    #[track_caller]
    fn wait_for(&self, what: &str, holds: impl Fn(&State) -> bool) {
        let state = self.shared.state();
        let waited =
            self.shared.changed.wait_timeout_while(state, wait::PATIENCE, |state| !holds(state));
        let (_state, waited) = waited.unwrap_or_else(|poisoned| poisoned.into_inner());
        assert!(!waited.timed_out(), "it never happened within {:?} that {what}", wait::PATIENCE);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.shared.changed.notify_all();
        // Wakes the listener from accept; where that fails it has ended already.
        drop(TcpStream::connect(self.shared.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    for stream in listener.incoming() {
        if shared.state().is_over {
            break;
        }
        if let Ok(stream) = stream {
            let shared = Arc::clone(shared);
            threads.push(std::thread::spawn(move || {
                // How a connection ends is the other side's business.
                drop(pass(&shared, &stream));
                drop(stream.shutdown(Shutdown::Both));
            }));
        }
    }
    for thread in threads {
        drop(thread.join());
    }
}

/// One request of a connection; there is none behind it.
fn pass(shared: &Shared, mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    let Some(message) = Message::read(&mut BufReader::new(stream))? else { return Ok(()) };
    let pass = {
        let mut state = shared.state();
        let body = String::from_utf8_lossy(&message.body).into_owned();
        state.requests.push((message.first_line.clone(), body));
        match state.next.is_empty() {
            true => state.standing,
            false => state.next.remove(0),
        }
    };
    shared.changed.notify_all();
    match pass {
        Pass::Nowhere => Ok(()),
        Pass::Busy(retry_after_s) => write!(
            stream,
            "HTTP/1.1 503 Busy\r\nretry-after: {retry_after_s}\r\ncontent-length: 0\r\n\r\n"
        ),
        Pass::Through => stream.write_all(&ask(shared, &message)?),
        Pass::KeepAnswer => {
            let answer = ask(shared, &message)?;
            let mut state = shared.state();
            state.kept += 1;
            shared.changed.notify_all();
            while !state.is_released && !state.is_over {
                state = shared.changed.wait(state).unwrap_or_else(|it| it.into_inner());
            }
            stream.write_all(&answer)
        }
    }
}

/// The provider's whole answer.
fn ask(shared: &Shared, message: &Message) -> io::Result<Vec<u8>> {
    let mut provider = TcpStream::connect(&shared.provider)?;
    provider.set_read_timeout(Some(IDLE))?;
    write!(
        provider,
        "{}\r\nhost: {}\r\nconnection: close\r\n",
        message.first_line, shared.provider
    )?;
    for (name, value) in &message.headers {
        if name != "host" && name != "connection" {
            write!(provider, "{name}: {value}\r\n")?;
        }
    }
    provider.write_all(b"\r\n")?;
    provider.write_all(&message.body)?;
    let mut answer = Vec::new();
    provider.read_to_end(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provider;
    use crate::http::get_json;

    #[test]
    fn what_comes_through_is_the_tests_to_say() {
        let provider = Provider::start();
        let gate = Gate::before(&provider.issuer());
        let path = "/.well-known/openid-configuration";
        let get = || get_json(&gate.url(path), None);
        let (status, metadata) = get().unwrap();
        assert_eq!((status, &metadata["issuer"]), (200, &provider.issuer().into()));
        gate.set_next(Pass::Nowhere);
        assert!(get().is_err());
        gate.set(Pass::KeepAnswer);
        std::thread::scope(|scope| {
            let asking = scope.spawn(get);
            gate.wait_for_kept();
            gate.release();
            assert_eq!(asking.join().unwrap().unwrap().0, 200);
        });
        gate.wait_for_requests(3);
    }
}
