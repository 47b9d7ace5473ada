//! A client's request at its provider: made of what its entry holds, and sent on a connection that shows its certificate
//! where it has one. Where its tokens are bound to a key, a request for tokens carries a proof that the client has
//! the key (RFC 9449 section 5).
//!
//! What is signed in a request is good once, so a request is made anew for each sending. It is sent twice only where
//! the provider has just named a nonce that the proof must hold: then it has looked at nothing else (section 8), and
//! what the request presents is not spent. It is never sent a third time.

use std::collections::BTreeMap;

use tokctl_core::{Class, Reached, Trouble};
use tokctl_proto::{Failure, Kind, ProfileName, Secret, WallMs};
use url::Url;

use super::http::Http;
use crate::config::{Client, ClientAuth};
use crate::oauth::certificate::ClientCertificate;
use crate::oauth::grant::{Held, refused, unfit_key};
use crate::oauth::jose::PrivateKey;
use crate::oauth::jose::dpop::{DPOP_KEY, Proof};
use crate::oauth::message::Method;
use crate::oauth::{HttpReply, HttpRequest, client_auth, reply};
use crate::{clock, entropy};

/// What a provider says that wants a nonce in the proof (RFC 9449 section 8).
const USE_NONCE: &str = "use_dpop_nonce";

/// Who speaks to its provider.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker<'a> {
    pub(super) http: &'a Http,
    pub(super) profile: &'a ProfileName,
    /// As in config.toml.
    pub(super) grant: &'a str,
    pub(super) client: &'a Client,
    /// How it proves itself.
    pub(super) auth: ClientAuth,
    pub(super) secrets: &'a BTreeMap<String, Secret>,
    /// Somebody else's token that is presented.
    pub(super) subject: Option<&'a Secret>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// Tokens, which may be bound to a key.
    Tokens,
    SomethingElse,
}

impl Speaker<'_> {
    /// Makes a request for `to` and sends it.
    pub(super) async fn send(
        &self,
        to: &Url,
        wants: Wants,
        make: impl Fn(Held<'_>) -> Result<HttpRequest, Failure> + Sync,
    ) -> Result<HttpReply, Trouble> {
        let certificate = self.certificate(to)?;
        let key = match wants == Wants::Tokens && self.client.dpop {
            true => Some(self.key()?),
            false => None,
        };
        let nonce = self.http.nonce(to);
        let speech = Speech { to, key: key.as_ref(), certificate: certificate.as_ref() };
        let reply = self.once(speech, nonce.as_deref(), &make).await?;
        let named = self.http.nonce(to).filter(|named| nonce.as_ref() != Some(named));
        match (key.is_some() && wants_nonce(&reply), named) {
            (true, Some(named)) => self.once(speech, Some(&named), &make).await,
            _ => Ok(reply),
        }
    }

    async fn once(
        &self,
        speech: Speech<'_>,
        nonce: Option<&str>,
        make: &(impl Fn(Held<'_>) -> Result<HttpRequest, Failure> + Sync),
    ) -> Result<HttpReply, Trouble> {
        let Speech { to, key, certificate } = speech;
        let sent_at = clock::now().wall;
        let now = self.http.time_at(to, sent_at);
        let Self { secrets, subject, .. } = *self;
        let held = Held { secrets, subject, now, unique: self.unique()? };
        let mut request = make(held).map_err(refused)?;
        if let Some(key) = key {
            let proof = self.proof(request.method, to, nonce, now, key)?;
            request.headers.push(("DPoP".into(), proof));
        }
        let network = &self.client.network;
        let sent = self.http.send_as(certificate, network, request, sent_at).await;
        sent.map_err(|error| error.trouble(self.profile))
    }

    /// A token endpoint takes no token, so the proof is of none.
    fn proof(
        &self,
        method: Method,
        to: &Url,
        nonce: Option<&str>,
        now: WallMs,
        key: &PrivateKey,
    ) -> Result<Secret, Trouble> {
        let unique = self.unique()?;
        let method = method.name();
        let proof = Proof { method, url: to, token: None, nonce, unique };
        proof.sign(now, key).map_err(|error| self.unfit(&error))
    }

    fn key(&self) -> Result<PrivateKey, Trouble> {
        let text = self.secrets.get(DPOP_KEY).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| {
            refused(client_auth::secret_required(self.profile, self.grant, DPOP_KEY))
        })?;
        PrivateKey::asymmetric(text).map_err(|error| self.unfit(&error))
    }

    fn unfit(&self, error: &crate::oauth::jose::KeyError) -> Trouble {
        refused(unfit_key(self.profile, self.grant, DPOP_KEY, error))
    }

    /// What is shown on the connection. Where something else proves the client, it is for tokens to be bound to
    /// (RFC 8705 section 3), which cannot be in the clear.
    fn certificate(&self, to: &Url) -> Result<Option<ClientCertificate>, Trouble> {
        if self.auth != ClientAuth::Tls && to.scheme() != "https" {
            return Ok(None);
        }
        ClientCertificate::of(self.profile, self.grant, self.secrets).map_err(refused)
    }

    fn unique(&self) -> Result<[u8; 16], Trouble> {
        let mut unique = [0; 16];
        entropy::fill(&mut unique).map_err(|error| {
            let failure = Failure::new(Kind::Machine, error.to_string()).of(self.profile);
            Trouble::new(Class::Retry, failure).reached(Reached::Nobody)
        })?;
        Ok(unique)
    }
}

/// What stays the same when a request is made anew.
#[derive(Clone, Copy)]
struct Speech<'a> {
    to: &'a Url,
    key: Option<&'a PrivateKey>,
    certificate: Option<&'a ClientCertificate>,
}

fn wants_nonce(reply: &HttpReply) -> bool {
    let said = matches!(reply.status, 400 | 401).then(|| reply::said(&reply.body, &[])).flatten();
    said.and_then(|said| said.code).as_deref() == Some(USE_NONCE)
}

#[cfg(test)]
mod tests;
