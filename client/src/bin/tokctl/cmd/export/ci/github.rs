//! GitHub Actions: `::add-mask::` on a line of its own, on stderr, and the file that GITHUB_ENV or GITHUB_OUTPUT names.
//!
//! In the file a value stands between two lines that are the same and cannot be foreseen (CVE-2022-35954): with `NAME=value`
//! a value could not go on over lines, and with a fixed line it could end itself and set further variables. Nothing is
//! ever said with `::set-env::` (CVE-2020-15228).

use super::step::{Place, Step, text};
use super::{Pair, Refusal, Setting, Vendor, is_true};

pub(super) const VENDOR: Vendor = Vendor {
    name: "github",
    title: "GitHub Actions",
    is_here: |variable| is_true(variable, "GITHUB_ACTIONS"),
    unmasked: None,
    since: "the steps of this job after this one",
    since_output: Some(
        "the steps of this job after this one, as `${{ steps.ID.outputs.NAME }}`; outputs of the job lose what is \
         masked, so another job asks for its own token",
    ),
    steps: |pairs, setting| steps(pairs, setting, &mask),
};

/// The steps of all runners that read as GitHub's does.
pub(super) fn steps(
    pairs: &[Pair],
    setting: &Setting,
    mask: &dyn Fn(&str, &mut String),
) -> Result<Vec<Step>, Refusal> {
    let (mut masks, mut lines) = (text(pairs), text(pairs));
    let delimiter = format!("ghadelimiter_{}", setting.random);
    for Pair { name, value } in pairs {
        let value = value.expose();
        if value.contains('\0') {
            return Err(Refusal::new(format!("the value of {name} has a NUL in it")));
        }
        if !value.is_empty() && value.trim().is_empty() {
            return Err(Refusal::new(format!("the value of {name} is nothing but blanks")));
        }
        if name.contains(&delimiter) || value.contains(&delimiter) {
            return Err(Refusal::new(format!("the value of {name} has its own delimiter in it")));
        }
        mask(value, &mut masks);
        lines.extend([name, "<<", &delimiter, "\n"]);
        if !value.is_empty() {
            lines.extend([value, "\n"]);
        }
        lines.extend([&delimiter, "\n"]);
    }
    let file = if setting.step_output { "GITHUB_OUTPUT" } else { "GITHUB_ENV" };
    Ok(vec![Step::Mask(masks), Step::Append(Place::Named(file), lines)])
}

/// Appends the line that has a value masked from here on. There is none for nothing.
pub(super) fn mask(value: &str, to: &mut String) {
    if value.is_empty() {
        return;
    }
    to.push_str("::add-mask::");
    for character in value.chars() {
        match character {
            '%' => to.push_str("%25"),
            '\r' => to.push_str("%0D"),
            '\n' => to.push_str("%0A"),
            other => to.push(other),
        }
    }
    to.push('\n');
}
