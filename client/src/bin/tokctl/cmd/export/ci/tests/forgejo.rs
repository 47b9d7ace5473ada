//! The runners of Forgejo and Gitea: `cmdRegex` and `handleCommand` of their reporter, `parseEnvFile` of act.

use super::*;

/// `^::([^ :]+)( .*)?::(.*)$`, on a line without its end.
fn command(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("::")?;
    let end = rest.find([' ', ':'])?;
    let (name, rest) = rest.split_at(end);
    // What stands between a blank and the last pair of colons is about the command.
    let data = match rest.strip_prefix(' ') {
        Some(rest) => rest.rsplit_once("::")?.1,
        None => rest.strip_prefix("::")?,
    };
    Some((name, data))
}

/// Go's bufio.Scanner: lines to an LF, a CR before it taken off, none longer than its buffer.
fn scan(text: &str) -> impl Iterator<Item = &str> {
    text.split_terminator('\n').map(|line| {
        assert!(line.len() < 64 * 1024, "too long");
        line.strip_suffix('\r').unwrap_or(line)
    })
}

fn read(steps: Vec<Step>) -> Runner {
    let (said, written) = said_and_written(steps, "GITHUB_ENV");
    let mut runner = Runner::default();
    for line in said.split_terminator('\n') {
        match command(line.trim_end_matches(['\r', '\n'])) {
            Some(("add-mask", value)) => runner.masks.push(value.to_owned()),
            _ => runner.log.push(line.to_owned()),
        }
    }
    let mut lines = scan(&written);
    while let Some(line) = lines.next() {
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        if let Some(at) = equals.filter(|at| heredoc.is_none_or(|other| *at < other)) {
            runner.set(&line[..at], &line[at + 1..]);
            continue;
        }
        let at = heredoc.unwrap_or_else(|| panic!("no line of such a file: {line:?}"));
        let (mut value, mut is_ended) = (String::new(), false);
        for content in lines.by_ref() {
            if content == &line[at + 2..] {
                is_ended = true;
                break;
            }
            if !value.is_empty() {
                value.push('\n');
            }
            value.push_str(content);
        }
        assert!(is_ended, "{line:?}");
        runner.set_masked(&line[..at], &value);
    }
    runner
}

#[test]
fn forgejo_and_gitea_read_back_every_value_and_mask_it_before() {
    let may_refuse = |value: &str| {
        has_control(value) || value.contains("ghadelimiter_") || value.trim().is_empty()
    };
    every_value_is_read_back(&super::super::forgejo::VENDOR, &setting(), read, may_refuse);
}

/// What GitHub's runner makes of the same masks: some runners are built from its source.
#[test]
fn a_mask_for_forgejo_is_one_for_a_runner_that_takes_escapes_back() {
    let steps =
        |value: &str| (super::super::forgejo::VENDOR.steps)(&[pair("A", value)], &setting());
    for value in ["100%25", "%0A", "a::b%", "plain-value"] {
        let runner = github::read(steps(value).unwrap(), "GITHUB_ENV");
        assert_eq!(runner.variables["A"], value);
    }
}
