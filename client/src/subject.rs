//! Tokens of this process's environment that the agent exchanges for others: the agent's own environment is that of a
//! login long ago, not of this job.

use std::ffi::OsString;

use tokctl_proto::Secret;
use zeroize::Zeroizing;

use crate::error::Error;

/// Where GitHub says how a job asks for its token.
const GITHUB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const GITHUB_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// What a job of GitLab calls its token, the first that is there: GitLab leaves the name to the job.
const GITLAB_TOKENS: &[&str] = &["TOKCTL_ID_TOKEN", "ID_TOKEN"];

/// What this environment has for a `subject` as config.toml names it: `env:NAME`, `gitlab` or `github-actions`.
///
/// For GitHub Actions that are two lines, with which the agent asks GitHub for the token. An error says what is missing
/// and what to do about it.
pub fn from_environment(source: &str) -> Result<Secret, Error> {
    find(source, |name| std::env::var_os(name))
}

/// Whether a `subject` is one that a client brings.
pub fn is_of_environment(source: &str) -> bool {
    matches!(source, "github-actions" | "gitlab") || source.starts_with("env:")
}

fn find(source: &str, variable: impl Fn(&str) -> Option<OsString>) -> Result<Secret, Error> {
    let text = |name: &str| {
        let value = variable(name)?.into_string().ok()?;
        Some(Zeroizing::new(value)).filter(|value| !value.trim().is_empty())
    };
    let own = |value: Zeroizing<String>| Secret::new(value.trim().to_owned());
    match source {
        "github-actions" => match (text(GITHUB_URL), text(GITHUB_TOKEN)) {
            (Some(url), Some(token)) => {
                let mut lines = String::with_capacity(url.len() + token.len() + 1);
                lines.push_str(url.trim());
                lines.push('\n');
                lines.push_str(token.trim());
                Ok(Secret::new(lines))
            }
            _ if text("GITHUB_ACTIONS").is_some() => Err(missing(
                "this job may not ask GitHub for its token",
                "give the job `permissions: id-token: write`",
            )),
            _ => Err(missing(
                "this is no job of GitHub Actions",
                "`subject = \"github-actions\"` works in one alone, with `permissions: id-token: write`",
            )),
        },
        "gitlab" => GITLAB_TOKENS.iter().find_map(|name| text(name)).map(own).ok_or_else(|| {
            missing(
                "GitLab has put no token of the job into $TOKCTL_ID_TOKEN",
                "give the job `id_tokens: { TOKCTL_ID_TOKEN: { aud: \u{2026} } }`",
            )
        }),
        _ => match source.strip_prefix("env:") {
            Some(name) => text(name)
                .map(own)
                .ok_or_else(|| missing(&format!("${name} is empty or not set"), "export it")),
            None => Err(Error::Unexpected),
        },
    }
}

fn missing(message: &str, hint: &'static str) -> Error {
    Error::NoSubject { message: message.to_owned(), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, variables: &[(&str, &str)]) -> Result<String, (String, String)> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        find(source, variable).map(|secret| secret.expose().to_owned()).map_err(|error| {
            let failure = error.failure();
            assert!(failure.kind == "subject_required" || failure.kind == "version");
            (failure.message.into_owned(), failure.hint.unwrap_or_default().into_owned())
        })
    }

    #[test]
    fn each_source_is_found_where_its_job_has_it() {
        for (source, variables, expected) in [
            ("env:MY_TOKEN", &[("MY_TOKEN", "eyJ0\n")][..], "eyJ0"),
            ("gitlab", &[("TOKCTL_ID_TOKEN", "eyJ1"), ("ID_TOKEN", "other")], "eyJ1"),
            ("gitlab", &[("ID_TOKEN", "eyJ2")], "eyJ2"),
            (
                "github-actions",
                &[(GITHUB_URL, "https://run.example/?a=1"), (GITHUB_TOKEN, "eyJ3")],
                "https://run.example/?a=1\neyJ3",
            ),
        ] {
            assert_eq!(found(source, variables).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_the_remedy() {
        for (source, variables, message, hint) in [
            ("env:MY_TOKEN", &[][..], "$MY_TOKEN is empty", "export it"),
            ("env:MY_TOKEN", &[("MY_TOKEN", " ")], "$MY_TOKEN is empty", "export it"),
            ("gitlab", &[], "$TOKCTL_ID_TOKEN", "id_tokens:"),
            ("github-actions", &[], "no job of GitHub Actions", "id-token: write"),
            (
                "github-actions",
                &[("GITHUB_ACTIONS", "true")],
                "may not ask GitHub",
                "permissions: id-token: write",
            ),
            (
                "github-actions",
                &[("GITHUB_ACTIONS", "true"), (GITHUB_URL, "https://run.example/")],
                "may not ask GitHub",
                "permissions: id-token: write",
            ),
        ] {
            let (said, remedy) = found(source, variables).unwrap_err();
            assert!(said.contains(message), "{source}: {said}");
            assert!(remedy.contains(hint), "{source}: {remedy}");
        }
        assert!(found("file:/x", &[]).is_err());
        for (source, is) in
            [("gitlab", true), ("env:X", true), ("file:/x", false), ("profile:x", false)]
        {
            assert_eq!(is_of_environment(source), is, "{source}");
        }
    }
}
