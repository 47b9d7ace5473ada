//! `state/sockets.json`: the further sockets that the next agent makes again. Paths, names and times; no secrets.
//!
//! A file that is torn or from another version is as good as none, and a line that makes no sense is left out: a socket
//! that is missing is noticed by who uses it, and one that gives more than was meant is not.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokctl_proto::{ProfileName, WallMs};

use super::socket::named_path;
use super::terms::{PROFILES_MAX, Terms};

/// Larger than as many sockets as there can be.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
const VERSION: u32 = 1;
const NAME: &str = "sockets.json";

#[derive(Serialize)]
struct Lines {
    version: u32,
    sockets: Vec<Line>,
}

/// One socket. An unknown key may narrow what it gives, so a line that has one is left out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    path: String,
    only: Vec<String>,
    scope: Vec<String>,
    allow_uid: Option<u32>,
    expires_at_ms: Option<i64>,
}

/// The file as it is read: each line by itself.
#[derive(Deserialize)]
struct Found {
    version: u32,
    sockets: Vec<serde_json::Value>,
}

/// Reads what an agent before has left.
pub(super) fn read(state: &Path) -> Vec<(PathBuf, Terms)> {
    let path = state.join(NAME);
    let size = fs::metadata(&path).map_or(u64::MAX, |metadata| metadata.len());
    if size > FILE_BYTES_MAX {
        return Vec::new();
    }
    match serde_json::from_slice::<Found>(&fs::read(&path).unwrap_or_default()) {
        Ok(found) if found.version == VERSION => {
            let lines = found.sockets.into_iter();
            lines.filter_map(|line| terms(serde_json::from_value(line).ok()?)).collect()
        }
        _ => Vec::new(),
    }
}

fn terms(line: Line) -> Option<(PathBuf, Terms)> {
    let Line { path, only, scope, allow_uid, expires_at_ms } = line;
    let path = named_path(&path).ok()?;
    let only: Option<BTreeSet<_>> = only.iter().map(|name| ProfileName::parse(name).ok()).collect();
    let only = only.filter(|only| (1..=PROFILES_MAX).contains(&only.len()))?;
    let scope: BTreeSet<String> = scope.into_iter().collect();
    if !scope.iter().all(|scope| tokctl_proto::token::is_scope(scope)) {
        return None;
    }
    Some((path, Terms { only, scope, allow_uid, expires_at: expires_at_ms.map(WallMs) }))
}

/// The bytes of the file.
pub(super) fn to_bytes<'a>(sockets: impl Iterator<Item = (&'a Path, &'a Terms)>) -> Vec<u8> {
    let line = |(path, terms): (&Path, &Terms)| Line {
        path: path.to_string_lossy().into_owned(),
        only: terms.only.iter().map(ProfileName::to_string).collect(),
        scope: terms.scope.iter().cloned().collect(),
        allow_uid: terms.allow_uid,
        expires_at_ms: terms.expires_at.map(|at| at.0),
    };
    let lines = Lines { version: VERSION, sockets: sockets.map(line).collect() };
    serde_json::to_vec(&lines).unwrap_or_default()
}

/// Replaces the file, whole or not at all, and on the disk when this returns: who was told that a socket is removed
/// must not find it again.
pub(super) fn write(state: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = state.join("sockets.new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, state.join(NAME))?;
    File::open(state)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(only: &[&str]) -> Terms {
        Terms {
            only: only.iter().map(|name| ProfileName::parse(name).unwrap()).collect(),
            scope: BTreeSet::from(["read".to_owned()]),
            allow_uid: Some(0),
            expires_at: Some(WallMs(1_800_000_000_123)),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(read(state.path()), []);
        let plain =
            Terms { scope: BTreeSet::new(), allow_uid: None, expires_at: None, ..terms(&["b"]) };
        let sockets =
            vec![(PathBuf::from("/a/s"), terms(&["acme", "hub"])), (PathBuf::from("/b/s"), plain)];
        let bytes = to_bytes(sockets.iter().map(|(path, terms)| (path.as_path(), terms)));
        write(state.path(), &bytes).unwrap();
        assert_eq!(read(state.path()), sockets);
    }

    #[test]
    fn a_line_that_makes_no_sense_is_left_out_and_never_gives_more() {
        let good =
            r#"{"path":"/a/s","only":["acme"],"scope":[],"allow_uid":null,"expires_at_ms":null}"#;
        for (from, to) in [
            ("\"/a/s\"", "\"a/s\""),
            ("\"/a/s\"", "7"),
            ("[\"acme\"]", "[]"),
            ("[\"acme\"]", "[\"Not A Name\"]"),
            ("\"scope\":[]", "\"scope\":[\"a b\"]"),
            ("\"scope\":[],", ""),
            ("\"allow_uid\":null", "\"allow_uid\":-1"),
            ("\"scope\":[]", "\"scope\":[],\"audience\":[\"x\"]"),
        ] {
            let state = tempfile::tempdir().unwrap();
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            let text = format!(r#"{{"version":1,"sockets":[{bad},{good}]}}"#);
            fs::write(state.path().join(NAME), text).unwrap();
            assert_eq!(read(state.path()).len(), 1, "{bad}");
        }
        for text in ["", "{", "[]", r#"{"version":2,"sockets":[]}"#] {
            let state = tempfile::tempdir().unwrap();
            fs::write(state.path().join(NAME), text).unwrap();
            assert_eq!(read(state.path()), []);
        }
    }
}
