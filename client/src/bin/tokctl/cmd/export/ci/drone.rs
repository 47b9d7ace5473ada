//! Drone: each step is a container of its own, and the workspace is what they share.

use super::{Vendor, is_true, sourced};

pub(super) const VENDOR: Vendor = Vendor {
    name: "drone",
    title: "Drone",
    is_here: |variable| is_true(variable, "DRONE"),
    unmasked: Some("only secrets of its settings are masked"),
    since: "the steps after this one that read the file: `. FILE`",
    since_output: None,
    steps: sourced::steps,
};
