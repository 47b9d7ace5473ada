//! The two kinds of reqwest client: one that speaks TLS and nothing else, one for this machine in
//! the clear.
//!
//! Neither follows a redirect, repeats a request, reads a proxy from the environment, asks for
//! compression or keeps a connection: a request every few minutes gains nothing from one, and a
//! refresh that is written into a connection the other side has already closed is a refresh nobody
//! knows the end of.

use std::fs;
use std::path::Path;

use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy, redirect, retry, tls};
use url::Url;

use crate::config::Network;
use crate::oauth::origin::Origin;
use crate::shell::http::Limits;
use crate::shell::http::error::{Fault, TlsFault, find};

const USER_AGENT: &str = concat!("tokctl/", env!("CARGO_PKG_VERSION"));
/// Many times the bundle that distributions ship, some 200 KiB.
const CA_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Room for every header that providers send, several times over.
const H2_HEADER_BYTES_MAX: u32 = 64 * 1024;
/// A proxy would look for these on its own machine.
const NEVER_PROXIED: &str = "localhost,127.0.0.0/8,::1";

/// A client for https, that trusts this machine's authorities and the profile's own. Reads files.
pub(super) fn secure(network: &Network, limits: &Limits) -> Result<Client, Fault> {
    let mut builder = common(limits).https_only(true).tls_version_min(tls::Version::TLS_1_2);
    if let Some(path) = &network.ca_file {
        builder = builder.tls_certs_merge(authorities(path)?);
    }
    if let Some(proxy) = &network.proxy {
        let bypassed =
            [&[NEVER_PROXIED.to_owned()], network.no_proxy.as_slice()].concat().join(",");
        let proxy = Proxy::all(proxy_url(proxy)?).map_err(|_| Fault::ProxySetting)?;
        builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&bypassed)));
    }
    builder.build().map_err(|error| match (&network.ca_file, find::<rustls::Error>(&error)) {
        (Some(path), Some(reason)) => {
            Fault::CaFile { path: path.clone(), reason: reason.to_string() }
        }
        (_, Some(reason)) => Fault::Tls(TlsFault::Other(reason.to_string())),
        (_, None) => Fault::Tls(TlsFault::Other(error.without_url().to_string())),
    })
}

/// A client for addresses of this machine. It trusts no authority, so it loads none.
pub(super) fn plain(limits: &Limits) -> Client {
    common(limits).tls_certs_only([]).build().expect("no file and no setting goes into it")
}

fn common(limits: &Limits) -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        // No proxy from the environment: settings are configuration.
        .no_proxy()
        .pool_max_idle_per_host(0)
        .http2_max_header_list_size(H2_HEADER_BYTES_MAX)
        .connect_timeout(limits.connect)
        .timeout(limits.total)
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, Fault> {
    let unusable = |reason: String| Fault::CaFile { path: path.to_owned(), reason };
    let size = fs::metadata(path).map_err(|error| unusable(error.to_string()))?.len();
    if size > CA_FILE_BYTES_MAX {
        return Err(unusable(format!("it is larger than {} MiB", CA_FILE_BYTES_MAX / 1024 / 1024)));
    }
    let pem = fs::read(path).map_err(|error| unusable(error.to_string()))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unusable("it holds no certificate (PEM)".to_owned())),
    }
}

/// A proxy as it is written, with or without its scheme.
fn proxy_url(written: &str) -> Result<Url, Fault> {
    let text =
        if written.contains("://") { written.to_owned() } else { format!("http://{written}") };
    let url = Url::parse(&text).map_err(|_| Fault::ProxySetting)?;
    let fits = matches!(url.scheme(), "http" | "https") && url.has_host();
    if fits { Ok(url) } else { Err(Fault::ProxySetting) }
}

/// The proxy that a request to `target` goes through, by its origin: where to look when no
/// connection comes about. It knows names and suffixes of `no_proxy`, not its networks, which cost
/// no more than a vaguer text.
pub(super) fn proxy_for(network: &Network, target: &Url) -> Option<String> {
    let host = target.host_str()?;
    let bypassed = crate::oauth::origin::is_loopback(target)
        || network.no_proxy.iter().map(|entry| entry.trim().trim_start_matches('.')).any(|entry| {
            entry == "*"
                || host == entry
                || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.'))
        });
    let proxy = network.proxy.as_deref().filter(|_| !bypassed)?;
    Origin::of(&proxy_url(proxy).ok()?).map(|origin| origin.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(proxy: &str, no_proxy: &[&str]) -> Network {
        Network {
            proxy: Some(proxy.into()),
            no_proxy: no_proxy.iter().map(|&entry| entry.to_owned()).collect(),
            ..Network::default()
        }
    }

    #[test]
    fn the_proxy_is_named_without_its_password() {
        let target = Url::parse("https://api.acme.example/token").unwrap();
        for (proxy, no_proxy, named) in [
            ("http://user:pw@p.example:3128", &[][..], Some("http://p.example:3128")),
            ("p.example:3128", &[][..], Some("http://p.example:3128")),
            ("https://p.example", &["other.example"][..], Some("https://p.example:443")),
            ("http://p.example", &["acme.example"][..], None),
            ("http://p.example", &[" .acme.example"][..], None),
            ("http://p.example", &["api.acme.example"][..], None),
            ("http://p.example", &["pi.acme.example"][..], Some("http://p.example:80")),
            ("http://p.example", &["*"][..], None),
        ] {
            let named_by_us = proxy_for(&network(proxy, no_proxy), &target);
            assert_eq!(named_by_us.as_deref(), named, "{proxy} {no_proxy:?}");
        }
        let loopback = Url::parse("https://127.0.0.1:8443/").unwrap();
        assert_eq!(proxy_for(&network("http://p.example", &[]), &loopback), None);
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        let limits = Limits::default();
        for proxy in ["socks5://p.example:1080", "http://", "ftp://p.example", ""] {
            let made = secure(&network(proxy, &[]), &limits);
            assert!(matches!(made, Err(Fault::ProxySetting)), "{proxy}");
        }
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("empty.pem");
        let broken = directory.path().join("broken.pem");
        fs::write(&empty, "no certificate in here\n").unwrap();
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        fs::write(&broken, pem).unwrap();
        for path in [directory.path().join("none.pem"), empty, broken] {
            let network = Network { ca_file: Some(path.clone()), ..Network::default() };
            match secure(&network, &limits) {
                Err(Fault::CaFile { path: named, .. }) => assert_eq!(named, path),
                other => panic!("{}: {other:?}", path.display()),
            }
        }
    }
}
