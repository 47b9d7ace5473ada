//! A provider's JSON file with a private key in it, as `tokctl add NAME --from-json FILE` takes it: a service account's
//! of Google, or a GitHub App's as its registration from a manifest answers.
//!
//! Files of logins hold no key to sign with and are refused by name.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use tokctl_proto::Secret;
use tokctl_proto::escape::shown;
use tokctl_proto::secret::SecretStr;

use super::{Draft, File, ImportError, google, object};

const KIND: &str = "JSON of a service account or a GitHub App";
const KEY: &str = "private_key";

/// What tells such files apart, and what a GitHub App's has.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pem: Option<SecretStr<'a>>,
    #[serde(borrow, default)]
    client_id: Option<Cow<'a, str>>,
    /// The app's number.
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    installed: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    web: Option<serde::de::IgnoredAny>,
}

/// Reads a file's text.
pub(super) fn read(text: &Secret) -> Result<Draft, ImportError> {
    let no_file = || ImportError::not_this(KIND, "for a key in PEM there is `--key-file FILE`");
    // What serde_json says may quote a value.
    let head: Head<'_> = object::read(text.expose()).map_err(|_| no_file())?;
    match head.kind.as_deref() {
        Some("service_account") => {
            google::read(&File { text, path: "", passphrase: None, select: &[] })
        }
        Some(kind) => Err(of_a_login(kind)),
        None if head.installed.is_some() => Err(of_a_login("installed")),
        None if head.web.is_some() => Err(of_a_login("web")),
        None => github_app(&head),
    }
}

fn of_a_login(kind: &str) -> ImportError {
    let why = format!("a file of the kind `{}` holds no key to sign with", shown(kind));
    ImportError::unsupported(why).instead("run `tokctl import google FILE`")
}

fn github_app(head: &Head<'_>) -> Result<Draft, ImportError> {
    let lacking = |name: &str| ImportError::not_this(KIND, format!("it has no `{name}`"));
    let pem = head.pem.as_ref().filter(|pem| !pem.expose().is_empty());
    let pem = pem.ok_or_else(|| lacking("pem"))?;
    let number = head.id.as_ref().and_then(Value::as_u64).map(|id| Cow::Owned(id.to_string()));
    let id = head.client_id.clone().filter(|id| !id.is_empty()).or(number);
    let id = id.ok_or_else(|| lacking("client_id"))?;
    let draft = Draft::with_preset("github-app").set("preset", "github-app").set("client_id", &id);
    Ok(draft.secret(KEY, Some(pem)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read_it(file: &Value) -> Result<Draft, ImportError> {
        read(&Secret::new(file.to_string()))
    }

    fn value<'a>(draft: &'a Draft, key: &str) -> Option<&'a str> {
        let found = draft.settings.iter().find(|setting| setting.key == key);
        found.map(|setting| &*setting.values[0])
    }

    #[test]
    fn a_service_account_is_read_as_it_is_for_an_import() {
        let file = json!({
            "type": "service_account", "private_key_id": "k1", "private_key": "PEM",
            "client_email": "ci@p.iam.gserviceaccount.com", "client_id": "1",
        });
        let draft = read_it(&file).unwrap();
        assert_eq!(value(&draft, "iss"), Some("ci@p.iam.gserviceaccount.com"));
        assert_eq!((draft.secrets[0].name, draft.secrets[0].value.expose()), (KEY, "PEM"));
    }

    #[test]
    fn a_github_app_is_known_by_its_client_id_or_its_number() {
        for (file, client_id) in [
            (json!({ "id": 7, "client_id": "Iv1", "pem": "PEM", "webhook_secret": null }), "Iv1"),
            (json!({ "id": 7, "pem": "PEM" }), "7"),
        ] {
            let draft = read_it(&file).unwrap();
            assert_eq!(value(&draft, "preset"), Some("github-app"));
            assert_eq!(value(&draft, "client_id"), Some(client_id));
            assert_eq!((draft.secrets[0].name, draft.secrets[0].value.expose()), (KEY, "PEM"));
        }
    }

    #[test]
    fn what_holds_no_key_is_refused_by_name_and_not_shown() {
        for (file, said) in [
            (json!({ "type": "authorized_user", "refresh_token": "hunter2" }), "authorized_user"),
            (json!({ "installed": { "client_secret": "hunter2" } }), "installed"),
            (json!({ "web": { "client_secret": "hunter2" } }), "web"),
            (json!({ "type": "service_account", "private_key": "hunter2" }), "client_email"),
            (json!({ "pem": "hunter2" }), "client_id"),
            (json!({ "client_email": "a@b", "private_key": "hunter2" }), "pem"),
            (json!(["hunter2"]), "--key-file"),
            (json!("hunter2"), "--key-file"),
        ] {
            let message = read_it(&file).unwrap_err().to_string();
            assert!(message.contains(said) && !message.contains("hunter2"), "{message}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,80}") {
            let _ignored = read(&Secret::new(text));
        }
    }
}
