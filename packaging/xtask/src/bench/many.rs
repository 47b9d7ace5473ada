//! The core with 100,000 profiles, and a storm of 10,000: agent/core/benches/many measures, here is what its
//! numbers should be.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::Aim;
use crate::run::{cargo, read};
use crate::say::say;

/// A core that looks at every profile would cost a thousand times as much with a thousand times as many; one
/// that does not pays for a deeper tree and for memory that is in no cache.
const RATIO_MAX: f64 = 3.0;
const BYTES_MAX: f64 = 1024.0;
/// What a storm may add to each renewal, for want of room in the caches.
const STORM_RATIO_MAX: f64 = 2.0;
const IN_FLIGHT_MAX: f64 = 4.0;

/// What `many` printed, by name.
struct Numbers(BTreeMap<String, f64>);

impl Numbers {
    fn parse(text: &str) -> Result<Self> {
        let number = |line: &str| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        let parsed = |line| number(line).with_context(|| format!("not a number: {line}"));
        text.lines().map(parsed).collect::<Result<_>>().map(Self)
    }

    fn of(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    fn aim(&self, name: &str, what: &str, most: f64, unit: &'static str) -> Aim {
        Aim { what: what.to_owned(), value: self.of(name), most, unit }
    }
}

pub(super) fn measure() -> Result<Vec<Aim>> {
    say!("\n== the core with very many profiles");
    let text = read(&mut cargo(["bench", "--quiet", "-p", "tokctl-core", "--bench", "many"]))?;
    let numbers = Numbers::parse(&text)?;
    let shown = |name: &str| numbers.of(name).unwrap_or(f64::NAN);
    say!("{:<34}{:>12}{:>12}{:>9}", "", "100", "100,000", "ratio");
    for (name, what) in [
        ("get", "a served get"),
        ("tick", "a tick with nothing due"),
        ("deadline", "the next deadline"),
        ("refresh", "a whole renewal"),
    ] {
        let [few, many] = ["few", "many"].map(|size| shown(&format!("{name}_ns_{size}")));
        let ratio = shown(&format!("{name}_ratio"));
        say!("{what:<34}{few:>9.0} ns{many:>9.0} ns{ratio:>9.2}");
    }
    say!("{:<34}{:>12}{:>9.1} ms", "the schedule, once a minute", "", shown("schedule_ms_many"));
    say!("{:<34}{:>12}{:>9.1} ms", "a clock that was set", "", shown("clock_step_ms_many"));
    for origins in [100, 1] {
        let each = shown(&format!("storm_ns_over_{origins}")) / 1e3;
        say!("{:<34}{:>12}{each:>9.1} us", format!("10,000 due at once, of {origins}"), "");
    }
    say!("memory of a profile: {:.0} bytes", shown("bytes_per_profile"));
    say!("with its token, but for the text: {:.0} bytes", shown("bytes_with_token"));
    let mut aims = vec![
        numbers.aim("get_ratio", "a get in 100,000 profiles / in 100", RATIO_MAX, ""),
        numbers.aim("tick_ratio", "a tick in 100,000 profiles / in 100", RATIO_MAX, ""),
        numbers.aim("deadline_ratio", "the next deadline of 100,000 / of 100", RATIO_MAX, ""),
        numbers.aim("refresh_ratio", "a renewal in 100,000 profiles / in 100", RATIO_MAX, ""),
        numbers.aim("bytes_per_profile", "memory of a profile in the core", BYTES_MAX, " bytes"),
    ];
    for origins in [100, 1] {
        let of = |name: &str| format!("storm_{name}_over_{origins}");
        let what = format!("a renewal in a storm of 10,000 over {origins} / by itself");
        aims.push(numbers.aim(&of("ratio"), &what, STORM_RATIO_MAX, ""));
        let what = format!("requests at a time to one of {origins}");
        aims.push(numbers.aim(&of("in_flight"), &what, IN_FLIGHT_MAX, ""));
    }
    Ok(aims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_and_a_number() {
        let numbers = Numbers::parse("get_ratio 1.5\nprofiles 100000\n").unwrap();
        assert_eq!(numbers.of("get_ratio"), Some(1.5));
        assert_eq!(numbers.of("other"), None);
        assert!(Numbers::parse("get_ratio\n").is_err());
    }
}
