//! `tokctl inspect`: what a token says of itself, and what its provider says of it. The token is not shown.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tokctl_client::proto::request::Inspect;
use tokctl_client::proto::response::Done;
use tokctl_client::proto::time::Spoken;
use tokctl_client::{Error, ProfileName, Request};
use tz::TimeZone;

use crate::exit::Stop;
use crate::local_time;
use crate::output::safe;
use crate::session::Session;

/// Claims that are times in Unix seconds (RFC 7519 section 4.1, OpenID Connect Core section 2).
const TIMES: &[&str] = &["exp", "iat", "nbf", "auth_time"];

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The claims of a token that is a JWT are shown as they stand in it: their signature is not checked, since the token is \
made for the API. The provider is asked where it has an introspection endpoint (RFC 7662). The token itself is not \
shown, and none is obtained: run `tokctl get` first.

Examples:
  tokctl inspect acme
  tokctl inspect acme --scope read --json")]
pub(crate) struct InspectArgs {
    /// Name of the profile
    #[arg(value_name = "PROFILE", value_parser = ProfileName::parse)]
    profile: ProfileName,
    /// The token for these scopes; repeat it or separate them by spaces
    #[arg(long)]
    scope: Vec<String>,
    /// The token for this audience
    #[arg(long)]
    audience: Vec<String>,
    /// The token for this resource
    #[arg(long)]
    resource: Vec<String>,
}

#[derive(Serialize)]
struct Seen<'a> {
    profile: &'a str,
    active: Option<bool>,
    introspection: Option<Map<String, Value>>,
    claims: Option<Map<String, Value>>,
}

pub(crate) fn run(args: &InspectArgs, session: &Session) -> Result<(), Stop> {
    let InspectArgs { profile, scope, audience, resource } = args;
    let list = |values: &'_ [String]| values.iter().map(|value| value.clone().into()).collect();
    let request = Request::Inspect(Inspect {
        profile: profile.as_str().into(),
        scope: list(scope),
        audience: list(audience),
        resource: list(resource),
        interactive: session.can_ask(),
    });
    let mut client = session.client()?;
    let done = client.request(&request, &mut session.conversation())?;
    let Done::Inspected(inspected) = done else { return Err(Error::Unexpected.into()) };
    let seen = Seen {
        profile: profile.as_str(),
        active: inspected.active,
        introspection: serde_json::from_str(inspected.introspection.expose()).ok(),
        claims: serde_json::from_str(inspected.claims.expose()).ok(),
    };
    match session.output.json {
        true => session.output.json(&seen),
        false => {
            let lines = lines(&seen, local_time::now(), &local_time::zone());
            session.output.line(&lines.join("\n"))
        }
    }
}

fn lines(seen: &Seen<'_>, now: i64, zone: &TimeZone) -> Vec<String> {
    let name = safe(seen.profile);
    let mut lines = vec![match seen.active {
        Some(true) => format!("{name}: the provider says that the token is active"),
        Some(false) => format!("{name}: the provider says that the token is not active"),
        None => format!("{name}: the provider did not say whether the token is active"),
    }];
    lines.extend(seen.introspection.iter().flat_map(|fields| rows(fields, now, zone)));
    match &seen.claims {
        Some(claims) => {
            lines.push("the token says of itself, unverified:".to_owned());
            lines.extend(rows(claims, now, zone));
        }
        None => lines.push("the token says nothing of itself: it is no JWT".to_owned()),
    }
    lines
}

/// A line for each field, in columns.
fn rows(fields: &Map<String, Value>, now: i64, zone: &TimeZone) -> Vec<String> {
    let fields = || fields.iter().filter(|(name, _)| *name != "active");
    let width = fields().map(|(name, _)| safe(name).chars().count()).max().unwrap_or(0);
    let row = |(name, value): (&String, &Value)| {
        let text = match value {
            Value::Number(number) if TIMES.contains(&name.as_str()) => match number.as_i64() {
                Some(at) => time(at, now, zone),
                None => number.to_string(),
            },
            Value::String(text) => safe(text).into_owned(),
            other => safe(&other.to_string()).into_owned(),
        };
        format!("  {:width$}  {text}", safe(name))
    };
    fields().map(row).collect()
}

fn time(at: i64, now: i64, zone: &TimeZone) -> String {
    let apart = Spoken(Duration::from_secs(at.abs_diff(now)));
    let when = if at > now { format!("in {apart}") } else { format!("{apart} ago") };
    format!("{} ({when})", local_time::shown(at.saturating_mul(1000), zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Option<Map<String, Value>> {
        serde_json::from_str(json).ok()
    }

    #[test]
    fn times_are_times_and_what_hides_is_shown() {
        let seen = Seen {
            profile: "acme",
            active: Some(true),
            introspection: fields(r#"{"active":true,"scope":"a b","exp":1060}"#),
            claims: fields(r#"{"iat":940,"sub":"\u001b[2J","aud":["x"],"exp":1e30}"#),
        };
        assert_eq!(
            lines(&seen, 1000, &TimeZone::utc()),
            [
                "acme: the provider says that the token is active",
                "  exp    1970-01-01 00:17:40 (in 1m)",
                "  scope  a b",
                "the token says of itself, unverified:",
                "  aud  [\"x\"]",
                "  exp  1e+30",
                "  iat  1970-01-01 00:15:40 (1m ago)",
                "  sub  \\u{1b}[2J",
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let seen = Seen { profile: "acme", active: None, introspection: None, claims: None };
        assert_eq!(
            lines(&seen, 0, &TimeZone::utc()),
            [
                "acme: the provider did not say whether the token is active",
                "the token says nothing of itself: it is no JWT",
            ]
        );
        let seen = Seen { active: Some(false), introspection: fields("{}"), ..seen };
        assert!(lines(&seen, 0, &TimeZone::utc())[0].ends_with("is not active"));
    }
}
