//! How fast tokctl is, as ratios against floors that are measured in the same run: machines differ, and so
//! does one machine from one minute to the next. Each variant has its turn in every round, and what is
//! printed is the median of the rounds.

mod core;
pub(crate) mod echo;
mod entries;
mod floor;
mod idle;
mod many;
mod round_trip;
mod ssh;
mod start;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokctl_tests::Home;
use tokctl_tests::bin::Programs;
use tokctl_tests::provider::{Answer, CLIENT_ID, CLIENT_SECRET, Provider};

use crate::install;
use crate::run::succeed;
use crate::say::say;

/// Enough for medians that agree within a few hundredths.
const ROUNDS: u32 = 300;
/// A token whose answer is about 1 KiB, as a signed one is.
const TOKEN_BYTES: usize = 920;
const PROFILES: usize = 10;

/// What is measured, in this order.
const PARTS: [&str; 5] = ["start", "kept", "idle", "entries", "many"];

/// `[PART…] [--rounds N]`; without a part, all of them.
pub(crate) fn bench(words: &[&str]) -> Result<ExitCode> {
    let (chosen, rounds) = parse(words)?;
    let is_chosen = |part| chosen.is_empty() || chosen.contains(&part);
    let release = install::release()?;
    say!("\n== the client is {}", release.linking);

    let bin = tempfile::tempdir()?;
    let programs =
        Programs { directory: bin.path().to_owned(), tokctl: release.tokctl, agent: release.agent };
    let programs = programs.copied_to(bin.path())?;

    let mut aims = Vec::new();
    if ["start", "kept", "idle"].into_iter().any(is_chosen) {
        let (home, _provider) = in_use(programs.clone())?;
        if is_chosen("start") {
            aims.extend(start::measure(&home, rounds)?);
        }
        if is_chosen("kept") {
            aims.extend(round_trip::measure(&home, rounds)?);
        }
        if is_chosen("idle") {
            aims.extend(idle::measure(&home)?);
        }
    }
    if is_chosen("entries") {
        aims.extend(entries::measure(&programs)?);
    }
    if is_chosen("many") {
        aims.extend(many::measure()?);
    }

    say!("\n== summary");
    for aim in aims {
        say!("{aim}");
    }
    Ok(ExitCode::SUCCESS)
}

fn parse<'a>(words: &[&'a str]) -> Result<(Vec<&'a str>, u32)> {
    let (mut chosen, mut rounds) = (Vec::new(), ROUNDS);
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "--rounds" => rounds = words.next().context("`--rounds` needs a number")?.parse()?,
            part if PARTS.contains(&part) => chosen.push(part),
            _ => bail!("there is no part `{word}`; there are {}", PARTS.join(", ")),
        }
    }
    Ok((chosen, rounds))
}

/// A home with a running agent and a few profiles whose tokens are cached.
fn in_use(programs: Programs) -> Result<(Home, Provider)> {
    let home = Home::with_programs(programs, None)?;
    let provider = Provider::try_start(tokctl_tests::provider::Settings::default())?;
    let token = "t".repeat(TOKEN_BYTES);
    provider.answer(Answer::json(
        200,
        &format!("{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":86400}}"),
    ));
    succeed(home.tokctl(["init", "--no-passphrase"]))?;
    for number in 0..PROFILES {
        let profile = format!("p{number}");
        let add = home.add(&profile, CLIENT_ID, CLIENT_SECRET);
        succeed(add.args(["--token-endpoint", &provider.token_endpoint()]))?;
        succeed(home.tokctl(["get", &profile]))?;
    }
    Ok((home, provider))
}

/// A number, what it should be, and whether it is.
#[derive(Debug)]
struct Aim {
    what: String,
    /// `None` where it could not be measured.
    value: Option<f64>,
    most: f64,
    unit: &'static str,
}

impl std::fmt::Display for Aim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, value, most, unit } = self;
        let Some(value) = value else { return write!(f, "not run  {what}") };
        let word = if value <= most { "ok     " } else { "MISSED " };
        write!(f, "{word}  {what}: {value:.2}{unit} (aim: at most {most}{unit})")
    }
}

/// The value in the middle.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

/// The median of what each round says by itself, so that a machine that slows down slows both down.
fn ratio(of: &[f64], against: &[f64]) -> f64 {
    let ratios: Vec<f64> = of.iter().zip(against).map(|(of, against)| of / against).collect();
    median(&ratios)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, middle) in [(&[3.0, 1.0, 2.0][..], 2.0), (&[4.0, 1.0, 2.0, 3.0], 2.5)] {
            assert!((median(values) - middle).abs() < f64::EPSILON, "{values:?}");
        }
    }

    #[test]
    fn parts_and_rounds_are_chosen_in_any_order() {
        for (words, parts, rounds) in
            [(&[][..], &[][..], ROUNDS), (&["many", "--rounds", "7", "idle"], &["many", "idle"], 7)]
        {
            assert_eq!(parse(words).unwrap(), (parts.to_vec(), rounds), "{words:?}");
        }
        for words in [&["menny"][..], &["--rounds"], &["--rounds", "few"]] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn a_round_is_compared_with_itself() {
        assert!((ratio(&[2.0, 20.0, 200.0], &[1.0, 10.0, 100.0]) - 2.0).abs() < f64::EPSILON);
    }
}
