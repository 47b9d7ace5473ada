//! Travis CI: the commands of a job are one shell, which can read a file.

use super::{Vendor, is_true, sourced};

pub(super) const VENDOR: Vendor = Vendor {
    name: "travis",
    title: "Travis CI",
    is_here: |variable| is_true(variable, "TRAVIS"),
    unmasked: Some("only encrypted variables are masked"),
    since: "the commands after this one that read the file: `. FILE`",
    since_output: None,
    steps: sourced::steps,
};
