//! Each vendor's runner played by a reader of its own, written from its documentation and source and from nothing that
//! writes: what it reads back is the value, it was told to mask that before, and nothing else was set or shown.

use std::collections::BTreeMap;

use super::super::generate::{count, values};
use super::step::{Place, Step};
use super::*;

mod azure;
mod buildkite;
mod files;
mod forgejo;
mod github;
mod refusals;
mod teamcity;

/// What a runner knows when the step is over.
#[derive(Debug, Default)]
struct Runner {
    masks: Vec<String>,
    variables: BTreeMap<String, String>,
    /// Lines that stay in the log.
    log: Vec<String>,
}

impl Runner {
    /// Sets a variable, which must have been masked by then where this is a runner that masks.
    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// As [`Self::set`], at a runner that hides what it was told to hide before.
    fn set_masked(&mut self, name: &str, value: &str) {
        let is_masked = value.is_empty() || self.masks.iter().any(|mask| mask == value);
        assert!(is_masked, "{name} is set before {value:?} is masked");
        self.set(name, value);
    }
}

fn setting() -> Setting {
    Setting {
        step_output: false,
        file: Some("given.env".into()),
        random: "00".repeat(16),
        decodes_percents: true,
    }
}

fn pair(name: &str, value: &str) -> Pair {
    Pair { name: name.to_owned(), value: Secret::new(value.to_owned()) }
}

/// Hands over each value with another behind it, and reads them back.
fn every_value_is_read_back(
    vendor: &Vendor,
    setting: &Setting,
    read: impl Fn(Vec<Step>) -> Runner,
    may_refuse: impl Fn(&str) -> bool,
) {
    for value in values(count()) {
        let pairs = [pair("FIRST", &value), pair("SECOND", "another-value")];
        let steps = match (vendor.steps)(&pairs, setting) {
            Ok(steps) => steps,
            Err(refusal) => {
                assert!(may_refuse(&value), "{value:?} is refused: {}", refusal.message);
                continue;
            }
        };
        let runner = read(steps);
        let wanted = [("FIRST", &*value), ("SECOND", "another-value")];
        let wanted: BTreeMap<String, String> =
            wanted.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(runner.variables, wanted, "{value:?}");
        if vendor.unmasked.is_none() {
            assert_eq!(runner.log, [""; 0], "{value:?}");
        }
    }
}

fn has_control(value: &str) -> bool {
    value.contains(char::is_control)
}

fn has_nul(value: &str) -> bool {
    value.contains('\0')
}

/// What is said on stdout and stderr, and what is added to files, in the order in which a runner comes to it: the files at the end of
/// the step.
fn said_and_written(steps: Vec<Step>, file: &str) -> (String, String) {
    let (mut said, mut written) = (String::new(), String::new());
    for step in steps {
        match step {
            Step::Say(text) | Step::Mask(text) => said.push_str(&text),
            Step::Append(Place::Named(name), text) => {
                assert_eq!(name, file);
                written.push_str(&text);
            }
            Step::Append(Place::Given(path), text) => {
                assert_eq!((path.to_str(), file), (Some("given.env"), "given.env"));
                written.push_str(&text);
            }
            Step::Tell { program, .. } => panic!("{program} is not there"),
        }
    }
    (said, written)
}
