//! GitHub's runner: ActionCommand, FileCommandManager and AddMaskCommandExtension of actions/runner, on Linux.

use super::*;

/// A line of what a step says. .NET reads lines to a CR, an LF or both.
fn lines(said: &str) -> impl Iterator<Item = &str> {
    said.split_terminator('\n').flat_map(|line| line.split('\r'))
}

fn unescaped(data: &str) -> String {
    data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
}

fn command(line: &str) -> Option<(&str, String)> {
    let rest = line.trim_start().strip_prefix("::")?;
    let (info, data) = rest.split_once("::")?;
    Some((info.split(' ').next()?, unescaped(data)))
}

fn listen(runner: &mut Runner, said: &str) {
    for line in lines(said) {
        match command(line) {
            Some(("add-mask", data)) => {
                // It warns, and masks nothing.
                if data.trim().is_empty() {
                    continue;
                }
                // Each line of several is masked too.
                let each: Vec<String> = data
                    .lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect();
                runner.masks.push(data);
                runner.masks.extend(each);
            }
            _ => runner.log.push(line.to_owned()),
        }
    }
}

/// The file of variables. A line ends at an LF alone.
fn read_file(runner: &mut Runner, text: &str) {
    let mut rest = text;
    let mut next = || -> Option<&str> {
        if rest.is_empty() {
            return None;
        }
        let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = behind;
        Some(line)
    };
    while let Some(line) = next() {
        if line.is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        match (equals, heredoc) {
            (Some(at), heredoc) if heredoc.is_none_or(|other| at < other) => {
                runner.set(&line[..at], &line[at + 1..]);
            }
            (_, Some(at)) => {
                let (name, delimiter) = (&line[..at], &line[at + 2..]);
                assert!(!name.is_empty() && !delimiter.is_empty(), "{line:?}");
                let mut value: Option<String> = None;
                loop {
                    let line = next().unwrap_or_else(|| panic!("{delimiter} is missing"));
                    if line == delimiter {
                        break;
                    }
                    value = Some(match value {
                        None => line.to_owned(),
                        Some(before) => format!("{before}\n{line}"),
                    });
                }
                runner.set_masked(name, &value.unwrap_or_default());
            }
            _ => panic!("no line of such a file: {line:?}"),
        }
    }
}

pub(super) fn read(steps: Vec<Step>, file: &str) -> Runner {
    let (said, written) = said_and_written(steps, file);
    let mut runner = Runner::default();
    listen(&mut runner, &said);
    // Behind what another has written.
    read_file(&mut runner, &format!("BEFORE=1\n{written}AFTER=1\n"));
    assert_eq!(runner.variables.remove("BEFORE").as_deref(), Some("1"));
    assert_eq!(runner.variables.remove("AFTER").as_deref(), Some("1"));
    runner
}

#[test]
fn github_reads_back_every_value_and_masks_it_before() {
    let vendor = &super::super::github::VENDOR;
    let may_refuse =
        |value: &str| has_nul(value) || value.contains("ghadelimiter_") || value.trim().is_empty();
    every_value_is_read_back(vendor, &setting(), |steps| read(steps, "GITHUB_ENV"), may_refuse);
    let output = Setting { step_output: true, ..setting() };
    every_value_is_read_back(vendor, &output, |steps| read(steps, "GITHUB_OUTPUT"), may_refuse);
}

#[test]
fn a_value_that_holds_the_delimiter_is_refused() {
    let delimiter = format!("ghadelimiter_{}", setting().random);
    for value in
        [delimiter.clone(), format!("a\n{delimiter}\nNODE_OPTIONS=x"), format!("{delimiter}b")]
    {
        assert!((super::super::github::VENDOR.steps)(&[pair("A", &value)], &setting()).is_err());
    }
}

#[test]
fn a_delimiter_is_another_one_each_time() {
    let drawn: Vec<String> = (0..100).map(|_| random().unwrap()).collect();
    for (at, one) in drawn.iter().enumerate() {
        assert_eq!(one.len(), 32);
        assert!(!drawn[..at].contains(one));
    }
}
