//! ~/.bazelrc: a line for each host.

use super::change::{self, Change};
use super::{Entry, Tool, Wanted, file, host};
use crate::exit::Stop;
use std::path::PathBuf;

pub(super) const LINK: &str = "bazel-credential-tokctl";
const BEFORE: &str = "common --credential_helper=";

fn path() -> Result<PathBuf, Stop> {
    file(None, ".bazelrc")
}

pub(super) fn install(wanted: &Wanted<'_>) -> Result<Change, Stop> {
    let path = path()?;
    let before = change::read(&path)?;
    let mut after = before.clone().unwrap_or_default();
    for url in wanted.api_urls {
        // Bazel's patterns are host names, without ports.
        let name = host(url).split(':').next().unwrap_or_default();
        let line = format!("{BEFORE}{name}={LINK}");
        if after.lines().any(|old| old.trim() == line) {
            continue;
        }
        if !after.is_empty() && !after.ends_with('\n') {
            after.push('\n');
        }
        after.push_str(&format!("{line}\n"));
    }
    Ok(Change::edit(path, before, after))
}

pub(super) fn uninstall(entries: &[Entry]) -> Result<Change, Stop> {
    let path = path()?;
    let before = change::read(&path)?;
    let text = before.clone().unwrap_or_default();
    let goes = |line: &str| asks(line).is_some_and(|at| entries.iter().any(|it| it.at == at));
    let after = text.split_inclusive('\n').filter(|line| !goes(line)).collect();
    Ok(Change::edit(path, before, after))
}

pub(super) fn entries() -> Result<Vec<Entry>, Stop> {
    let text = change::read(&path()?)?.unwrap_or_default();
    let entry = |at: &str| Entry { program: Tool::Bazel, at: at.to_owned(), profile: None };
    Ok(text.lines().filter_map(asks).map(entry).collect())
}

/// The host for which a line has bazel ask us.
fn asks(line: &str) -> Option<&str> {
    let (host, program) = line.trim().strip_prefix(BEFORE)?.split_once('=')?;
    program.ends_with(LINK).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_ask_us_are_known() {
        for (line, host) in [
            ("common --credential_helper=a.example=bazel-credential-tokctl", Some("a.example")),
            (
                "common --credential_helper=*.b.example=/opt/bazel-credential-tokctl\n",
                Some("*.b.example"),
            ),
            ("common --credential_helper=a.example=other", None),
            ("# common --credential_helper=a.example=bazel-credential-tokctl", None),
        ] {
            assert_eq!(asks(line), host, "{line}");
        }
    }
}
