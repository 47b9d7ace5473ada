//! Which keys mean something together: a key that would be ignored is an error.

use super::error::{Broken, ConfigError};
use super::pool;
use super::section::Section;

/// Keys of every profile.
const EVERYWHERE: &[&str] =
    &["preset", "vars", "grant", "header", "query", "api_urls", "allow_http_loopback"];
/// Keys of a pool alone.
const POOL: &[&str] = &[pool::KEY, "rate_limit"];
/// Grants with a refresh token.
const REFRESHING: &[&str] = &["authorization_code", "device_code", "refresh_token"];
/// Grants whose provider is a token endpoint.
const CLIENT: &[&str] = &[
    "client_credentials",
    "authorization_code",
    "device_code",
    "refresh_token",
    "jwt_bearer",
    "token_exchange",
];

/// The grants that a key means something with; `None`: all that ask for tokens.
fn grants_with(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "refresh_token_idle" | "rotation" | "refresh_endpoint" | "refresh_params" => REFRESHING,
        "authorization_endpoint"
        | "device_authorization_endpoint"
        | "pushed_authorization_request_endpoint"
        | "redirect_uri"
        | "authorization_params"
        | "id_token_alg" => &["authorization_code", "device_code"],
        "requested_token_type" | "subject_token_type" | "impersonate" => &["token_exchange"],
        "role_arn" | "role_session_name" | "session_duration" => &["aws_web_identity"],
        "installation_id" | "repositories" | "permissions" => &["github_app"],
        "steps" => &["steps"],
        "command" | "command_timeout" => &["command"],
        "issuer"
        | "client_auth"
        | "scope"
        | "audience"
        | "resource"
        | "params"
        | "headers"
        | "grant_type"
        | "rename"
        | "errors"
        | "body"
        | "scope_separator"
        | "dpop"
        | "revocation_endpoint"
        | "introspection_endpoint" => CLIENT,
        "iss" | "sub" => &["jwt_bearer", "self_signed_jwt"],
        _ => return None,
    })
}

/// Whether a key means something with a grant.
pub(super) fn fits(grant: &str, name: &str) -> bool {
    with_grant(grant, name).is_none()
}

/// Whether a key means something with a pool.
pub(super) fn fits_pool(name: &str) -> bool {
    beside_pool(name).is_none()
}

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
        _ => match grants_with(name) {
            Some(grants) if grants.contains(&grant) => return None,
            Some(REFRESHING) => "there is no refresh token",
            Some([only]) => &format!("it belongs to `grant = \"{only}\"`"),
            Some(CLIENT) => "no token endpoint is asked",
            Some(grants) => &format!("it belongs to the grants {}", grants.join(", ")),
            None => return None,
        },
    };
    Some(without(name, &format!("means nothing with `grant = \"{grant}\"`: {reason}")))
}

fn without(name: &str, message: &str) -> Broken {
    Broken::new(message).hint(format!("remove `{name}`"))
}
