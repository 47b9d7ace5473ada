//! Woodpecker: each step is a container of its own, and the workspace is what they share.

use super::{Vendor, sourced};

pub(super) const VENDOR: Vendor = Vendor {
    name: "woodpecker",
    title: "Woodpecker",
    is_here: |variable| {
        ["CI", "CI_SYSTEM_NAME"]
            .iter()
            .any(|name| variable(name).is_some_and(|value| value == "woodpecker"))
    },
    unmasked: Some("only secrets of its settings are masked"),
    since: "the steps after this one that read the file: `. FILE`",
    since_output: None,
    steps: sourced::steps,
};
