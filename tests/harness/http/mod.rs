//! As much of HTTP/1.1 as a provider on loopback and a look at one need. Not a client for anybody else: no
//! redirects are followed, and a connection is for one call.

mod call;
pub mod tls;

use std::io::{self, BufRead, Read};
use std::net::TcpListener;

use anyhow::Result;
use serde_json::Value;

pub use call::{Call, Reply};

/// More than any request of tokctl's, so that what is larger is a fault.
const HEAD_BYTES_MAX: u64 = 64 * 1024;
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// First line, headers and body of a request or an answer.
#[derive(Clone, Debug)]
pub struct Message {
    pub first_line: String,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    /// The first header of that name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first line's words: method, target and version of a request.
    pub fn word(&self, index: usize) -> &str {
        self.first_line.split(' ').nth(index).unwrap_or_default()
    }

    /// Reads a message whose body is as long as its Content-Length says. `None` where the other side closes
    /// before the first byte.
    pub fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = stream.by_ref().take(HEAD_BYTES_MAX);
        let Some(first_line) = line(&mut head)? else { return Ok(None) };
        let headers = headers(&mut head)?;
        let mut message = Self { first_line, headers, body: Vec::new() };
        let length = match message.header("content-length") {
            Some(text) => text.parse().map_err(|_| io::ErrorKind::InvalidData)?,
            None => 0,
        };
        if length > BODY_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        message.body.resize(length, 0);
        stream.read_exact(&mut message.body)?;
        Ok(Some(message))
    }
}

/// GETs a plain http URL whose answer is JSON.
pub fn get_json(url: &str, bearer: Option<&str>) -> Result<(u16, Value)> {
    let call = Call::get(url);
    let call = match bearer {
        Some(token) => call.header("authorization", &format!("Bearer {token}")),
        None => call,
    };
    call.send()?.json()
}

/// POSTs nothing but the URL itself; the answer is JSON.
pub fn post_json(url: &str) -> Result<(u16, Value)> {
    Call::post(url).send()?.json()
}

/// A port that nobody listens on. Another process may take it, so use it soon.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Headers up to the empty line: names in lower case, in the order they came.
fn headers(head: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let text = line(head)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if text.is_empty() {
            return Ok(headers);
        }
        let (name, value) = text.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// A line without its end; `None` at the end of the stream.
fn line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut text = String::new();
    match stream.read_line(&mut text)? {
        0 => Ok(None),
        _ => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned())),
    }
}
