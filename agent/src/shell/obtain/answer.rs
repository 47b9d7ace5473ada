//! A provider's answer with everything that is needed to read it, now or after a restart.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokctl_proto::{Secret, TokenKey};
use url::Url;
use zeroize::Zeroizing;

use crate::config::Profile;
use crate::oauth::HttpReply;
use crate::vault::{RawAnswer, Subject};

/// A provider's raw answer and what it was asked with.
#[derive(Debug)]
pub struct Answer {
    pub profile: Arc<Profile>,
    pub key: TokenKey,
    pub revision: u64,
    pub endpoint: Url,
    pub reply: HttpReply,
    /// What the request may have held.
    pub sent: Vec<Secret>,
    /// Who logged in, where a renewal must be for the same person.
    pub subject: Option<Subject>,
}

impl Answer {
    /// As it goes into the entry.
    pub fn to_raw(&self) -> RawAnswer {
        let Self { key, revision, endpoint, reply, .. } = self;
        // Room for all of it at once: a String that grows leaves its old self behind.
        let mut body = String::with_capacity(reply.body.len().div_ceil(3) * 4);
        STANDARD.encode_string(&*reply.body, &mut body);
        RawAnswer {
            key: key.clone(),
            revision: *revision,
            endpoint: endpoint.to_string(),
            sent_at: reply.sent_at,
            received_at: reply.received_at,
            status: reply.status,
            content_type: reply.content_type.clone(),
            retry_after: reply.retry_after.clone(),
            date: reply.date.clone(),
            body: Secret::new(body),
        }
    }

    /// As an earlier run has left it, for a profile with these settings and these secrets; `None` if it
    /// makes no sense.
    pub fn from_raw(raw: RawAnswer, profile: Arc<Profile>, sent: Vec<Secret>) -> Option<Self> {
        // Larger than what comes out by three bytes at most, so nothing is copied.
        let mut body = Zeroizing::new(vec![0; raw.body.expose().len().div_ceil(4) * 3]);
        let length = STANDARD.decode_slice(raw.body.expose(), &mut body).ok()?;
        body.truncate(length);
        Some(Self {
            profile,
            key: raw.key,
            revision: raw.revision,
            endpoint: Url::parse(&raw.endpoint).ok()?,
            reply: HttpReply {
                status: raw.status,
                content_type: raw.content_type,
                retry_after: raw.retry_after,
                date: raw.date,
                sent_at: raw.sent_at,
                received_at: raw.received_at,
                body,
            },
            sent,
            subject: None,
        })
    }
}
