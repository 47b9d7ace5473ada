//! The lines of the schedule: the core's values with times as Unix milliseconds and names as text.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokctl_core::{Attempted, Class, ScheduledKey, ScheduledOrigin, ScheduledProfile};
use tokctl_proto::{Failure, Kind, ProfileName, TokenKey, WallMs};

#[derive(Serialize, Deserialize)]
pub(super) struct KeyLine {
    profile: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    scope: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    audience: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    resource: BTreeSet<String>,
    issued_at: Option<i64>,
    expires_at: Option<i64>,
    last_used: Option<i64>,
    cool_down: Option<i64>,
    #[serde(default)]
    failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<TroubleLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<TroubleLine>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ProfileLine {
    profile: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    history: Vec<AttemptLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cooling_until: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_alive_at: Option<i64>,
    /// Whose, until when, how many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    uses: Vec<(String, i64, u32)>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct OriginLine {
    origin: String,
    not_before: i64,
    #[serde(default)]
    failures: u32,
}

#[derive(Serialize, Deserialize)]
struct TroubleLine {
    class: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct AttemptLine {
    at: i64,
    took_ms: u64,
    what: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    result: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

impl KeyLine {
    pub(super) fn of(scheduled: &ScheduledKey) -> Self {
        let key = &scheduled.key;
        Self {
            profile: key.profile.to_string(),
            scope: key.scope.clone(),
            audience: key.audience.clone(),
            resource: key.resource.clone(),
            issued_at: ms(scheduled.issued_at),
            expires_at: ms(scheduled.expires_at),
            last_used: ms(scheduled.last_used),
            cool_down: ms(scheduled.cool_down),
            failures: scheduled.failures,
            trouble: scheduled
                .trouble
                .as_ref()
                .map(|(class, failure)| TroubleLine::of(*class, failure)),
            refused: scheduled
                .refused
                .as_ref()
                .map(|failure| TroubleLine::of(Class::Permanent, failure)),
        }
    }

    pub(super) fn read(self) -> Option<ScheduledKey> {
        Some(ScheduledKey {
            key: TokenKey {
                profile: ProfileName::parse(&self.profile).ok()?,
                scope: self.scope,
                audience: self.audience,
                resource: self.resource,
            },
            issued_at: self.issued_at.map(WallMs),
            expires_at: self.expires_at.map(WallMs),
            last_used: self.last_used.map(WallMs),
            cool_down: self.cool_down.map(WallMs),
            failures: self.failures,
            trouble: self.trouble.and_then(TroubleLine::read),
            refused: self.refused.and_then(TroubleLine::read).map(|(_, failure)| failure),
        })
    }
}

impl ProfileLine {
    pub(super) fn of(scheduled: &ScheduledProfile) -> Self {
        let uses = scheduled.uses.iter().map(|(name, at, count)| (name.to_string(), at.0, *count));
        Self {
            profile: scheduled.profile.to_string(),
            history: scheduled.history.iter().map(AttemptLine::of).collect(),
            cooling_until: ms(scheduled.cooling_until),
            refused_at: ms(scheduled.refused_at),
            keep_alive_at: ms(scheduled.keep_alive_at),
            uses: uses.collect(),
        }
    }

    pub(super) fn read(self) -> Option<ScheduledProfile> {
        let uses = self.uses.into_iter().filter_map(|(name, at, count)| {
            Some((ProfileName::parse(&name).ok()?, WallMs(at), count))
        });
        Some(ScheduledProfile {
            profile: ProfileName::parse(&self.profile).ok()?,
            history: Arc::new(self.history.into_iter().map(AttemptLine::read).collect()),
            cooling_until: self.cooling_until.map(WallMs),
            refused_at: self.refused_at.map(WallMs),
            keep_alive_at: self.keep_alive_at.map(WallMs),
            uses: uses.collect(),
        })
    }
}

impl OriginLine {
    pub(super) fn of(scheduled: &ScheduledOrigin) -> Self {
        let ScheduledOrigin { origin, not_before, failures } = scheduled;
        Self { origin: origin.clone(), not_before: not_before.0, failures: *failures }
    }

    pub(super) fn read(self) -> ScheduledOrigin {
        let Self { origin, not_before, failures } = self;
        ScheduledOrigin { origin, not_before: WallMs(not_before), failures }
    }
}

impl TroubleLine {
    fn of(class: Class, failure: &Failure) -> Self {
        Self {
            class: class_name(class).to_owned(),
            kind: failure.kind.name().to_owned(),
            profile: failure.profile.as_ref().map(ProfileName::to_string),
            message: failure.message.clone(),
            hint: failure.hint.clone(),
            retry_at: ms(failure.retry_at),
        }
    }

    /// `None` for one of a version that knows more: it will be met again.
    fn read(self) -> Option<(Class, Failure)> {
        const CLASSES: [Class; 3] = [Class::Retry, Class::Permanent, Class::LoginRequired];
        let class = CLASSES.into_iter().find(|class| class_name(*class) == self.class)?;
        let failure = Failure {
            kind: kind(&self.kind)?,
            profile: self.profile.and_then(|name| ProfileName::parse(&name).ok()),
            message: self.message,
            hint: self.hint,
            retry_at: self.retry_at.map(WallMs),
        };
        Some((class, failure))
    }
}

impl AttemptLine {
    fn of(attempted: &Attempted) -> Self {
        Self {
            at: attempted.at.0,
            took_ms: u64::try_from(attempted.took.as_millis()).unwrap_or(u64::MAX),
            what: attempted.what.clone(),
            origin: attempted.origin.clone(),
            status: attempted.status,
            result: attempted.result.clone(),
            kind: attempted.kind.map(|kind| kind.name().to_owned()),
        }
    }

    fn read(self) -> Attempted {
        Attempted {
            at: WallMs(self.at),
            took: Duration::from_millis(self.took_ms),
            what: self.what,
            origin: self.origin,
            status: self.status,
            result: self.result,
            // A kind that is not known here is a failure all the same.
            kind: self.kind.map(|name| kind(&name).unwrap_or(Kind::Internal)),
        }
    }
}

fn ms(at: Option<WallMs>) -> Option<i64> {
    at.map(|at| at.0)
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Retry => "retry",
        Class::Permanent => "permanent",
        Class::LoginRequired => "login_required",
    }
}

fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.iter().copied().find(|kind| kind.name() == name)
}
