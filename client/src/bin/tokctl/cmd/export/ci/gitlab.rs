//! GitLab: a dotenv report, which whoever sees the pipeline can download.

use super::sourced::given;
use super::step::{Place, Step, text};
use super::{Pair, Refusal, Setting, Vendor, is_set, one_line};

pub(super) const VENDOR: Vendor = Vendor {
    name: "gitlab",
    title: "GitLab",
    is_here: |variable| is_set(variable, "GITLAB_CI"),
    unmasked: Some(
        "only variables of the project's settings are masked, and a dotenv report can be read by whoever sees the pipeline",
    ),
    since: "the jobs after this one, if this one has the file as its `artifacts: reports: dotenv`",
    since_output: None,
    steps,
};

/// GitLab's own limits of a report, unless an administrator has set others.
const REPORT_BYTES_MAX: usize = 5 * 1024;
const KEY_BYTES_MAX: usize = 255;

/// One line each: there are no quotes, no comments and no second line, and blanks around a value are taken off.
fn steps(pairs: &[Pair], setting: &Setting) -> Result<Vec<Step>, Refusal> {
    let place = Place::Given(given(setting)?);
    let mut lines = text(pairs);
    for pair in pairs {
        let (name, value) = (&pair.name, one_line(pair)?);
        if name.len() > KEY_BYTES_MAX {
            return Err(Refusal::new(format!("{name} is longer than {KEY_BYTES_MAX} characters")));
        }
        if value.trim() != value {
            return Err(Refusal::new(format!("the value of {name} begins or ends with a blank")));
        }
        lines.extend([name, "=", value, "\n"]);
    }
    match lines.len() <= REPORT_BYTES_MAX {
        true => Ok(vec![Step::Append(place, lines)]),
        false => Err(Refusal::new("together the values are longer than the 5 KiB of a report")),
    }
}
