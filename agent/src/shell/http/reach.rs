//! Where a name leads: looked up before a request goes to a place that somebody else has named.
//!
//! The look-up of the request itself comes after and may have another answer. What holds then is TLS: a neighbour has
//! no certificate for a name of the world.

use std::net::IpAddr;

use tokctl_core::Reached;
use url::{Host, Url};

use super::client::proxy_for;
use super::{Fault, Http, HttpError};
use crate::config::Network;
use crate::oauth::origin::{Origin, Reach};

impl Http {
    /// From where the place of a URL can be reached, by what its name is resolved to. A name that goes through a proxy
    /// is resolved there, in a network that is not ours to judge.
    pub async fn reach(&self, network: &Network, url: &Url) -> Result<Reach, HttpError> {
        let name = match (Reach::of(url), url.host()) {
            (Reach::World, Some(Host::Domain(name))) if proxy_for(network, url).is_none() => name,
            (reach, _) => return Ok(reach),
        };
        let failed = |fault| {
            let at = Origin::of(url).map(|origin| origin.to_string()).unwrap_or_default();
            HttpError { at, fault, reached: Reached::Nobody }
        };
        let port = url.port_or_known_default().unwrap_or_default();
        let limit = self.limits.connect;
        let found = tokio::time::timeout(limit, tokio::net::lookup_host((name, port)));
        let found = found.await.map_err(|_| failed(Fault::ConnectTimeout(limit)))?;
        let found = found.map_err(|_| failed(Fault::Resolve))?;
        Ok(innermost(found.map(|address| address.ip())))
    }
}

/// The address that is furthest in decides: nobody says which one the request would go to.
fn innermost(addresses: impl Iterator<Item = IpAddr>) -> Reach {
    addresses.map(Reach::of_address).max().unwrap_or(Reach::World)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_that_is_inside_is_enough() {
        for (addresses, reach) in [
            (&["8.8.8.8"][..], Reach::World),
            (&["8.8.8.8", "2001:db8::1"], Reach::World),
            (&["8.8.8.8", "10.0.0.1"], Reach::Inside),
            (&["::1", "8.8.8.8"], Reach::Inside),
            (&["10.0.0.1", "169.254.169.254"], Reach::Link),
            (&["::ffff:127.0.0.1"], Reach::Inside),
        ] {
            let parsed = addresses.iter().map(|text| text.parse().unwrap());
            assert_eq!(innermost(parsed), reach, "{addresses:?}");
        }
    }

    #[tokio::test]
    async fn an_address_and_a_proxied_name_are_judged_without_a_look_up() {
        let proxied = Network { proxy: Some("http://p.example:3128".into()), ..Network::default() };
        for (network, url, reach) in [
            (&Network::default(), "https://10.0.0.1/", Reach::Inside),
            (&Network::default(), "https://localhost/", Reach::Inside),
            (&Network::default(), "https://8.8.8.8/", Reach::World),
            (&proxied, "https://nowhere.invalid/", Reach::World),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(Http::default().reach(network, &url).await.unwrap(), reach, "{url}");
        }
    }
}
