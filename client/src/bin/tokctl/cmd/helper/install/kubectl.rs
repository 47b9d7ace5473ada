//! kubectl's configuration, edited by `kubectl config`: the `exec` of a user. Where there is no kubectl that
//! can, what to write.

use std::process::Stdio;

use serde_json::Value;

use super::change::Change;
use super::{Entry, Tool, Wanted, on_path, ourselves};
use crate::exit::Stop;
use crate::identity;

const VERSION: &str = "client.authentication.k8s.io/v1";

pub(super) fn install(wanted: &Wanted<'_>) -> Result<Change, Stop> {
    let program = ourselves()?;
    if !takes_exec() {
        return Ok(Change::ByHand {
            place: "kubectl's configuration (~/.kube/config)".to_owned(),
            text: by_hand(wanted, &program),
        });
    }
    let entry = Entry {
        program: Tool::Kubectl,
        at: wanted.name.to_owned(),
        profile: Some(wanted.profile.to_string()),
    };
    if entries()?.contains(&entry) {
        return Ok(Change::Nothing);
    }
    let mut words = vec!["kubectl", "config", "set-credentials", wanted.name];
    let version = format!("--exec-api-version={VERSION}");
    let command = format!("--exec-command={program}");
    let profile = format!("--exec-arg={}", wanted.profile);
    words.extend([&*version, &command, "--exec-arg=helper", "--exec-arg=kubectl", &profile]);
    words.extend(["--exec-interactive-mode=Never", "--exec-provide-cluster-info=true"]);
    Ok(Change::Commands {
        what: "kubectl's configuration".to_owned(),
        commands: vec![words.into_iter().map(str::to_owned).collect()],
    })
}

/// Whether there is a kubectl that can write all of it: v1 has to have the mode, for which older ones have no option.
fn takes_exec() -> bool {
    let arguments = ["config", "set-credentials", "--help"];
    let output = identity::program("kubectl").args(arguments).stderr(Stdio::null()).output();
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).contains("--exec-interactive-mode")
    })
}

fn by_hand(wanted: &Wanted<'_>, program: &str) -> String {
    let Wanted { profile, name, .. } = wanted;
    format!(
        "users:\n- name: {name}\n  user:\n    exec:\n      apiVersion: {VERSION}\n      \
         command: {program}\n      args: [helper, kubectl, {profile}]\n      \
         interactiveMode: Never\n      provideClusterInfo: true\n"
    )
}

pub(super) fn uninstall(entries: &[Entry]) -> Change {
    let command =
        |entry: &Entry| ["kubectl", "config", "delete-user", &entry.at].map(str::to_owned).to_vec();
    Change::Commands {
        what: "kubectl's configuration".to_owned(),
        commands: entries.iter().map(command).collect(),
    }
}

pub(super) fn entries() -> Result<Vec<Entry>, Stop> {
    if on_path("kubectl").is_none() {
        return Ok(Vec::new());
    }
    let arguments = ["config", "view", "--output", "json"];
    let output = identity::program("kubectl").args(arguments).stderr(Stdio::null()).output();
    let output = output.map_err(|error| Stop::machine(format!("cannot run `kubectl`: {error}")))?;
    Ok(users(&serde_json::from_slice(&output.stdout).unwrap_or_default()))
}

fn users(config: &Value) -> Vec<Entry> {
    let user = |user: &Value| {
        let exec = user.pointer("/user/exec")?;
        let words: Vec<&str> = exec["args"].as_array()?.iter().filter_map(Value::as_str).collect();
        let is_ours = exec["command"].as_str()?.ends_with("tokctl");
        let profile = match words.as_slice() {
            ["helper", "kubectl"] => None,
            ["helper", "kubectl", profile] => Some((*profile).to_owned()),
            _ => return None,
        };
        let at = user["name"].as_str()?.to_owned();
        is_ours.then_some(Entry { program: Tool::Kubectl, at, profile })
    };
    config["users"].as_array().into_iter().flatten().filter_map(user).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn users_that_ask_us_are_known() {
        let user = |name: &str, command: &str, args: &[&str]| json!({ "name": name, "user": { "exec": { "command": command, "args": args } } });
        let config = json!({ "users": [
            user("acme", "tokctl", &["helper", "kubectl", "acme"]),
            user("any", "/opt/tokctl", &["helper", "kubectl"]),
            user("other", "aws", &["eks", "get-token"]),
            user("get", "tokctl", &["get", "acme"]),
            { "name": "token", "user": { "token": "x" } },
        ] });
        let entry = |at: &str, profile: Option<&str>| Entry {
            program: Tool::Kubectl,
            at: at.to_owned(),
            profile: profile.map(str::to_owned),
        };
        assert_eq!(users(&config), [entry("acme", Some("acme")), entry("any", None)]);
        assert_eq!(users(&Value::Null), []);
    }
}
