//! Variables of a job that are its runner's, beyond those that no token ever goes to.

use super::{Refusal, Vendor};

/// What the names of runners' own variables begin with, whoever's runner it is: a job may move to another.
const PREFIXES: &[&str] = &[
    "ACTIONS_",
    "AGENT_",
    "BITBUCKET_",
    "BUILDKITE_",
    "CIRCLE_",
    "CI_",
    "DRONE_",
    "FORGEJO_",
    "GITEA_",
    "GITHUB_",
    "GITLAB_",
    "JENKINS_",
    "RUNNER_",
    "SYSTEM_",
    "TEAMCITY_",
    "TRAVIS_",
];

/// Names that begin so and are a token's all the same.
const TOKENS: &[&str] =
    &["BITBUCKET_TOKEN", "FORGEJO_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN"];

/// What Azure's agent keeps for itself: variables of such names cannot be set, or are not handed to a step.
const AZURE_PREFIXES: &[&str] = &["ENDPOINT", "INPUT", "SECRET", "PATH", "SECUREFILE", "BUILD_"];

pub(super) fn check(vendor: &Vendor, name: &str) -> Result<(), Refusal> {
    let capital = name.to_ascii_uppercase();
    let is_runners = PREFIXES.iter().any(|prefix| capital.starts_with(prefix)) || capital == "CI";
    if is_runners && !TOKENS.contains(&&*capital) {
        let message = format!("`{name}` is the runner's own variable");
        return Err(Refusal::new(message).hint("name another, as in `MY_TOKEN=PROFILE`"));
    }
    let is_azures = |prefix: &&str| capital.starts_with(*prefix);
    if let Some(prefix) =
        AZURE_PREFIXES.iter().find(|prefix| vendor.name == "azure" && is_azures(prefix))
    {
        let message = format!("a variable of {} must not begin with `{prefix}`", vendor.title);
        return Err(Refusal::new(message).hint("name another, as in `MY_TOKEN=PROFILE`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{azure, github};
    use super::*;

    #[test]
    fn a_runners_own_variables_are_refused_and_tokens_of_their_names_are_not() {
        for (name, github_takes, azure_takes) in [
            ("ACME_TOKEN", true, true),
            ("GITHUB_TOKEN", true, true),
            ("GITHUB_ENV", false, false),
            ("github_env", false, false),
            ("RUNNER_TEMP", false, false),
            ("ACTIONS_RUNTIME_TOKEN", false, false),
            ("BUILDKITE_AGENT_TOKEN", false, false),
            ("CI", false, false),
            ("CI_JOB_TOKEN", false, false),
            ("SECRET_OF_ACME", true, false),
            ("pathfinder", true, false),
        ] {
            assert_eq!(check(&github::VENDOR, name).is_ok(), github_takes, "{name}");
            assert_eq!(check(&azure::VENDOR, name).is_ok(), azure_takes, "{name}");
        }
    }
}
