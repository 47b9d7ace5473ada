//! Which keys mean something together: a key that would be ignored is an error.

use super::error::{Broken, ConfigError};
use super::pool;
use super::section::Section;

/// Keys of every profile.
const EVERYWHERE: &[&str] = &["grant", "header", "api_urls", "allow_http_loopback"];
/// Keys of a pool alone.
const POOL: &[&str] = &[pool::KEY, "rate_limit"];
/// Keys of profiles with a refresh token.
const REFRESH_TOKEN: &[&str] = &["refresh_token_idle", "rotation"];

/// Refuses the first key that means nothing beside the others. A profile that has neither a grant
/// nor a pool is not looked at.
pub(super) fn check(section: &Section<'_>) -> Result<(), ConfigError> {
    let is_pool = section.offset(pool::KEY).is_some();
    let grant = section.text("grant").map(|spot| spot.text);
    let refusal = |name: &str| match grant {
        _ if is_pool => beside_pool(name),
        Some(grant) => with_grant(grant, name),
        None => None,
    };
    match section.names().find_map(|name| Some((name, refusal(name)?))) {
        Some((name, broken)) => {
            Err(section.refuse(section.offset(name).unwrap_or_default(), name, broken))
        }
        None => Ok(()),
    }
}

fn beside_pool(name: &str) -> Option<Broken> {
    match name {
        "grant" => Some(
            Broken::new("cannot stand beside `pool`, which hands out the tokens of other profiles")
                .hint("remove one of the two"),
        ),
        name if EVERYWHERE.contains(&name) || POOL.contains(&name) => None,
        name => Some(without(name, "means nothing with `pool`: its members have their own")),
    }
}

fn with_grant(grant: &str, name: &str) -> Option<Broken> {
    let reason = match grant {
        _ if EVERYWHERE.contains(&name) => return None,
        _ if POOL.contains(&name) => return Some(without(name, "means nothing without `pool`")),
        "api_key" => "no provider is asked",
        "refresh_token" => return None,
        _ if REFRESH_TOKEN.contains(&name) => "there is no refresh token",
        _ => return None,
    };
    Some(without(name, &format!("means nothing with `grant = \"{grant}\"`: {reason}")))
}

fn without(name: &str, message: &str) -> Broken {
    Broken::new(message).hint(format!("remove `{name}`"))
}
