//! TeamCity: its service messages, as "Service Messages" of its documentation has them.

use super::*;

/// A value of a message, and what stands behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let mut units: Vec<u16> = Vec::new();
    let mut characters = text.strip_prefix('\'')?.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' => return Some((String::from_utf16(&units).ok()?, &text[at + 2..])),
            '[' | ']' | '\n' | '\r' => return None,
            '|' => match characters.next()?.1 {
                'n' => units.push(u16::from(b'\n')),
                'r' => units.push(u16::from(b'\r')),
                '0' => {
                    assert_eq!(characters.next()?.1, 'x');
                    let digits: String =
                        (0..4).filter_map(|_| characters.next()).map(|it| it.1).collect();
                    units.push(u16::from_str_radix(&digits, 16).ok()?);
                }
                escaped @ ('|' | '\'' | '[' | ']') => {
                    units.extend_from_slice(escaped.encode_utf16(&mut [0; 2]));
                }
                _ => return None,
            },
            other => units.extend_from_slice(other.encode_utf16(&mut [0; 2])),
        }
    }
    None
}

fn read(steps: Vec<Step>) -> Runner {
    let (said, _) = said_and_written(steps, "");
    let mut runner = Runner::default();
    for line in said.split_terminator('\n') {
        let rest = line.strip_prefix("##teamcity[setParameter name=").unwrap();
        let (name, rest) = value(rest).unwrap_or_else(|| panic!("{line:?}"));
        let (value, rest) = value(rest.strip_prefix(" value=").unwrap()).unwrap();
        assert_eq!(rest, "]");
        runner.set(name.strip_prefix("env.").unwrap(), &value);
    }
    runner
}

#[test]
fn teamcity_reads_back_every_value() {
    every_value_is_read_back(&super::super::teamcity::VENDOR, &setting(), read, has_nul);
}
