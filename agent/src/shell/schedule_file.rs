//! `state/schedule.json`: what the next start may know without opening the vault. Times only, no
//! secrets.
//!
//! It is a hint. A file that is missing, torn or from another version is as good as none.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tokctl_core::{Schedule, ScheduledKey};
use tokctl_proto::{ProfileName, TokenKey, WallMs};

/// Larger than 32 keys of a thousand profiles.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    keys: Vec<Line>,
}

/// Times are Unix milliseconds.
#[derive(Serialize, Deserialize)]
struct Line {
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
}

/// Reads the schedule, if there is a good one.
pub fn read(state: &Path) -> Option<Schedule> {
    let path = state.join("schedule.json");
    if std::fs::metadata(&path).ok()?.len() > FILE_BYTES_MAX {
        return None;
    }
    let file: File = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
    if file.version != VERSION {
        return None;
    }
    let keys = file
        .keys
        .into_iter()
        .map(|line| {
            Some(ScheduledKey {
                key: TokenKey {
                    profile: ProfileName::parse(&line.profile).ok()?,
                    scope: line.scope,
                    audience: line.audience,
                    resource: line.resource,
                },
                issued_at: line.issued_at.map(WallMs),
                expires_at: line.expires_at.map(WallMs),
                last_used: line.last_used.map(WallMs),
                cool_down: line.cool_down.map(WallMs),
                failures: line.failures,
            })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Schedule { keys })
}

/// The bytes of the file.
pub fn to_bytes(schedule: &Schedule) -> Vec<u8> {
    let keys = schedule
        .keys
        .iter()
        .map(|scheduled| Line {
            profile: scheduled.key.profile.to_string(),
            scope: scheduled.key.scope.clone(),
            audience: scheduled.key.audience.clone(),
            resource: scheduled.key.resource.clone(),
            issued_at: scheduled.issued_at.map(|at| at.0),
            expires_at: scheduled.expires_at.map(|at| at.0),
            last_used: scheduled.last_used.map(|at| at.0),
            cool_down: scheduled.cool_down.map(|at| at.0),
            failures: scheduled.failures,
        })
        .collect();
    serde_json::to_vec(&File { version: VERSION, keys }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_anything_else_is_none() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(read(state.path()), None);
        let mut key = TokenKey::plain(ProfileName::parse("acme").unwrap());
        key.scope.insert("read:data".into());
        let schedule = Schedule {
            keys: vec![ScheduledKey {
                key,
                issued_at: Some(WallMs(1)),
                expires_at: None,
                last_used: Some(WallMs(2)),
                cool_down: Some(WallMs(3)),
                failures: 4,
            }],
        };
        let path = state.path().join("schedule.json");
        std::fs::write(&path, to_bytes(&schedule)).unwrap();
        assert_eq!(read(state.path()), Some(schedule.clone()));
        for torn in [&b""[..], b"{", br#"{"version":2,"keys":[]}"#] {
            std::fs::write(&path, torn).unwrap();
            assert_eq!(read(state.path()), None);
        }
    }
}
