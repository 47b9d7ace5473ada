//! CircleCI: the file that BASH_ENV names is executed before each step.

use super::sourced::statements;
use super::step::{Place, Step};
use super::{Vendor, is_true};

pub(super) const VENDOR: Vendor = Vendor {
    name: "circleci",
    title: "CircleCI",
    is_here: |variable| is_true(variable, "CIRCLECI"),
    unmasked: Some("only values of the project's settings and of contexts are masked"),
    since: "the steps of this job after this one, and for this one after `. \"$BASH_ENV\"`",
    since_output: None,
    steps: |pairs, _| Ok(vec![Step::Append(Place::Named("BASH_ENV"), statements(pairs)?)]),
};
