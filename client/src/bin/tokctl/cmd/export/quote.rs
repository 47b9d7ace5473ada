//! A text as one word of a shell's, whatever is in it.
//!
//! Each function is for every text but one with a NUL, which no environment can hold and no token has. Inside of their
//! quotes these shells take everything for what it is, line ends too, but for the few characters that are named here.

/// POSIX 2.2.2: between single quotes nothing is special, and a single quote cannot be there. Never are three of them in a row,
/// so that zsh reads the same with RC_QUOTES.
pub(super) fn posix(text: &str, to: &mut String) {
    to.push('\'');
    for character in text.chars() {
        match character {
            '\'' => to.push_str(r"'\''"),
            other => to.push(other),
        }
    }
    to.push('\'');
}

/// Between fish's single quotes a backslash takes away the meaning of a quote and of a backslash.
pub(super) fn fish(text: &str, to: &mut String) {
    to.push('\'');
    for character in text.chars() {
        if matches!(character, '\'' | '\\') {
            to.push('\\');
        }
        to.push(character);
    }
    to.push('\'');
}

/// Nu's double quotes: a backslash escapes, and `$` means nothing without one before the quotes.
pub(super) fn nu(text: &str, to: &mut String) {
    to.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => to.extend(['\\', character]),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            other => to.push(other),
        }
    }
    to.push('"');
}

/// PowerShell's single quotes: a quote is written twice, and it takes four further characters for single quotes.
pub(super) fn powershell(text: &str, to: &mut String) {
    to.push('\'');
    for character in text.chars() {
        if matches!(character, '\'' | '\u{2018}'..='\u{201b}') {
            to.push(character);
        }
        to.push(character);
    }
    to.push('\'');
}
