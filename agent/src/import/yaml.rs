//! Mappings of YAML as the leaves that they lead to: `github.com`, `users`, `ada`, `oauth_token` and its text.
//!
//! Lists and aliases are read past: the files that are read here have none.

use saphyr_parser::{Event, Parser};
use tokctl_proto::Secret;

use super::ImportError;

/// Deeper than any file that is read here.
const DEPTH_MAX: usize = 16;

/// The keys on the way to a text, and the text.
pub(super) type Leaf = (Vec<String>, Secret);

/// A mapping or a list that is not over.
enum Open {
    /// A mapping, and the key whose value is next.
    Mapping(Option<String>),
    List,
}

/// The leaves of the first document.
pub(super) fn leaves(text: &str, what: &'static str) -> Result<Vec<Leaf>, ImportError> {
    let mut open: Vec<Open> = Vec::new();
    let mut found = Vec::new();
    for event in Parser::new_from_str(text) {
        // The parser's own words may quote the text.
        let (event, _) = event.map_err(|error| {
            let line = error.marker().line();
            ImportError::not_this(what, format!("line {line} is no YAML"))
        })?;
        match event {
            Event::Scalar(text, ..) => match open.last_mut() {
                Some(Open::Mapping(key @ None)) => *key = Some(text.into_owned()),
                Some(Open::Mapping(Some(_))) => {
                    let value = Secret::new(text.into_owned());
                    found.extend(path(&open).map(|path| (path, value)));
                    take_key(&mut open);
                }
                Some(Open::List) | None => {}
            },
            Event::Alias(_) => take_key(&mut open),
            Event::MappingStart(..) => open.push(Open::Mapping(None)),
            Event::SequenceStart(..) => open.push(Open::List),
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                take_key(&mut open);
            }
            Event::DocumentEnd => break,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
        if open.len() > DEPTH_MAX {
            return Err(ImportError::not_this(what, "it is nested too deep"));
        }
    }
    Ok(found)
}

/// The value of the key was there.
fn take_key(open: &mut [Open]) {
    if let Some(Open::Mapping(key)) = open.last_mut() {
        *key = None;
    }
}

/// The keys that lead here; `None` within a list.
fn path(open: &[Open]) -> Option<Vec<String>> {
    let key = |open: &Open| match open {
        Open::Mapping(key) => key.clone(),
        Open::List => None,
    };
    open.iter().map(key).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let leaves = leaves(text, "file").unwrap();
        leaves.into_iter().map(|(path, text)| (path.join("/"), text.expose().to_owned())).collect()
    }

    #[test]
    fn leaves_are_found_with_the_way_to_them() {
        let text = "a:\n    b: 1\n    c:\n        d: \"x\\ty\"\n        e:\n\
            f: 'it''s' # a comment\ng: [1, {h: 2}]\ni: {j: k}\n---\nl: m\n";
        let expected =
            [("a/b", "1"), ("a/c/d", "x\ty"), ("a/c/e", ""), ("f", "it's"), ("i/j", "k")];
        let read = read(text);
        let read: Vec<_> = read.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn an_alias_cannot_make_a_small_file_large() {
        let bomb = "a: &a {x: 1}\nb: &b {x: *a, y: *a}\nc: {x: *b, y: *b}\n";
        assert_eq!(read(bomb), [("a/x".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn what_is_nested_too_deep_or_no_yaml_is_refused() {
        let nested = |depth: usize| format!("{}{}", "{a: ".repeat(depth), "}".repeat(depth));
        assert!(leaves(&nested(DEPTH_MAX), "file").is_ok());
        assert!(leaves(&nested(DEPTH_MAX + 1), "file").is_err());
        let error = leaves("a: b\nc: \"s3cret\n", "file").unwrap_err().to_string();
        assert!(
            error.starts_with("this is no file: line ") && !error.contains("s3cret"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(a|:|\n| |-|\\{|\\}|\\[|\\]|\"|'|&|\\*|!|#|\\?|\t|ä|,){0,40}") {
            let _read = leaves(&text, "file");
        }
    }
}
