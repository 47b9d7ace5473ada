//! What an API said to a token. The token itself goes no further than this file: its hash is enough
//! to find it by.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokctl_core::{Report, RequestId};
use tokctl_proto::{Failure, Kind, SecretStr, request};

use super::name;

/// Statuses that say something about a token.
const STATUSES: [u16; 3] = [401, 403, 429];
/// An API that asks for more is asked again after a day, the longest period of the quotas that we
/// have met: a wrong number must not silence a profile.
pub(super) const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

pub(super) fn report(id: RequestId, report: request::Report<'_>) -> Result<Report, Failure> {
    let profile = name(&report.profile)?;
    let member = report.member.as_deref().map(name).transpose()?;
    let usage = |message: String| Failure::new(Kind::Usage, message).of(&profile);
    let status = report.status;
    if !STATUSES.contains(&status) {
        return Err(usage(format!("status {status} says nothing about a token"))
            .hint("report a 401, a 403 or a 429"));
    }
    let digest =
        match (&report.token, report.token_sha256.as_deref()) {
            (Some(_), Some(_)) => {
                return Err(usage(
                    "both the token and its SHA-256 are given: one is enough".to_owned(),
                ));
            }
            (Some(token), None) => Some(of(token)),
            (None, Some(hex)) => Some(parse(hex).ok_or_else(|| {
                usage("the SHA-256 of a token is 64 hexadecimal digits".to_owned())
            })?),
            (None, None) if status == 401 => {
                return Err(usage("a 401 needs the token that was refused".to_owned()).hint(
                "give the token on stdin, or its hash with `--token-sha256`: a newer token stays",
            ));
            }
            (None, None) => None,
        };
    let retry_after = report.retry_after_s.map(|s| Duration::from_secs(s.into()));
    Ok(Report {
        request: id,
        profile,
        member,
        status,
        retry_after: retry_after.map(|wait| wait.min(RETRY_AFTER_MAX)),
        digest,
    })
}

fn of(token: &SecretStr<'_>) -> [u8; 32] {
    Sha256::digest(token.expose().as_bytes()).into()
}

fn parse(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&hex[at..at + 2], 16).ok()?;
    }
    Some(digest)
}
