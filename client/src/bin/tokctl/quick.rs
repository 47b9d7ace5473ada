//! The common forms of `tokctl get`, parsed without clap: setting clap up costs more than the rest of a `get`.
//!
//! Only what is certain is taken: `get` first, options by their full names, values that are what they
//! should be. Anything else, wrong or merely unusual, is left to clap, so that a command line means the
//! same and fails the same whoever reads it.

use std::ffi::{OsStr, OsString};
use std::slice::Iter;
use std::time::Duration;

use tokctl_client::ProfileName;
use tokctl_client::proto::time::parse_duration;

use crate::args::{GetArgs, Global};

/// Reads a whole command line, the program's name in front; `None` when clap should.
pub(crate) fn parse(arguments: &[OsString]) -> Option<(Global, GetArgs)> {
    let mut rest = match arguments {
        [_, command, rest @ ..] if command == "get" => rest.iter(),
        _ => return None,
    };
    let mut global = Global::default();
    let mut profile: Option<ProfileName> = None;
    let mut min_valid = None;
    let (mut best_effort, mut refresh, mut header) = (false, false, false);
    let mut no_mask = false;
    let (mut scope, mut audience, mut resource) = (Vec::new(), Vec::new(), Vec::new());
    let (mut timeout, mut uses, mut wait) = (None, None, None);
    while let Some(argument) = rest.next() {
        let argument = argument.to_str()?;
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (argument, None),
        };
        match (name, value) {
            ("--refresh", None) => once(&mut refresh)?,
            ("--best-effort", None) => once(&mut best_effort)?,
            ("--header", None) => once(&mut header)?,
            ("--no-mask", None) => once(&mut no_mask)?,
            ("--json", None) => once(&mut global.json)?,
            ("--no-prompt", None) => once(&mut global.no_prompt)?,
            ("--quiet" | "-q", None) => once(&mut global.quiet)?,
            ("--min-valid", value) => duration(&mut min_valid, value, &mut rest)?,
            ("--timeout", value) => duration(&mut timeout, value, &mut rest)?,
            ("--wait", value) => duration(&mut wait, value, &mut rest)?,
            ("--uses", value) => count(&mut uses, value, &mut rest)?,
            ("--scope", value) => scope.push(text(value, &mut rest)?.to_owned()),
            ("--audience", value) => audience.push(text(value, &mut rest)?.to_owned()),
            ("--resource", value) => resource.push(text(value, &mut rest)?.to_owned()),
            (name, None) if !name.starts_with('-') && profile.is_none() => {
                profile = Some(ProfileName::parse(name).ok()?);
            }
            _ => return None,
        }
    }
    if header && global.json {
        return None;
    }
    let profile = profile?;
    let get = GetArgs {
        profile,
        min_valid,
        best_effort,
        refresh,
        scope,
        audience,
        resource,
        timeout,
        uses,
        wait,
        header,
        // Rare enough for clap.
        format: None,
        dpop: false,
        method: None,
        url: None,
        nonce: None,
        no_mask,
        // For people, who have the time for clap.
        dry_run: false,
    };
    Some((global, get))
}

/// A flag that was there already is an error, which is clap's to tell.
fn once(flag: &mut bool) -> Option<()> {
    (!std::mem::replace(flag, true)).then_some(())
}

fn text<'a>(value: Option<&'a str>, rest: &mut Iter<'a, OsString>) -> Option<&'a str> {
    match value {
        Some(value) => Some(value),
        // What begins with a hyphen may be an option, and the value forgotten.
        None => rest
            .next()
            .map(OsString::as_os_str)
            .and_then(OsStr::to_str)
            .filter(|value| !value.starts_with('-')),
    }
}

fn duration<'a>(
    into: &mut Option<Duration>,
    value: Option<&'a str>,
    rest: &mut Iter<'a, OsString>,
) -> Option<()> {
    let parsed = parse_duration(text(value, rest)?).ok()?;
    into.replace(parsed).is_none().then_some(())
}

fn count<'a>(
    into: &mut Option<u32>,
    value: Option<&'a str>,
    rest: &mut Iter<'a, OsString>,
) -> Option<()> {
    let typed = text(value, rest)?;
    let parsed = typed.parse().ok().filter(|&count| count > 0)?;
    into.replace(parsed).is_none().then_some(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    const TAKEN: &[&str] = &[
        "get acme",
        "get acme --json",
        "get --json acme",
        "get acme --header",
        "get acme --no-mask",
        "get acme --refresh --best-effort --min-valid 5m",
        "get acme --min-valid=90 --timeout=3s",
        "get acme --min-valid 0",
        "get search --uses 5 --wait 2m --json",
        "get search --uses=1 --wait=0",
        "get search --uses 007",
        "get search --uses 4294967295",
        "get acme --scope a --scope b",
        "get acme --scope=a=b",
        "get acme --scope=",
        "get acme --scope=-x",
        "get acme --audience https://api.acme.example/ --resource=https://r.example/?a=b",
        "get -q acme --no-prompt",
        "get --quiet acme",
        "get a.b-c_9",
    ];
    const LEFT: &[&str] = &[
        "",
        "get",
        "list",
        "-q get acme",
        "--json get acme",
        "get acme -v",
        "get acme --yes",
        "get acme --color never",
        "get acme -h",
        "get acme --help",
        "get -- acme",
        "get acme more",
        "get Acme",
        "get acme=1",
        "get acme --refresh --refresh",
        "get acme --json --json",
        "get acme --no-mask --no-mask",
        "get acme --refresh=true",
        "get acme --json --header",
        "get acme --min-valid",
        "get acme --min-valid soon",
        "get acme --min-valid 5m --min-valid 6m",
        "get acme --timeout -1",
        "get acme --uses 0",
        "get acme --uses -1",
        "get acme --uses many",
        "get acme --uses",
        "get acme --uses 4294967296",
        "get acme --uses 1 --uses 2",
        "get acme --wait soon",
        "get acme --wait",
        "get acme --scope -x",
        "get acme --scope --refresh",
        "get acme --scop a",
        "get acme --min_valid 5m",
        "get acme -qv",
        "gett acme",
    ];

    fn split(line: &str) -> Vec<OsString> {
        std::iter::once("tokctl").chain(line.split_whitespace()).map(OsString::from).collect()
    }

    #[test]
    fn both_parsers_make_the_same_of_what_both_know() {
        for line in TAKEN {
            let arguments = split(line);
            let (global, get) = parse(&arguments).expect(line);
            let cli = Cli::try_parse_from(&arguments).expect(line);
            let Command::Get(by_clap) = cli.command else { panic!("{line} is no get") };
            assert_eq!((global, get), (cli.global, by_clap), "{line}");
        }
    }

    /// Every line of up to three of these words behind `get`, in every order.
    #[test]
    fn nothing_is_taken_that_clap_reads_otherwise_or_refuses() {
        const WORDS: &[&str] = &[
            "acme",
            "b-2",
            "Acme",
            "-",
            "--",
            "-q",
            "-v",
            "-h",
            "--refresh",
            "--best-effort",
            "--header",
            "--json",
            "--no-prompt",
            "--no-mask",
            "--quiet",
            "--yes",
            "--scope",
            "--scope=",
            "--scope=-x",
            "--audience",
            "--resource=a=b",
            "--min-valid",
            "--min-valid=5m",
            "--timeout",
            "--timeout=0",
            "--uses",
            "--uses=2",
            "--uses=+2",
            "--wait",
            "--wait=5m",
            "3",
            "--refresh=",
            "5m",
            "a b",
            "",
            "=",
            "ä",
        ];
        let mut taken = 0;
        let mut compare = |words: &[&str]| {
            let arguments: Vec<OsString> =
                ["tokctl", "get"].iter().chain(words).map(OsString::from).collect();
            let Some((global, get)) = parse(&arguments) else { return };
            let cli = Cli::try_parse_from(&arguments).unwrap_or_else(|_| panic!("{words:?}"));
            let Command::Get(by_clap) = cli.command else { panic!("{words:?} is no get") };
            assert_eq!((global, get), (cli.global, by_clap), "{words:?}");
            taken += 1;
        };
        for first in WORDS {
            compare(&[first]);
            for second in WORDS {
                compare(&[first, second]);
                for third in WORDS {
                    compare(&[first, second, third]);
                }
            }
        }
        assert!(taken > 500, "{taken}");
    }

    #[test]
    fn what_is_wrong_or_unusual_is_left_to_clap() {
        for line in LEFT {
            assert_eq!(parse(&split(line)), None, "{line}");
        }
    }

    #[test]
    fn an_empty_argument_is_no_profile_here_either() {
        assert_eq!(parse(&["tokctl", "get", ""].map(OsString::from)), None);
    }
}
