//! Lines for a file of variables, as `.env` is.
//!
//! There is no standard for these files: what quotes, `#`, `$` and backslashes mean is another matter in each program that
//! reads them. So a value is written in the first of three ways that all of them read the same, and refused where there
//! is none: bare, between single quotes, between double quotes.

use tokctl_client::proto::{Failure, Kind};
use zeroize::Zeroizing;

use super::room;
use crate::variable::Variable;

/// All lines, or why one cannot be written.
pub(super) fn lines(variables: &[Variable]) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(room(variables)));
    for Variable { name, value } in variables {
        let Some(value) = value else { continue };
        let Some(quote) = quotes(value.expose()) else {
            let message = format!(
                "the value of {name} has characters that programs read differently in such a file"
            );
            let hint = "use `--json`, or the statements of a shell";
            return Err(Failure::new(Kind::Usage, message).hint(hint));
        };
        text.extend([name, "=", quote, value.expose(), quote, "\n"]);
    }
    Ok(text)
}

/// What to put around a value; `None` where nothing makes it safe.
pub(super) fn quotes(value: &str) -> Option<&'static str> {
    let is_plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'+' | b'=' | b':' | b'@' | b',' | b'%')
    };
    let has = |characters: &[char]| value.contains(characters);
    match value {
        "" => Some(""),
        // Zsh takes `=ls` for the place of a program, also behind a colon.
        _ if value.bytes().all(is_plain) && !value.starts_with('=') && !value.contains(":=") => {
            Some("")
        }
        _ if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) => None,
        // A backslash before the closing quote takes it away in some.
        _ if !has(&['\'', '\\']) => Some("'"),
        _ if !has(&['"', '\\', '$', '`']) => Some("\""),
        _ => None,
    }
}
