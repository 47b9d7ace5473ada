//! Whether TOKCTL_HOME lies where a CI job's files are cached or kept as artifacts.
//!
//! A vault in there would be copied to where others can read it, and an identity beside it with it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variables in which CI systems name a job's working directory.
const WORKSPACES: &[&str] = &[
    "GITHUB_WORKSPACE",
    "CI_PROJECT_DIR",
    "BUILD_SOURCESDIRECTORY",
    "BUILDKITE_BUILD_CHECKOUT_PATH",
    "CIRCLE_WORKING_DIRECTORY",
    "BITBUCKET_CLONE_DIR",
    "TRAVIS_BUILD_DIR",
    "DRONE_WORKSPACE",
    "CI_WORKSPACE",
    "WORKSPACE",
];
/// Those in which they name a directory that is emptied with the job.
const TEMPORARY: &[&str] = &["RUNNER_TEMP", "AGENT_TEMPDIRECTORY"];

/// What to warn of, if there is anything.
pub(crate) fn warning(home: Option<&Path>) -> Option<String> {
    warning_in(home?, &|name| std::env::var_os(name).filter(|value| !value.is_empty()))
}

fn warning_in(home: &Path, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<String> {
    let home = resolved(home);
    let workspace = WORKSPACES.iter().find(|name| {
        variable(name).is_some_and(|directory| {
            let directory = PathBuf::from(directory);
            // Outside of Jenkins that name means anything.
            let is_its_own = **name != "WORKSPACE" || variable("JENKINS_URL").is_some();
            is_its_own && directory.is_absolute() && home.starts_with(resolved(&directory))
        })
    })?;
    let better = match TEMPORARY.iter().find(|name| variable(name).is_some()) {
        Some(name) => format!("\"${name}/tokctl\""),
        None => "\"$(mktemp -d)\"".to_owned(),
    };
    Some(format!(
        "TOKCTL_HOME lies in ${workspace}, which may be cached or archived with the vault in it; \
         set TOKCTL_HOME={better}"
    ))
}

/// The path without links, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let there =
        path.ancestors().find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    match there {
        Some((ancestor, real)) => match path.strip_prefix(ancestor) {
            Ok(rest) if rest.as_os_str().is_empty() => real,
            Ok(rest) => real.join(rest),
            Err(_) => path.to_owned(),
        },
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(home: &Path, variables: &[(&str, &Path)]) -> Option<String> {
        warning_in(home, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, path)| path.into())
        })
    }

    #[test]
    fn a_home_in_a_workspace_is_warned_of() {
        let work = Path::new("/nowhere/work/repo");
        for (home, name, warns) in [
            ("/nowhere/work/repo/.tokctl", "GITHUB_WORKSPACE", true),
            ("/nowhere/work/repo", "CI_PROJECT_DIR", true),
            ("/nowhere/work/repo/a/b", "BUILD_SOURCESDIRECTORY", true),
            ("/nowhere/work/_temp/tokctl", "GITHUB_WORKSPACE", false),
            ("/nowhere/work/repo.tmp", "CI_PROJECT_DIR", false),
            ("/nowhere/work/repo/x", "WORKSPACE", false),
        ] {
            assert_eq!(warned(Path::new(home), &[(name, work)]).is_some(), warns, "{home} {name}");
        }
    }

    #[test]
    fn the_directory_that_is_emptied_with_the_job_is_named() {
        let (work, temp) = (Path::new("/nowhere/work"), Path::new("/nowhere/temp"));
        let home = Path::new("/nowhere/work/tokctl");
        let of_github = warned(home, &[("GITHUB_WORKSPACE", work), ("RUNNER_TEMP", temp)]).unwrap();
        assert!(of_github.ends_with("set TOKCTL_HOME=\"$RUNNER_TEMP/tokctl\""), "{of_github}");
        let of_gitlab = warned(home, &[("CI_PROJECT_DIR", work)]).unwrap();
        assert!(of_gitlab.ends_with("set TOKCTL_HOME=\"$(mktemp -d)\""), "{of_gitlab}");
    }

    #[test]
    fn a_link_into_a_workspace_lies_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let (work, link) = (parent.path().join("work"), parent.path().join("link"));
        std::fs::create_dir(&work).unwrap();
        std::os::unix::fs::symlink(&work, &link).unwrap();
        let home = link.join("not/there/yet");
        assert!(warned(&home, &[("GITHUB_WORKSPACE", &work)]).is_some());
    }
}
