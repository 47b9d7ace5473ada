//! Starts Authlib's authorization server: a second provider, of another language and another reading of the standards.

use anyhow::Result;
use serde_json::{Value, json};

use crate::http::{self, Call};
use crate::python;
use crate::service::Service;

/// A running server. It ends with its value.
#[derive(Debug)]
pub struct Authlib {
    service: Service,
}

impl Authlib {
    /// With these clients: `id`, `method` and a `secret` or a `jwk`.
    #[track_caller]
    pub fn start(clients: &[Value]) -> Self {
        Self::try_start(clients).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn try_start(clients: &[Value]) -> Result<Self> {
        let clients = json!(clients).to_string();
        Ok(Self { service: python::start("authorization_server.py", &[("CLIENTS", clients)])? })
    }

    pub fn issuer(&self) -> &str {
        self.service.text("issuer")
    }

    /// An API that takes this server's tokens.
    pub fn api(&self) -> String {
        format!("{}/me", self.issuer())
    }

    /// What the API says to a token.
    #[track_caller]
    pub fn call_api(&self, token: &str) -> (u16, Value) {
        match http::get_json(&self.api(), Some(token)) {
            Ok(answer) => answer,
            Err(error) => panic!("the API does not answer: {error:#}"),
        }
    }

    /// Goes to an authorization request as a person's browser does; the query that it comes back with.
    #[track_caller]
    pub fn agree(&self, address: &str) -> String {
        let reply = match Call::get(address).send() {
            Ok(reply) => reply,
            Err(error) => panic!("{address} does not answer: {error:#}"),
        };
        match reply.header("location").and_then(|back| back.split_once('?')) {
            Some((_, query)) => query.to_owned(),
            None => panic!("no redirect: {} {}", reply.status, reply.text()),
        }
    }
}
