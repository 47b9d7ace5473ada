//! One call over a connection of its own, plain or TLS.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{HEAD_BYTES_MAX, headers, line, tls};
use crate::ca::Leaf;

/// Generous, since a busy machine with two cores runs the whole suite at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// A call under construction.
#[derive(Clone, Debug)]
pub struct Call {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    patience: Duration,
    identity: Option<Leaf>,
}

/// What a call was answered with. A redirect is an answer like any other.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            patience: ANSWERS_WITHIN,
            identity: None,
        }
    }

    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    pub fn post(url: &str) -> Self {
        Self::new("POST", url)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The parameters as a form.
    pub fn form(self, params: &[(impl AsRef<str>, impl AsRef<str>)]) -> Self {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in params {
            form.append_pair(name.as_ref(), value.as_ref());
        }
        self.body("application/x-www-form-urlencoded", form.finish().into_bytes())
    }

    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string().into_bytes())
    }

    pub fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.body = body;
        self.header("content-type", content_type)
    }

    /// Shows this certificate where the other side asks for one.
    pub fn identity(mut self, leaf: &Leaf) -> Self {
        self.identity = Some(leaf.clone());
        self
    }

    /// How long an answer may take.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Over https any certificate is taken: whether it is a good one is for tokctl to judge, not for its tests.
    pub fn send(&self) -> Result<Reply> {
        let url = &self.url;
        let (scheme, rest) = url.split_once("://").with_context(|| format!("no URL: {url}"))?;
        let cut = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(cut);
        let target = path.split('#').next().unwrap_or_default();
        let slash = if target.starts_with('/') { "" } else { "/" };
        let stream =
            TcpStream::connect(authority).with_context(|| format!("no answer at {url}"))?;
        stream.set_read_timeout(Some(self.patience))?;
        let mut request =
            format!("{} {slash}{target} HTTP/1.1\r\nHost: {authority}\r\n", self.method);
        for (name, value) in &self.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = self.body.len();
        request.push_str(&format!("Content-Length: {length}\r\nConnection: close\r\n\r\n"));
        let bytes = [request.as_bytes(), &self.body].concat();
        let reply = match scheme {
            "http" => exchange(stream, &bytes),
            "https" => exchange(tls::connect(stream, authority, self.identity.as_ref())?, &bytes),
            _ => bail!("neither http nor https: {url}"),
        };
        reply.with_context(|| format!("the answer of {url}"))
    }
}

impl Reply {
    /// The first header of that name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every header of that name.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The status, and the body as JSON.
    pub fn json(&self) -> Result<(u16, Value)> {
        let value = serde_json::from_slice(&self.body)
            .with_context(|| format!("status {}, not JSON: {}", self.status, self.text()))?;
        Ok((self.status, value))
    }
}

fn exchange(mut stream: impl Read + Write, request: &[u8]) -> Result<Reply> {
    stream.write_all(request)?;
    stream.flush()?;
    Ok(reply(&mut BufReader::new(stream))?)
}

fn reply(stream: &mut impl BufRead) -> io::Result<Reply> {
    let mut head = stream.by_ref().take(HEAD_BYTES_MAX);
    let status_line = line(&mut head)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = status_line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    let mut reply = Reply { status, headers: headers(&mut head)?, body: Vec::new() };
    if status == 204 || status == 304 {
        return Ok(reply);
    }
    let length = reply.header("content-length").and_then(|text| text.parse().ok());
    if reply
        .header("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        unchunk(stream, &mut reply.body)?;
    } else if let Some(length) = length {
        reply.body.resize(length, 0);
        stream.read_exact(&mut reply.body)?;
    } else {
        stream.read_to_end(&mut reply.body)?;
    }
    Ok(reply)
}

fn unchunk(stream: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let text = line(stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = text.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        let begun = body.len();
        body.resize(begun + size, 0);
        stream.read_exact(&mut body[begun..])?;
        // The line's end after a chunk, or the empty line after the last.
        line(stream)?;
        if size == 0 {
            return Ok(());
        }
    }
}
