//! One connection after the other, one request each.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::{Value, json};
use tokctl_tests::http::{Message, tls};
use tokctl_tests::provider::Received;

use super::{Request, Shared, proof, token};

/// Whoever connects has something to say.
const SAYS_WITHIN: Duration = Duration::from_secs(20);

/// An answer: its status, its headers beyond the usual ones, and its body.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Value,
}

impl Reply {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// RFC 6749 section 5.2.
    pub(super) fn refusal(status: u16, error: &str, why: &str) -> Self {
        Self::new(status, json!({ "error": error, "error_description": why }))
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

pub(super) fn listen(listener: &TcpListener, tls: Option<Arc<ServerConfig>>, shared: &Shared) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        if stream.set_read_timeout(Some(SAYS_WITHIN)).is_err() {
            continue;
        }
        // How a connection ends is the other side's business, and its tests'.
        drop(match &tls {
            None => serve(shared, stream, |_| false),
            Some(config) => match tls::accept(stream, config) {
                Ok(stream) => serve(shared, stream, |it| it.conn.peer_certificates().is_some()),
                Err(_) => Ok(()),
            },
        });
    }
}

fn serve<S: Read + Write>(
    shared: &Shared,
    stream: S,
    shows_certificate: impl Fn(&S) -> bool,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let Some(message) = Message::read(&mut reader)? else { return Ok(()) };
    let target = message.word(1);
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let (received, certificate) = (Received::new(&message), shows_certificate(reader.get_ref()));
    let request = Request { path, received, certificate };
    let reply = answer(shared, message.word(0), &request);
    write(reader.get_mut(), &reply)
}

fn answer(shared: &Shared, method: &str, request: &Request) -> Reply {
    let mut state = shared.state();
    state.requests.push(request.clone());
    match (method, request.path.as_str()) {
        ("GET", "/.well-known/openid-configuration") => {
            Reply::new(200, shared.metadata(state.misbehaves))
        }
        ("GET", path) if path == shared.script.jwks_path => {
            Reply::new(200, json!({ "keys": state.published }))
        }
        ("POST", "/par") => match proof::client(shared, &mut state, request) {
            Ok(()) => {
                let params = request.received.params.clone();
                // RFC 9126 section 2.1.
                if request.received.param("request_uri").is_some() {
                    return Reply::refusal(400, "invalid_request", "a name for a name");
                }
                let uri = state.draw("urn:ietf:params:oauth:request_uri:pushed");
                state.pushed.insert(uri.clone(), params);
                Reply::new(201, json!({ "request_uri": uri, "expires_in": 60 }))
            }
            Err(why) => Reply::refusal(401, "invalid_client", &why),
        },
        ("POST", "/token") => token::answer(shared, &mut state, request),
        ("GET", "/api") => token::api(shared, &mut state, request),
        _ => Reply::refusal(404, "not_found", "nothing is here"),
    }
}

fn write(stream: &mut impl Write, reply: &Reply) -> io::Result<()> {
    let body = reply.body.to_string();
    let mut head = format!(
        "HTTP/1.1 {} Said\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\
         Connection: close\r\nContent-Length: {}\r\n",
        reply.status,
        body.len()
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    stream.flush()
}
