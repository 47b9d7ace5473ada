//! No file of Rust lies about uncompiled: each is declared by the file above it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::tidy::words::files;

/// Files that Cargo itself finds: crate roots, programs, integration tests, and what a manifest names.
fn is_root(top: &Path, file: &Path) -> bool {
    let inside = file.strip_prefix(top).unwrap();
    let parent = inside.parent().unwrap();
    let name = inside.file_name().unwrap().to_str().unwrap();
    let below_bin = inside.components().any(|part| part.as_os_str() == "bin");
    matches!(name, "lib.rs" | "build.rs")
        || (name == "main.rs" && (parent.ends_with("src") || below_bin))
        || parent.ends_with("src/bin")
        // Each file of a package's own tests directory is a test, and each directory with a main.rs.
        || (parent.ends_with("tests") && top.join(parent).join("../Cargo.toml").is_file())
        || (name == "main.rs" && parent.parent().is_some_and(|above| above.ends_with("tests")))
        || manifest_names(&top.join(parent), file)
}

/// Whether the manifest of a directory above names the file by its path.
fn manifest_names(directory: &Path, file: &Path) -> bool {
    directory.ancestors().any(|package| {
        let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap_or_default();
        file.strip_prefix(package)
            .is_ok_and(|path| manifest.contains(&format!("path = \"{}\"", path.display())))
    })
}

/// The files that could declare `file` as a module.
fn parents(file: &Path) -> Vec<PathBuf> {
    let directory = file.parent().unwrap();
    let directory = match file.ends_with("mod.rs") {
        true => directory.parent().unwrap(),
        false => directory,
    };
    // `mod e2e { mod tls; }` in main.rs declares a file one directory down.
    [Some(directory), directory.parent()]
        .into_iter()
        .flatten()
        .flat_map(|above| ["mod.rs", "lib.rs", "main.rs"].map(|name| above.join(name)))
        .chain([directory.with_extension("rs")])
        .collect()
}

#[test]
fn every_file_is_declared() {
    let top = crate::tidy::words::top();
    let mut forgotten = Vec::new();
    for file in files(&top, &["rs"]) {
        if is_root(&top, &file) {
            continue;
        }
        let name = match file.ends_with("mod.rs") {
            true => file.parent().unwrap().file_name().unwrap(),
            false => file.file_stem().unwrap(),
        };
        let declaration = format!("mod {};", name.to_str().unwrap());
        let declared = parents(&file).iter().filter(|parent| **parent != file).any(|parent| {
            let text = fs::read_to_string(parent).unwrap_or_default();
            text.lines().any(|line| line.trim().ends_with(&declaration))
        });
        if !declared {
            forgotten.push(file);
        }
    }
    assert_eq!(forgotten, Vec::<PathBuf>::new(), "no file declares these as modules");
}
