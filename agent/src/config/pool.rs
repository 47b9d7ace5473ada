//! Pools: profiles that stand for other profiles.
//!
//! One pool is read by itself; that its members are profiles, and none of them a pool, is seen when
//! the whole file has been read. So there is no nesting, and a cycle cannot be written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokctl_core::Pool;
use tokctl_proto::ProfileName;
use tokctl_proto::escape::shown;
use tokctl_proto::nearest::nearest;

use super::error::{Broken, ConfigError};
use super::rate::rate;
use super::section::Section;
use super::{Grant, Profile};

/// The key that names the members.
pub(super) const KEY: &str = "pool";

pub(super) fn pool(section: &Section<'_>) -> Result<Arc<Pool>, ConfigError> {
    let members: Vec<ProfileName> = section.all_checked(KEY, |text| {
        ProfileName::parse(text).map_err(|error| Broken::new(format!("does not fit: {error}")))
    })?;
    let mut seen = BTreeSet::new();
    for (member, spot) in members.iter().zip(section.texts(KEY)) {
        if !seen.insert(member) {
            let broken = Broken::new(format!("names `{member}` twice"));
            return Err(section.refuse(spot.offset, KEY, broken.hint("remove one of the two")));
        }
    }
    if members.is_empty() {
        let broken = Broken::new("names no profile").hint("name at least one");
        return Err(section.refuse(section.offset(KEY).unwrap_or_default(), KEY, broken));
    }
    Ok(Arc::new(Pool { members, rate: section.checked("rate_limit", rate)? }))
}

/// Checks the members of one pool against all profiles of the file.
pub(super) fn check_members(
    section: &Section<'_>,
    profiles: &BTreeMap<ProfileName, Profile>,
) -> Result<(), ConfigError> {
    for spot in section.texts(KEY) {
        let broken = match profiles.get(spot.text).map(|profile| &profile.grant) {
            None => Broken::new(format!("names `{}`, which is no profile", shown(spot.text)))
                .hint(nearest_profile(spot.text, profiles)),
            Some(Grant::Pool(_)) => {
                Broken::new(format!("names `{}`, which is a pool itself", shown(spot.text)))
                    .hint("name the members of that pool in its place")
            }
            Some(_) => continue,
        };
        return Err(section.refuse(spot.offset, KEY, broken));
    }
    Ok(())
}

fn nearest_profile(typed: &str, profiles: &BTreeMap<ProfileName, Profile>) -> String {
    let fits = |profile: &&Profile| !matches!(profile.grant, Grant::Pool(_));
    let names = profiles.values().filter(fits).map(|profile| profile.name.as_str());
    match nearest(typed, names) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`tokctl list` shows what there is".to_owned(),
    }
}
