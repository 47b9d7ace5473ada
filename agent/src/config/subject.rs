//! Whose token a profile presents, and that no profile waits for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tokctl_proto::ProfileName;
use tokctl_proto::escape::shown;
use tokctl_proto::nearest::nearest;

use super::error::{Broken, ConfigError};
use super::section::Section;
use super::{Grant, Profile, Subject};

pub(super) const KEY: &str = "subject";
pub(super) const AUDIENCE: &str = "subject_audience";

/// `github-actions`, `gitlab`, `file:PATH`, `env:NAME` or `profile:NAME`.
pub(super) fn subject(text: &str) -> Result<Subject, Broken> {
    const KINDS: &str = "`github-actions`, `gitlab`, `file:PATH`, `env:NAME` or `profile:NAME`";
    match text.split_once(':') {
        None if text == "github-actions" => Ok(Subject::GithubActions),
        None if text == "gitlab" => Ok(Subject::Gitlab),
        Some(("file", path)) if path.starts_with('/') && !path.contains('\0') => {
            Ok(Subject::File(PathBuf::from(path)))
        }
        Some(("file", _)) => Err(Broken::new("must name an absolute path: `file:/PATH`")),
        Some(("env", name)) if is_variable(name) => Ok(Subject::Env(name.to_owned())),
        Some(("env", _)) => Err(Broken::new("names no variable").hint("as in `env:ID_TOKEN`")),
        Some(("profile", name)) => ProfileName::parse(name)
            .map(Subject::Profile)
            .map_err(|error| Broken::new(format!("does not fit: {error}"))),
        _ => Err(Broken::new(format!("cannot be `{}`", shown(text))).hint(format!("use {KINDS}"))),
    }
}

/// A name that a shell can give a variable.
fn is_variable(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(fits) && !name.as_bytes()[0].is_ascii_digit()
}

/// Checks that the profile behind a `profile:NAME` is there, and that following the names comes to an end.
pub(super) fn check(
    section: &Section<'_>,
    name: &ProfileName,
    profiles: &BTreeMap<ProfileName, Profile>,
) -> Result<(), ConfigError> {
    let Some(spot) = section.text(KEY) else { return Ok(()) };
    let mut seen = BTreeSet::from([name]);
    let mut next = before(name, profiles);
    while let Some(subject) = next {
        let broken = match profiles.get(subject).map(|profile| &profile.grant) {
            None => Broken::new(format!("names `{subject}`, which is no profile"))
                .hint(nearest_profile(subject, profiles)),
            Some(Grant::Pool(_)) => Broken::new(format!("names `{subject}`, which is a pool"))
                .hint("name one of its members"),
            Some(_) if !seen.insert(subject) => {
                Broken::new(format!("comes back to `{subject}`, which waits for this profile"))
                    .hint("name a profile that has its own token")
            }
            Some(_) => {
                next = before(subject, profiles);
                continue;
            }
        };
        return Err(section.refuse(spot.offset, KEY, broken));
    }
    Ok(())
}

fn before<'a>(
    name: &ProfileName,
    profiles: &'a BTreeMap<ProfileName, Profile>,
) -> Option<&'a ProfileName> {
    match profiles.get(name)?.grant.subject()? {
        Subject::Profile(subject) => Some(subject),
        _ => None,
    }
}

fn nearest_profile(typed: &ProfileName, profiles: &BTreeMap<ProfileName, Profile>) -> String {
    match nearest(typed.as_str(), profiles.keys().map(ProfileName::as_str)) {
        Some(meant) => format!("did you mean `profile:{meant}`?"),
        None => "`tokctl list` shows what there is".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_of_five_kinds() {
        let profile = ProfileName::parse("acme").unwrap();
        for (text, read) in [
            ("github-actions", Some(Subject::GithubActions)),
            ("gitlab", Some(Subject::Gitlab)),
            ("file:/var/run/token", Some(Subject::File("/var/run/token".into()))),
            ("env:ID_TOKEN", Some(Subject::Env("ID_TOKEN".into()))),
            ("profile:acme", Some(Subject::Profile(profile))),
            ("file:token", None),
            ("file:", None),
            ("env:", None),
            ("env:1A", None),
            ("env:A=B", None),
            ("profile:Acme", None),
            ("github", None),
            ("", None),
        ] {
            assert_eq!(subject(text).ok(), read, "{text}");
        }
    }
}
