//! How fast tokctl is, as ratios against floors that are measured in the same run: machines differ, and so
//! does one machine from one minute to the next. Each variant has its turn in every round, and what is
//! printed is the median of the rounds.

mod core;
pub(crate) mod echo;
mod floor;
mod idle;
mod round_trip;
mod ssh;
mod start;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use tokctl_tests::Home;
use tokctl_tests::bin::Programs;
use tokctl_tests::provider::{Answer, CLIENT_ID, CLIENT_SECRET, Provider};

use crate::install;
use crate::run::succeed;
use crate::say::say;

/// Enough for medians that agree within a few hundredths.
pub(crate) const ROUNDS: u32 = 300;
/// A token whose answer is about 1 KiB, as a signed one is.
const TOKEN_BYTES: usize = 920;
const PROFILES: usize = 10;

pub(crate) fn bench(rounds: u32) -> Result<ExitCode> {
    let release = install::release()?;
    say!("\n== the client is {}", release.linking);

    let bin = tempfile::tempdir()?;
    let programs =
        Programs { directory: bin.path().to_owned(), tokctl: release.tokctl, agent: release.agent };
    let programs = programs.copied_to(bin.path())?;
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

    let mut aims = Vec::new();
    aims.extend(start::measure(&home, rounds)?);
    aims.extend(round_trip::measure(&home, rounds)?);
    aims.extend(idle::measure(&home)?);

    say!("\n== summary");
    for aim in aims {
        say!("{aim}");
    }
    Ok(ExitCode::SUCCESS)
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
    fn a_round_is_compared_with_itself() {
        assert!((ratio(&[2.0, 20.0, 200.0], &[1.0, 10.0, 100.0]) - 2.0).abs() < f64::EPSILON);
    }
}
