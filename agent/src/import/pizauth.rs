//! `pizauth.conf`: clients that a person logs in with.
//!
//! pizauth keeps its tokens in memory, so a login follows. It sends the client's secret in the body, and asks for
//! `access_type=offline` everywhere.

use tokctl_proto::escape::shown;
use tokctl_proto::secret::SecretStr;

use super::error::pick;
use super::{Draft, File, ImportError};

mod grammar;

use grammar::Account;

/// What pizauth registers with where the file names none.
const REDIRECT_URI: &str = "http://localhost/";
/// Settings beside the accounts that mean nothing here, or nothing that a profile says.
const COMMANDS: [&str; 5] = [
    "auth_notify_cmd",
    "error_notify_cmd",
    "startup_cmd",
    "token_event_cmd",
    "transient_error_if_cmd",
];

pub(super) fn read(file: &File<'_>) -> Result<Vec<Draft>, ImportError> {
    let (accounts, globals) = grammar::parse(file.text.expose())?;
    if accounts.is_empty() {
        return Err(ImportError::not_this("pizauth.conf", "it has no account"));
    }
    let commands: Vec<&str> =
        COMMANDS.into_iter().filter(|command| globals.iter().any(|name| name == command)).collect();
    let port = globals.iter().any(|name| name == "http_listen" || name == "https_listen");
    let accounts = accounts.into_iter().map(|account| (account.name.clone(), account)).collect();
    let drafts = pick("account", accounts, file.select)?.into_iter().map(|(_, account)| {
        let draft = draft(file, &account)?;
        Ok(draft
            .note_if(
                !commands.is_empty(),
                format!("tokctl runs no commands of its own: {} was left out", commands.join(", ")),
            )
            .note_if(
                port && account.text("redirect_uri").is_empty(),
                "pizauth listens at a place of its own: where the provider knows that port, set it \
                 with `redirect_uri`",
            ))
    });
    drafts.collect()
}

fn draft(file: &File<'_>, account: &Account) -> Result<Draft, ImportError> {
    for key in ["auth_uri", "token_uri", "client_id"] {
        if account.text(key).is_empty() {
            let name = shown(&account.name);
            return Err(ImportError::not_this(
                "pizauth.conf",
                format!("account `{name}` has no {key}"),
            ));
        }
    }
    let secret = account.secret("client_secret").filter(|secret| !secret.is_empty());
    let redirect_uri = match account.text("redirect_uri") {
        "" => REDIRECT_URI,
        own => own,
    };
    let mut draft = Draft::new(&account.name, "authorization_code")
        .set("token_endpoint", account.text("token_uri"))
        .set("authorization_endpoint", account.text("auth_uri"))
        .set("client_id", account.text("client_id"))
        .set("client_auth", if secret.is_some() { "post" } else { "none" })
        .set("redirect_uri", redirect_uri)
        .set_all("scope", account.list("scopes").iter().map(|scope| scope.expose()))
        .set_in("authorization_params", "access_type", "offline")
        .secret("client_secret", secret.map(SecretStr::from).as_ref());
    let hint = account.text("login_hint");
    if !hint.is_empty() {
        draft = draft.set_in("authorization_params", "login_hint", hint);
    }
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in account.table("auth_uri_fields") {
        let (name, value) = (name.expose(), value.expose());
        match seen.contains(&name) {
            true => {
                let note = format!("a second `{}` of auth_uri_fields was left out", shown(name));
                draft = draft.note(note);
            }
            false => draft = draft.set_in("authorization_params", name, value),
        }
        seen.push(name);
    }
    draft = draft.note("pizauth keeps its tokens in memory: `tokctl login` gets new ones");
    if secret.is_some() {
        let place = file.place();
        draft = draft.leaves(format!(
            "{place} still holds the client secret: take it out there when pizauth is no longer used"
        ));
    }
    Ok(draft.settle())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read_all, read_one, read_some, refused};
    use crate::import::Source;

    /// pizauth's own example.
    const EXAMPLE: &str = include_str!("../../../tests/import/pizauth.conf");

    #[test]
    fn an_account_becomes_a_client_that_somebody_logs_in_with() {
        let drafts = read_some(Source::Pizauth, EXAMPLE, &["officesmtp"]).unwrap();
        let [draft] = drafts.as_slice() else { panic!("{drafts:?}") };
        assert_eq!(draft.name.as_str(), "officesmtp");
        let endpoint = "https://login.microsoftonline.com/common/oauth2/v2.0";
        assert_eq!(
            draft.toml(),
            format!(
                "grant = \"authorization_code\"\ntoken_endpoint = \"{endpoint}/token\"\n\
                 authorization_endpoint = \"{endpoint}/authorize\"\nclient_id = \"f00d-cafe\"\n\
                 client_auth = \"post\"\nredirect_uri = \"http://localhost/\"\n\
                 scope = [\"https://outlook.office365.com/IMAP.AccessAsUser.All\", \
                 \"https://outlook.office365.com/SMTP.Send\", \"offline_access\"]\n\
                 authorization_params = {{ access_type = \"offline\", login_hint = \"ada@example.com\" }}\n"
            )
        );
        assert_eq!(draft.held("client_secret"), Some("s3cret \"of\" office"));
        assert!(draft.notes.iter().any(|note| note.contains("tokctl login")));
        assert!(
            draft.leftover.as_deref().unwrap().starts_with("~/file still holds the client secret")
        );
    }

    #[test]
    fn every_account_is_taken_unless_some_are_named() {
        let names = |select: &[&str]| -> Vec<String> {
            let drafts = read_some(Source::Pizauth, EXAMPLE, select).unwrap();
            drafts.iter().map(|draft| draft.name.to_string()).collect()
        };
        assert_eq!(names(&[]), ["officesmtp", "my-lab"]);
        assert_eq!(names(&["My Lab"]), ["my-lab"]);
        let error = read_some(Source::Pizauth, EXAMPLE, &["my-lab"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no account `my-lab` in it");
    }

    #[test]
    fn a_public_client_has_no_secret_and_leaves_none() {
        let drafts = read_all(Source::Pizauth, EXAMPLE).unwrap();
        let draft = &drafts[1];
        let toml = draft.toml();
        for line in [
            "client_auth = \"none\"",
            "redirect_uri = \"http://127.0.0.1:8123/done\"",
            "allow_http_loopback = true",
            "login_hint = \"ada\"",
        ] {
            assert!(toml.contains(line), "{toml}");
        }
        assert!(draft.secrets.is_empty() && draft.leftover.is_none());
        assert!(
            draft.notes.iter().any(|note| note.contains("error_notify_cmd")),
            "{:?}",
            draft.notes
        );
    }

    #[test]
    fn a_field_that_is_there_twice_is_said() {
        let text = "account \"a\" { auth_uri = \"https://a.example/\"; token_uri = \"https://a.example/t\"; \
            client_id = \"x\"; auth_uri_fields = {\"l\": \"m\", \"l\": \"p\"}; }";
        let draft = read_one(Source::Pizauth, text);
        assert!(draft.toml().contains("l = \"m\""));
        assert!(draft.notes[0].contains("a second `l`"), "{:?}", draft.notes);
    }

    #[test]
    fn what_is_no_such_file_is_refused_in_words() {
        for (text, words) in [
            ("", "it has no account"),
            ("{\"type\": \"service_account\"}", "line 1"),
            ("account \"a\" { client_id = \"x\"; }", "account `a` has no auth_uri"),
        ] {
            let (message, _) = refused(Source::Pizauth, text);
            assert!(
                message.starts_with("this is no pizauth.conf") && message.contains(words),
                "{message}"
            );
        }
    }
}
