//! A smart-HTTP server of git on loopback that wants to be authorized: `git http-backend`, which is a CGI program, behind
//! as much of HTTP as git speaks to it.

use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::http::Message;

/// A connection that says nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(10);

/// A running server. It ends with its value.
pub struct GitServer {
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    address: SocketAddr,
    repositories: PathBuf,
    takes: Box<dyn Fn(&str) -> bool + Send + Sync>,
    shown: Mutex<Vec<String>>,
    stopping: AtomicBool,
}

impl Shared {
    /// A test that panicked while it held the lock has failed already.
    fn shown(&self) -> MutexGuard<'_, Vec<String>> {
        self.shown.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl fmt::Debug for GitServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitServer").field("address", &self.shared.address).finish_non_exhaustive()
    }
}

impl GitServer {
    /// Serves the repositories of a directory to those whose password it takes.
    #[track_caller]
    pub fn start(
        repositories: &Path,
        takes: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::try_start(repositories, Box::new(takes))
            .unwrap_or_else(|error| panic!("git's server cannot listen: {error}"))
    }

    fn try_start(
        repositories: &Path,
        takes: Box<dyn Fn(&str) -> bool + Send + Sync>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            repositories: repositories.to_owned(),
            takes,
            shown: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let listening = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if shared.stopping.load(Ordering::SeqCst) {
                        break;
                    }
                    // How a connection ends is git's business, and its tests'.
                    drop(stream.and_then(|stream| serve(&shared, &stream)));
                }
            })
        };
        Ok(Self { shared, listening: Some(listening) })
    }

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.shared.address)
    }

    /// Every `name:password` that was shown, in order.
    pub fn shown(&self) -> Vec<String> {
        self.shared.shown().clone()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the listener from accept; where that fails it has ended already.
        drop(TcpStream::connect(self.shared.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

fn serve(shared: &Shared, mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    let Some(request) = Message::read(&mut BufReader::new(stream))? else { return Ok(()) };
    let basic = request.header("authorization").and_then(|value| value.strip_prefix("Basic "));
    let shown = basic.and_then(|value| STANDARD.decode(value).ok());
    let shown = shown.and_then(|bytes| String::from_utf8(bytes).ok());
    shared.shown().extend(shown.clone());
    let password = shown.as_deref().and_then(|shown| shown.split_once(':'));
    if !password.is_some_and(|(_, password)| (shared.takes)(password)) {
        return stream.write_all(
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\n\
              Content-Length: 0\r\nConnection: close\r\n\r\n",
        );
    }
    let reply = backend(&shared.repositories, &request)?;
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n");
    let head = String::from_utf8_lossy(&reply[..end.unwrap_or(reply.len())]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: "));
    let line = format!("HTTP/1.1 {}\r\nConnection: close\r\n", status.unwrap_or("200 OK"));
    stream.write_all(line.as_bytes())?;
    stream.write_all(&reply)
}

/// What the CGI program says to a request, headers in front (RFC 3875).
fn backend(repositories: &Path, request: &Message) -> io::Result<Vec<u8>> {
    let (path, query) = request.word(1).split_once('?').unwrap_or((request.word(1), ""));
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", repositories)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", request.word(0))
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REMOTE_USER", "somebody")
        .env("CONTENT_LENGTH", request.body.len().to_string());
    for (name, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        if let Some(value) = request.header(name) {
            command.env(variable, value);
        }
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    // What a fetch asks fits into the pipe.
    stdin.write_all(&request.body)?;
    drop(stdin);
    let mut reply = Vec::new();
    child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?.read_to_end(&mut reply)?;
    child.wait()?;
    Ok(reply)
}
