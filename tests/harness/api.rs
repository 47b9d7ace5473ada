//! An API on loopback that a test scripts: its answers are the test's own function, and what came is kept as it came.
//!
//! It knows no OAuth; [`crate::Provider`] does. One request is answered at a time, on a connection of its own.

use std::fmt;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::http::Message;
use crate::process::Run;

/// A connection that says nothing for so long holds up the next.
const IDLE: Duration = Duration::from_secs(10);

/// What a request is answered with.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    /// The same with one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The Date of a clock that shows what `date` makes of these words, as `10 minutes ago` (RFC 9110 section 5.6.7).
#[track_caller]
pub fn date(words: &str) -> String {
    written(words, "+%a, %d %b %Y %H:%M:%S GMT")
}

/// The same as RFC 3339 has it.
#[track_caller]
pub fn timestamp(words: &str) -> String {
    written(words, "+%Y-%m-%dT%H:%M:%SZ")
}

#[track_caller]
fn written(words: &str, format: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let run = Run::new("date").env("PATH", path).env("LC_ALL", "C");
    run.args(["-u", "-d", words, format]).run().ok()
}

/// A running API. It ends with its value.
pub struct Api {
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    address: SocketAddr,
    answer: Box<dyn Fn(&Message) -> Reply + Send + Sync>,
    requests: Mutex<Vec<Message>>,
    stopping: AtomicBool,
}

impl Shared {
    /// A test that panicked while it held the lock has failed already.
    fn requests(&self) -> MutexGuard<'_, Vec<Message>> {
        self.requests.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("address", &self.shared.address).finish_non_exhaustive()
    }
}

impl Api {
    #[track_caller]
    pub fn start(answer: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        Self::try_start(Box::new(answer))
            .unwrap_or_else(|error| panic!("the API cannot listen: {error}"))
    }

    fn try_start(answer: Box<dyn Fn(&Message) -> Reply + Send + Sync>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            answer,
            requests: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let listening = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || listen(&listener, &shared))
        };
        Ok(Self { shared, listening: Some(listening) })
    }

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.shared.address)
    }

    /// Every request so far, whatever it was answered with.
    pub fn requests(&self) -> Vec<Message> {
        self.shared.requests().clone()
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the listener from accept; where that fails it has ended already.
        drop(TcpStream::connect(self.shared.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

fn listen(listener: &TcpListener, shared: &Shared) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            break;
        }
        // How a connection ends is the other side's business, and its tests'.
        drop(stream.and_then(|stream| serve(shared, &stream)));
    }
}

fn serve(shared: &Shared, mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    let Some(message) = Message::read(&mut BufReader::new(stream))? else { return Ok(()) };
    let Reply { status, headers, body } = (shared.answer)(&message);
    // Kept before it is answered: whoever has the answer finds the request.
    shared.requests().push(message);
    let mut bytes = format!("HTTP/1.1 {status} Said\r\nconnection: close\r\n").into_bytes();
    for (name, value) in headers {
        write!(bytes, "{name}: {value}\r\n")?;
    }
    write!(bytes, "content-length: {}\r\n\r\n{body}", body.len())?;
    stream.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http;

    #[test]
    fn what_comes_is_answered_by_the_test_and_kept() {
        let api = Api::start(|message| Reply::json(201, &json!({ "path": message.word(1) })));
        for path in ["/a?x=1", "/b"] {
            let (status, body) = http::get_json(&api.url(path), Some("tok")).unwrap();
            assert_eq!((status, body["path"].as_str()), (201, Some(path)));
        }
        let requests = api.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].header("authorization"), Some("Bearer tok"));
    }
}
