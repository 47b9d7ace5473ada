//! The clients that the provider knows, and those that a test registers.

use serde_json::{Value, json};

use super::Idp;
use crate::http::Call;

/// One of the clients that the provider knows.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    /// Empty where it has none.
    pub secret: String,
}

impl Idp {
    /// `basic`, `reserved` (its id and secret are full of reserved characters) or `post`; for refresh
    /// tokens `rt` (each use burns the token), `rt-third` (every third does), `rt-none`,
    /// or `rt-openid` (as `rt`, for client programs that insist on the scope `openid`). People log in
    /// at `native` (without a secret), `web` (with one), `par` (it must push its requests) and `dpop`
    /// (its tokens are bound to a key): each takes any port of 127.0.0.1, `[::1]` or localhost, with the
    /// path `/`, `/cb` or `/callback`, and device codes too.
    #[track_caller]
    pub fn client(&self, name: &str) -> Client {
        let known = self.service.ready["clients"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(client) = known.iter().find(|client| client["name"] == name) else {
            panic!("the provider has no client {name}");
        };
        let text = |key: &str| client[key].as_str().unwrap_or_default().to_owned();
        Client { id: text("id"), secret: text("secret") }
    }

    /// Registers a client by its metadata (RFC 7591 section 2). What is left out is as at `native`, with an id and a
    /// secret of its own; `machine: true` makes it one for client_credentials, `rotates_every: 0` one whose
    /// refresh tokens stay, and `certificate` takes the PEM of self_signed_tls_client_auth.
    #[track_caller]
    pub fn register(&self, metadata: &Value) -> Client {
        let url = format!("{}/client", self.text("control"));
        match Call::post(&url).json(metadata).send().and_then(|reply| reply.json()) {
            Ok((200, client)) => {
                let text = |key: &str| client[key].as_str().unwrap_or_default().to_owned();
                Client { id: text("client_id"), secret: text("client_secret") }
            }
            other => panic!("the provider does not take the client {metadata}: {other:?}"),
        }
    }

    /// Registers a client for client_credentials that signs assertions with a key whose public half this is.
    #[track_caller]
    pub fn register_key(&self, public_jwk: &Value) -> Client {
        self.register(&json!({
            "machine": true,
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [public_jwk] },
        }))
    }

    /// Gives a client another secret.
    #[track_caller]
    pub fn change_secret(&self, client: &str, secret: &str) {
        self.control(&format!("secret?client={client}&secret={secret}"));
    }

    /// Takes back all that a client was granted by people.
    #[track_caller]
    pub fn revoke(&self, client: &str) {
        self.control(&format!("revoke?client={client}"));
    }
}
