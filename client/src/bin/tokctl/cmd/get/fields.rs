//! The fields of a token, as `--json` prints them and `--format` puts them into a text.

use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};
use tokctl_client::proto::escape::shown;
use tokctl_client::proto::nearest::nearest;
use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{Secret, Token};

use crate::exit::Stop;

/// Ours, which no field of a provider takes the place of.
const OURS: &[&str] = &[
    "access_token",
    "token_type",
    "expires_at",
    "expires_in",
    "scope",
    "profile",
    "member",
    "min_valid_met",
    "dpop",
];

/// A token as one object; the provider's further fields follow and take no field's place.
pub(super) struct Json<'a>(pub(super) &'a Token);

impl serde::Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let token = self.0;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("access_token", token.access_token.expose())?;
        object.serialize_entry("token_type", &token.token_type)?;
        object.serialize_entry("expires_at", &token.expires_at)?;
        object.serialize_entry("expires_in", &token.expires_in)?;
        object.serialize_entry("scope", &token.scope)?;
        object.serialize_entry("profile", &token.profile)?;
        if let Some(member) = &token.member {
            object.serialize_entry("member", member)?;
        }
        object.serialize_entry("min_valid_met", &token.min_valid_met)?;
        if let Some(proof) = &token.dpop {
            object.serialize_entry("dpop", proof.expose())?;
        }
        for (name, value) in extra(token).iter().filter(|(name, _)| !OURS.contains(&name.as_str()))
        {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

/// The provider's own. The agent sends an object; anything else has no place among the fields.
fn extra(token: &Token) -> Map<String, Value> {
    serde_json::from_str(token.extra.expose()).unwrap_or_default()
}

/// A text with the names of fields in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Format<'a>(Vec<Piece<'a>>);

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Field(&'a str),
}

impl<'a> Format<'a> {
    /// Reads `{name}`, and `{{` and `}}` as the brace itself.
    pub(super) fn parse(text: &'a str) -> Result<Self, Stop> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            pieces.push(Piece::Text(before));
            rest = match from.get(..2) {
                Some("{{" | "}}") => {
                    pieces.push(Piece::Text(&from[..1]));
                    &from[2..]
                }
                _ => {
                    let (name, after) = from
                        .strip_prefix('{')
                        .and_then(|from| from.split_once('}'))
                        .filter(|(name, _)| !name.is_empty() && !name.contains('{'))
                        .ok_or_else(malformed)?;
                    pieces.push(Piece::Field(name));
                    after
                }
            };
        }
        pieces.push(Piece::Text(rest));
        Ok(Self(pieces))
    }

    /// The text with this token's fields. Nothing stands for null, JSON for what is no text.
    pub(super) fn fill(&self, token: &Token) -> Result<Secret, Stop> {
        let extra = extra(token);
        let mut values = Vec::with_capacity(self.0.len());
        for piece in &self.0 {
            values.push(match piece {
                Piece::Text(text) => Secret::new((*text).to_owned()),
                Piece::Field(name) => value(token, &extra, name)?,
            });
        }
        // Room for everything at once: a string that grows leaves copies behind.
        let mut line = String::with_capacity(values.iter().map(|text| text.expose().len()).sum());
        values.iter().for_each(|text| line.push_str(text.expose()));
        Ok(Secret::new(line))
    }
}

fn malformed() -> Stop {
    Failure::new(Kind::Usage, "a brace of `--format` has no other")
        .hint("write `{access_token}` for a field, and `{{` or `}}` for a brace")
        .into()
}

fn value(token: &Token, extra: &Map<String, Value>, name: &str) -> Result<Secret, Stop> {
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    Ok(Secret::new(match name {
        "access_token" => return Ok(token.access_token.clone()),
        "dpop" => return Ok(token.dpop.clone().unwrap_or_else(|| Secret::new(String::new()))),
        "token_type" => token.token_type.clone(),
        "expires_at" => number(token.expires_at),
        "expires_in" => number(token.expires_in),
        "scope" => token.scope.clone(),
        "profile" => token.profile.clone(),
        "member" => token.member.clone().unwrap_or_default(),
        "min_valid_met" => token.min_valid_met.to_string(),
        name => match extra.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
            None => return Err(unknown(extra, name)),
        },
    }))
}

fn unknown(extra: &Map<String, Value>, name: &str) -> Stop {
    let known = || OURS.iter().copied().chain(extra.keys().map(String::as_str));
    let message = format!("the token has no field `{}`", shown(name));
    let failure = Failure::new(Kind::Usage, message);
    Stop::from(match nearest(name, known()) {
        Some(near) => failure.hint(format!("did you mean `{{{}}}`?", shown(near))),
        None => failure.hint(format!("its fields are {}", known().collect::<Vec<_>>().join(", "))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_names_fields_and_doubles_braces() {
        use Piece::{Field, Text};
        for (text, pieces) in [
            ("", Some(vec![Text("")])),
            ("x", Some(vec![Text("x")])),
            ("{a} {b}", Some(vec![Text(""), Field("a"), Text(" "), Field("b"), Text("")])),
            ("{{a}}", Some(vec![Text(""), Text("{"), Text("a"), Text("}"), Text("")])),
            (
                "{{{a}}}",
                Some(vec![
                    Text(""),
                    Text("{"),
                    Text(""),
                    Field("a"),
                    Text(""),
                    Text("}"),
                    Text(""),
                ]),
            ),
            ("{a", None),
            ("a}", None),
            ("{}", None),
            ("{a{b}}", None),
        ] {
            assert_eq!(Format::parse(text).ok(), pieces.map(Format), "{text}");
        }
    }
}
