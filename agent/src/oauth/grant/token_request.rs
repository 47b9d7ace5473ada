//! What the requests of all grants to a token endpoint have in common.
//!
//! What a caller asked for by key takes the place of what the profile says, and the profile's
//! further parameters take the place of everything but that and what is presented. They may rename
//! the grant (some providers have their own) but not prove the client: that is client_auth's.

use std::collections::{BTreeMap, BTreeSet};

use tokctl_proto::{Failure, Kind, ProfileName, Secret, TokenKey};

use crate::config::Client;
use crate::oauth::client_auth::{self, Identity};
use crate::oauth::form::{self, Parameters};
use crate::oauth::grant::Endpoint;
use crate::oauth::grant::refresh_token::REFRESH_TOKEN;
use crate::oauth::message::{HttpRequest, Method};
use crate::oauth::placeholder::{self, Missing};

/// The request of `grant` for the token of `key`, which presents `refresh_token` where the grant has
/// one.
pub(super) fn make(
    grant: &'static str,
    client: &Client,
    endpoint: &Endpoint,
    key: &TokenKey,
    secrets: &BTreeMap<String, Secret>,
    refresh_token: Option<&Secret>,
) -> Result<HttpRequest, Failure> {
    let profile = &key.profile;
    let mut parameters = Parameters::default();
    parameters.set_text("grant_type", grant);
    ask_for(&mut parameters, &client.scope, &client.audience, &client.resource);
    for (name, template) in &client.params {
        if client_auth::is_proof(name) {
            return Err(second_proof(profile, name));
        }
        let value = placeholder::fill(template, secrets)
            .map_err(|Missing(name)| client_auth::secret_required(profile, grant, &name))?;
        parameters.set(name, value);
    }
    ask_for(&mut parameters, &key.scope, &key.audience, &key.resource);
    if let Some(refresh_token) = refresh_token {
        parameters.set(REFRESH_TOKEN, refresh_token.clone());
    }
    let identity = Identity { profile, grant, client_id: &client.client_id };
    let authorization = client_auth::prove(identity, endpoint.auth, secrets, &mut parameters)?;

    let text = |value: &str| Secret::new(value.to_owned());
    let mut headers = vec![
        // GitHub answers with a form unless it is asked for JSON.
        ("Accept".into(), text("application/json")),
        ("Content-Type".into(), text(form::content_type(client.body))),
    ];
    headers.extend(authorization.map(|value| ("Authorization".into(), value)));
    Ok(HttpRequest {
        method: Method::Post,
        url: endpoint.token_endpoint.clone(),
        headers,
        body: parameters.encode(client.body),
    })
}

fn second_proof(profile: &ProfileName, parameter: &str) -> Failure {
    Failure::new(
        Kind::ConfigInvalid,
        format!("params.{parameter} would prove the client a second time (RFC 6749 section 2.3)"),
    )
    .of(profile)
    .hint(format!("run `tokctl set {profile} client_auth=post`, without the parameter"))
}

/// Puts in the sets that are not empty.
fn ask_for(
    parameters: &mut Parameters,
    scope: &BTreeSet<String>,
    audience: &BTreeSet<String>,
    resource: &BTreeSet<String>,
) {
    if !scope.is_empty() {
        // RFC 6749 section 3.3.
        let joined: Vec<_> = scope.iter().map(String::as_str).collect();
        parameters.set_text("scope", &joined.join(" "));
    }
    for (name, values) in [("audience", audience), ("resource", resource)] {
        if !values.is_empty() {
            parameters.set_each(name, values);
        }
    }
}
