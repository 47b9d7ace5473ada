//! One request to an API, to learn what it says to a token: any method, the head of the answer, and the beginning of
//! its body. Neither a redirect is followed nor anything repeated.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{DATE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use tokctl_core::Reached;
use tokctl_proto::{Secret, WallMs};
use url::Url;
use zeroize::Zeroizing;

use super::{DPOP_NONCE, Fault, Http, HttpError, error, header};
use crate::clock;
use crate::config::Network;
use crate::oauth::message::{self, HttpReply, HttpRequest};
use crate::oauth::origin::Origin;
use crate::oauth::{buffer::Buffer, provider_clock, retry_after};

/// Somebody waits for it at a terminal.
const TIME_MAX: Duration = Duration::from_secs(15);
/// Many times what is shown of it.
const BODY_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, Debug)]
pub struct ApiCall {
    pub method: Method,
    pub url: Url,
    pub headers: Vec<(String, Secret)>,
    pub body: Secret,
}

/// The beginning of an answer.
pub struct ApiAnswer {
    pub status: u16,
    pub www_authenticate: Option<String>,
    pub retry_after: Option<Duration>,
    pub is_nonce_new: bool,
    pub location: Option<String>,
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for ApiAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiAnswer({}, {} bytes)", self.status, self.body.len())
    }
}

impl Http {
    /// Calls once.
    pub async fn call(&self, network: &Network, call: ApiCall) -> Result<ApiAnswer, HttpError> {
        let origin = Origin::of(&call.url);
        let called = tokio::time::timeout(TIME_MAX, self.call_once(network, call)).await;
        let called = called.unwrap_or_else(|_| Err((Fault::Timeout(TIME_MAX), Reached::Perhaps)));
        called.map_err(|(fault, reached)| HttpError {
            at: origin.map(|origin| origin.to_string()).unwrap_or_default(),
            fault,
            reached,
        })
    }

    async fn call_once(
        &self,
        network: &Network,
        call: ApiCall,
    ) -> Result<ApiAnswer, (Fault, Reached)> {
        let ApiCall { method, url, headers, body } = call;
        let (proxy, origin) = (super::client::proxy_for(network, &url), Origin::of(&url));
        let headers = headers.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let request = HttpRequest { method: message::Method::Get, url, headers, body };
        let now = clock::now().wall;
        let prepared = self.prepare(None, network, request, now).await;
        let (client, mut request) = prepared.map_err(|fault| (fault, Reached::Nobody))?;
        *request.method_mut() = method;
        let fault = |error: reqwest::Error| {
            Fault::of(&error.without_url(), &self.limits, proxy.clone(), false)
        };
        let mut response = client.execute(request).await.map_err(|error| {
            let reached = error::reached(&error);
            (fault(error), reached)
        })?;
        let received_at = clock::now().wall;
        let mut bytes = Buffer::default();
        // What breaks off has begun all the same.
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = BODY_BYTES_MAX - bytes.len();
            bytes.push(&chunk[..chunk.len().min(room)]);
            if bytes.len() == BODY_BYTES_MAX {
                break;
            }
        }
        let text = |name| header(response.headers(), name).map(str::to_owned);
        let nonce = text(DPOP_NONCE);
        let before = origin.as_ref().and_then(|origin| self.heard.nonce(origin));
        if let Some(origin) = &origin {
            self.heard.note(received_at, origin, nonce.as_deref(), None);
        }
        let all = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges: Vec<&str> = all.filter_map(|value| value.to_str().ok()).collect();
        Ok(ApiAnswer {
            status: response.status().as_u16(),
            www_authenticate: Some(challenges.join(", ")).filter(|text| !text.is_empty()),
            retry_after: wait(received_at, text(RETRY_AFTER), text(DATE)),
            is_nonce_new: nonce.is_some() && nonce != before,
            location: text(LOCATION),
            body: bytes.into_bytes(),
        })
    }
}

fn wait(now: WallMs, said: Option<String>, date: Option<String>) -> Option<Duration> {
    let reply = HttpReply {
        status: 429,
        content_type: None,
        retry_after: said,
        date,
        sent_at: now,
        received_at: now,
        body: Zeroizing::default(),
    };
    // A clock that is wrong is read as such.
    let _ahead = provider_clock::ahead_s(&reply);
    retry_after::of(now, &reply)
}
