//! Profiles that are members of pools, in the text as it stands.
//!
//! The text may break any rule, so nothing is expected of it: what is no list of text has no members.

use tokctl_proto::ProfileName;
use toml_edit::{Item, TableLike, Value};

use crate::config::pool::KEY;

/// The first pool that has this member, and its other members.
pub(super) fn pool_with(
    profiles: &dyn TableLike,
    member: &ProfileName,
) -> Option<(String, Vec<String>)> {
    profiles.iter().find_map(|(pool, item)| {
        let members = members(item.as_table_like()?.get(KEY)?);
        let others = members.iter().filter(|name| **name != member.as_str());
        let others: Vec<_> = others.map(|&name| name.to_owned()).collect();
        (others.len() < members.len()).then(|| (pool.to_owned(), others))
    })
}

/// Writes another name for a member into every pool.
pub(super) fn rename(profiles: &mut dyn TableLike, from: &ProfileName, to: &ProfileName) {
    for (_, item) in profiles.iter_mut() {
        let Some(value) = item.as_table_like_mut().and_then(|table| table.get_mut(KEY)) else {
            continue;
        };
        let Some(value) = value.as_value_mut() else { continue };
        match value {
            Value::Array(array) => {
                array.iter_mut().for_each(|value| rename_value(value, from, to));
            }
            value => rename_value(value, from, to),
        }
    }
}

fn rename_value(value: &mut Value, from: &ProfileName, to: &ProfileName) {
    if value.as_str() == Some(from.as_str()) {
        let mut renamed = Value::from(to.as_str());
        *renamed.decor_mut() = value.decor().clone();
        *value = renamed;
    }
}

fn members(pool: &Item) -> Vec<&str> {
    match pool.as_array() {
        Some(array) => array.iter().filter_map(Value::as_str).collect(),
        None => pool.as_str().into_iter().collect(),
    }
}
