//! The refresh token of a reply (RFC 6749 sections 5.1 and 6).
//!
//! It is taken before anything else is judged: the provider may have spent the presented one, so a
//! reply whose access token is useless still has something in it that must not be lost.

use serde_json::Value;
use tokctl_core::Successor;
use tokctl_proto::WallMs;
use tokctl_proto::time::DURATION_MAX;

use crate::oauth::message::HttpReply;
use crate::oauth::provider_clock::on_our_clock;
use crate::oauth::reply::fields::Fields;
use crate::oauth::reply::lifetime;

/// As much as an access token: no provider's comes near it, and it fits into an entry beside the raw
/// answer that it came in.
pub(super) const REFRESH_TOKEN_BYTES_MAX: usize = 24 * 1024;

/// How providers name its lifetime. No RFC does.
const LIFETIMES: &[&str] =
    &["refresh_token_expires_in", "refresh_expires_in", "x_refresh_token_expires_in"];
const ENDS: &[&str] = &["refresh_token_expires_at", "refresh_token_expiration"];
/// Where Slack puts the tokens of a user.
const NESTED: &str = "authed_user";

/// Takes the refresh token out of a reply. One that no refresh token can be (appendix A.17) is none.
pub(super) fn take(
    fields: &mut Fields,
    reply: &HttpReply,
    clock_ahead_s: Option<i64>,
) -> Option<Successor> {
    let secret = fields
        .take_secret("refresh_token")
        .or_else(|| fields.take_secret_in(NESTED, "refresh_token"))?;
    let text = secret.expose();
    let is_token = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !is_token || text.len() > REFRESH_TOKEN_BYTES_MAX {
        return None;
    }
    let expires_at = expires_at(fields, reply.sent_at, clock_ahead_s);
    Some(Successor { secret, expires_at })
}

fn expires_at(fields: &Fields, sent_at: WallMs, clock_ahead_s: Option<i64>) -> Option<WallMs> {
    let get = |name: &str| fields.get(name).or_else(|| fields.get_in(NESTED, name));
    // Keycloak writes 0 for a token that has no end, and none is born dead.
    let in_s = |written: &Value| lifetime::lifetime(written).filter(|life| !life.is_zero());
    let lives = LIFETIMES.iter().find_map(|name| get(name).and_then(in_s));
    let ends = || {
        let end = ENDS.iter().find_map(|name| get(name).and_then(lifetime::time))?;
        Some(on_our_clock(end, clock_ahead_s))
    };
    lives.map(|life| sent_at.plus(life)).or_else(|| {
        ends().filter(|end| *end > sent_at).map(|end| end.min(sent_at.plus(DURATION_MAX)))
    })
}
