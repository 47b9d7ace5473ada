//! Dependencies: each has a reason, and the client's library carries none of the heavy ones.

use std::fs;
use std::process::Command;

use crate::tidy::words::{files, top};

#[test]
fn every_dependency_says_why() {
    let manifest = fs::read_to_string(top().join("Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[workspace.dependencies]").unwrap();
    let dependencies = dependencies.split("\n[").next().unwrap();
    for line in dependencies.lines().filter(|line| !line.trim().is_empty()) {
        let own = line.contains("{ path = ");
        let reason = line.split_once("# ").is_some_and(|(_, reason)| reason.len() > 5);
        assert!(own || reason, "no reason: {line}");
    }
}

#[test]
fn every_version_is_in_one_place() {
    let top = top();
    for manifest in files(&top, &["toml"]) {
        if !manifest.ends_with("Cargo.toml") || manifest == top.join("Cargo.toml") {
            continue;
        }
        let text = fs::read_to_string(&manifest).unwrap();
        let mut section = "";
        for line in text.lines() {
            match line.strip_prefix('[') {
                Some(name) => section = name.trim_end_matches(']'),
                None if section.ends_with("dependencies") && line.contains('=') => {
                    let shared = line.contains("workspace = true");
                    assert!(shared, "{}: {line}", manifest.display());
                }
                None => {}
            }
        }
    }
}

#[test]
fn the_library_is_without_runtime_and_command_line() {
    let tree = dependencies_of(&["--package", "tokctl-client", "--no-default-features"]);
    for heavy in ["tokio", "reqwest", "clap", "age", "toml_edit", "rustls"] {
        assert!(!tree.contains(&heavy.to_owned()), "the library depends on {heavy}");
    }
}

#[test]
fn the_client_is_without_runtime() {
    let tree = dependencies_of(&["--package", "tokctl-client", "--features", "cli"]);
    for heavy in ["tokio", "reqwest", "age", "toml_edit", "rustls"] {
        assert!(!tree.contains(&heavy.to_owned()), "the client depends on {heavy}");
    }
}

/// Names of all that is linked into a package.
fn dependencies_of(arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}"])
        .args(arguments)
        .current_dir(top())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree: {said}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
}
