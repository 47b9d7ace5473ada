//! What a text file has beside its text, and toml_edit drops: a byte order mark and the line ends of
//! Windows. An edit works on the text without them and gives them back.

use std::borrow::Cow;

const BOM: char = '\u{feff}';

/// How a file's text was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineEnds {
    bom: bool,
    /// More lines end in CR LF than in LF alone; a file of both becomes a file of one.
    crlf: bool,
}

impl LineEnds {
    pub(super) fn of(text: &str) -> Self {
        let windows = text.matches("\r\n").count();
        let all = text.matches('\n').count();
        Self { bom: text.starts_with(BOM), crlf: windows > all - windows }
    }

    /// The text without them.
    pub(super) fn strip(text: &str) -> Cow<'_, str> {
        let text = text.strip_prefix(BOM).unwrap_or(text);
        match text.contains("\r\n") {
            true => text.replace("\r\n", "\n").into(),
            false => text.into(),
        }
    }

    /// A text without them, written down like the file.
    pub(super) fn restore(self, text: &str) -> String {
        let bom = if self.bom { "\u{feff}" } else { "" };
        match self.crlf {
            true => format!("{bom}{}", text.replace('\n', "\r\n")),
            false => format!("{bom}{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stripped_is_restored() {
        for text in ["", "a", "a\nb\n", "a\r\nb\r\n", "\u{feff}a\r\n", "\u{feff}", "a\rb\r\n"] {
            let plain = LineEnds::strip(text);
            assert!(!plain.contains("\r\n") && !plain.contains(BOM), "{text:?}");
            assert_eq!(LineEnds::of(text).restore(&plain), text, "{text:?}");
        }
    }

    #[test]
    fn most_lines_decide() {
        for (text, restored) in [
            ("a\r\nb\r\nc\n", "a\r\nb\r\nc\r\n"),
            ("a\r\nb\nc\n", "a\nb\nc\n"),
            ("a\r\nb\n", "a\nb\n"),
        ] {
            assert_eq!(LineEnds::of(text).restore(&LineEnds::strip(text)), restored, "{text:?}");
        }
    }
}
