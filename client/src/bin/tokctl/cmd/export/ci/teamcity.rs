//! TeamCity: a service message on stdout, which may reach the log.

use super::step::{Step, text};
use super::{Pair, Refusal, Setting, Vendor, is_set};

pub(super) const VENDOR: Vendor = Vendor {
    name: "teamcity",
    title: "TeamCity",
    is_here: |variable| is_set(variable, "TEAMCITY_VERSION"),
    unmasked: Some("only parameters of type password that are set before the build are masked"),
    since: "the build steps after this one",
    since_output: None,
    steps,
};

fn steps(pairs: &[Pair], _setting: &Setting) -> Result<Vec<Step>, Refusal> {
    let mut messages = text(pairs);
    for Pair { name, value } in pairs {
        if value.expose().contains('\0') {
            return Err(Refusal::new(format!("the value of {name} has a NUL in it")));
        }
        messages.extend(["##teamcity[setParameter name='env.", name, "' value='"]);
        escape(value.expose(), &mut messages);
        messages.push_str("']\n");
    }
    Ok(vec![Step::Say(messages)])
}

fn escape(value: &str, to: &mut String) {
    for character in value.chars() {
        match character {
            '|' | '\'' | '[' | ']' => to.extend(['|', character]),
            '\n' => to.push_str("|n"),
            '\r' => to.push_str("|r"),
            ' '..='~' => to.push(character),
            // Units of UTF-16, four digits each.
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    to.push_str(&format!("|0x{unit:04x}"));
                }
            }
        }
    }
}
