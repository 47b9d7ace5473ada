//! A JSON object edited as text: one member is set or taken out, and every other byte stays.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

/// A member of an object: its name, and where it is in the text.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    /// From the quote of the name to the end of the value.
    start: usize,
    pub(super) value: std::ops::Range<usize>,
}

/// The members of the object that begins at an offset; `None` where there is no such object.
pub(super) fn members(text: &str, at: usize) -> Option<Vec<Member>> {
    let mut at = skip(text, skip_one(text, at, b'{')?);
    let mut found = Vec::new();
    if text.as_bytes().get(at) == Some(&b'}') {
        return Some(found);
    }
    loop {
        let start = skip(text, at);
        let (name, end) = one::<String>(text, start)?;
        let value = skip(text, skip_one(text, end, b':')?);
        let (_, end) = one::<IgnoredAny>(text, value)?;
        found.push(Member { name, start, value: value..end });
        at = skip(text, end);
        match text.as_bytes().get(at)? {
            b',' => at += 1,
            b'}' => return Some(found),
            _ => return None,
        }
    }
}

/// The value of one type at an offset, and where it ends.
fn one<'a, T: serde::Deserialize<'a>>(text: &'a str, at: usize) -> Option<(T, usize)> {
    let mut stream = Deserializer::from_str(text.get(at..)?).into_iter();
    let value = stream.next()?.ok()?;
    Some((value, at + stream.byte_offset()))
}

fn skip(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

fn skip_one(text: &str, at: usize, byte: u8) -> Option<usize> {
    let at = skip(text, at);
    (text.as_bytes().get(at) == Some(&byte)).then_some(at + 1)
}

/// Sets a member of the object at an offset; a new one goes last, indented as its neighbours are or by `indent`.
pub(super) fn set(text: &str, at: usize, name: &str, value: &str, indent: &str) -> Option<String> {
    let members = members(text, at)?;
    let mut out = text.to_owned();
    if let Some(member) = members.iter().find(|member| member.name == name) {
        out.replace_range(member.value.clone(), value);
        return Some(out);
    }
    let name = serde_json::to_string(name).ok()?;
    match members.last() {
        Some(last) => {
            // What is before the last member is before the new one too.
            let before = text[..last.start].trim_end_matches([' ', '\t', '\n', '\r']).len();
            let between = &text[before..last.start];
            out.insert_str(last.value.end, &format!(",{between}{name}: {value}"));
        }
        None => {
            let open = skip_one(text, at, b'{')?;
            let close = skip(text, open);
            let outer = indent.strip_suffix('\t').unwrap_or_default();
            out.replace_range(open..close, &format!("\n{indent}{name}: {value}\n{outer}"));
        }
    }
    Some(out)
}

/// Takes a member out of the object at an offset.
pub(super) fn remove(text: &str, at: usize, name: &str) -> Option<String> {
    let members = members(text, at)?;
    let mut out = text.to_owned();
    let Some(index) = members.iter().position(|member| member.name == name) else {
        return Some(out);
    };
    let member = &members[index];
    let range = match (index.checked_sub(1).map(|before| &members[before]), members.get(index + 1))
    {
        (_, Some(next)) => member.start..next.start,
        (Some(before), None) => before.value.end..member.value.end,
        (None, None) => {
            let open = skip_one(text, at, b'{')?;
            open..skip(text, member.value.end)
        }
    };
    out.replace_range(range, "");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_set_and_the_rest_stays() {
        for (text, expected) in [
            ("{}", "{\n\t\"n\": 1\n}"),
            ("{ }\n", "{\n\t\"n\": 1\n}\n"),
            ("{\"a\":{\"n\":2}}", "{\"a\":{\"n\":2},\"n\": 1}"),
            (
                "{\n  \"b\": true,\n  \"a\": 1e2\n}\n",
                "{\n  \"b\": true,\n  \"a\": 1e2,\n  \"n\": 1\n}\n",
            ),
            ("{\"n\": [2], \"a\": 3}", "{\"n\": 1, \"a\": 3}"),
            ("{\"\\u006e\":2}", "{\"\\u006e\":1}"),
        ] {
            let after = set(text, 0, "n", "1", "\t").unwrap();
            assert_eq!(after, expected, "{text:?}");
            assert!(serde_json::from_str::<serde_json::Value>(&after).is_ok(), "{after:?}");
        }
    }

    #[test]
    fn a_member_is_taken_out_and_the_rest_stays() {
        for (text, expected) in [
            ("{\n\t\"n\": 1\n}", "{}"),
            ("{\"a\":2, \"n\":1}", "{\"a\":2}"),
            ("{\"n\":1, \"a\":2}", "{\"a\":2}"),
            ("{\n  \"a\": 2,\n  \"n\": 1,\n  \"b\": 3\n}", "{\n  \"a\": 2,\n  \"b\": 3\n}"),
            ("{\"a\":2}", "{\"a\":2}"),
        ] {
            assert_eq!(remove(text, 0, "n").as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_object_is_left_alone() {
        for text in ["", "[]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1 \"b\":2}", "{a:1}"] {
            assert!(set(text, 0, "n", "1", "\t").is_none(), "{text:?}");
            assert!(remove(text, 0, "n").is_none(), "{text:?}");
        }
    }
}
