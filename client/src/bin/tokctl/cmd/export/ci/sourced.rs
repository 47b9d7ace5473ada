//! Runners that hand nothing from one step to the next but the files of the job: statements of a shell, for a step to read
//! with `. FILE`.

use super::step::{Place, Step, Text, text};
use super::{Pair, Refusal, Setting};
use crate::cmd::export::quote;

/// Statements in the file that was given.
pub(super) fn steps(pairs: &[Pair], setting: &Setting) -> Result<Vec<Step>, Refusal> {
    let place = Place::Given(given(setting)?);
    Ok(vec![Step::Append(place, statements(pairs)?)])
}

/// The file that was given, which these runners cannot do without.
pub(super) fn given(setting: &Setting) -> Result<std::path::PathBuf, Refusal> {
    let none = || {
        Refusal::new("this runner has no file for variables").hint("name one with `--file FILE`")
    };
    setting.file.clone().ok_or_else(none)
}

/// `export NAME='value'`, one a line, whatever is in the value.
pub(super) fn statements(pairs: &[Pair]) -> Result<Text, Refusal> {
    let mut lines = text(pairs);
    for Pair { name, value } in pairs {
        if value.expose().contains('\0') {
            return Err(Refusal::new(format!("the value of {name} has a NUL in it")));
        }
        lines.extend(["export ", name, "="]);
        quote::posix(value.expose(), &mut lines);
        lines.push('\n');
    }
    Ok(lines)
}
