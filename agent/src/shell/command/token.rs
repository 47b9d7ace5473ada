//! Requests for a token: which one is meant, and how long its caller waits.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use tokctl_core::policy::TIMEOUT_DEFAULT;
use tokctl_core::{Get, Refresh, RequestId};
use tokctl_proto::escape::shown;
use tokctl_proto::token::SET_VALUES_MAX;
use tokctl_proto::{Failure, Kind, ProfileName, TokenKey, request};
use url::Url;

use super::name;
use crate::config::usage::asked;
use crate::shell::probe::Endpoint;

/// Longest `--timeout`: a caller that wants to wait longer asks again.
pub(super) const TIMEOUT_MAX: Duration = Duration::from_secs(3600);
/// Longest `--wait`, for the same reason.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(3600);
/// More uses than any rate limit that a person would write down.
pub(super) const USES_MAX: u32 = 1_000_000;

pub(super) fn get(id: RequestId, get: request::Get<'_>) -> Result<Get, Failure> {
    let request::Get { profile, scope, audience, resource, .. } = get;
    Ok(Get {
        request: id,
        key: key(&profile, &scope, audience, resource)?,
        min_valid: get.min_valid_s.map(|s| Duration::from_secs(s.into())),
        best_effort: get.best_effort,
        refresh: get.refresh,
        timeout: timeout(get.timeout_ms),
        interactive: get.interactive,
        uses: 1,
        wait: Duration::ZERO,
    })
}

pub(super) fn get2(id: RequestId, get: request::Get2<'_>) -> Result<Get, Failure> {
    let request::Get2 { profile, scope, audience, resource, .. } = get;
    let key = key(&profile, &scope, audience, resource)?;
    let uses = get.uses.unwrap_or(1);
    if !(1..=USES_MAX).contains(&uses) {
        let message = format!("{uses} uses cannot be booked: 1 to {USES_MAX} at a time");
        return Err(Failure::new(Kind::Usage, message).of(&key.profile));
    }
    let wait = get.wait_ms.map_or(Duration::ZERO, |ms| Duration::from_millis(ms.into()));
    Ok(Get {
        request: id,
        key,
        min_valid: get.min_valid_s.map(|s| Duration::from_secs(s.into())),
        best_effort: get.best_effort,
        refresh: get.refresh,
        timeout: timeout(get.timeout_ms),
        interactive: get.interactive,
        uses,
        wait: wait.min(WAIT_MAX),
    })
}

/// The HTTP request that a proof of possession is wanted for (RFC 9449 section 4.2).
#[derive(Clone, Debug)]
pub struct ProofFor {
    pub method: String,
    pub url: Url,
    pub nonce: Option<String>,
}

pub(super) fn get3(
    id: RequestId,
    get: request::Get3<'_>,
) -> Result<(Get, Option<Box<ProofFor>>), Failure> {
    let request::Get3 { profile, scope, audience, resource, dpop, .. } = get;
    let proof = dpop.map(|dpop| proof_for(dpop).map_err(|it| Failure::new(Kind::Usage, it)));
    let proof = proof.transpose()?.map(Box::new);
    let get = request::Get2 {
        profile,
        scope,
        audience,
        resource,
        min_valid_s: get.min_valid_s,
        best_effort: get.best_effort,
        refresh: get.refresh,
        timeout_ms: get.timeout_ms,
        interactive: get.interactive,
        uses: get.uses,
        wait_ms: get.wait_ms,
    };
    Ok((get2(id, get)?, proof))
}

fn proof_for(dpop: request::DpopFor<'_>) -> Result<ProofFor, String> {
    let request::DpopFor { method, url, nonce } = dpop;
    // RFC 9110 section 9.1; what is standard is in upper case.
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        return Err(format!("`{}` is no HTTP method, such as GET", shown(&method)));
    }
    let parsed = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
    let Some(url) = parsed.filter(Url::has_host) else {
        return Err(format!("`{}` is no URL that a request goes to", shown(&url)));
    };
    let nonce = nonce.map(Cow::into_owned);
    if nonce.as_ref().is_some_and(|nonce| !tokctl_proto::token::is_token(nonce)) {
        return Err("the nonce is none that a server sends (RFC 9449 section 8.1)".to_owned());
    }
    Ok(ProofFor { method: method.into_owned(), url, nonce })
}

/// What a call of an API is made with.
pub(super) fn probe(
    id: RequestId,
    probe: request::Probe<'_>,
) -> Result<(Get, Box<Endpoint>), Failure> {
    let request::Probe { profile, url, method, body, content_type, .. } = probe;
    let key = key(&profile, &probe.scope, probe.audience, probe.resource)?;
    let usage = |message: String| Failure::new(Kind::Usage, message).of(&key.profile);
    let default = if body.is_some() { "POST" } else { "GET" };
    let name = method.as_deref().unwrap_or(default);
    let method = Method::from_bytes(name.as_bytes())
        .ok()
        .filter(|method| !matches!(*method, Method::CONNECT | Method::TRACE))
        .ok_or_else(|| usage(format!("`{}` is no HTTP method to probe with", shown(name))))?;
    let content_type = content_type.as_deref().unwrap_or("application/json").to_owned();
    if content_type.is_empty() || !content_type.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Err(usage(format!("`{}` is no content type", shown(&content_type))));
    }
    let url = asked(&url).map_err(|failure| failure.of(&key.profile))?;
    let body = body.map(|body| body.to_secret());
    let endpoint = Box::new(Endpoint { method, url, body, content_type });
    let get = Get {
        request: id,
        key,
        min_valid: None,
        best_effort: true,
        refresh: false,
        timeout: TIMEOUT_DEFAULT,
        interactive: probe.interactive,
        uses: 1,
        wait: Duration::ZERO,
    };
    Ok((get, endpoint))
}

pub(super) fn refresh(id: RequestId, refresh: request::Refresh<'_>) -> Result<Refresh, Failure> {
    let request::Refresh { profile, scope, audience, resource, timeout_ms, interactive } = refresh;
    let key = key(&profile, &scope, audience, resource)?;
    Ok(Refresh { request: id, key, timeout: timeout(timeout_ms), interactive })
}

/// The token that is to be revoked.
pub(super) fn revoke(revoke: request::Revoke<'_>) -> Result<TokenKey, Failure> {
    let request::Revoke { profile, scope, audience, resource, .. } = revoke;
    key(&profile, &scope, audience, resource)
}

/// The token that is to be looked at.
pub(super) fn inspect(inspect: request::Inspect<'_>) -> Result<TokenKey, Failure> {
    let request::Inspect { profile, scope, audience, resource, .. } = inspect;
    key(&profile, &scope, audience, resource)
}

pub(super) fn dry_run(run: request::DryRun<'_>) -> Result<TokenKey, Failure> {
    let request::DryRun { profile, scope, audience, resource, .. } = run;
    key(&profile, &scope, audience, resource)
}

fn timeout(ms: Option<u32>) -> Duration {
    ms.map_or(TIMEOUT_DEFAULT, |ms| Duration::from_millis(ms.into())).min(TIMEOUT_MAX)
}

fn key(
    profile: &str,
    scope: &[Cow<'_, str>],
    audience: Vec<Cow<'_, str>>,
    resource: Vec<Cow<'_, str>>,
) -> Result<TokenKey, Failure> {
    let profile = name(profile)?;
    let scope = scopes(&profile, scope)?;
    let set = |values: Vec<Cow<'_, str>>| -> BTreeSet<String> {
        let values = values.into_iter().filter(|value| !value.is_empty());
        values.map(Cow::into_owned).collect()
    };
    let key = TokenKey { scope, audience: set(audience), resource: set(resource), profile };
    if [&key.audience, &key.resource].iter().any(|set| set.len() > SET_VALUES_MAX) {
        return Err(too_many(&key.profile));
    }
    Ok(key)
}

/// Scopes, each by itself or several with spaces between them.
pub(super) fn scopes(
    profile: &ProfileName,
    scope: &[Cow<'_, str>],
) -> Result<BTreeSet<String>, Failure> {
    let scope: BTreeSet<String> = scope
        .iter()
        .flat_map(|scope| scope.split(' '))
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect();
    if let Some(bad) = scope.iter().find(|scope| !tokctl_proto::token::is_scope(scope)) {
        let shown = shown(bad);
        return Err(Failure::new(Kind::Usage, format!("`{shown}` is not a scope")).of(profile));
    }
    match scope.len() > SET_VALUES_MAX {
        true => Err(too_many(profile)),
        false => Ok(scope),
    }
}

fn too_many(profile: &ProfileName) -> Failure {
    let message = format!("more than {SET_VALUES_MAX} scopes, audiences or resources");
    Failure::new(Kind::Usage, message).of(profile)
}
