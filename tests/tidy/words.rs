//! The repository speaks for itself: no file names a place that only its authors' machines have.

use std::fs;
use std::path::{Path, PathBuf};

/// The top of the repository.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The project's own files below a directory, with one of these extensions; all where none is given.
pub(crate) fn files(directory: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    const NOT_OURS: [&str; 5] = [".git", "target", "node_modules", "__pycache__", ".venv"];
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            let extension = path.extension().unwrap_or_default().to_string_lossy();
            if NOT_OURS.contains(&name.as_ref()) || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if extensions.is_empty() || extensions.contains(&extension.as_ref()) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn no_file_names_a_place_of_its_authors() {
    // Put together here, so that this file does not name them.
    let words = [
        ["..", "/shared"],
        ["/wo", "rk/"],
        ["/ro", "ot/"],
        ["registry", ".npmjs"],
        ["static", ".crates.io"],
        ["index", ".crates.io"],
        ["files", ".pythonhosted"],
        ["deb", ".debian.org"],
    ]
    .map(|halves| halves.concat());
    let mut wrong = Vec::new();
    for file in files(&top(), &[]) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (index, line) in text.lines().enumerate() {
            // `/home/ada/work` in an example is no such place.
            let named = |word: &&String| {
                line.match_indices(word.as_str())
                    .any(|(at, _)| !line[..at].ends_with(|last: char| last.is_alphanumeric()))
            };
            if let Some(word) = words.iter().find(named) {
                wrong.push(format!("{}:{}: {word}", file.display(), index + 1));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_lock_file_of_npm_names_no_place() {
    let lock = fs::read_to_string(top().join("tests/idp/package-lock.json")).unwrap();
    assert!(!lock.contains("\"resolved\""), "npm was run without the settings of tests/idp/.npmrc");
    assert!(lock.contains("\"integrity\""));
}
