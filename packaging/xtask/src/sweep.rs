//! The large sizes, for a machine with time: what `cargo xtask test` runs small, this runs large. One module
//! a part; each runs whatever came of the one before it, and the report at the end tells of all.

mod errors;
mod exports;
mod kills;
mod races;
pub(crate) mod seeds;
mod year;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::say::say;

/// A part of the sweep.
struct Part {
    name: &'static str,
    /// What it does, in a line.
    about: &'static str,
    run: fn(Sizes) -> Result<Ended>,
}

/// In the order in which they are run: the quick ones first.
const PARTS: &[Part] = &[
    Part { name: "year", about: "10,000 profiles over a simulated year", run: year::run },
    Part { name: "exports", about: "100,000 values through shells and runners", run: exports::run },
    Part { name: "errors", about: "each call on a file in a refresh fails", run: errors::run },
    Part { name: "races", about: "a herd at expiry, with and without tokctl", run: races::run },
    Part { name: "kills", about: "kills in the middle of refreshes", run: kills::run },
    Part { name: "seeds", about: "many histories of the simulator", run: seeds::part },
];

/// What can be chosen on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) seeds: u64,
}

/// How a part ended that did not fail.
#[derive(Debug)]
enum Ended {
    /// With these lines for the report.
    Done(Vec<String>),
    /// Nobody asked for it, or something that it needs is not here.
    NotRun(String),
}

/// A line of the report.
struct Line {
    part: &'static str,
    word: &'static str,
    seconds: u64,
    further: Vec<String>,
}

pub(crate) fn sweep(words: &[&str]) -> Result<ExitCode> {
    let (chosen, sizes) = parse(words)?;
    let mut report = Vec::new();
    for part in PARTS {
        report.push(match chosen.is_empty() || chosen.contains(&part.name) {
            true => run(part, sizes),
            false => Line::new(part, Ok(Ended::NotRun("not asked for".into())), Instant::now()),
        });
    }
    say!("\n== report");
    for Line { part, word, seconds, further } in &report {
        say!("{word:<8} {part} ({seconds} s)");
        for line in further {
            say!("           {line}");
        }
    }
    let broken = report.iter().any(|line| line.word == "FAILED");
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn run(part: &Part, sizes: Sizes) -> Line {
    say!("\n== {}: {}", part.name, part.about);
    let begun = Instant::now();
    let ended = (part.run)(sizes);
    if let Err(error) = &ended {
        say!("{error:#}");
    }
    Line::new(part, ended, begun)
}

impl Line {
    fn new(part: &Part, ended: Result<Ended>, begun: Instant) -> Self {
        let (word, further) = match ended {
            Ok(Ended::Done(lines)) => ("ok", lines),
            Ok(Ended::NotRun(why)) => ("not run", vec![why]),
            Err(error) => ("FAILED", vec![format!("{error:#}")]),
        };
        Self { part: part.name, word, seconds: begun.elapsed().as_secs(), further }
    }
}

/// `[PART…] [--seeds N]`; without a part, all of them.
fn parse<'a>(words: &[&'a str]) -> Result<(Vec<&'a str>, Sizes)> {
    let mut sizes = Sizes { seeds: seeds::SEEDS };
    let mut chosen = Vec::new();
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "--seeds" => match words.next() {
                Some(number) => sizes.seeds = number.parse()?,
                None => bail!("`--seeds` needs a number"),
            },
            name if PARTS.iter().any(|part| part.name == name) => chosen.push(name),
            _ => {
                let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
                bail!("there is no part `{word}`; there are {}", names.join(", "));
            }
        }
    }
    Ok((chosen, sizes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_seeds_are_chosen_in_any_order() {
        let usual = Sizes { seeds: seeds::SEEDS };
        for (words, parts, sizes) in [
            (&[][..], &[][..], usual),
            (&["year"], &["year"], usual),
            (&["--seeds", "7", "year", "seeds"], &["year", "seeds"], Sizes { seeds: 7 }),
        ] {
            assert_eq!(parse(words).unwrap(), (parts.to_vec(), sizes), "{words:?}");
        }
        for words in [&["yeer"][..], &["--seeds"], &["--seeds", "many"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }
}
