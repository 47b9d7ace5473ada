//! A command line as a person types it, taken apart as a shell would, and without one.
//!
//! What a shell would do beyond quotes does not happen here, and is refused rather than handed to the program as
//! if it were meant for it.

/// What means something to a shell and nothing to a program.
const OF_SHELLS: &[char] = &['|', '&', ';', '<', '>', '(', ')', '$', '`'];

/// The words of a line.
pub(super) fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    // `None` between words: `''` is a word too.
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => loop {
                let word = word.get_or_insert_default();
                match characters.next() {
                    Some('\'') => break,
                    Some(inside) => word.push(inside),
                    None => return Err(unbalanced('\'')),
                }
            },
            '"' => in_double_quotes(&mut characters, word.get_or_insert_default())?,
            '\\' => match characters.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("there is nothing behind the last `\\`".to_owned()),
            },
            _ if OF_SHELLS.contains(&character) => {
                return Err(format!(
                    "no shell runs this, so quote `{character}`, or write `sh -c '\u{2026}'`"
                ));
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    match words.iter().any(String::is_empty) {
        true => Err("a word of it is empty".to_owned()),
        false if words.is_empty() => Err("it cannot be empty".to_owned()),
        false => Ok(words),
    }
}

fn in_double_quotes(
    characters: &mut impl Iterator<Item = char>,
    word: &mut String,
) -> Result<(), String> {
    loop {
        match characters.next() {
            Some('"') => return Ok(()),
            Some('\\') => match characters.next() {
                Some(escaped @ ('"' | '\\' | '$' | '`')) => word.push(escaped),
                Some(other) => word.extend(['\\', other]),
                None => return Err(unbalanced('"')),
            },
            Some(inside) => word.push(inside),
            None => return Err(unbalanced('"')),
        }
    }
}

fn unbalanced(quote: char) -> String {
    format!("a `{quote}` is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        for (line, expected) in [
            ("gcloud auth print-access-token", &["gcloud", "auth", "print-access-token"][..]),
            ("  a \t b  ", &["a", "b"]),
            ("a 'b c' d", &["a", "b c", "d"]),
            ("a \"b c\" d", &["a", "b c", "d"]),
            ("a'b'\"c\"d", &["abcd"]),
            ("sh -c 'echo $T | head -1'", &["sh", "-c", "echo $T | head -1"]),
            ("a \"say \\\"hi\\\" \\n\"", &["a", "say \"hi\" \\n"]),
            ("a b\\ c \\'", &["a", "b c", "'"]),
            ("a 'it\\'", &["a", "it\\"]),
            ("curl https://a.example/?b=c", &["curl", "https://a.example/?b=c"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_no_program_could_have_meant_is_refused() {
        for (line, said) in [
            ("", "empty"),
            ("   ", "empty"),
            ("a ''", "empty"),
            ("a 'b", "`'` is not closed"),
            ("a \"b", "`\"` is not closed"),
            ("a \"b\\", "`\"` is not closed"),
            ("a \\", "nothing behind"),
            ("pass show x | head -1", "quote `|`"),
            ("echo $TOKEN", "quote `$`"),
            ("a `b`", "no shell"),
        ] {
            let why = words(line).unwrap_err();
            assert!(why.contains(said), "{line}: {why}");
        }
    }
}
