//! `{secret:NAME}` in a value of config.toml: replaced by the secret of that name from the
//! profile's entry.
//!
//! What was put in is not looked at again, so a secret that holds a placeholder stays as it is. An
//! opening without an end is text.

use std::collections::BTreeMap;

use tokctl_proto::Secret;

use crate::oauth::buffer::Buffer;

const OPEN: &str = "{secret:";

/// The name of a secret that the entry does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub String);

/// The template with its secrets put in.
pub fn fill(template: &str, secrets: &BTreeMap<String, Secret>) -> Result<Secret, Missing> {
    let mut filled = Buffer::default();
    let mut rest = template;
    while let Some((before, name, after)) = next_placeholder(rest) {
        let secret = secrets.get(name).ok_or_else(|| Missing(name.to_owned()))?;
        filled.push_str(before);
        filled.push_str(secret.expose());
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled.into_secret().expect("made of text alone"))
}

fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, inside) = text.split_once(OPEN)?;
    let (name, after) = inside.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_put_in_once() {
        let secrets = BTreeMap::from([
            ("a".to_owned(), Secret::new("A{secret:b}".into())),
            ("b".to_owned(), Secret::new("B".into())),
        ]);
        for (template, filled) in [
            ("", Ok("")),
            ("plain {x}", Ok("plain {x}")),
            ("{secret:b}", Ok("B")),
            ("x{secret:b}y{secret:b}z", Ok("xByBz")),
            ("{secret:a}", Ok("A{secret:b}")),
            ("{secret:b", Ok("{secret:b")),
            ("{secret:c}", Err(Missing("c".into()))),
            ("{secret:}", Err(Missing(String::new()))),
        ] {
            let made = fill(template, &secrets);
            assert_eq!(made.as_ref().map(Secret::expose), filled.as_ref().copied(), "{template}");
        }
    }
}
