//! Buildkite: its agent's own program is told, on stdin, since everybody can read the arguments of a process.

use serde::ser::{SerializeMap, Serializer};
use zeroize::Zeroizing;

use super::step::{Step, Text, text};
use super::{Pair, Refusal, Setting, Vendor, is_set, one_line};

pub(super) const VENDOR: Vendor = Vendor {
    name: "buildkite",
    title: "Buildkite",
    is_here: |variable| is_set(variable, "BUILDKITE"),
    unmasked: None,
    since: "the phases of this job after this one, such as its command where this is a hook; a step of its own is \
            another job",
    since_output: None,
    steps,
};

const PROGRAM: &str = "buildkite-agent";

/// The program reads one line of JSON, and no longer one.
const LINE_BYTES_MAX: usize = 64 * 1024 - 1;

fn steps(pairs: &[Pair], _setting: &Setting) -> Result<Vec<Step>, Refusal> {
    for pair in pairs {
        one_line(pair)?;
    }
    // What is empty would be found everywhere.
    let masks = line(pairs, pairs.iter().filter(|pair| !pair.value.is_empty()))?;
    let variables = line(pairs, pairs.iter())?;
    let tell = |arguments, stdin| Step::Tell { program: PROGRAM, arguments, stdin };
    Ok(vec![
        tell(&["redactor", "add", "--format", "json"], masks),
        tell(&["env", "set", "--input-format=json", "--output-format=quiet", "-"], variables),
    ])
}

fn line<'a>(all: &[Pair], pairs: impl Iterator<Item = &'a Pair>) -> Result<Text, Refusal> {
    let mut line = text(all);
    let mut bytes = Zeroizing::new(std::mem::take(&mut *line).into_bytes());
    let written = write(pairs, &mut bytes);
    bytes.push(b'\n');
    let text = String::from_utf8(std::mem::take(&mut *bytes));
    match (written, text) {
        (Ok(()), Ok(line)) if line.len() <= LINE_BYTES_MAX => Ok(Text::new(line)),
        _ => Err(Refusal::new("together the values are longer than 64 KiB")),
    }
}

/// A flat object of texts.
fn write<'a>(
    pairs: impl Iterator<Item = &'a Pair>,
    to: &mut Vec<u8>,
) -> Result<(), serde_json::Error> {
    let mut serializer = serde_json::Serializer::new(to);
    let mut object = serializer.serialize_map(None)?;
    for Pair { name, value } in pairs {
        object.serialize_entry(name, value.expose())?;
    }
    object.end()
}
