//! HTTP: one request out, one whole reply back, exactly once.
//!
//! Redirects are not followed, not even for a GET, and nothing is repeated here: whether to try
//! again is core's to say. A reply is at most 1 MiB and there within 30 s. Clients are made when
//! they are first needed, since an agent that only serves should not carry a list of authorities
//! around; one that shows a certificate is made for its request alone, so that the key is not kept
//! longer than it is used. What we hold of a request and a reply is wiped; the buffers inside hyper and rustls are
//! theirs and are not.

mod api_call;
mod client;
mod error;
mod heard;
mod keys;
mod loopback;
mod metadata;
mod reach;
#[cfg(test)]
pub(super) mod scripted;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use tokctl_core::Reached;
use tokctl_proto::{Secret, WallMs};
use url::{Position, Url};

pub use api_call::{ApiAnswer, ApiCall};
pub use error::{Fault, HttpError, TlsFault};
pub use keys::{KeyCache, Need};
pub use metadata::{MetadataCache, Undiscovered, other_issuer};

use self::heard::Heard;
use crate::clock;
use crate::config::Network;
use crate::oauth::buffer::Buffer;
use crate::oauth::certificate::ClientCertificate;
use crate::oauth::message::{HttpReply, HttpRequest, Method};
use crate::oauth::origin::Origin;
use crate::oauth::provider_clock;

/// No token reply comes near it.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// After this a client is made anew, so that authorities which this machine gained or lost are
/// noticed.
const CLIENT_AGE_MAX: Duration = Duration::from_secs(3600);
/// RFC 9449 section 8.1.
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// Clients kept at a time; hardly anybody has more networks than this.
const CLIENTS_MAX: usize = 8;

/// How long and how much one exchange may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the first look at DNS to the end of the TLS handshake.
    pub connect: Duration,
    /// All of it, the connection included.
    pub total: Duration,
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            total: Duration::from_secs(30),
            body_bytes: BODY_BYTES_MAX,
        }
    }
}

/// Sends requests. Cheap until the first one.
#[derive(Default)]
pub struct Http {
    limits: Limits,
    /// Locked for a look-up, never across an await.
    clients: Mutex<BTreeMap<Route, Kept>>,
    heard: Heard,
}

/// What tells one client from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Route {
    Plain,
    Secure(Network),
}

struct Kept {
    client: reqwest::Client,
    made_at: WallMs,
    ca_file: Option<Stamp>,
}

/// What changes when somebody replaces a file.
type Stamp = (SystemTime, u64);

impl Http {
    pub fn new(limits: Limits) -> Self {
        Self { limits, clients: Mutex::default(), heard: Heard::default() }
    }

    /// Sends the request once. `sent_at` is now: the reply carries it, and lifetimes count from it.
    pub async fn send(
        &self,
        network: &Network,
        request: HttpRequest,
        sent_at: WallMs,
    ) -> Result<HttpReply, HttpError> {
        self.send_as(None, network, request, sent_at).await
    }

    /// The same on a connection that shows a certificate (RFC 8705).
    pub async fn send_as(
        &self,
        certificate: Option<&ClientCertificate>,
        network: &Network,
        request: HttpRequest,
        sent_at: WallMs,
    ) -> Result<HttpReply, HttpError> {
        let at = Origin::of(&request.url)
            .map_or_else(|| format!("{}:", request.url.scheme()), |origin| origin.to_string());
        let exchanged = self.exchange(certificate, network, request, sent_at).await;
        exchanged.map_err(|(fault, reached)| HttpError { at, fault, reached })
    }

    /// What the next proof of possession to this server has to hold, as far as it has said so.
    pub fn nonce(&self, server: &Url) -> Option<String> {
        self.heard.nonce(&Origin::of(server)?)
    }

    /// What a server's clock shows when ours shows `now`, as far as it has shown it.
    pub fn time_at(&self, server: &Url, now: WallMs) -> WallMs {
        let ahead_s = Origin::of(server).and_then(|origin| self.heard.clock_ahead_s(&origin));
        provider_clock::on_their_clock(now, ahead_s)
    }

    /// Lets go of every client, and of the memory they hold. The next request makes its own.
    pub fn forget_clients(&self) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn exchange(
        &self,
        certificate: Option<&ClientCertificate>,
        network: &Network,
        request: HttpRequest,
        sent_at: WallMs,
    ) -> Result<HttpReply, (Fault, Reached)> {
        let proxy = client::proxy_for(network, &request.url);
        let origin = Origin::of(&request.url);
        let prepared = self.prepare(certificate, network, request, sent_at).await;
        let (client, request) = prepared.map_err(|fault| (fault, Reached::Nobody))?;
        let shows_certificate = certificate.is_some();
        let fault = |error: reqwest::Error| {
            Fault::of(&error.without_url(), &self.limits, proxy.clone(), shows_certificate)
        };
        let mut response = client.execute(request).await.map_err(|error| {
            let reached = error::reached(&error);
            match fault(error) {
                // The server ended the handshake, so it has read no request.
                fault @ Fault::Tls(TlsFault::ClientRefused(_)) => (fault, Reached::Nobody),
                fault => (fault, reached),
            }
        })?;
        let received_at = clock::now().wall;
        let too_large = (Fault::TooLarge(self.limits.body_bytes), Reached::Perhaps);
        if response.content_length().is_some_and(|length| length > self.limits.body_bytes as u64) {
            return Err(too_large);
        }
        let mut body = Buffer::default();
        let cut_short = |error| (fault(error), Reached::Perhaps);
        while let Some(chunk) = response.chunk().await.map_err(cut_short)? {
            if body.len() + chunk.len() > self.limits.body_bytes {
                return Err(too_large);
            }
            body.push(&chunk);
        }
        let reply = HttpReply {
            status: response.status().as_u16(),
            content_type: header(response.headers(), CONTENT_TYPE).map(media_type),
            retry_after: header(response.headers(), RETRY_AFTER).map(str::to_owned),
            date: header(response.headers(), DATE).map(str::to_owned),
            sent_at,
            received_at,
            body: body.into_bytes(),
        };
        if let Some(origin) = origin {
            let nonce = header(response.headers(), DPOP_NONCE);
            self.heard.note(received_at, &origin, nonce, provider_clock::ahead_s(&reply));
        }
        Ok(reply)
    }

    /// Why a certificate cannot be shown with its key, whoever asks for it.
    pub async fn unfit(&self, certificate: ClientCertificate) -> Option<String> {
        let limits = self.limits.clone();
        let made = made(move || client::showing(&certificate, &Network::default(), &limits)).await;
        match made {
            Err(Fault::ClientCertificate(reason)) => Some(reason),
            // What else is wrong with this machine is seen when something is sent.
            _ => None,
        }
    }

    /// Everything before the first byte goes to anybody.
    async fn prepare(
        &self,
        certificate: Option<&ClientCertificate>,
        network: &Network,
        request: HttpRequest,
        now: WallMs,
    ) -> Result<(reqwest::Client, reqwest::Request), Fault> {
        match (request.url.scheme(), certificate) {
            ("https", Some(certificate)) => {
                let (limits, network) = (self.limits.clone(), network.clone());
                let certificate = certificate.clone();
                let client = made(move || client::showing(&certificate, &network, &limits)).await?;
                Ok((client, outgoing(request)?))
            }
            (_, Some(_)) => Err(Fault::CertificateInTheClear),
            ("https", None) => {
                let client = self.client(Route::Secure(network.clone()), now).await?;
                Ok((client, outgoing(request)?))
            }
            _ => {
                let address = loopback::checked_address(&request.url, network.allow_http_loopback)?;
                let mut request = outgoing(request)?;
                aim(&mut request, address.ip());
                Ok((self.client(Route::Plain, now).await?, request))
            }
        }
    }

    /// The client of a route: a kept one, or one that is made.
    async fn client(&self, route: Route, now: WallMs) -> Result<reqwest::Client, Fault> {
        let ca_file = match &route {
            Route::Plain => None,
            Route::Secure(network) => network.ca_file.as_deref().and_then(stamp),
        };
        if let Some(client) = self.kept(&route, ca_file, now) {
            return Ok(client);
        }
        let (limits, making) = (self.limits.clone(), route.clone());
        let client = made(move || match making {
            Route::Plain => Ok(client::plain(&limits)),
            Route::Secure(network) => client::secure(&network, &limits),
        })
        .await?;
        self.keep(route, Kept { client: client.clone(), made_at: now, ca_file });
        Ok(client)
    }

    fn kept(&self, route: &Route, ca_file: Option<Stamp>, now: WallMs) -> Option<reqwest::Client> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = clients.get(route)?;
        let fresh = kept.made_at <= now && now.since(kept.made_at) < CLIENT_AGE_MAX;
        (fresh && kept.ca_file == ca_file).then(|| kept.client.clone())
    }

    fn keep(&self, route: Route, kept: Kept) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= CLIENTS_MAX && !clients.contains_key(&route) {
            let oldest =
                clients.iter().min_by_key(|(_, kept)| kept.made_at).map(|(route, _)| route.clone());
            oldest.and_then(|route| clients.remove(&route));
        }
        clients.insert(route, kept);
    }
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A client, made on a blocking thread, since it reads every authority of this machine.
async fn made(
    make: impl FnOnce() -> Result<reqwest::Client, Fault> + Send + 'static,
) -> Result<reqwest::Client, Fault> {
    tokio::task::spawn_blocking(make).await.expect("making a client does not panic")
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Lends a secret to reqwest, which drops it when it has been sent; then it is wiped.
struct Lent(Secret);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

fn outgoing(request: HttpRequest) -> Result<reqwest::Request, Fault> {
    let HttpRequest { method, url, headers, body } = request;
    let method = match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
    };
    let mut outgoing = reqwest::Request::new(method, url);
    for (name, value) in headers {
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Lent(value)))
            .map_err(|_| Fault::Header(name.to_string()))?;
        value.set_sensitive(true);
        let name = HeaderName::try_from(&*name).map_err(|_| Fault::Header(name.to_string()))?;
        outgoing.headers_mut().insert(name, value);
    }
    if !body.is_empty() {
        *outgoing.body_mut() = Some(Bytes::from_owner(Lent(body)).into());
    }
    Ok(outgoing)
}

/// Sends the request to an address while the server still reads the name that was asked for.
fn aim(request: &mut reqwest::Request, address: std::net::IpAddr) {
    let authority = authority(request.url()).to_owned();
    let host = HeaderValue::try_from(authority).expect("a URL's host is ASCII");
    request.headers_mut().insert(HOST, host);
    request.url_mut().set_ip_host(address).expect("an http URL takes any host");
}

fn authority(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Without parameters, lower case (RFC 9110 section 8.3.1).
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
