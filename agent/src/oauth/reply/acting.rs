//! What Google answers a workload that asks to act as a service account, with a token that it has just exchanged: told
//! apart from what the exchange is answered, since somebody else can do something about it.

use tokctl_core::{Cause, Class, Trouble};
use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind, WallMs};

use crate::oauth::message::HttpReply;
use crate::oauth::reply::refusal::{Refusal, hinted};
use crate::oauth::reply::{Asked, status};

/// Why the reply is no token of the account; `None` where it is one.
pub(super) fn trouble(
    now: WallMs,
    asked: &Asked<'_>,
    account: &str,
    reply: &HttpReply,
    refusal: Option<&Refusal>,
) -> Option<Trouble> {
    let trouble = match (reply.status, refusal) {
        (200..=299, None) => return None,
        (408 | 429 | 500..=599, refusal) => status::overloaded(now, reply, refusal),
        (300..=399, _) => status::redirect(asked, reply.status),
        (status, refusal) => refused(asked, status, refusal),
    };
    let message = format!("acting as {}: {}", shown(account), trouble.failure.message);
    let failure = Failure { message, ..trouble.failure };
    // The exchange was made: its endpoint has no part in this.
    Some(Trouble { failure, ..trouble }.because(Cause::Other))
}

fn refused(asked: &Asked<'_>, status: u16, refusal: Option<&Refusal>) -> Trouble {
    let profile = &asked.key.profile;
    let reason = refusal.map_or_else(|| format!("HTTP {status}"), Refusal::reason);
    let message = format!("Google refused the account's token ({reason})");
    let hint = match status {
        // Which of the two it is, is not told to whoever may not see the account.
        401 | 403 | 404 => Some(format!(
            "grant the workload roles/iam.workloadIdentityUser on the account, or run \
             `tokctl set {profile} impersonate=\u{2026}`"
        )),
        _ => Some(format!("compare `tokctl show {profile}` with what Google documents")),
    };
    let failure = Failure::new(Kind::ProviderRefused, message);
    Trouble::new(Class::Permanent, hinted(failure, hint))
}
