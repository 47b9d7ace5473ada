//! The authorization request of one login: what was drawn for it, and the URL that it comes to.

use std::io;

use tokctl_proto::{Failure, Kind, Secret};

use super::known::{Known, Replied};
use crate::entropy;
use crate::oauth::grant::Held;
use crate::oauth::grant::authorization_code::{self, Code, OPENID, Request};
use crate::oauth::pkce::Pkce;
use crate::oauth::redirect::Expected;
use crate::oauth::state::Unguessable;
use crate::shell::speaker::Wants;

/// Where a request is left before the browser goes (RFC 9126).
const PUSHED: &str = "pushed authorization request endpoint";

/// What was drawn for one login.
#[derive(Debug)]
pub(super) struct Authorization {
    state: Unguessable,
    nonce: Option<Unguessable>,
    pkce: Pkce,
    redirect_uri: String,
}

impl Authorization {
    pub(super) fn draw(known: &Known, redirect_uri: &str) -> Result<Self, Failure> {
        let machine = |error: io::Error| Failure::new(Kind::Machine, error.to_string());
        Ok(Self {
            state: Unguessable::new(random().map_err(machine)?),
            nonce: match known.scope.contains(OPENID) {
                true => Some(Unguessable::new(random().map_err(machine)?)),
                false => None,
            },
            pkce: Pkce::new(random().map_err(machine)?),
            redirect_uri: redirect_uri.to_owned(),
        })
    }

    /// The URL for the browser. What it says is left with the provider before, where that takes it.
    pub(super) async fn url(&self, known: &Known) -> Result<Secret, Failure> {
        let endpoint = known.endpoints.authorization.as_ref();
        let endpoint = endpoint.ok_or_else(|| known.without("authorization_endpoint"))?;
        let client = known.client();
        let request = Request {
            client,
            scope: &known.scope,
            redirect_uri: &self.redirect_uri,
            state: &self.state,
            code_challenge: &self.pkce.challenge,
            nonce: self.nonce.as_ref(),
            dpop_jkt: known.dpop_jkt.as_deref(),
        };
        let requires = known.metadata.as_ref().is_some_and(|it| it.requires_pushed_requests);
        let Some(at) = &known.endpoints.pushed_authorization_request else {
            return match requires {
                true => Err(known.without("pushed_authorization_request_endpoint")),
                false => Ok(authorization_code::url(endpoint, &request)),
            };
        };
        let (at_token, name) = (&known.endpoint, &known.profile.name);
        let push = |held: Held<'_>| authorization_code::push(at, at_token, name, &request, held);
        let replied =
            known.send(at, Wants::SomethingElse, push).await.map_err(|trouble| trouble.failure)?;
        known.check(PUSHED, at, &replied)?;
        let request_uri = authorization_code::read_pushed(name, &replied.reply)?;
        Ok(authorization_code::url_of_pushed(endpoint, client, &request_uri))
    }

    /// What the answer is told from others by.
    pub(super) fn expected(&self, known: &Known) -> Expected {
        Expected {
            state: self.state.clone(),
            issuer: known.issuer().map(str::to_owned),
            names_itself: known.metadata.as_ref().is_some_and(|it| it.names_itself),
        }
    }

    /// Spends a code.
    pub(super) async fn exchange(&self, known: &Known, code: &Secret) -> Result<Replied, Failure> {
        let (client, endpoint) = (known.client(), &known.endpoint);
        let (verifier, redirect_uri) = (&self.pkce.verifier, self.redirect_uri.as_str());
        let code = Code { code, verifier, redirect_uri };
        let make = |held: Held<'_>| {
            authorization_code::token_request(client, endpoint, &known.key(), held, &code)
        };
        let replied = known.send(&endpoint.token_endpoint, Wants::Tokens, make).await;
        let mut replied = replied.map_err(|trouble| trouble.failure)?;
        // A provider may repeat these too in what it says of a refusal.
        replied.sent.extend([code.code.clone(), verifier.clone()]);
        Ok(replied)
    }

    pub(super) fn nonce(&self) -> Option<&Unguessable> {
        self.nonce.as_ref()
    }
}

pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    entropy::fill(&mut bytes).map(|()| bytes)
}
