//! ExecCredential of Kubernetes (client.authentication.k8s.io, v1 and v1beta1): JSON on stdout.
//!
//! Every program on client-go takes it. It is asked again when the end that it was told has come, or after a 401, and
//! answers in the version that it was asked in.

use serde::{Deserialize, Serialize};
use tokctl_client::Secret;

use super::ask::{self, Shown, unfit};
use super::{KubectlCall, field};
use crate::exit::Stop;
use crate::session::Session;

/// Where client-go puts what it asks.
const VARIABLE: &str = "KUBERNETES_EXEC_INFO";
const V1: &str = "client.authentication.k8s.io/v1";
const VERSIONS: [&str; 2] = [V1, "client.authentication.k8s.io/v1beta1"];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ExecInfo {
    api_version: Option<String>,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    cluster: Cluster,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cluster {
    server: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential<'a> {
    api_version: &'a str,
    kind: &'static str,
    status: Status<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_timestamp: Option<String>,
    token: &'a str,
}

pub(super) fn run(call: &KubectlCall, session: &Session) -> Result<(), Stop> {
    let (version, server) = asked(std::env::var(VARIABLE).ok().as_deref())?;
    let mut client = session.client()?;
    let profile = match (&server, &call.profile) {
        (Some(server), named) => match ask::allowed(&mut client, named.as_ref(), server)? {
            Some(usage) => usage.profile,
            None => return Err(foreign(server)),
        },
        // The user entry says it, and it goes with the clusters that its contexts say.
        (None, Some(named)) => named.clone(),
        (None, None) => {
            return Err(field::refused(
                "no profile is named, and kubectl does not say which cluster it is for",
            ));
        }
    };
    let token = ask::token(&mut client, &profile, session)?;
    let secret = bearer(Shown::of(&token, "kubectl")?, &token.profile)?;
    session.output.json(&answer(version, &secret, token.expires_at))
}

fn foreign(server: &str) -> Stop {
    field::refused(format!("no profile's `api_urls` hold the cluster {server}"))
}

/// The version to answer in, and the cluster's address where it is told.
fn asked(info: Option<&str>) -> Result<(&'static str, Option<String>), Stop> {
    let Some(info) = info.filter(|info| !info.is_empty()) else { return Ok((V1, None)) };
    let unreadable = || field::refused(format!("{VARIABLE} cannot be read"));
    let info: ExecInfo = serde_json::from_str(info).map_err(|_| unreadable())?;
    let version = info.api_version.as_deref().unwrap_or(V1);
    let known = VERSIONS.into_iter().find(|known| *known == version);
    let version = known
        .ok_or_else(|| field::refused(format!("{VARIABLE} is of another version: {version}")))?;
    match info.spec.cluster.server {
        None => Ok((version, None)),
        Some(server) if field::is_url(&server) => Ok((version, Some(server))),
        Some(_) => Err(unreadable()),
    }
}

/// client-go puts the token behind `Bearer`, whatever it is.
fn bearer(shown: Shown, profile: &str) -> Result<Secret, Stop> {
    match shown {
        Shown::Other { scheme, credential } if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(credential)
        }
        _ => Err(unfit(profile, "its `header` is no Bearer token, and kubectl sends no other")),
    }
}

fn answer<'a>(version: &'a str, token: &'a Secret, expires_at: Option<i64>) -> ExecCredential<'a> {
    ExecCredential {
        api_version: version,
        kind: "ExecCredential",
        status: Status {
            expiration_timestamp: expires_at.and_then(ask::rfc3339),
            token: token.expose(),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kubectl_is_answered_in_its_own_version() {
        let info = |version: &str, spec: &serde_json::Value| {
            json!({ "apiVersion": version, "kind": "ExecCredential", "spec": spec, "new": 1 })
                .to_string()
        };
        let server = "https://k8s.acme.example:6443";
        let cluster =
            json!({ "interactive": false, "cluster": { "server": server, "config": null } });
        for (info, expected) in [
            (None, Some((V1, None))),
            (Some(String::new()), Some((V1, None))),
            (Some(info(V1, &json!({ "interactive": true }))), Some((V1, None))),
            (Some(info(V1, &cluster)), Some((V1, Some(server)))),
            (Some(info(VERSIONS[1], &cluster)), Some((VERSIONS[1], Some(server)))),
            (Some(info("client.authentication.k8s.io/v1alpha1", &cluster)), None),
            (Some(info(V1, &json!({ "cluster": { "server": "https://a\\@b/" } }))), None),
            (Some("{".to_owned()), None),
        ] {
            let read = asked(info.as_deref()).ok();
            let read = read.as_ref().map(|(version, server)| (*version, server.as_deref()));
            assert_eq!(read, expected, "{info:?}");
        }
    }

    #[test]
    fn the_answer_is_an_exec_credential() {
        let token = Secret::new("eyJ0".to_owned());
        let with_end = serde_json::to_value(answer(V1, &token, Some(1_800_000_000))).unwrap();
        assert_eq!(
            with_end,
            json!({
                "apiVersion": V1, "kind": "ExecCredential",
                "status": { "token": "eyJ0", "expirationTimestamp": "2027-01-15T08:00:00Z" },
            })
        );
        let without = serde_json::to_value(answer(VERSIONS[1], &token, None)).unwrap();
        assert_eq!(without["status"], json!({ "token": "eyJ0" }));
    }

    #[test]
    fn what_is_no_bearer_token_is_not_sent_as_one() {
        for (value, token) in
            [("Bearer abc", Some("abc")), ("token abc", None), ("Basic YTpi", None), ("abc", None)]
        {
            let shown = Shown::read(&Secret::new(value.to_owned()), "acme").unwrap();
            let found = bearer(shown, "acme").ok();
            assert_eq!(found.as_ref().map(Secret::expose), token, "{value}");
        }
    }
}
