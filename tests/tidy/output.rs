//! The programs print in one place each.

use std::fs;

use crate::tidy::words::{files, top};

/// The files that may: the client's own, and xtask's.
const MAY_PRINT: [&str; 2] = ["output.rs", "say.rs"];

#[test]
fn only_output_prints() {
    // Put together here, so that this file is not one that prints.
    let macros = ["print", "println", "eprint", "eprintln", "dbg"].map(|name| format!("{name}!"));
    let mut wrong = Vec::new();
    for directory in
        ["agent/src", "agent/core/src", "client/src", "proto/src", "packaging", "tests"]
    {
        for file in files(&top().join(directory), &["rs"]) {
            let name = file.file_name().unwrap().to_str().unwrap();
            if MAY_PRINT.contains(&name) {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            for line in text.lines() {
                let comment = line.trim_start().starts_with("//");
                let printed = macros.iter().any(|name| {
                    line.find(name.as_str()).is_some_and(|at| {
                        !line[..at].ends_with(|last: char| last.is_alphanumeric())
                    })
                });
                // An example in a comment prints nothing.
                if printed && !comment {
                    wrong.push(format!("{}: {line}", file.display()));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
