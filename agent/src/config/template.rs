//! Text with holes in it: `{token}` or `{basic}` in a header, `{secret:NAME}` in a parameter.
//!
//! Other braces are text, since a parameter may hold JSON; but what looks like a mistyped
//! `{secret:` is refused rather than sent.

use super::error::Broken;

/// Longest name of a secret.
pub const SECRET_NAME_BYTES_MAX: usize = 64;

/// A part of a parameter's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// The secret of this name stands here.
    Secret(&'a str),
}

/// Whether a secret can have this name: `[a-z0-9][a-z0-9._-]{0,63}`, as a profile.
pub fn is_secret_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= SECRET_NAME_BYTES_MAX
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|byte| plain(byte) || b"._-".contains(&byte))
}

/// Takes a parameter's value apart; `None` where a placeholder is malformed, which no checked
/// profile has.
pub fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = placeholder_at(rest) {
        if start > 0 {
            found.push(Piece::Text(&rest[..start]));
        }
        let (name, after) = rest[start..].strip_prefix("{secret:")?.split_once('}')?;
        if !is_secret_name(name) {
            return None;
        }
        found.push(Piece::Secret(name));
        rest = after;
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest));
    }
    Some(found)
}

fn placeholder_at(text: &str) -> Option<usize> {
    const OPENING: &[u8] = b"{secret";
    text.as_bytes().windows(OPENING.len()).position(|window| window.eq_ignore_ascii_case(OPENING))
}

/// The value of a parameter.
pub(super) fn parameter(text: &str) -> Result<String, Broken> {
    match pieces(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(Broken::new("has a malformed placeholder").hint(
            "a secret is named as in `{secret:password}`: lower-case letters, digits, `.`, `_`, `-`",
        )),
    }
}

/// A header line `NAME: VALUE` with exactly one `{token}` or `{basic}` in its value.
pub(super) fn header(text: &str) -> Result<String, Broken> {
    const EXAMPLE: &str = "as in `X-Api-Key: {token}`";
    let Some((name, value)) = text.split_once(':') else {
        return Err(Broken::new("must be a name, a colon and a value").hint(EXAMPLE));
    };
    if name.is_empty() || !name.bytes().all(is_header_name_byte) {
        return Err(
            Broken::new("has a name that no header can have (RFC 9110 section 5.1)").hint(EXAMPLE)
        );
    }
    if !value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Err(Broken::new("must be ASCII without control characters"));
    }
    let holes = value.matches("{token}").count() + value.matches("{basic}").count();
    if holes != 1 {
        return Err(
            Broken::new("must hold exactly one `{token}` or `{basic}` as its value").hint(EXAMPLE)
        );
    }
    Ok(text.to_owned())
}

/// The name of a parameter of a query, as it stands there: with nothing in it that would have to be escaped.
pub(super) fn query(text: &str) -> Result<String, Broken> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~$:[]".contains(&byte);
    match !text.is_empty() && text.bytes().all(fits) {
        true => Ok(text.to_owned()),
        false => Err(Broken::new("must be the name of a parameter alone").hint("as in `key`")),
    }
}

/// RFC 9110 section 5.6.2, `tchar`.
pub(super) fn is_header_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_a_name_and_one_hole() {
        for (text, fits) in [
            ("Authorization: Bearer {token}", true),
            ("Authorization: Basic {basic}", true),
            ("X-Api-Key:{token}", true),
            ("x!#$%&'*+-.^_`|~9: {token}", true),
            ("X-Filter: {\"t\":\"{token}\"}", true),
            ("", false),
            ("{token}", false),
            (": {token}", false),
            ("X Api Key: {token}", false),
            ("X-Api-Key : {token}", false),
            ("X(y): {token}", false),
            ("X-Ä: {token}", false),
            ("{token}: value", false),
            ("X-Api-Key: ", false),
            ("X-Api-Key: {Token}", false),
            ("X-Api-Key: {token}{token}", false),
            ("X-Api-Key: {token} {basic}", false),
            ("X-Api-Key: {token}\r\nX-Evil: 1", false),
            ("X-Api-Key: {token}\u{1f}", false),
            ("X-Api-Key: {token} ", true),
            ("X-Api-Key: {token}\u{7f}", false),
            ("X-Api-Key: {token}ä", false),
        ] {
            assert_eq!(header(text).is_ok(), fits, "{text:?}");
        }
    }

    #[test]
    fn a_parameter_is_text_and_secrets() {
        use Piece::{Secret, Text};
        let longest = "a".repeat(64);
        let whole = format!("{{secret:{longest}}}");
        for (text, parts) in [
            ("", vec![]),
            ("plain", vec![Text("plain")]),
            ("{secret:password}", vec![Secret("password")]),
            ("a{secret:b}c", vec![Text("a"), Secret("b"), Text("c")]),
            ("{secret:a}{secret:b}", vec![Secret("a"), Secret("b")]),
            ("{\"a\":{\"b\":1}}", vec![Text("{\"a\":{\"b\":1}}")]),
            ("{secre}", vec![Text("{secre}")]),
            (whole.as_str(), vec![Secret(longest.as_str())]),
        ] {
            assert_eq!(pieces(text), Some(parts), "{text}");
        }
    }

    #[test]
    fn a_mistyped_placeholder_is_not_sent() {
        let too_long = format!("{{secret:{}}}", "a".repeat(65));
        for text in [
            "{secret}",
            "{secret:}",
            "{secret:a",
            "{secret: a}",
            "{secret:A}",
            "{SECRET:a}",
            "{secret:-a}",
            "{secret:a/b}",
            "{secrets:a}",
            "{secret:{secret:a}}",
            too_long.as_str(),
        ] {
            assert_eq!(pieces(text), None, "{text}");
            assert!(parameter(text).is_err(), "{text}");
        }
    }
}
