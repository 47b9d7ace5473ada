//! What the requests of all grants to a token endpoint have in common.
//!
//! What a caller asked for by key takes the place of what the profile says, and the profile's
//! further parameters take the place of everything but that and what is presented. They may not prove
//! the client: that is client_auth's. What a provider calls things is put in at the very end, so that
//! nothing before has to know.

use std::collections::{BTreeMap, BTreeSet};

use tokctl_proto::{Failure, Kind, ProfileName, Secret, TokenKey};
use url::Url;

use crate::config::{Body, Client};
use crate::oauth::client_auth::{self, Identity};
use crate::oauth::form::{self, Parameters};
use crate::oauth::grant::{Endpoint, Held};
use crate::oauth::message::{HttpRequest, Method};
use crate::oauth::placeholder::{self, Missing};

/// What one grant's request has that others' have not.
pub(super) struct Ask<'a> {
    /// The grant's name in config.toml.
    pub(super) grant: &'static str,
    /// Its name on the wire (RFC 6749 section 4.5).
    pub(super) grant_type: &'static str,
    /// What is presented, by the names of the parameters.
    pub(super) presented: &'a [(&'static str, &'a Secret)],
    /// A person has agreed to scopes and audiences already, so they are not named again.
    pub(super) is_agreed: bool,
}

/// The request for the token of `key`.
pub(super) fn make(
    ask: &Ask<'_>,
    client: &Client,
    endpoint: &Endpoint,
    key: &TokenKey,
    held: Held<'_>,
) -> Result<HttpRequest, Failure> {
    let (profile, grant) = (&key.profile, ask.grant);
    let nothing = BTreeSet::new();
    let mut parameters = Parameters::default();
    parameters.set_text("grant_type", client.quirks.grant_type(grant, ask.grant_type));
    match ask.is_agreed {
        true => ask_for(&mut parameters, client, &nothing, &nothing, &client.resource),
        false => {
            ask_for(&mut parameters, client, &client.scope, &client.audience, &client.resource);
        }
    }
    let of_refreshes = match ask.grant_type {
        "refresh_token" => Some(&client.quirks.refresh_params),
        _ => None,
    };
    for (name, template) in client.params.iter().chain(of_refreshes.into_iter().flatten()) {
        if client_auth::is_proof(name) {
            return Err(second_proof(profile, &format!("params.{name}")));
        }
        let value = placeholder::fill(template, held.secrets)
            .map_err(|Missing(name)| client_auth::secret_required(profile, grant, &name))?;
        parameters.set(name, value);
    }
    match ask.is_agreed {
        true => ask_for(&mut parameters, client, &nothing, &nothing, &key.resource),
        false => ask_for(&mut parameters, client, &key.scope, &key.audience, &key.resource),
    }
    for &(name, value) in ask.presented {
        parameters.set(name, value.clone());
    }
    let identity = Identity::at(endpoint, profile, grant, client);
    let authorization = client_auth::prove(identity, held, &mut parameters)?;
    parameters.rename(&client.quirks.rename);
    let mut request =
        carry(endpoint.token_endpoint.clone(), authorization, &parameters, client.body);
    further_headers(&mut request, client, profile, grant, held.secrets)?;
    Ok(request)
}

/// Puts in the headers that this provider wants besides, or in place of ours.
pub(in crate::oauth) fn further_headers(
    request: &mut HttpRequest,
    client: &Client,
    profile: &ProfileName,
    grant: &str,
    secrets: &BTreeMap<String, Secret>,
) -> Result<(), Failure> {
    for (name, template) in &client.quirks.headers {
        let is_it = |own: &str| own.eq_ignore_ascii_case(name);
        if is_it("Authorization") && request.headers.iter().any(|(own, _)| is_it(own)) {
            return Err(second_proof(profile, &format!("headers.{name}")));
        }
        let value = placeholder::fill(template, secrets)
            .map_err(|Missing(name)| client_auth::secret_required(profile, grant, &name))?;
        request.headers.retain(|(own, _)| !is_it(own));
        request.headers.push((name.clone().into(), value));
    }
    Ok(())
}

/// A request that carries parameters, with what proves its client where that is a header.
pub(in crate::oauth) fn carry(
    url: Url,
    authorization: Option<Secret>,
    parameters: &Parameters,
    body: Body,
) -> HttpRequest {
    let text = |value: &str| Secret::new(value.to_owned());
    // GitHub answers with a form unless it is asked for JSON.
    let mut headers = vec![("Accept".into(), text("application/json"))];
    let method = if body == Body::Get { Method::Get } else { Method::Post };
    let (url, body) = match form::content_type(body) {
        Some(content_type) => {
            headers.push(("Content-Type".into(), text(content_type)));
            (url, parameters.encode(body))
        }
        None => (parameters.behind(&url), Secret::default()),
    };
    headers.extend(authorization.map(|value| ("Authorization".into(), value)));
    HttpRequest { method, url, headers, body }
}

fn second_proof(profile: &ProfileName, what: &str) -> Failure {
    let message = format!("{what} would prove the client a second time (RFC 6749 section 2.3)");
    let hint = match what.starts_with("params.") {
        true => format!("run `tokctl set {profile} client_auth=post`, without the parameter"),
        false => format!("run `tokctl set {profile} client_auth=none`, or remove `{what}`"),
    };
    Failure::new(Kind::ConfigInvalid, message).of(profile).hint(hint)
}

/// Puts in the sets that are not empty.
pub(super) fn ask_for(
    parameters: &mut Parameters,
    client: &Client,
    scope: &BTreeSet<String>,
    audience: &BTreeSet<String>,
    resource: &BTreeSet<String>,
) {
    if !scope.is_empty() {
        let joined: Vec<_> = scope.iter().map(String::as_str).collect();
        parameters.set_text("scope", &joined.join(client.quirks.scope_separator()));
    }
    for (name, values) in [("audience", audience), ("resource", resource)] {
        if !values.is_empty() {
            parameters.set_each(name, values);
        }
    }
}
