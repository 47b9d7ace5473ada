//! Bitbucket Pipelines: a file of variables that the step hands on if its settings name them.

use super::step::{Place, Step, text};
use super::{Pair, Refusal, Setting, Vendor, is_set, one_line};

pub(super) const VENDOR: Vendor = Vendor {
    name: "bitbucket",
    title: "Bitbucket Pipelines",
    is_here: |variable| is_set(variable, "BITBUCKET_BUILD_NUMBER"),
    unmasked: Some("only secured variables of its settings are masked"),
    since: "the steps after this one, if this one names it in its `output-variables`",
    since_output: None,
    steps,
};

/// One line each, without quotes.
fn steps(pairs: &[Pair], _setting: &Setting) -> Result<Vec<Step>, Refusal> {
    let mut lines = text(pairs);
    for pair in pairs {
        lines.extend([&pair.name, "=", one_line(pair)?, "\n"]);
    }
    Ok(vec![Step::Append(Place::Named("BITBUCKET_PIPELINES_VARIABLES_PATH"), lines)])
}
