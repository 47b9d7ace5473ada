//! A request, checked and detached from the bytes it came in.

use std::collections::BTreeSet;
use std::time::Duration;

use tokctl_core::policy::TIMEOUT_DEFAULT;
use tokctl_core::{Get, RequestId};
use tokctl_proto::request::{self, Request};
use tokctl_proto::token::SET_VALUES_MAX;
use tokctl_proto::{Failure, Kind, ProfileName, Secret, SecretStr, TokenKey};

use super::change::{Assignment, Change};

/// Longest `--timeout`: a caller that wants to wait longer asks again.
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// What a client wants.
#[derive(Debug)]
pub enum Command {
    Get(Get),
    Unlock {
        passphrase: Option<Secret>,
        interactive: bool,
    },
    Lock,
    /// Needs an open vault before it is carried out.
    Admitted {
        change: Change,
        interactive: bool,
    },
    /// Is carried out whatever the vault is.
    Direct(Change),
    List,
    Show(ProfileName),
    Status,
    ConfigRead,
    AgentStatus,
    AgentStop,
    AgentReload,
}

impl Command {
    /// Checks a request. `Answer` and `Cancel` are no commands: they belong to one that is under
    /// way.
    pub fn parse(id: RequestId, request: Request<'_>) -> Result<Self, Failure> {
        Ok(match request {
            Request::Get(get) => Self::Get(parse_get(id, get)?),
            Request::Init(init) => Self::Direct(Change::Init {
                passphrase: secret(init.passphrase),
                replace: init.replace,
                network: assignments(init.network),
            }),
            Request::Add(add) => Self::Admitted {
                change: Change::Add {
                    name: name(&add.profile)?,
                    settings: assignments(add.settings),
                    secrets: add
                        .secrets
                        .into_iter()
                        .map(|secret| (secret.name.into_owned(), secret.value.to_secret()))
                        .collect(),
                    replace: add.replace,
                },
                interactive: add.interactive,
            },
            Request::Set(set) => Self::Direct(Change::Set {
                name: name(&set.profile)?,
                assignments: assignments(set.assignments),
            }),
            Request::SetSecret(set) => Self::Admitted {
                change: Change::SetSecret {
                    name: name(&set.profile)?,
                    secret_name: set.name.map(|name| name.into_owned()),
                    value: set.value.to_secret(),
                },
                interactive: set.interactive,
            },
            Request::List(_) => Self::List,
            Request::Show(show) => Self::Show(name(&show.profile)?),
            Request::Rename(rename) => Self::Admitted {
                change: Change::Rename { from: name(&rename.from)?, to: name(&rename.to)? },
                interactive: rename.interactive,
            },
            Request::Remove(remove) => Self::Admitted {
                change: Change::Remove { name: name(&remove.profile)? },
                interactive: remove.interactive,
            },
            Request::Status(_) => Self::Status,
            Request::Lock(_) => Self::Lock,
            Request::Unlock(unlock) => Self::Unlock {
                passphrase: secret(unlock.passphrase),
                interactive: unlock.interactive,
            },
            Request::Passwd(passwd) => Self::Direct(Change::Passwd {
                passphrase: secret(passwd.passphrase),
                new_passphrase: secret(passwd.new_passphrase),
            }),
            Request::ConfigRead(_) => Self::ConfigRead,
            Request::ConfigWrite(write) => Self::Direct(Change::ConfigWrite {
                text: write.text.into_owned(),
                fingerprint: write.fingerprint.into_owned(),
            }),
            Request::AgentStatus(_) => Self::AgentStatus,
            Request::AgentStop(_) => Self::AgentStop,
            Request::AgentReload(_) => Self::AgentReload,
            Request::Answer(_) | Request::Cancel(_) => {
                return Err(Failure::new(Kind::Usage, "there is no request under way"));
            }
        })
    }
}

fn parse_get(id: RequestId, get: request::Get<'_>) -> Result<Get, Failure> {
    let profile = name(&get.profile)?;
    let scope: BTreeSet<String> = get
        .scope
        .iter()
        .flat_map(|scope| scope.split(' '))
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect();
    if let Some(bad) = scope.iter().find(|scope| !tokctl_proto::token::is_scope(scope)) {
        let shown = tokctl_proto::escape::shown(bad);
        return Err(Failure::new(Kind::Usage, format!("`{shown}` is not a scope")).of(&profile));
    }
    let set = |values: Vec<std::borrow::Cow<'_, str>>| -> BTreeSet<String> {
        values
            .into_iter()
            .filter(|value| !value.is_empty())
            .map(|value| value.into_owned())
            .collect()
    };
    let key = TokenKey { scope, audience: set(get.audience), resource: set(get.resource), profile };
    if [&key.scope, &key.audience, &key.resource].iter().any(|set| set.len() > SET_VALUES_MAX) {
        let message = format!("more than {SET_VALUES_MAX} scopes, audiences or resources");
        return Err(Failure::new(Kind::Usage, message).of(&key.profile));
    }
    let timeout = get.timeout_ms.map_or(TIMEOUT_DEFAULT, |ms| Duration::from_millis(ms.into()));
    Ok(Get {
        request: id,
        key,
        min_valid: get.min_valid_s.map(|s| Duration::from_secs(s.into())),
        best_effort: get.best_effort,
        refresh: get.refresh,
        timeout: timeout.min(TIMEOUT_MAX),
        interactive: get.interactive,
    })
}

fn name(text: &str) -> Result<ProfileName, Failure> {
    ProfileName::parse(text).map_err(|error| Failure::new(Kind::Usage, error.to_string()))
}

fn secret(text: Option<SecretStr<'_>>) -> Option<Secret> {
    text.map(|text| text.to_secret())
}

fn assignments(assignments: Vec<request::Assignment<'_>>) -> Vec<Assignment> {
    let own = |text: std::borrow::Cow<'_, str>| std::borrow::Cow::Owned(text.into_owned());
    assignments
        .into_iter()
        .map(|assignment| Assignment {
            key: own(assignment.key),
            values: assignment.values.into_iter().map(own).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use tokctl_proto::request::{Answer, Cancel, Rename};

    use super::*;

    const ID: RequestId = RequestId(1);

    fn parse(get: request::Get<'_>) -> Result<Get, Failure> {
        match Command::parse(ID, Request::Get(get))? {
            Command::Get(get) => Ok(get),
            other => panic!("{other:?}"),
        }
    }

    fn get<'a>() -> request::Get<'a> {
        request::Get { profile: "acme".into(), ..request::Get::default() }
    }

    fn list<'a>(values: impl IntoIterator<Item = String>) -> Vec<std::borrow::Cow<'a, str>> {
        values.into_iter().map(Into::into).collect()
    }

    #[test]
    fn names_are_checked_before_anything_else_is_looked_at() {
        let longest = "a".repeat(64);
        let too_long = "a".repeat(65);
        for (name, fits) in [
            ("acme", true),
            ("0.a_b-c", true),
            (&longest, true),
            (&too_long, false),
            ("", false),
            ("Acme", false),
            (".acme", false),
            ("../vault", false),
            ("a/b", false),
            ("a\0", false),
            ("ä", false),
        ] {
            let show = request::Show { profile: name.into() };
            let parsed = Command::parse(ID, Request::Show(show));
            assert_eq!(parsed.is_ok(), fits, "{name:?}");
            let rename = Rename { from: "acme".into(), to: name.into(), interactive: false };
            assert_eq!(Command::parse(ID, Request::Rename(rename)).is_ok(), fits, "{name:?}");
            if let Err(failure) = parsed {
                assert_eq!(failure.kind, Kind::Usage);
            }
        }
    }

    #[test]
    fn scopes_are_split_sorted_and_checked() {
        for (given, read) in [
            (&[][..], Some(&[][..])),
            (&["b a", "a", " "], Some(&["a", "b"])),
            (&["read:data"], Some(&["read:data"])),
            (&["a\"b"], None),
            (&["a\tb"], None),
            (&["\u{1b}[31m"], None),
        ] {
            let scope = list(given.iter().map(|&text| text.to_owned()));
            let parsed = parse(request::Get { scope, ..get() });
            let set = parsed.map(|get| get.key.scope.into_iter().collect::<Vec<_>>());
            match (set, read) {
                (Ok(set), Some(read)) => assert_eq!(set, read),
                (Err(failure), None) => {
                    assert_eq!(failure.kind, Kind::Usage);
                    assert!(!failure.message.contains('\u{1b}'), "{failure:?}");
                }
                other => panic!("{given:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_key_has_so_many_values_and_no_more() {
        let values = |count: usize| list((0..count).map(|n| format!("v{n}")));
        for (count, fits) in [(SET_VALUES_MAX, true), (SET_VALUES_MAX + 1, false)] {
            for of in [
                request::Get { scope: values(count), ..get() },
                request::Get { audience: values(count), ..get() },
                request::Get { resource: values(count), ..get() },
            ] {
                assert_eq!(parse(of).is_ok(), fits, "{count}");
            }
        }
        // The same one many times is one.
        let scope = list(vec!["a".to_owned(); SET_VALUES_MAX + 1]);
        assert_eq!(parse(request::Get { scope, ..get() }).unwrap().key.scope.len(), 1);
    }

    #[test]
    fn a_wait_has_a_default_and_an_end() {
        for (timeout_ms, waits) in [
            (None, TIMEOUT_DEFAULT),
            (Some(0), Duration::ZERO),
            (Some(1), Duration::from_millis(1)),
            (Some(3_600_000), TIMEOUT_MAX),
            (Some(u32::MAX), TIMEOUT_MAX),
        ] {
            assert_eq!(parse(request::Get { timeout_ms, ..get() }).unwrap().timeout, waits);
        }
        let min_valid_s = Some(u32::MAX);
        let parsed = parse(request::Get { min_valid_s, ..get() }).unwrap();
        assert_eq!(parsed.min_valid, Some(Duration::from_secs(u32::MAX.into())));
    }

    #[test]
    fn an_answer_alone_is_no_command() {
        for request in [Request::Answer(Answer { text: "pw".into() }), Request::Cancel(Cancel {})] {
            assert_eq!(Command::parse(ID, request).unwrap_err().kind, Kind::Usage);
        }
    }

    #[test]
    fn a_command_that_is_printed_shows_no_secret() {
        let commands = [
            Request::Unlock(request::Unlock {
                passphrase: Some("hunter2".into()),
                interactive: true,
            }),
            Request::SetSecret(request::SetSecret {
                profile: "acme".into(),
                name: None,
                value: "hunter2".into(),
                interactive: false,
            }),
        ];
        for request in commands {
            let shown = format!("{:?}", Command::parse(ID, request).unwrap());
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
