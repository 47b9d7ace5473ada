//! A `.env`: variables, some of which are API keys.
//!
//! Which ones is for a person to say; without a choice every variable with a value is a profile. A text in quotes ends
//! on its line: what goes on over several is refused, since programs differ in what they make of it. `$` stands for
//! nothing but itself, and is said.

use tokctl_proto::Secret;
use tokctl_proto::secret::SecretStr;

use super::error::pick;
use super::{Draft, File, ImportError};

const KIND: &str = ".env";

/// Variables whose provider has a preset for its keys.
const KNOWN: [(&str, &str); 9] = [
    ("ANTHROPIC_API_KEY", "anthropic"),
    ("CLOUDFLARE_API_TOKEN", "cloudflare"),
    ("DIGITALOCEAN_ACCESS_TOKEN", "digitalocean"),
    ("DIGITALOCEAN_TOKEN", "digitalocean"),
    ("HF_TOKEN", "huggingface"),
    ("HUGGINGFACE_API_KEY", "huggingface"),
    ("HUGGING_FACE_HUB_TOKEN", "huggingface"),
    ("OPENAI_API_KEY", "openai"),
    ("STRIPE_SECRET_KEY", "stripe"),
];

/// What the names of keys end in, the longest first.
const ENDINGS: [&str; 8] = [
    "_secret_access_key",
    "_access_token",
    "_secret_key",
    "_api_token",
    "_api_key",
    "_token",
    "_secret",
    "_key",
];

pub(super) fn read(file: &File<'_>) -> Result<Vec<Draft>, ImportError> {
    let variables = variables(file.text.expose())?;
    let filled: Vec<_> =
        variables.into_iter().filter(|(_, variable)| !variable.value.is_empty()).collect();
    if filled.is_empty() {
        return Err(ImportError::not_this(KIND, "no variable with a value is in it"));
    }
    let picked = pick("variable", filled, file.select)?;
    Ok(picked.iter().map(|(name, variable)| draft(file, name, variable)).collect())
}

fn draft(file: &File<'_>, name: &str, variable: &Variable) -> Draft {
    let preset = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, preset)| *preset);
    let draft = match preset {
        Some(preset) => Draft::with_preset(preset).set("preset", preset),
        None => {
            let draft = Draft::new(&title(name), "api_key");
            let profile = draft.name.clone();
            draft.note(format!(
                "it is sent as `Authorization: Bearer`: if that is not how the API takes it, run \
                 `tokctl set {profile} header='X-Api-Key: {{token}}'`; `api_urls=URL` says where it \
                 may be sent"
            ))
        }
    };
    let (place, profile) = (file.place(), draft.name.clone());
    draft
        .secret("key", Some(&SecretStr::from(&variable.value)))
        .note_if(variable.has_dollar, "the value has a `$` in it, which was taken as it is")
        .note_if(variable.is_repeated, "the variable is there twice: the last value was taken")
        .leaves(format!(
            "{place} still holds {name}: take the line out, and where a program wants the variable, \
             set it to \"$(tokctl get {profile})\""
        ))
}

/// `ACME_API_KEY` is the key of `acme`.
fn title(name: &str) -> String {
    let name = name.to_lowercase();
    let ending = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
    ending.filter(|rest| !rest.is_empty()).unwrap_or(&name).replace('_', "-")
}

struct Variable {
    value: Secret,
    has_dollar: bool,
    is_repeated: bool,
}

fn variables(text: &str) -> Result<Vec<(String, Variable)>, ImportError> {
    let mut variables: Vec<(String, Variable)> = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: &str| ImportError::not_this(KIND, format!("line {} {why}", index + 1));
        let assignment = line.strip_prefix("export ").map(str::trim_start).unwrap_or(line);
        let (name, written) =
            assignment.split_once('=').ok_or_else(|| wrong("is no NAME=VALUE"))?;
        let name = name.trim_end();
        if !is_variable(name) {
            return Err(wrong("does not begin with the name of a variable"));
        }
        let (value, has_dollar) = value(written.trim_start()).map_err(wrong)?;
        match variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = Variable { value, has_dollar, is_repeated: true },
            None => {
                let variable = Variable { value, has_dollar, is_repeated: false };
                variables.push((name.to_owned(), variable));
            }
        }
    }
    Ok(variables)
}

fn is_variable(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(fits) && !name.as_bytes()[0].is_ascii_digit()
}

/// The value, and whether a shell would replace something in it.
fn value(written: &str) -> Result<(Secret, bool), &'static str> {
    const OPEN: &str =
        "has a text in quotes that does not end on it: values of several lines are not taken";
    let mut letters = written.chars();
    let quote = match letters.next() {
        None => return Ok((Secret::default(), false)),
        Some(quote @ ('"' | '\'')) => quote,
        Some(_) => return Ok(bare(written)),
    };
    let mut text = String::with_capacity(written.len());
    let ended = loop {
        match letters.next() {
            None => break false,
            Some(letter) if letter == quote => break true,
            Some('\\') if quote == '"' => match letters.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some(letter @ ('"' | '\\' | '$' | '`')) => text.push(letter),
                Some(letter) => text.extend(['\\', letter]),
                None => break false,
            },
            Some(letter) => text.push(letter),
        }
    };
    let value = Secret::new(text);
    let rest = letters.as_str().trim_start();
    match (ended, rest.is_empty() || rest.starts_with('#')) {
        (false, _) => Err(OPEN),
        (true, false) => Err("goes on behind a text in quotes"),
        (true, true) => {
            let has_dollar = quote == '"' && value.expose().contains('$');
            Ok((value, has_dollar))
        }
    }
}

fn bare(written: &str) -> (Secret, bool) {
    let comment = written.match_indices('#').find(|(at, _)| written[..*at].ends_with([' ', '\t']));
    let end = comment.map_or(written.len(), |(at, _)| at);
    let text = written[..end].trim_end();
    (Secret::new(text.to_owned()), text.contains('$'))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read_all, read_one, read_some, refused};
    use super::*;
    use crate::import::Source;

    #[test]
    fn a_value_is_what_stands_behind_the_sign() {
        for (line, expected) in [
            ("A=x", "x"),
            ("A = x y ", "x y"),
            ("export A=x", "x"),
            ("export   A=x", "x"),
            ("A=x # a comment", "x"),
            ("A=x#y", "x#y"),
            ("A='x # y'", "x # y"),
            ("A='x\\n'", "x\\n"),
            ("A=\"x # \\\"y\\\"\\n\" # a comment", "x # \"y\"\n"),
            ("A=\"\\d\"", "\\d"),
            ("A=sk=1==", "sk=1=="),
            ("\u{feff}A=x\r\n", "x"),
        ] {
            assert_eq!(read_one(Source::Dotenv, line).held("key"), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_is_no_assignment_of_one_line_is_refused_without_its_text() {
        for (text, words) in [
            ("", "no variable with a value"),
            ("# a\n\nA=\nB=''\n", "no variable with a value"),
            ("s3cret", "line 1 is no NAME=VALUE"),
            ("A=1\n1A=s3cret", "line 2 does not begin with the name"),
            ("A B=s3cret", "line 1 does not begin with the name"),
            ("A=\"s3cret\nmore\"", "line 1 has a text in quotes that does not end on it"),
            ("A='s3cret\\'", ""),
            ("A=\"s3cret\\", "line 1 has a text in quotes"),
            ("A='a' s3cret", "line 1 goes on behind"),
        ] {
            let read = read_all(Source::Dotenv, text);
            if words.is_empty() {
                assert!(read.is_ok(), "{text}");
                continue;
            }
            let (message, _) = refused(Source::Dotenv, text);
            assert!(message.contains(words) && !message.contains("s3cret"), "{message}");
        }
    }

    #[test]
    fn a_known_provider_has_its_preset_and_others_are_to_be_looked_at() {
        let text = "OPENAI_API_KEY=sk-1\nACME_API_KEY=k2\nDEBUG=1\n";
        let drafts = read_some(Source::Dotenv, text, &["OPENAI_API_KEY", "ACME_API_KEY"]).unwrap();
        assert_eq!(drafts[0].name.as_str(), "openai");
        assert_eq!(drafts[0].toml(), "preset = \"openai\"\n");
        assert_eq!(drafts[1].name.as_str(), "acme");
        assert_eq!(drafts[1].toml(), "grant = \"api_key\"\n");
        assert!(drafts[1].notes[0].contains("tokctl set acme header="), "{:?}", drafts[1].notes);
        let leftover = drafts[1].leftover.as_deref().unwrap();
        assert!(leftover.contains("~/file still holds ACME_API_KEY") && !leftover.contains("k2"));
        assert_eq!(read_all(Source::Dotenv, text).unwrap().len(), 3);
    }

    #[test]
    fn every_preset_that_is_named_is_one_of_keys() {
        for (variable, preset) in KNOWN {
            let known = crate::config::preset::all().find(|known| known.name == preset);
            assert_eq!(known.map(|known| known.grant()), Some("api_key"), "{variable}");
        }
    }

    #[test]
    fn what_a_shell_would_read_otherwise_is_said() {
        for (text, words) in
            [("A=\"x$y\"", "`$` in it"), ("A=x$y", "`$` in it"), ("A=1\nA=2", "there twice")]
        {
            let draft = read_one(Source::Dotenv, text);
            assert!(draft.notes.iter().any(|note| note.contains(words)), "{:?}", draft.notes);
        }
        let draft = read_one(Source::Dotenv, "A='x$y'");
        assert!(draft.notes.iter().all(|note| !note.contains('$')), "{:?}", draft.notes);
    }

    #[test]
    fn a_variable_names_its_provider() {
        for (variable, name) in [
            ("ACME_API_KEY", "acme"),
            ("ACME_WEATHER_TOKEN", "acme-weather"),
            ("API_KEY", "api"),
            ("_KEY", "-key"),
            ("TOKEN", "token"),
            ("AWS_SECRET_ACCESS_KEY", "aws"),
        ] {
            assert_eq!(title(variable), name);
        }
    }
}
