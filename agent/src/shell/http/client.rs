//! The two kinds of reqwest client: one that speaks TLS and nothing else, one for this machine in
//! the clear.
//!
//! Neither follows a redirect, repeats a request, reads a proxy from the environment, asks for
//! compression or keeps a connection: a request every few minutes gains nothing from one, and a
//! refresh that is written into a connection the other side has already closed is a refresh nobody
//! knows the end of.

use std::fs;
use std::path::Path;

use reqwest::{Certificate, Client, ClientBuilder, Identity, NoProxy, Proxy, redirect, retry, tls};
use url::Url;

use crate::config::Network;
use crate::oauth::certificate::ClientCertificate;
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
    builder(network, limits)?.build().map_err(|error| unbuilt(network, error))
}

/// The same that shows a certificate to whoever asks for one. What reqwest and rustls hold of its key
/// goes with the client.
pub(super) fn showing(
    certificate: &ClientCertificate,
    network: &Network,
    limits: &Limits,
) -> Result<Client, Fault> {
    let unfit = |error: &reqwest::Error| {
        Fault::ClientCertificate(match find::<rustls::Error>(error) {
            Some(rustls::Error::InconsistentKeys(_)) => "the certificate is of another key".into(),
            // Its text would speak of the server's.
            Some(rustls::Error::InvalidCertificate(_)) | None => "one of them is not whole".into(),
            Some(other) => other.to_string(),
        })
    };
    let pem = certificate.bundle().expose().as_bytes();
    let identity = Identity::from_pem(pem).map_err(|error| unfit(&error))?;
    let built = builder(network, limits)?.identity(identity).build();
    // What is wrong without it too is not blamed on the certificate.
    built.map_err(|error| secure(network, limits).err().unwrap_or_else(|| unfit(&error)))
}

fn builder(network: &Network, limits: &Limits) -> Result<ClientBuilder, Fault> {
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
    Ok(builder)
}

fn unbuilt(network: &Network, error: reqwest::Error) -> Fault {
    match (&network.ca_file, find::<rustls::Error>(&error)) {
        (Some(path), Some(reason)) => {
            Fault::CaFile { path: path.clone(), reason: reason.to_string() }
        }
        (_, Some(reason)) => Fault::Tls(TlsFault::Other(reason.to_string())),
        (_, None) => Fault::Tls(TlsFault::Other(error.without_url().to_string())),
    }
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
    use tokctl_proto::{ProfileName, Secret};

    use super::*;
    use crate::oauth::certificate::{TLS_CERTIFICATE, TLS_KEY};

    fn network(proxy: &str, no_proxy: &[&str]) -> Network {
        Network {
            proxy: Some(proxy.into()),
            no_proxy: no_proxy.iter().map(|&entry| entry.to_owned()).collect(),
            ..Network::default()
        }
    }

    #[test]
    fn a_certificate_with_another_key_is_named() {
        const CERTIFICATE: &str = include_str!("../../oauth/jose/key/samples/certificate.pem");
        const ITS_KEY: &str = include_str!("../../oauth/jose/key/samples/p256_sec1.pem");
        const OTHER_KEY: &str = include_str!("../../oauth/jose/key/samples/ed25519_pkcs8.pem");
        let missing = Network { ca_file: Some("/nonexistent.pem".into()), ..Network::default() };
        let profile = ProfileName::parse("acme").unwrap();
        for (key, network, fits, blamed) in [
            (ITS_KEY, &Network::default(), true, false),
            (OTHER_KEY, &Network::default(), false, true),
            (OTHER_KEY, &missing, false, false),
        ] {
            let secrets = [(TLS_CERTIFICATE, CERTIFICATE), (TLS_KEY, key)]
                .map(|(name, text)| (name.to_owned(), Secret::new(text.to_owned())));
            let held = ClientCertificate::of(&profile, "client_credentials", &secrets.into());
            let made = showing(&held.unwrap().unwrap(), network, &Limits::default());
            assert_eq!(made.is_ok(), fits);
            let is_blamed = matches!(made, Err(Fault::ClientCertificate(_)));
            assert_eq!(is_blamed, blamed, "{:?}", made.err());
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
