//! Files of `[sections]` with lines of `key = value`, edited as text: AWS's configuration, and as much of TOML as cargo's
//! needs. A file of another shape is left to its owner.

use std::borrow::Cow;

/// The name in a line that begins a section, behind which a remark may follow.
pub(super) fn heading(line: &str) -> Option<&str> {
    let (name, rest) = line.trim().strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim_start();
    (rest.is_empty() || rest.starts_with(['#', ';'])).then(|| name.trim())
}

/// The value in a line of that key.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (name, value) = line.split_once('=')?;
    (name.trim() == key).then(|| value.trim())
}

/// Every section that has the key, with the value.
pub(super) fn find<'a>(text: &'a str, key: &str) -> Vec<(&'a str, &'a str)> {
    let mut section = "";
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(name) = heading(line) {
            section = name;
        } else if let Some(value) = value(line, key) {
            found.push((section, value));
        }
    }
    found
}

/// Sets a key of a section, which is made where there is none.
pub(super) fn set(text: &str, section: &str, key: &str, to: &str) -> String {
    let line = format!("{key} = {to}\n");
    let mut out = String::with_capacity(text.len() + line.len() + section.len() + 4);
    let (mut is_in, mut is_set) = (false, false);
    let ended = match text.is_empty() || text.ends_with('\n') {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("{text}\n")),
    };
    for old in ended.split_inclusive('\n') {
        if let Some(name) = heading(old) {
            is_in = name == section;
        }
        let is_old_one = is_in && value(old, key).is_some();
        if is_old_one && !is_set {
            out.push_str(&line);
            is_set = true;
        }
        if !is_old_one {
            out.push_str(old);
        }
    }
    match (is_set, heading_end(&out, section)) {
        (true, _) => out,
        (false, Some(end)) => {
            out.insert_str(end, &line);
            out
        }
        (false, None) => {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&format!("[{section}]\n{line}"));
            out
        }
    }
}

/// Where the heading of a section ends.
fn heading_end(text: &str, section: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if heading(line) == Some(section) && line.ends_with('\n') {
            return Some(at);
        }
    }
    None
}

/// Removes a key from a section, and the section where nothing but that was in it.
pub(super) fn remove(text: &str, section: &str, key: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_in = false;
    // Where the section began in `out`, as long as it is empty.
    let mut empty_since = None;
    let mut removed = false;
    let end = |out: &mut String, empty_since: &mut Option<usize>, removed: &mut bool| {
        if let (Some(at), true) = (empty_since.take(), std::mem::take(removed)) {
            out.truncate(at);
            // With the empty line that set it apart.
            if out.ends_with("\n\n") {
                out.pop();
            }
        }
    };
    for line in text.split_inclusive('\n') {
        if let Some(name) = heading(line) {
            end(&mut out, &mut empty_since, &mut removed);
            is_in = name == section;
            empty_since = is_in.then_some(out.len());
        } else if is_in && value(line, key).is_some() {
            removed = true;
            continue;
        } else if !line.trim().is_empty() {
            empty_since = None;
        }
        out.push_str(line);
    }
    end(&mut out, &mut empty_since, &mut removed);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_set_where_it_belongs() {
        for (text, expected) in [
            ("", "[a]\nk = v\n"),
            ("x = 1\n", "x = 1\n\n[a]\nk = v\n"),
            ("x = 1", "x = 1\n\n[a]\nk = v\n"),
            ("[a]\nx = 1\n[b]\nk = w\n", "[a]\nk = v\nx = 1\n[b]\nk = w\n"),
            ("[ a ] # ours\nx = 1\n", "[ a ] # ours\nk = v\nx = 1\n"),
            ("[a]", "[a]\nk = v\n"),
            ("[a]#ours\n", "[a]#ours\nk = v\n"),
            ("[a]\nk=old\n# k = remark\n", "[a]\nk = v\n# k = remark\n"),
            ("[b]\nk = w\n", "[b]\nk = w\n\n[a]\nk = v\n"),
        ] {
            let after = set(text, "a", "k", "v");
            assert_eq!(after, expected, "{text:?}");
            assert_eq!(set(&after, "a", "k", "v"), after, "{text:?}");
        }
    }

    #[test]
    fn a_key_is_removed_with_the_section_that_was_made_for_it() {
        for (text, expected) in [
            ("[a]\nk = v\n", ""),
            ("x = 1\n\n[a]\nk = v\n", "x = 1\n"),
            ("[a]\nk = v\nx = 1\n", "[a]\nx = 1\n"),
            ("[b]\nk = w\n\n[a]\nk = v\n\n[c]\n", "[b]\nk = w\n[c]\n"),
            ("[a]\n", "[a]\n"),
            ("[b]\nk = v\n", "[b]\nk = v\n"),
        ] {
            assert_eq!(remove(text, "a", "k"), expected, "{text:?}");
        }
    }

    #[test]
    fn keys_are_found_with_their_sections() {
        let text = "k = 0\n[a]\nk = 1\n[ profile b ]\nx = 1\nk=2\n";
        assert_eq!(find(text, "k"), [("", "0"), ("a", "1"), ("profile b", "2")]);
    }
}
