//! Text from elsewhere, made safe to show on a terminal and in a log.

/// Longest text from a provider that is shown, in characters.
pub const SHOWN_CHARS_MAX: usize = 300;

/// Writes control, bidirectional and zero-width characters as `\u{..}` and cuts at 300 characters, so that
/// a provider can neither move the cursor nor reorder what is read (CWE-150).
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(SHOWN_CHARS_MAX));
    for (count, character) in text.chars().enumerate() {
        if count == SHOWN_CHARS_MAX {
            out.push('…');
            break;
        }
        if is_hidden(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// Whether a character does something to a terminal or to what is read, and is not seen itself.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor_or_turns_the_text() {
        for (raw, safe) in [
            ("plain ä €", "plain ä €"),
            ("\x1b]52;c;x\x07", "\\u{1b}]52;c;x\\u{7}"),
            ("a\r\nb", "a\\u{d}\\u{a}b"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\u{202e}b\u{200b}c", "a\\u{202e}b\\u{200b}c"),
        ] {
            assert_eq!(shown(raw), safe);
        }
    }

    #[test]
    fn long_text_is_cut() {
        for (length, cut) in [(299, false), (300, false), (301, true)] {
            assert_eq!(shown(&"x".repeat(length)).ends_with('…'), cut, "{length}");
        }
    }
}
