//! Starts tests/idp/liar.mjs, a provider under node that lies in its id_tokens, and ends it.

use anyhow::{Context, Result};

use crate::http::Call;
use crate::service::Service;

/// A running liar. How it lies to a client, the client's id says.
#[derive(Debug)]
pub struct Liar {
    service: Service,
}

impl Liar {
    #[track_caller]
    pub fn start() -> Self {
        Service::node("liar.mjs", &[])
            .map(|service| Self { service })
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    pub fn issuer(&self) -> &str {
        self.service.text("issuer")
    }

    /// Where the browser is sent back to from an authorization URL.
    #[track_caller]
    pub fn authorize(&self, url: &str) -> String {
        let back = || -> Result<String> {
            let reply = Call::get(url).send()?;
            let to = reply.header("location");
            to.map(str::to_owned).with_context(|| format!("stays at {url}: {}", reply.text()))
        };
        back().unwrap_or_else(|error| panic!("{error:#}"))
    }
}
