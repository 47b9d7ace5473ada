//! `[agent]`: the way to all providers, and who is told what happens.

use std::collections::BTreeMap;
use std::path::Path;

use tokctl_proto::setting;
use toml_edit::{Item, TableLike};

use super::table_of;
use crate::config::error::{Broken, ConfigError};
use crate::config::section::{Section, key_offset};
use crate::config::{Network, Notify, address, check};

/// What the whole of `[agent]` says.
pub(super) fn agent(
    text: &str,
    root: &dyn TableLike,
    item: &Item,
) -> Result<(Network, Notify), ConfigError> {
    let offset = key_offset(root, "agent");
    let table = table_of(text, offset, "agent", item)?;
    let section = Section::read(text, offset, "[agent]", table, setting::AGENT, None)?;
    let no_proxy: Vec<Vec<String>> = section.all_checked("no_proxy", check::no_proxy)?;
    let network = Network {
        ca_file: section.checked("ca_file", check::ca_file)?,
        proxy: section.checked("proxy", address::proxy)?,
        no_proxy: no_proxy.concat(),
        allow_http_loopback: false,
    };
    let hooks = match section.table("hooks") {
        Some(table) => hooks(text, section.offset("hooks").unwrap_or(offset), table)?,
        None => BTreeMap::new(),
    };
    let is_silent = section.offset("notify").is_some() && !section.flag("notify");
    Ok((network, Notify { hooks, is_silent }))
}

/// A program for each event, with its arguments.
fn hooks(
    text: &str,
    offset: usize,
    table: &dyn TableLike,
) -> Result<BTreeMap<&'static str, Vec<String>>, ConfigError> {
    let section = Section::read(text, offset, "[agent.hooks]", table, setting::HOOKS, None)?;
    let mut hooks = BTreeMap::new();
    for name in section.names() {
        let offset = section.offset(name).unwrap_or(offset);
        // Text would be taken for a line of shell, and what is in it for options.
        if table.get(name).is_some_and(Item::is_str) {
            let broken = Broken::new("must be a list: a program and its arguments");
            let hint = format!("write `{name} = [\"/PATH/TO/PROGRAM\", \"ARGUMENT\"]`");
            return Err(section.refuse(offset, name, broken.hint(hint)));
        }
        let command: Vec<String> = section.all_checked(name, check::argument)?;
        let Some(program) = command.first() else {
            return Err(section.refuse(offset, name, Broken::new("names no program")));
        };
        if program.contains('/') && !Path::new(program).is_absolute() {
            let broken = Broken::new("must begin with an absolute path, or with a name on PATH");
            return Err(section.refuse(offset, name, broken));
        }
        hooks.insert(name, command);
    }
    Ok(hooks)
}
