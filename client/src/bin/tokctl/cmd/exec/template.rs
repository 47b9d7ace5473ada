//! Templates: text with tokens in it.
//!
//! `{{ acme }}` is the token of acme, `{{ acme:NAME }}` another of its fields, `{{{{` stands for `{{`. There is nothing
//! else to it, no condition and no loop: a program that needs more has a language of its own.

use tokctl_client::proto::{Failure, Kind};
use tokctl_client::{ProfileName, Secret, Token};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place { profile: ProfileName, field: Option<String> },
}

impl Template {
    /// Reads a text; an error says in which line it is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            let line = text[..text.len() - rest.len() + at].matches('\n').count() + 1;
            let behind = &rest[at + 2..];
            if let Some(literal) = behind.strip_prefix("{{") {
                pieces.push(Piece::Text("{{".to_owned()));
                rest = literal;
                continue;
            }
            let Some((place, after)) = behind.split_once("}}") else {
                return Err(format!("line {line}: a `{{{{` has no `}}}}`"));
            };
            pieces.push(parse_place(place.trim()).map_err(|why| format!("line {line}: {why}"))?);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    pub(super) fn profiles(&self) -> impl Iterator<Item = &ProfileName> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Place { profile, .. } => Some(profile),
            Piece::Text(_) => None,
        })
    }

    /// The text with tokens in it.
    pub(super) fn render<'a>(
        &self,
        token_of: impl Fn(&ProfileName) -> &'a Token,
    ) -> Result<Secret, Failure> {
        let mut parts = Vec::new();
        for piece in &self.0 {
            parts.push(match piece {
                Piece::Text(text) => Secret::new(text.clone()),
                Piece::Place { profile, field: None } => token_of(profile).access_token.clone(),
                Piece::Place { profile, field: Some(field) } => value_of(token_of(profile), field)
                    .ok_or_else(|| {
                        let message = format!("its token has no field `{field}`");
                        let hint = "`tokctl get --json` shows those that there are";
                        Failure::new(Kind::Usage, message).of(profile).hint(hint)
                    })?,
            });
        }
        // Room for everything at once: a string that grows leaves copies behind.
        let room = parts.iter().map(|part| part.expose().len()).sum();
        let mut text = String::with_capacity(room);
        parts.iter().for_each(|part| text.push_str(part.expose()));
        Ok(Secret::new(text))
    }
}

fn parse_place(place: &str) -> Result<Piece, String> {
    let (profile, field) = match place.split_once(':') {
        Some((profile, field)) => (profile.trim(), Some(field.trim().to_owned())),
        None => (place, None),
    };
    let profile = ProfileName::parse(profile)
        .map_err(|error| format!("{error}; a `{{{{` of the text itself is written `{{{{{{{{`"))?;
    Ok(Piece::Place { profile, field })
}

/// A field as `tokctl get --json` names it, or the header line.
fn value_of(token: &Token, field: &str) -> Option<Secret> {
    let text = |text: &str| Some(Secret::new(text.to_owned()));
    match field {
        "access_token" => Some(token.access_token.clone()),
        "header" => Some(token.header()),
        "token_type" => text(&token.token_type),
        "scope" => text(&token.scope),
        "profile" => text(&token.profile),
        "expires_at" => text(&token.expires_at?.to_string()),
        other => {
            let extra: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(token.extra.expose()).unwrap_or_default();
            match extra.get(other)? {
                serde_json::Value::String(value) => text(value),
                serde_json::Value::Null => None,
                value => text(&value.to_string()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokctl_client::proto::response;

    fn rendered(text: &str) -> Result<String, String> {
        let token = Token::from(response::Token {
            access_token: "eyJ0".into(),
            token_type: "Bearer".into(),
            expires_at: Some(1_800_000_000),
            expires_in: Some(60),
            scope: "read".into(),
            profile: "acme".into(),
            header: "X-Api-Key: {token}".into(),
            min_valid_met: true,
            warning: None,
            extra: r#"{"id_token":"eyJ1","n":7,"none":null}"#.into(),
        });
        let template = Template::parse(text)?;
        let rendered = template.render(|_| &token).map_err(|failure| failure.message)?;
        Ok(rendered.expose().to_owned())
    }

    #[test]
    fn tokens_and_their_fields_stand_where_they_are_named() {
        for (text, expected) in [
            ("", ""),
            ("key = \"{{ acme }}\"\n", "key = \"eyJ0\"\n"),
            ("{{acme}}{{ acme }}", "eyJ0eyJ0"),
            ("{{ acme:header }}", "X-Api-Key: eyJ0"),
            ("{{ acme : expires_at }}", "1800000000"),
            ("{{ acme:id_token }} {{ acme:n }}", "eyJ1 7"),
            ("{{{{ .Values.x }} {{ acme }}", "{{ .Values.x }} eyJ0"),
            ("{ {a} } }}", "{ {a} } }}"),
        ] {
            assert_eq!(rendered(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, said) in [
            ("a\n{{ .Values.x }}", "line 2: `.Values.x` is not a profile name"),
            ("{{ acme", "line 1: a `{{` has no `}}`"),
            ("{{ acme:nothing }}", "no field `nothing`"),
            ("{{ acme:none }}", "no field `none`"),
        ] {
            let refused = rendered(text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
