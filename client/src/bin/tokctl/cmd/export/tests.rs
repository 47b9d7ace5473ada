//! Values through real shells: what a program that the shell runs finds in its environment is what was quoted.

use std::collections::BTreeMap;
use std::process::Command;

use super::generate::{count, values};
use super::shell::Shell;
use super::*;

/// So many variables fit the environment of a process, long values among them.
const VARIABLES_MAX: usize = 1_000;

/// Runs a script and gives the environment that its last program has.
fn environment(program: &[&str], script: &str) -> BTreeMap<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("script");
    std::fs::write(&path, script).unwrap();
    let output = Command::new(program[0])
        .args(&program[1..])
        .arg(&path)
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("LC_ALL", "C.UTF-8")])
        .env("HOME", directory.path())
        .env("BEFORE", "here")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask prepare`", program[0]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{program:?}: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.into(), value.into()));
    text.split('\0').filter_map(pair).collect()
}

/// Each value in a variable of its own, through a script that `write` writes, back to its value.
fn come_through(
    program: &[&str],
    begin: &str,
    values: impl Iterator<Item = String>,
    write: impl Fn(&str, &str, &mut String),
) {
    let values: Vec<String> = values.filter(|value| !value.contains('\0')).collect();
    for values in values.chunks(VARIABLES_MAX) {
        let mut script = format!("{begin}\n");
        for (at, value) in values.iter().enumerate() {
            write(&format!("V{at}"), value, &mut script);
        }
        script.push_str("\nexec env -0\n");
        let found = environment(program, &script);
        for (at, value) in values.iter().enumerate() {
            assert_eq!(found.get(&format!("V{at}")), Some(value), "{program:?}");
        }
        assert_eq!(found.keys().filter(|name| name.starts_with('V')).count(), values.len());
    }
}

fn come_through_a(shell: Shell, program: &[&str], begin: &str) {
    come_through(program, begin, values(count()), |name, value, script| {
        shell.set(name, value, script);
    });
}

#[test]
fn every_value_comes_through_bash() {
    come_through_a(Shell::Bash, &["bash", "--norc"], "");
    come_through_a(Shell::Sh, &["bash", "--posix"], "set -H");
}

#[test]
fn every_value_comes_through_dash() {
    come_through_a(Shell::Sh, &["dash"], "");
}

#[test]
fn every_value_comes_through_zsh() {
    come_through_a(Shell::Zsh, &["zsh", "-f"], "");
    come_through_a(
        Shell::Zsh,
        &["zsh", "-f"],
        "setopt rc_quotes bang_hist extended_glob sh_word_split",
    );
    come_through_a(Shell::Sh, &["zsh", "--emulate", "sh", "-f"], "");
}

#[test]
fn every_value_comes_through_fish() {
    come_through_a(Shell::Fish, &["fish", "--no-config"], "");
}

/// As README has it. Fewer of them: each takes a process.
#[test]
fn values_come_through_eval() {
    for program in [&["bash"][..], &["dash"], &["zsh", "-f"]] {
        come_through(program, "", values(count() / 20), |name, value, script| {
            let mut statement = String::new();
            Shell::Sh.set(name, value, &mut statement);
            script.push_str("eval \"$(printf %s ");
            quote::posix(&statement, script);
            script.push_str(")\"\n");
        });
    }
}

#[test]
fn statements_are_apart_without_quotes_around_the_substitution() {
    let mut statements = String::new();
    Shell::Sh.set("VA", "a", &mut statements);
    Shell::Sh.set("VB", "b;c", &mut statements);
    Shell::Sh.unset("BEFORE", &mut statements);
    let mut quoted = String::new();
    quote::posix(&statements, &mut quoted);
    let found = environment(&["dash"], &format!("eval $(printf %s {quoted})\nexec env -0\n"));
    assert_eq!((&*found["VA"], &*found["VB"]), ("a", "b;c"));
    assert!(!found.contains_key("BEFORE"));
}

#[test]
fn a_variable_is_taken_away_whether_or_not_it_is_there() {
    for (shell, program) in
        [(Shell::Sh, &["dash"][..]), (Shell::Bash, &["bash"]), (Shell::Zsh, &["zsh", "-f"])]
    {
        let mut script = "set -e\n".to_owned();
        shell.unset("BEFORE", &mut script);
        shell.unset("NEVER", &mut script);
        script.push_str("exec env -0\n");
        assert!(!environment(program, &script).contains_key("BEFORE"), "{program:?}");
    }
    let mut script = String::new();
    Shell::Fish.unset("BEFORE", &mut script);
    Shell::Fish.unset("NEVER", &mut script);
    script.push_str("exec env -0\n");
    assert!(!environment(&["fish", "--no-config"], &script).contains_key("BEFORE"));
}

#[test]
fn fish_keeps_a_text_whole_whose_variable_is_called_like_a_list() {
    let mut script = String::new();
    Shell::Fish.set("VPATH", "a:b::c", &mut script);
    script.push_str("set -gx VCOUNT (count $VPATH)\nexec env -0\n");
    let found = environment(&["fish", "--no-config"], &script);
    assert_eq!((&*found["VPATH"], &*found["VCOUNT"]), ("a:b::c", "1"));
}

/// What nu makes of a text between double quotes: its book, "Strings". Nothing else ends or changes it.
fn read_by_nu(word: &str) -> Option<String> {
    let mut characters = word.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut text = String::new();
    while let Some(character) = characters.next() {
        text.push(match character {
            '"' => return None,
            '\\' => match characters.next()? {
                'n' => '\n',
                'r' => '\r',
                escaped @ ('"' | '\\') => escaped,
                _ => return None,
            },
            other => other,
        });
    }
    Some(text)
}

/// What PowerShell makes of a text between single quotes: about_Quoting_Rules, with all that it takes for a single quote.
fn read_by_powershell(word: &str) -> Option<String> {
    let is_quote = |character: &char| "'\u{2018}\u{2019}\u{201a}\u{201b}".contains(*character);
    let mut characters = word.strip_prefix('\'')?.strip_suffix('\'')?.chars().peekable();
    let mut text = String::new();
    while let Some(character) = characters.next() {
        // The first of two is the text.
        if is_quote(&character) {
            characters.next_if(is_quote)?;
        }
        text.push(character);
    }
    Some(text)
}

#[test]
fn every_value_is_one_word_to_nu_and_to_powershell() {
    for value in values(count()) {
        let (mut nu, mut powershell) = (String::new(), String::new());
        quote::nu(&value, &mut nu);
        quote::powershell(&value, &mut powershell);
        assert_eq!(read_by_nu(&nu).as_ref(), Some(&value));
        assert_eq!(read_by_powershell(&powershell).as_ref(), Some(&value));
    }
}

/// A reader without escapes, which Docker's, Node's and Python's are for what is written here.
fn read_by_plain_rules(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let quote = value.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let value = match quote {
        Some(quote) => value.strip_prefix(quote)?.strip_suffix(quote)?,
        None => value,
    };
    let ends_early = quote.is_some_and(|quote| value.contains(quote));
    (!ends_early).then_some((name, value))
}

#[test]
fn a_line_of_a_file_is_read_alike_by_shells_and_by_plain_rules() {
    let written: Vec<(String, &str)> = values(count())
        .filter_map(|value| dotenv::quotes(&value).map(|quote| (value, quote)))
        .collect();
    assert!(written.len() > count() / 20, "{}", written.len());
    for written in written.chunks(VARIABLES_MAX) {
        let mut script = "set -a\n".to_owned();
        for (at, (value, quote)) in written.iter().enumerate() {
            let line = format!("V{at}={quote}{value}{quote}");
            assert_eq!(read_by_plain_rules(&line), Some((&*format!("V{at}"), &**value)));
            script.push_str(&format!("{line}\n"));
        }
        script.push_str("exec env -0\n");
        for program in [&["dash"][..], &["bash"], &["zsh", "-f"]] {
            let found = environment(program, &script);
            for (at, (value, _)) in written.iter().enumerate() {
                assert_eq!(found.get(&format!("V{at}")), Some(value), "{program:?}");
            }
        }
    }
}

#[test]
fn tokens_as_they_usually_are_stand_in_a_file_without_quotes() {
    for (value, quote) in [
        ("eyJhbGciOiJSUzI1NiJ9.e30.c2ln-_", Some("")),
        ("ya29.a0/b+c==", Some("")),
        ("a b", Some("'")),
        ("$5", Some("'")),
        ("it's", Some("\"")),
        ("it's $5", None),
        ("a\\", None),
        ("a\nb", None),
        ("ä", None),
    ] {
        assert_eq!(dotenv::quotes(value), quote, "{value:?}");
    }
}
