//! `state/schedule.json`: what the next start may know without opening the vault. Times, failures
//! and what was tried; no secrets.
//!
//! It is a hint. A file that is missing, torn or from another version is as good as none; a line
//! that makes no sense is left out. Fields that were added later may be absent, and unknown ones
//! are ignored, so that agents of two versions can read each other's.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tokctl_core::Schedule;

mod line;
#[cfg(test)]
mod tests;

use line::{KeyLine, OriginLine, ProfileLine};

/// Larger than the histories of ten thousand profiles with a few keys each.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    keys: Vec<KeyLine>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    profiles: Vec<ProfileLine>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    origins: Vec<OriginLine>,
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
    Some(Schedule {
        keys: file.keys.into_iter().filter_map(KeyLine::read).collect(),
        profiles: file.profiles.into_iter().filter_map(ProfileLine::read).collect(),
        origins: file.origins.into_iter().map(OriginLine::read).collect(),
    })
}

/// The bytes of the file.
pub fn to_bytes(schedule: &Schedule) -> Vec<u8> {
    let file = File {
        version: VERSION,
        keys: schedule.keys.iter().map(KeyLine::of).collect(),
        profiles: schedule.profiles.iter().map(ProfileLine::of).collect(),
        origins: schedule.origins.iter().map(OriginLine::of).collect(),
    };
    serde_json::to_vec(&file).unwrap_or_default()
}
