//! Where a URL sends to, and whether a secret may go there at all.
//!
//! An [`Origin`] is what secrets are pinned to. It says nothing about who listens there: TLS and
//! the loopback guard of the shell do.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Scheme, host and port of a URL: `https://acme.example:443`. The port is always written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// The origin of a URL that has a host, which every `http` and `https` URL has.
    pub fn of(url: &Url) -> Option<Self> {
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let port = url.port_or_known_default()?;
        Some(Self(format!("{}://{host}:{port}", url.scheme())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the URL names this machine: 127.0.0.0/8, ::1, or exactly `localhost`, which the agent
/// resolves itself. Other names that happen to resolve to this machine do not count.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// From where an address can be reached, by the address alone: what a name resolves to is not
/// looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    World,
    /// This machine, or a network that is not the world's.
    Inside,
    /// The next cable alone: RFC 3927, RFC 4291 section 2.5.6.
    Link,
}

impl Reach {
    pub fn of(url: &Url) -> Self {
        match url.host() {
            Some(Host::Domain(name)) => match name.trim_end_matches('.').rsplit('.').next() {
                // RFC 6761 section 6.3.
                Some("localhost") => Self::Inside,
                _ => Self::World,
            },
            Some(Host::Ipv4(address)) => Self::of_v4(address),
            Some(Host::Ipv6(address)) => Self::of_v6(address),
            None => Self::World,
        }
    }

    /// The same of an address that a name was resolved to.
    pub fn of_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        match address.to_ipv4_mapped() {
            Some(address) => Self::of_v4(address),
            None if address.is_unicast_link_local() => Self::Link,
            None if address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_multicast() =>
            {
                Self::Inside
            }
            None => Self::World,
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        // RFC 6598 section 7, RFC 1122 section 3.2.1.3.
        let is_shared = matches!(address.octets(), [100, 64..=127, ..] | [0, ..]);
        match () {
            () if address.is_link_local() => Self::Link,
            () if is_shared
                || address.is_loopback()
                || address.is_private()
                || address.is_multicast()
                || address.is_broadcast() =>
            {
                Self::Inside
            }
            () => Self::World,
        }
    }
}

/// Whether a secret may travel to the URL: over TLS (RFC 6749 section 3.2), or in the clear to this
/// machine where the profile allows that.
pub fn is_private(url: &Url, allow_http_loopback: bool) -> bool {
    match url.scheme() {
        "https" => url.has_host(),
        "http" => allow_http_loopback && is_loopback(url),
        _ => false,
    }
}

/// The URL without what may hold a secret: user, password, query and fragment.
pub fn without_query(url: &Url) -> String {
    match Origin::of(url) {
        Some(_) => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            let host = url.host_str().unwrap_or_default();
            format!("{}://{host}{port}{}", url.scheme(), url.path())
        }
        None => format!("{}:", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn an_origin_always_names_its_port() {
        for (text, origin) in [
            ("https://acme.example/t?x=1#f", Some("https://acme.example:443")),
            ("https://ACME.example:443", Some("https://acme.example:443")),
            ("https://user:pw@acme.example:8443/", Some("https://acme.example:8443")),
            ("http://127.0.0.1:9400/token", Some("http://127.0.0.1:9400")),
            ("http://[::1]/", Some("http://[::1]:80")),
            ("https://b\u{fc}cher.example/", Some("https://xn--bcher-kva.example:443")),
            ("file:///etc/passwd", None),
            ("data:text/plain,x", None),
        ] {
            assert_eq!(Origin::of(&url(text)).as_ref().map(Origin::as_str), origin, "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for (text, without_flag, with_flag) in [
            ("https://acme.example/", true, true),
            ("http://127.0.0.1:1/", false, true),
            ("http://127.9.9.9/", false, true),
            ("http://[::1]:1/", false, true),
            ("http://localhost:1/", false, true),
            ("http://LOCALHOST/", false, true),
            ("http://localhost.evil.example/", false, false),
            ("http://x.localhost/", false, false),
            ("http://128.0.0.1/", false, false),
            ("http://169.254.169.254/", false, false),
            ("http://[::ffff:127.0.0.1]/", false, false),
            ("http://0.0.0.0/", false, false),
            ("file:///etc/passwd", false, false),
            ("ftp://127.0.0.1/", false, false),
        ] {
            assert_eq!(is_private(&url(text), false), without_flag, "{text}");
            assert_eq!(is_private(&url(text), true), with_flag, "{text}");
        }
    }

    #[test]
    fn addresses_that_only_neighbours_reach_are_known() {
        for (text, reach) in [
            ("https://acme.example/", Reach::World),
            ("https://8.8.8.8/", Reach::World),
            ("https://172.15.255.255/", Reach::World),
            ("https://172.16.0.1/", Reach::Inside),
            ("https://172.32.0.0/", Reach::World),
            ("https://100.63.255.255/", Reach::World),
            ("https://100.64.0.0/", Reach::Inside),
            ("https://10.0.0.1/", Reach::Inside),
            ("https://192.168.1.1/", Reach::Inside),
            ("https://127.0.0.1/", Reach::Inside),
            ("https://0.0.0.0/", Reach::Inside),
            ("https://2130706433/", Reach::Inside),
            ("https://localhost/", Reach::Inside),
            ("https://x.localhost./", Reach::Inside),
            ("https://localhost.example/", Reach::World),
            ("https://169.254.169.254/", Reach::Link),
            ("https://0xa9fea9fe/", Reach::Link),
            ("https://[fe80::1]/", Reach::Link),
            ("https://[::ffff:169.254.169.254]/", Reach::Link),
            ("https://[::1]/", Reach::Inside),
            ("https://[fd00:ec2::254]/", Reach::Inside),
            ("https://[2001:db8::1]/", Reach::World),
        ] {
            let url = url(text);
            assert_eq!(Reach::of(&url), reach, "{text}");
            let address =
                url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
            assert!(address.is_none_or(|address| Reach::of_address(address) == reach), "{text}");
        }
    }

    #[test]
    fn a_shown_url_holds_no_query_and_no_password() {
        for (text, shown) in [
            ("https://u:p@h.example:8443/a/b?secret=1#f", "https://h.example:8443/a/b"),
            ("https://h.example", "https://h.example/"),
        ] {
            assert_eq!(without_query(&url(text)), shown);
        }
    }
}
