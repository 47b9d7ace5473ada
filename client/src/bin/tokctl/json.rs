//! JSON that a terminal can be shown.
//!
//! A provider's own fields are among it, and JSON leaves most of what drives a terminal as it is: C1 controls, DEL,
//! and what turns text round. Here they are escaped, which means the same to whoever parses it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use tokctl_client::proto::escape::is_hidden;

/// Writes one value, without a line feed.
pub(crate) fn write(writer: &mut impl Write, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(writer, Harmless))
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut plain = 0;
        for (at, character) in fragment.char_indices().filter(|(_, it)| is_hidden(*it)) {
            writer.write_all(&fragment.as_bytes()[plain..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + character.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_escaped_and_means_the_same() {
        for (text, written) in [
            ("plain \u{e4} \u{20ac}", "\"plain \u{e4} \u{20ac}\""),
            ("\x1b]52;\x07\n\"", r#""\u001b]52;\u0007\n\"""#),
            ("a\u{9b}2J\x7f", r#""a\u009b2J\u007f""#),
            ("\u{202e}b\u{200b}", r#""\u202eb\u200b""#),
            ("\u{e0001}", r#""\udb40\udc01""#),
            ("", r#""""#),
        ] {
            let mut line = Vec::new();
            write(&mut line, &text).unwrap();
            assert_eq!(String::from_utf8(line.clone()).unwrap(), written);
            assert_eq!(serde_json::from_slice::<String>(&line).unwrap(), text);
        }
    }
}
