//! The answers of a provider that does as the standards say.

use std::time::Instant;

use serde_json::{Value, json};

use super::received::Received;
use super::{Issued, Shared, State};

/// RFC 6749 sections 4.4 and 6: issues a token or says why not.
pub(super) fn token(shared: &Shared, state: &mut State, request: &Received) -> (u16, Value) {
    let presented = match request.param("grant_type") {
        Some("client_credentials") => None,
        Some("refresh_token") => Some(request.param("refresh_token").unwrap_or_default()),
        _ => return (400, json!({ "error": "unsupported_grant_type" })),
    };
    let Some((client_id, secret)) = request.client() else {
        return (401, json!({ "error": "invalid_client", "error_description": "no client" }));
    };
    if shared.clients.get(client_id).is_none_or(|known| known != secret) {
        let description = "client authentication failed";
        return (401, json!({ "error": "invalid_client", "error_description": description }));
    }
    let successor = match presented.map(|presented| state.refresh_tokens.exchange(presented)) {
        Some(None) => return (400, json!({ "error": "invalid_grant" })),
        successor => successor.flatten(),
    };
    state.issued += 1;
    let scope = request.param("scope").unwrap_or_default().to_owned();
    let token = format!("{client_id}-{:04}-{:016x}", state.issued, unguessable());
    let issued =
        Issued { client_id: client_id.to_owned(), scope, expires: Instant::now() + state.lifetime };
    let mut body = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": state.lifetime.as_secs(),
        "scope": issued.scope,
    });
    if let Some(successor) = successor {
        body["refresh_token"] = successor.into();
    }
    state.tokens.insert(token, issued);
    (200, body)
}

/// Tells whose token it is, or refuses it (RFC 6750 section 3).
pub(super) fn me(state: &State, authorization: Option<&str>) -> (u16, Value) {
    let token = authorization.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
    match state.tokens.get(token).zip(Instant::now().into()) {
        Some((issued, now)) if issued.expires > now => {
            let left = issued.expires.duration_since(now).as_secs_f64().round();
            let Issued { client_id, scope, .. } = issued;
            (200, json!({ "client_id": client_id, "scope": scope, "expires_in": left as u64 }))
        }
        Some(_) => (401, json!({ "error": "invalid_token", "error_description": "expired" })),
        None => (401, json!({ "error": "invalid_token", "error_description": "unknown" })),
    }
}

/// OpenID Connect Discovery section 4 and RFC 8414 section 3: the same document at both places.
pub(super) fn metadata(shared: &Shared) -> Value {
    let issuer = shared.issuer();
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/token"),
        "grant_types_supported": ["client_credentials", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "response_types_supported": [],
    })
}

/// Tokens of two providers, or of one that was started again, are never the same.
pub(super) fn unguessable() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(Instant::now())
}
