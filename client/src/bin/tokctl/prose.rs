//! Text for people: broken into lines that fit their screen.

use std::io;

/// Narrower screens get lines that run over rather than one word below the other.
const COLUMNS_MIN: usize = 30;
/// Longer lines are hard to read, however wide the screen is.
const COLUMNS_MAX: usize = 100;

/// How long a line of talk on stderr may be.
pub(crate) fn columns() -> usize {
    let columns = match terminal_size::terminal_size_of(io::stderr()) {
        Some((columns, _)) => columns.0.into(),
        None => 80,
    };
    columns.clamp(COLUMNS_MIN, COLUMNS_MAX)
}

/// Breaks a line between words. What follows stands below the text of a list's item, and a word that is longer than a
/// line, as an address may be, stays whole: it is copied.
pub(crate) fn wrapped(line: &str, columns: usize) -> Vec<String> {
    let (mut mark, text) = match line.strip_prefix("- ") {
        Some(text) => ("- ", text),
        None => ("", line),
    };
    let indent = " ".repeat(mark.len());
    let mut rows: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match rows.last_mut() {
            Some(row) if row.chars().count() + 1 + word.chars().count() <= columns => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(format!("{mark}{word}")),
        }
        mark = &indent;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_an_address_is_not() {
        for (line, columns, rows) in [
            ("", 10, &[""][..]),
            ("one two", 7, &["one two"]),
            ("one two", 6, &["one", "two"]),
            ("- one two three", 9, &["- one two", "  three"]),
            ("- https://a.example/b c", 8, &["- https://a.example/b", "  c"]),
            ("https://a.example/b", 8, &["https://a.example/b"]),
        ] {
            assert_eq!(wrapped(line, columns), rows, "{line} {columns}");
        }
    }
}
