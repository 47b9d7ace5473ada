//! As much of HTTP/1.1 as a provider on loopback and a look at one need. Not a client for anybody else: no
//! TLS, no chunks, no redirects.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// More than any request of tokctl's, so that what is larger is a fault.
const HEAD_BYTES_MAX: u64 = 64 * 1024;
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

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
        let mut headers = Vec::new();
        loop {
            let text = line(&mut head)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if text.is_empty() {
                break;
            }
            let (name, value) = text.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
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
    call("GET", url, bearer)
}

/// POSTs nothing but the URL itself; the answer is JSON.
pub fn post_json(url: &str) -> Result<(u16, Value)> {
    call("POST", url, None)
}

fn call(method: &str, url: &str, bearer: Option<&str>) -> Result<(u16, Value)> {
    let rest = url.strip_prefix("http://").with_context(|| format!("not plain http: {url}"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream =
        TcpStream::connect(authority).with_context(|| format!("no answer at {url}"))?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    let authorization =
        bearer.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\n{authorization}Content-Length: 0\r\n\
         Connection: close\r\n\r\n"
    )?;
    let mut bytes = Vec::new();
    BufReader::new(stream).read_to_end(&mut bytes)?;
    let Some(cut) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        bail!("{url} answered with no head");
    };
    let head = String::from_utf8_lossy(&bytes[..cut]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap_or_default().parse().context("no status")?;
    let body = match head.contains("transfer-encoding: chunked") {
        true => unchunked(&bytes[cut + 4..])?,
        false => bytes[cut + 4..].to_vec(),
    };
    let value = serde_json::from_slice(&body)
        .with_context(|| format!("not JSON: {}", String::from_utf8_lossy(&body)))?;
    Ok((status, value))
}

/// A port that nobody listens on. Another process may take it, so use it soon.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn unchunked(mut bytes: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n").context("no chunk size")?;
        let size = std::str::from_utf8(&bytes[..end])?.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).context("no chunk size")?;
        bytes = &bytes[end + 2..];
        if size == 0 {
            return Ok(body);
        }
        ensure!(bytes.len() >= size + 2, "a chunk is cut off");
        body.extend_from_slice(&bytes[..size]);
        bytes = &bytes[size + 2..];
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
