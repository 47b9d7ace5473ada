//! The first question of a bare `tokctl add NAME`: what kind of credential it is.
//!
//! It is asked in words of what a person has in hand. Who knows the name of a grant or of a preset may type that.

use tokctl_client::Client;
use tokctl_client::proto::nearest::nearest;
use tokctl_client::proto::setting::GRANTS;

use super::command_line;
use super::draft::{Draft, JsonFile};
use super::questions::{TRIES, answer, anything, file, no_answer};
use crate::cmd::presets::{self, Preset};
use crate::exit::Stop;
use crate::session::Session;

/// The address at which a login ends, with any port.
const REDIRECT_URI: &str = "http://127.0.0.1/callback";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Client,
    Login,
    File,
    Key,
    Program,
}

/// Each with its word, in the order of their numbers.
const KINDS: [(Kind, &str, &str); 5] = [
    (Kind::Client, "client", "a client id and secret, for a program that acts by itself"),
    (Kind::Login, "login", "you: log in with a browser, or with a code on another device"),
    (Kind::File, "file", "the JSON file of a service account or of a GitHub App"),
    (Kind::Key, "key", "an API key that stays as it is"),
    (Kind::Program, "program", "a program that prints a token"),
];

/// Other words for them. The names of grants are words too.
const WORDS: &[(&str, Kind)] = &[
    ("secret", Kind::Client),
    ("client_id", Kind::Client),
    ("me", Kind::Login),
    ("log_in", Kind::Login),
    ("browser", Kind::Login),
    ("json", Kind::File),
    ("service_account", Kind::File),
    ("api_key", Kind::Key),
    ("command", Kind::Program),
];

/// What somebody may answer.
#[derive(Debug)]
enum Choice {
    Kind(Kind),
    Grant(&'static str),
    Preset(Box<Preset>),
}

/// Asks which kind it is, and what that kind alone has to know.
pub(super) fn ask(
    draft: &mut Draft<'_>,
    client: &mut Client,
    session: &Session,
) -> Result<(), Stop> {
    let output = &session.output;
    output.notice(&format!("What gives {} its token?", draft.profile));
    for (at, (_, word, text)) in KINDS.iter().enumerate() {
        output.notice(&format!("  {} {word:<8} {text}", at + 1));
    }
    output.notice("Or a provider by its name: `tokctl help presets` lists those that are known.");
    match choice(client, session)? {
        Choice::Preset(preset) => {
            draft.settings.put("preset", &preset.name);
            draft.preset = Some(*preset);
        }
        Choice::Grant(grant) => draft.settings.put("grant", grant),
        Choice::Kind(Kind::Client) => draft.settings.put("grant", "client_credentials"),
        Choice::Kind(Kind::Login) => ask_for_login(draft, session)?,
        Choice::Kind(Kind::File) => {
            let read =
                file(session, "path of the JSON file", |path| JsonFile::read(path, session))?;
            draft.from_json = Some(read);
        }
        Choice::Kind(Kind::Key) => draft.settings.put("grant", "api_key"),
        Choice::Kind(Kind::Program) => draft.settings.put("grant", "command"),
    }
    Ok(())
}

fn choice(client: &mut Client, session: &Session) -> Result<Choice, Stop> {
    // Asked for once, by those who type something else than one of the five.
    let mut known: Option<Vec<Preset>> = None;
    for _ in 0..TRIES {
        let typed = answer(session, "1 to 5, or a provider [1]", anything)?;
        if let Some(choice) = kind(&typed) {
            return Ok(choice);
        }
        let presets = match known.take() {
            Some(presets) => presets,
            None => presets::known(client, None, session)?,
        };
        let name = typed.to_ascii_lowercase();
        match presets.iter().position(|preset| preset.name == name) {
            Some(at) => {
                let preset = presets.into_iter().nth(at);
                return preset.map(|it| Choice::Preset(Box::new(it))).ok_or_else(no_answer);
            }
            None => session.output.warn(&unknown(&typed, &presets)),
        }
        known = Some(presets);
    }
    Err(no_answer())
}

/// One of the five, or a grant; nothing is the first.
fn kind(typed: &str) -> Option<Choice> {
    let word = match typed.trim() {
        "" => "1".to_owned(),
        typed => typed.to_ascii_lowercase().replace(['-', ' '], "_"),
    };
    let numbered = word.parse().ok().and_then(|number: usize| KINDS.get(number.checked_sub(1)?));
    let named = KINDS.iter().find(|(_, known, _)| *known == word);
    let kind = numbered.or(named).map(|(kind, ..)| *kind);
    let kind = kind.or_else(|| WORDS.iter().find(|(known, _)| *known == word).map(|(_, it)| *it));
    let grant = || GRANTS.iter().find(|known| **known == word).map(|grant| Choice::Grant(grant));
    kind.map(Choice::Kind).or_else(grant)
}

fn unknown(typed: &str, presets: &[Preset]) -> String {
    let words = KINDS.iter().map(|(_, word, _)| *word).chain(WORDS.iter().map(|(word, _)| *word));
    let names = presets.iter().map(|preset| preset.name.as_str());
    match nearest(typed, words.chain(GRANTS.iter().copied()).chain(names)) {
        Some(near) => format!("`{typed}` is none of these; did you mean `{near}`?"),
        None => format!("`{typed}` is none of these: type a number from 1 to 5, or a provider"),
    }
}

fn ask_for_login(draft: &mut Draft<'_>, session: &Session) -> Result<(), Stop> {
    let typed =
        answer(session, "with a browser or a code [browser]", |typed| match is_code(typed) {
            Some(_) => Ok(()),
            None => Err("type `browser` or `code`".to_owned()),
        })?;
    if is_code(&typed) == Some(true) {
        draft.settings.put("grant", "device_code");
        return Ok(());
    }
    draft.settings.put("grant", "authorization_code");
    if !draft.settings.has("redirect_uri") {
        let text = format!(
            "Register the redirect URI {REDIRECT_URI} (any port) at the provider; `--redirect-uri` \
             names another one."
        );
        session.output.prose(&text);
    }
    Ok(())
}

fn is_code(typed: &str) -> Option<bool> {
    match typed {
        "" | "browser" | "b" => Some(false),
        "code" | "c" | "device" => Some(true),
        _ => None,
    }
}

/// Asks for a command line until it can be taken apart.
pub(super) fn ask_for_program(draft: &mut Draft<'_>, session: &Session) -> Result<(), Stop> {
    let prompt = "its command line, as in gcloud auth print-access-token";
    let typed = answer(session, prompt, |typed| command_line::words(typed).map(drop))?;
    for word in command_line::words(&typed).map_err(Stop::usage)? {
        draft.settings.put("command", &word);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_a_word_and_a_grant_are_understood() {
        for (typed, meant) in [
            ("", "Kind(Client)"),
            ("1", "Kind(Client)"),
            ("2", "Kind(Login)"),
            ("5", "Kind(Program)"),
            ("Log in", "Kind(Login)"),
            ("service account", "Kind(File)"),
            ("api-key", "Kind(Key)"),
            ("key", "Kind(Key)"),
            ("command", "Kind(Program)"),
            ("client_credentials", "Grant(\"client_credentials\")"),
            ("device code", "Grant(\"device_code\")"),
            ("refresh_token", "Grant(\"refresh_token\")"),
        ] {
            assert_eq!(format!("{:?}", kind(typed).unwrap()), meant, "{typed}");
        }
        for typed in ["0", "6", "-1", "github", "saml", "1.", "11"] {
            assert!(kind(typed).is_none(), "{typed}");
        }
    }

    #[test]
    fn a_slip_is_told() {
        for (typed, said) in [("logn", "did you mean `login`?"), ("saml", "a number from 1 to 5")] {
            assert!(unknown(typed, &[]).contains(said), "{typed}");
        }
    }
}
