//! Runners with a file of lines or of statements. Statements are executed by a real shell in the tests of quoting; here they are
//! read by a reader of single quotes.

use super::*;

/// GitLab's ParseDotenvArtifactService: `^(.*?)=(.*)$`, blanks around both taken off, no quotes.
fn read_by_gitlab(steps: Vec<Step>) -> Runner {
    let (said, written) = said_and_written(steps, "given.env");
    assert_eq!(said, "");
    assert!(written.len() <= 5 * 1024);
    let mut runner = Runner::default();
    for line in written.split_terminator('\n') {
        let (key, value) = line.split_once('=').unwrap();
        let (key, value) = (key.trim(), value.trim());
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        assert!((1..=255).contains(&key.len()) && key.bytes().all(is_word), "{key:?}");
        runner.set(key, value);
    }
    runner
}

#[test]
fn gitlab_reads_back_every_value() {
    let may_refuse =
        |value: &str| has_control(value) || value.trim() != value || value.len() > 5 * 1024 - 64;
    every_value_is_read_back(&gitlab::VENDOR, &setting(), read_by_gitlab, may_refuse);
}

fn read_by_bitbucket(steps: Vec<Step>) -> Runner {
    let (_, written) = said_and_written(steps, "BITBUCKET_PIPELINES_VARIABLES_PATH");
    let mut runner = Runner::default();
    for line in written.split_terminator(['\r', '\n']) {
        let (name, value) = line.split_once('=').unwrap();
        runner.set(name, value);
    }
    runner
}

#[test]
fn bitbucket_reads_back_every_value() {
    every_value_is_read_back(&bitbucket::VENDOR, &setting(), read_by_bitbucket, has_control);
}

/// `export NAME=` and a word of single quotes, and of quotes behind a backslash; anything else would be read by a shell.
fn read_by_shell(text: &str) -> Runner {
    let mut runner = Runner::default();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, behind) = rest.strip_prefix("export ").unwrap().split_once('=').unwrap();
        rest = behind;
        let mut value = String::new();
        while !rest.starts_with('\n') {
            if let Some(behind) = rest.strip_prefix("\\'") {
                value.push('\'');
                rest = behind;
                continue;
            }
            let (inside, behind) = rest.strip_prefix('\'').unwrap().split_once('\'').unwrap();
            value.push_str(inside);
            rest = behind;
        }
        rest = &rest[1..];
        runner.set(name, &value);
    }
    runner
}

#[test]
fn statements_are_read_back_from_the_files_of_circleci_and_of_those_that_read_one() {
    for (vendor, file) in [
        (&circleci::VENDOR, "BASH_ENV"),
        (&jenkins::VENDOR, "given.env"),
        (&woodpecker::VENDOR, "given.env"),
        (&drone::VENDOR, "given.env"),
        (&travis::VENDOR, "given.env"),
    ] {
        let read = |steps| read_by_shell(&said_and_written(steps, file).1);
        every_value_is_read_back(vendor, &setting(), read, has_nul);
    }
}
