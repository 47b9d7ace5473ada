//! `~/.aws/config`: profiles that assume a role with a web identity.
//!
//! There is no secret in them: the token that is presented stays in its file, which somebody else renews.

use tokctl_proto::escape::shown;

use super::error::pick;
use super::ini::{self, Section};
use super::{Draft, File, ImportError};

const KIND: &str = "config file of AWS";
const TOKEN_FILE: &str = "web_identity_token_file";
const ROLE: &str = "role_arn";
const WITH_PROGRAM: &str = "what `credential_process` names goes into a profile of its own: \
    `tokctl add NAME --grant command --command PROGRAM`";

pub(super) fn read(file: &File<'_>) -> Result<Vec<Draft>, ImportError> {
    let sections = ini::sections(file.text.expose()).map_err(|line| {
        ImportError::not_this(KIND, format!("line {line} is neither a section nor a setting"))
    })?;
    let profiles = profiles(sections);
    if profiles.is_empty() {
        return Err(ImportError::not_this(KIND, "no profile is in it"));
    }
    if file.select.is_empty() {
        let drafts: Vec<Draft> =
            profiles.iter().filter_map(|(name, profile)| draft(name, profile).ok()).collect();
        return match drafts.is_empty() {
            true => Err(ImportError::Nothing {
                why: format!("no profile has `{TOKEN_FILE}` and `{ROLE}`"),
                hint: None,
            }
            .instead(WITH_PROGRAM)),
            false => Ok(drafts),
        };
    }
    let profiles = pick("profile", profiles, file.select)?;
    profiles.iter().map(|(name, profile)| draft(name, profile)).collect()
}

/// The settings of one of them.
type Profile<'a> = Vec<(&'a str, &'a str)>;

/// `[default]` and `[profile NAME]`; others are sessions and services.
fn profiles(sections: Vec<Section<'_>>) -> Vec<(String, Profile<'_>)> {
    let mut profiles: Vec<(String, Profile<'_>)> = Vec::new();
    for (title, settings) in sections {
        let name = match title.split_once([' ', '\t']) {
            Some(("profile", name)) => name.trim().trim_matches(['"', '\'']),
            None if title == "default" => title,
            _ => continue,
        };
        match profiles.iter_mut().find(|(known, _)| known == name) {
            // AWS merges sections of one name, and what comes later holds.
            Some((_, known)) => known.extend(settings),
            None => profiles.push((name.to_owned(), settings)),
        }
    }
    profiles
}

fn value<'a>(profile: &Profile<'a>, key: &str) -> &'a str {
    profile.iter().rfind(|(name, _)| *name == key).map(|(_, value)| *value).unwrap_or_default()
}

fn draft(name: &str, profile: &Profile<'_>) -> Result<Draft, ImportError> {
    let shown_name = shown(name);
    let (token_file, role) = (value(profile, TOKEN_FILE), value(profile, ROLE));
    if token_file.is_empty() || role.is_empty() {
        let other = [
            "source_profile",
            "credential_source",
            "credential_process",
            "sso_session",
            "sso_start_url",
        ];
        let has = other.into_iter().find(|key| !value(profile, key).is_empty());
        let why = match has {
            Some(key) => format!(
                "the profile `{shown_name}` has its credentials by `{key}`, not by a web identity"
            ),
            None => format!("the profile `{shown_name}` has no `{TOKEN_FILE}` and `{ROLE}`"),
        };
        let error = ImportError::unsupported(why);
        return Err(match has {
            Some("credential_process") => error.instead(WITH_PROGRAM),
            _ => error,
        });
    }
    let duration = value(profile, "duration_seconds");
    let region = value(profile, "region");
    let endpoint = endpoint(region, value(profile, "sts_regional_endpoints"));
    // The agent does not know whose home is meant.
    if !token_file.starts_with('/') {
        return Err(ImportError::unsupported(format!(
            "the profile `{shown_name}` has a `{TOKEN_FILE}` that is not absolute: `{}`",
            shown(token_file)
        )));
    }
    let title = if name == "default" { "aws" } else { name };
    let draft = Draft::new(title, "aws_web_identity")
        .set("token_endpoint", &endpoint)
        .set("subject", &format!("file:{token_file}"))
        .set("role_arn", role)
        .set("role_session_name", value(profile, "role_session_name"))
        .set("session_duration", duration)
        .note(format!("nothing secret was taken over: the token stays in {}", shown(token_file)));
    Ok(draft.settle())
}

/// Where STS answers for a region, as the SDKs ask it.
fn endpoint(region: &str, which: &str) -> String {
    let is_region = !region.is_empty()
        && region
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    match (is_region, which) {
        (false, _) | (true, "legacy") => String::new(),
        (true, _) if region.starts_with("cn-") => format!("https://sts.{region}.amazonaws.com.cn/"),
        (true, _) => format!("https://sts.{region}.amazonaws.com/"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read_all, read_some, refused};
    use super::*;
    use crate::import::Source;

    const CONFIG: &str = include_str!("../../../tests/import/aws-config");

    #[test]
    fn a_web_identity_becomes_a_profile() {
        let drafts = read_some(Source::Aws, CONFIG, &["deploy"]).unwrap();
        let [draft] = drafts.as_slice() else { panic!("{drafts:?}") };
        assert_eq!(draft.name.as_str(), "deploy");
        assert_eq!(
            draft.toml(),
            "grant = \"aws_web_identity\"\ntoken_endpoint = \"https://sts.eu-central-1.amazonaws.com/\"\n\
             subject = \"file:/var/run/secrets/token\"\nrole_arn = \"arn:aws:iam::123456789012:role/deploy\"\n\
             role_session_name = \"ci\"\nsession_duration = \"3600\"\n"
        );
        assert!(draft.secrets.is_empty() && draft.leftover.is_none());
    }

    #[test]
    fn without_a_name_all_that_have_one_are_taken() {
        let drafts = read_all(Source::Aws, CONFIG).unwrap();
        let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
        assert_eq!(names, ["deploy", "china"]);
        assert!(drafts[1].toml().contains("https://sts.cn-north-1.amazonaws.com.cn/"));
    }

    #[test]
    fn a_region_is_asked_where_its_sts_is() {
        for (region, which, url) in [
            ("", "", ""),
            ("us-east-1", "", "https://sts.us-east-1.amazonaws.com/"),
            ("us-east-1", "legacy", ""),
            ("us-east-1", "regional", "https://sts.us-east-1.amazonaws.com/"),
            ("cn-north-1", "", "https://sts.cn-north-1.amazonaws.com.cn/"),
            ("evil.example/", "", ""),
        ] {
            assert_eq!(endpoint(region, which), url, "{region} {which}");
        }
    }

    #[test]
    fn other_profiles_are_refused_in_words() {
        for (name, words) in [
            ("chained", "by `source_profile`"),
            ("printed", "by `credential_process`"),
            ("default", "has no `web_identity_token_file`"),
            ("relative", "not absolute"),
            ("deplay", "no profile `deplay`"),
        ] {
            let error = read_some(Source::Aws, CONFIG, &[name]).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        for (text, words) in [
            ("", "no profile is in it"),
            ("[sso-session x]\na = b\n", "no profile is in it"),
            ("github.com:\n  user: a\n", "line 1 is neither"),
            ("[default]\nregion = x\n", "nothing in it that can be taken over"),
        ] {
            let (message, _) = refused(Source::Aws, text);
            assert!(message.contains(words), "{message}");
        }
    }
}
