//! What goes wrong here, as a person is told: kind, message, and what to type next.

use std::io;

use tokctl_core::no_such_profile;
use tokctl_proto::escape::shown;
use tokctl_proto::{Failure, Kind};

use super::{ConfigError, EditError, FileError, UpdateError};

fn hinted(kind: Kind, message: String, hint: Option<String>) -> Failure {
    Failure { hint, ..Failure::new(kind, message) }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        hinted(Kind::ConfigInvalid, error.to_string(), error.hint)
    }
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        match error {
            EditError::File(error) => error.into(),
            EditError::Invalid { message, hint } => hinted(Kind::ConfigInvalid, message, hint),
            EditError::Usage { message, hint } => hinted(Kind::Usage, message, hint),
            EditError::NoSuchProfile { name, known } => {
                no_such_profile(&name, known.iter().map(String::as_str))
            }
            EditError::Exists { name } => {
                let failure =
                    Self::new(Kind::ProfileExists, "there is a profile of this name already");
                failure.of(&name).hint(format!(
                    "run `tokctl set {name} KEY=VALUE` to change it, `tokctl set-secret {name}` for \
                     another secret, or `tokctl add {name} --replace` to replace it"
                ))
            }
            EditError::NameTaken { name } => {
                let failure =
                    Self::new(Kind::ProfileExists, "there is a profile of this name already");
                failure
                    .of(&name)
                    .hint(format!("choose another name, or run `tokctl remove {name}`"))
            }
            EditError::Member { name, pool, others } => {
                let message = format!("the profile is a member of the pool `{}`", shown(&pool));
                let hint = take_out(&pool, &others);
                Self::new(Kind::ConfigInvalid, message).of(&name).hint(hint)
            }
        }
    }
}

/// What to type so that a pool has these members alone.
fn take_out(pool: &str, members: &[String]) -> String {
    /// More of them are better edited than typed.
    const TYPED_MAX: usize = 8;
    let pool = shown(pool);
    match members.len() {
        0 => format!("run `tokctl remove {pool}` first: it has no other member"),
        1..=TYPED_MAX => {
            let each = members.iter().map(|member| format!(" pool={}", shown(member)));
            format!("run `tokctl set {pool}{}` first", each.collect::<String>())
        }
        _ => format!("take it out of `pool` below `[profiles.{pool}]` first"),
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let message = shown(&error.to_string());
        match error {
            FileError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Self::new(Kind::Machine, format!("{message}: {source}"))
                    .hint("free some space; nothing was lost")
            }
            FileError::Read { source, .. } | FileError::Write { source, .. } => {
                Self::new(Kind::Machine, format!("{message}: {source}"))
            }
            FileError::Changed { .. } => {
                Self::new(Kind::Machine, message).hint("look at the file, then try again")
            }
            FileError::ReadOnly { .. } => Self::new(Kind::ConfigInvalid, message)
                .hint("make it writable, or change what it is generated from"),
            FileError::NotAFile { .. } | FileError::NotText { .. } | FileError::TooLarge { .. } => {
                Self::new(Kind::ConfigInvalid, message)
            }
        }
    }
}

impl<E: Into<Self>> From<UpdateError<E>> for Failure {
    fn from(error: UpdateError<E>) -> Self {
        match error {
            UpdateError::File(error) => error.into(),
            UpdateError::Edit(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokctl_proto::ProfileName;

    use super::super::{edit, parse};
    use super::*;

    fn named(name: &str) -> ProfileName {
        ProfileName::parse(name).unwrap()
    }

    #[test]
    fn every_failure_has_its_exit_and_a_way_on() {
        let path = || "/c/config.toml".into();
        let io = || io::Error::from(io::ErrorKind::StorageFull);
        let text = "[profiles.acme]\ngrant = \"api_key\"\n";
        let failures: [(Failure, u8, &str, Option<&str>); 9] = [
            (
                parse("[profiles.a]\nscopes = 1\n").unwrap_err().into(),
                10,
                "config.toml:2: `scopes` is not a key of a profile",
                Some("did you mean `scope`?"),
            ),
            (
                edit::set(text, &named("acem"), &[]).unwrap_err().into(),
                3,
                "there is no profile of this name",
                Some("did you mean `acme`?"),
            ),
            (
                edit::set(text, &named("github"), &[]).unwrap_err().into(),
                3,
                "there is no profile of this name",
                Some("`tokctl list` shows what there is"),
            ),
            (
                edit::add_profile(text, &named("acme"), &[], false).unwrap_err().into(),
                2,
                "there is a profile of this name already",
                Some(
                    "run `tokctl set acme KEY=VALUE` to change it, `tokctl set-secret acme` for \
                     another secret, or `tokctl add acme --replace` to replace it",
                ),
            ),
            (
                edit::add_profile(text, &named("b"), &[], false).unwrap_err().into(),
                10,
                "the profile has no `grant`",
                Some(
                    "known are `client_credentials`, `authorization_code`, `device_code`, `refresh_token`, `jwt_bearer`, `token_exchange`, `aws_web_identity`, `github_app`, `self_signed_jwt`, `steps`, `command`, `api_key`",
                ),
            ),
            (
                FileError::ReadOnly { path: path() }.into(),
                10,
                "/c/config.toml is read-only",
                Some("make it writable, or change what it is generated from"),
            ),
            (
                FileError::Write { path: path(), source: io() }.into(),
                11,
                "cannot write /c/config.toml: no storage space",
                Some("free some space; nothing was lost"),
            ),
            (FileError::NotText { line: 3 }.into(), 10, "config.toml:3: not UTF-8", None),
            (
                UpdateError::<ConfigError>::File(FileError::Changed { path: path() }).into(),
                11,
                "/c/config.toml was changed meanwhile",
                Some("look at the file, then try again"),
            ),
        ];
        for (failure, exit, message, hint) in failures {
            assert_eq!(failure.kind.exit(), exit, "{message}");
            assert_eq!(failure.message, message);
            assert_eq!(failure.hint.as_deref(), hint);
        }
    }

    #[test]
    fn a_member_of_a_pool_is_told_how_to_leave_it() {
        let key = |name: &str| format!("[profiles.{name}]\ngrant = \"api_key\"\n");
        let many: Vec<String> = (0..10).map(|n| format!("m{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (members, hint) in [
            (&["m0"][..], "run `tokctl remove search` first: it has no other member"),
            (&["m1", "m0", "m2"][..], "run `tokctl set search pool=m1 pool=m2` first"),
            (&many[..], "take it out of `pool` below `[profiles.search]` first"),
        ] {
            let profiles: String = members.iter().map(|name| key(name)).collect();
            let text = format!("{profiles}[profiles.search]\npool = {members:?}\n");
            let failure = Failure::from(edit::remove_profile(&text, &named("m0")).unwrap_err());
            assert_eq!(failure.kind.exit(), 10);
            assert_eq!(failure.message, "the profile is a member of the pool `search`");
            assert_eq!(failure.hint.as_deref(), Some(hint));
            assert_eq!(failure.profile, Some(named("m0")));
        }
    }

    #[test]
    fn a_mistyped_profile_is_told_the_nearest_and_the_first_how_to_add_it() {
        let text = "[profiles.acme]\ngrant = \"api_key\"\n";
        for (text, typed, hint) in [
            (text, "acem", "did you mean `acme`?"),
            (text, "zzz", "`tokctl list` shows what there is"),
            ("", "zzz", "run `tokctl add zzz`"),
        ] {
            let failure = Failure::from(edit::remove_profile(text, &named(typed)).unwrap_err());
            assert_eq!(failure.hint.as_deref(), Some(hint), "{typed}");
            assert_eq!(failure.profile, Some(named(typed)));
        }
    }
}
