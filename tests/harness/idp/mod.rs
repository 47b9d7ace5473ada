//! Starts tests/idp, the certified oidc-provider under node, and ends it.

mod client;
mod family;
mod person;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;

use anyhow::Result;
use serde_json::Value;

use crate::http::{self, Call};
use crate::service::Service;

pub use client::Client;
pub use family::{Family, Minted};
pub use person::Person;
pub use settings::Settings;

pub struct Idp {
    service: Service,
}

impl Idp {
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&Settings::default())
    }

    #[track_caller]
    pub fn start_with(settings: &Settings) -> Self {
        Self::try_start(settings).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn try_start(settings: &Settings) -> Result<Self> {
        let variables = [("IDP_SETTINGS", settings.as_json().to_string())];
        Ok(Self { service: Service::node("server.mjs", &variables)? })
    }

    pub fn issuer(&self) -> &str {
        self.text("issuer")
    }

    pub fn token_endpoint(&self) -> &str {
        self.text("token_endpoint")
    }

    /// Takes a body of JSON alone, with an `audience` in place of a `resource`.
    pub fn json_token_endpoint(&self) -> &str {
        self.text("json_token_endpoint")
    }

    /// The metadata, as OpenID Connect Discovery names it.
    #[track_caller]
    pub fn metadata(&self) -> Value {
        let call = Call::get(&format!("{}/.well-known/openid-configuration", self.issuer()));
        match call.send().and_then(|reply| reply.json()) {
            Ok((200, metadata)) => metadata,
            other => panic!("the provider has no metadata: {other:?}"),
        }
    }

    /// An API that takes the provider's tokens. One that is bound to a key (RFC 9449) it takes with a
    /// proof alone: the headers `Authorization: DPoP TOKEN` and `DPoP: PROOF`.
    pub fn api(&self) -> &str {
        self.text("api")
    }

    /// The same where client certificates are asked for: tokens that are bound to one (RFC 8705) are
    /// taken here, from who shows it.
    pub fn mtls_api(&self) -> &str {
        self.text("mtls_api")
    }

    /// Calls the API with a bearer token. Of a token that is taken it tells `client_id`, `sub`, `scope`, `audience`
    /// and `bound_to` (`key`, `certificate` or null).
    #[track_caller]
    pub fn call_api(&self, token: &str) -> (u16, Value) {
        let call = Call::get(self.api()).header("authorization", &format!("Bearer {token}"));
        match call.send().and_then(|reply| reply.json()) {
            Ok(answer) => answer,
            Err(error) => panic!("{error:#}"),
        }
    }

    /// Every token request so far: `client`, `basic`, `params` (without secrets and refresh tokens), `status`,
    /// `error`, `family`, `dpop` (the proof), `certificate` and `at_ms`, on a clock that only goes forward.
    #[track_caller]
    pub fn token_requests(&self) -> Vec<Value> {
        self.requests("requests")
    }

    /// The same of `device_authorization`, `pushed_authorization_request`, `revocation` or `introspection`.
    #[track_caller]
    pub fn requests_at(&self, endpoint: &str) -> Vec<Value> {
        self.requests(&format!("requests?at={endpoint}"))
    }

    /// Signs id_tokens with new keys from now on; the old ones are gone from the key set.
    #[track_caller]
    pub fn rotate_keys(&self) {
        self.control("rotate-keys");
    }

    /// The same, but the old keys stay in the set, behind the new.
    #[track_caller]
    pub fn add_keys(&self) {
        self.control("rotate-keys?keep=true");
    }

    /// Takes everybody who has signed in for this person from now on; with `None`, for who they are.
    #[track_caller]
    pub fn mistake_for(&self, name: Option<&str>) {
        self.control(&name.map_or("mistake".to_owned(), |name| format!("mistake?sub={name}")));
    }

    /// Whether DPoP proofs at the provider must hold a nonce of its (RFC 9449 section 8).
    #[track_caller]
    pub fn require_dpop_nonce(&self, required: bool) {
        self.control(&format!("dpop-nonce?at=provider&required={required}"));
    }

    /// Whether DPoP proofs at the API must hold a nonce of the API's (RFC 9449 section 9), a new one with each call
    /// of this.
    #[track_caller]
    pub fn require_api_dpop_nonce(&self, required: bool) {
        self.control(&format!("dpop-nonce?at=api&required={required}"));
    }

    /// The next so many polls of devices are told to slow down.
    #[track_caller]
    pub fn slow_devices_down(&self, times: u32) {
        self.control(&format!("slow-down?times={times}"));
    }

    #[track_caller]
    fn requests(&self, what: &str) -> Vec<Value> {
        match self.control(what) {
            Value::Array(requests) => requests,
            other => panic!("the provider does not tell its requests: {other}"),
        }
    }

    #[track_caller]
    fn control(&self, what: &str) -> Value {
        match http::post_json(&format!("{}/{what}", self.text("control"))) {
            Ok((200, value)) => value,
            other => panic!("the provider does not do {what}: {other:?}"),
        }
    }

    fn text(&self, key: &str) -> &str {
        self.service.text(key)
    }
}

impl fmt::Debug for Idp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Idp(pid {}, {})", self.service.pid(), self.issuer())
    }
}
