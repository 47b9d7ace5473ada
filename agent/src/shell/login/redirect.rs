//! The loopback listener (RFC 8252 section 7.3): open for the time of one login, on this machine alone.
//!
//! Everybody on this machine can connect, and every page can send a browser here. What does not hold
//! the state of the login gets a page that says nothing and changes nothing, as often as it likes. Who
//! is slow is cut off for whoever comes next, so the right one is always heard.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokctl_proto::{Failure, Kind, ProfileName, Secret};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tracing::warn;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::page::Page;
use crate::config::RedirectUri;
use crate::oauth::redirect::head::{HEAD_BYTES_MAX, Head, Place};
use crate::oauth::redirect::{Expected, Judged, Refusal, judge};

/// More than a browser opens to one place at a time.
const CONNECTIONS_MAX: usize = 20;
/// A browser sends its request at once.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// A page is a packet.
const WRITE_TIME_MAX: Duration = Duration::from_secs(2);
/// How long the other side may take to hang up when it has its page: closing first could take the page
/// away again (RFC 9112 section 9.6).
const FAREWELL: Duration = Duration::from_secs(1);
/// Where nothing can be accepted for want of descriptors, the next try is this much later.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// A port that is free at one of the addresses of `localhost` is free at the other, nearly always.
const PORTS_TRIED_MAX: usize = 8;

/// Where nobody has registered anything else.
const REDIRECT_URI: &str = "http://127.0.0.1/callback";

/// A listener that no browser has been sent to yet.
#[derive(Debug)]
pub(super) struct Loopback {
    listeners: Vec<TcpListener>,
    redirect_uri: RedirectUri,
}

/// The answer to a login, and the browser that brought it.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) said: Result<Secret, Refusal>,
    pub(super) browser: Browser,
}

/// A browser that waits for a page.
#[derive(Debug)]
pub(super) struct Browser(TcpStream);

impl Loopback {
    /// Listens where the registered redirect URI says; on a free port, where it names none.
    pub(super) async fn open(
        profile: &ProfileName,
        registered: Option<&RedirectUri>,
    ) -> Result<Self, Failure> {
        let registered = registered.cloned().unwrap_or_else(default_redirect_uri);
        let addresses = addresses(registered.url());
        let bound = match registered.url().port() {
            Some(port) => bind(&addresses, port).await,
            None => bind_anywhere(&addresses).await,
        };
        let listeners = bound.map_err(|error| not_bound(profile, registered.url(), &error))?;
        let port = listeners.first().and_then(|first| first.local_addr().ok());
        let redirect_uri = registered.at_port(port.map_or(0, |address| address.port()));
        Ok(Self { listeners, redirect_uri })
    }

    /// As the provider is told, and told again with the code.
    pub(super) fn redirect_uri(&self) -> &str {
        self.redirect_uri.text()
    }

    /// Waits for the answer to this login. When it is there, or nobody waits any more, the port is
    /// closed, and everybody else is cut off.
    pub(super) async fn answer(self, expected: Expected) -> Arrived {
        let visitor = Arc::new(Visitor { place: Place::of(self.redirect_uri.url()), expected });
        let mut connections = JoinSet::new();
        let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            tokio::select! {
                accepted = accept(&self.listeners) => match accepted {
                    Ok(stream) => {
                        oldest_first.retain(|connection| !connection.is_finished());
                        if oldest_first.len() >= CONNECTIONS_MAX
                            && let Some(oldest) = oldest_first.pop_front()
                        {
                            oldest.abort();
                        }
                        let visitor = Arc::clone(&visitor);
                        let served = async move { visitor.serve(stream).await };
                        oldest_first.push_back(connections.spawn(served));
                    }
                    Err(error) => {
                        warn!(%error, "cannot accept a browser");
                        tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                    }
                },
                Some(served) = connections.join_next() => {
                    if let Ok(Some(arrived)) = served {
                        return arrived;
                    }
                }
            }
        }
    }
}

/// What each connection is judged by.
struct Visitor {
    place: Place,
    expected: Expected,
}

impl Visitor {
    /// Reads one request, and answers it unless it is the one that is waited for.
    async fn serve(&self, mut stream: TcpStream) -> Option<Arrived> {
        // Of one size from the start, so that no copy of a code is left behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD_BYTES_MAX));
        let judged = timeout(HEAD_TIME_MAX, self.read(&mut stream, &mut bytes)).await.ok()??;
        let browser = Browser(stream);
        match judged {
            Judged::Answer(said) => Some(Arrived { said, browser }),
            Judged::Stray => {
                browser.show(Page::Stray).await;
                None
            }
        }
    }

    /// `None` when the other side has gone.
    async fn read(&self, stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Judged> {
        loop {
            match self.place.read(bytes) {
                Head::Query(query) => return Some(judge(query, &self.expected)),
                Head::Stray => return Some(Judged::Stray),
                Head::Incomplete => {}
            }
            let room = HEAD_BYTES_MAX - bytes.len();
            let read = stream.take(room as u64).read_buf(bytes).await.ok()?;
            if read == 0 {
                return None;
            }
        }
    }
}

impl Browser {
    /// Shows the page and lets the browser go.
    pub(super) async fn show(self, page: Page) {
        let Self(mut stream) = self;
        let response = page.response();
        let written = timeout(WRITE_TIME_MAX, async {
            stream.write_all(&response).await?;
            stream.shutdown().await
        });
        if let Ok(Ok(())) = written.await {
            let mut rest = [0; 1024];
            let hung_up =
                async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
            let _slow = timeout(FAREWELL, hung_up).await;
        }
    }
}

async fn accept(listeners: &[TcpListener]) -> io::Result<TcpStream> {
    match listeners {
        [one] => one.accept().await,
        [one, other, ..] => tokio::select! {
            accepted = one.accept() => accepted,
            accepted = other.accept() => accepted,
        },
        [] => std::future::pending().await,
    }
    .map(|(stream, _)| stream)
}

fn default_redirect_uri() -> RedirectUri {
    RedirectUri::read(REDIRECT_URI).expect("the default is a URL")
}

/// `localhost` is both loopback addresses, since it is the browser that chooses.
fn addresses(redirect_uri: &Url) -> Vec<IpAddr> {
    match redirect_uri.host() {
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        _ => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    }
}

/// The same port at every address, but at those that this machine has not.
async fn bind(addresses: &[IpAddr], port: u16) -> io::Result<Vec<TcpListener>> {
    let mut port = port;
    let mut listeners = Vec::new();
    for address in addresses {
        match TcpListener::bind(SocketAddr::new(*address, port)).await {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            // A machine without IPv6.
            Err(error) if !listeners.is_empty() && is_absent(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

async fn bind_anywhere(addresses: &[IpAddr]) -> io::Result<Vec<TcpListener>> {
    let mut tried = 1;
    loop {
        match bind(addresses, 0).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tried < PORTS_TRIED_MAX => {
                tried += 1;
            }
            bound => return bound,
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT)
}

fn not_bound(profile: &ProfileName, redirect_uri: &Url, error: &io::Error) -> Failure {
    let at = &redirect_uri[url::Position::BeforeHost..url::Position::AfterPort];
    let failure = Failure::new(
        Kind::Machine,
        format!("cannot listen on {at} for the end of the login: {error}"),
    );
    let failure = failure.of(profile);
    match error.kind() {
        io::ErrorKind::AddrInUse => failure.hint(format!(
            "end what listens there (`ss -ltnp` shows it), or use `tokctl login {profile} --paste`"
        )),
        _ => failure.hint(format!("use `tokctl login {profile} --paste`")),
    }
}

#[cfg(test)]
mod tests;
