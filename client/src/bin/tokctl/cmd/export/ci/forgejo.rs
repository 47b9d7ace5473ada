//! Forgejo and Gitea Actions, whose runners read as GitHub's does, with differences: what hides values in the log takes a
//! mask as it stands, without taking escapes back, a value is one line, and a line of the file is at most 64 KiB.

use super::step::Step;
use super::{Pair, Refusal, Setting, Vendor, github, is_true, one_line};

pub(super) const VENDOR: Vendor = Vendor {
    name: "forgejo",
    title: "Forgejo and Gitea Actions",
    is_here: |variable| is_true(variable, "FORGEJO_ACTIONS") || is_true(variable, "GITEA_ACTIONS"),
    unmasked: None,
    since: github::VENDOR.since,
    since_output: Some("the steps of this job after this one, as `${{ steps.ID.outputs.NAME }}`"),
    steps,
};

/// What their runners' reader of lines takes at most.
const LINE_BYTES_MAX: usize = 64 * 1024 - 1;

fn steps(pairs: &[Pair], setting: &Setting) -> Result<Vec<Step>, Refusal> {
    for pair in pairs {
        if one_line(pair)?.len() > LINE_BYTES_MAX {
            return Err(Refusal::new(format!("the value of {} is longer than 64 KiB", pair.name)));
        }
    }
    github::steps(pairs, setting, &mask)
}

/// Appends the line for the log as it stands, and the one with escapes for what reads as GitHub's runner does. In that order:
/// the first hides the second.
pub(super) fn mask(value: &str, to: &mut String) {
    if value.is_empty() || value.contains(['\r', '\n']) {
        return github::mask(value, to);
    }
    to.extend(["::add-mask::", value, "\n"]);
    if value.contains('%') {
        github::mask(value, to);
    }
}
