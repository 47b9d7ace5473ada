//! The JSON files of Google Cloud, by their `type`: a service account's key, what `gcloud auth application-default
//! login` leaves, a client to log in with, an external account (AIP-4117).

use std::borrow::Cow;

use serde::Deserialize;
use tokctl_proto::escape::shown;
use tokctl_proto::secret::SecretStr;

use super::object::{self, Object};
use super::{Draft, File, ImportError};

mod external_account;

const KIND: &str = "credentials file of Google";
/// Where Google's tokens come from unless the file says so.
const TOKEN_ENDPOINT: &str = "https://oauth2.googleapis.com/token";
const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// What is used of any of them.
#[derive(Deserialize)]
struct Credentials<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    installed: Option<Object<WebClient<'a>>>,
    #[serde(borrow, default)]
    web: Option<Object<WebClient<'a>>>,
    #[serde(borrow, default)]
    client_email: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    private_key_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    private_key: Option<SecretStr<'a>>,
    #[serde(borrow, default)]
    quota_project_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    token_uri: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    token_url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client_secret: Option<SecretStr<'a>>,
    #[serde(borrow, default)]
    refresh_token: Option<SecretStr<'a>>,
}

/// An OAuth client as the console's download has it.
#[derive(Deserialize)]
struct WebClient<'a> {
    #[serde(borrow, default)]
    project_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client_secret: Option<SecretStr<'a>>,
    #[serde(default)]
    redirect_uris: Vec<String>,
}

pub(super) fn read(file: &File<'_>) -> Result<Draft, ImportError> {
    let json = file.text.expose();
    let credentials: Credentials<'_> =
        object::read(json).map_err(|error| ImportError::not_this(KIND, not_json(&error)))?;
    let draft = match credentials.kind.as_deref() {
        Some("service_account") => service_account(file, &credentials)?,
        Some("authorized_user") => authorized_user(file, &credentials)?,
        Some("external_account_authorized_user") => workforce_user(file, &credentials)?,
        Some("external_account") => external_account::read(file, json)?,
        Some("impersonated_service_account") => {
            return Err(ImportError::unsupported(
                "a person impersonates a service account there, which tokctl does not do",
            )
            .instead(
                "log in without: `gcloud auth application-default login`, and no \
                 `--impersonate-service-account`",
            ));
        }
        Some(other) => {
            let why = format!("files of the type `{}` are not known", shown(other));
            return Err(ImportError::unsupported(why));
        }
        None => match (&credentials.installed, &credentials.web) {
            (Some(Object(client)), _) => client_to_log_in_with(file, client, "installed")?,
            (None, Some(Object(client))) => client_to_log_in_with(file, client, "web")?,
            (None, None) => {
                return Err(ImportError::not_this(KIND, "it has no `type`, `installed` or `web`"));
            }
        },
    };
    Ok(draft.settle())
}

/// What serde_json says may quote a value, so only where it says so is told.
fn not_json(error: &serde_json::Error) -> String {
    match error.is_data() {
        true => format!("line {} has a value of another shape", error.line()),
        false => format!("it is no JSON, or cut off, at line {}", error.line()),
    }
}

fn filled<'a>(text: &'a Option<Cow<'_, str>>) -> Option<&'a str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn needed<'a>(text: &'a Option<Cow<'_, str>>, name: &str) -> Result<&'a str, ImportError> {
    filled(text).ok_or_else(|| lacking(name))
}

fn lacking(name: &str) -> ImportError {
    ImportError::not_this(KIND, format!("it has no `{name}`"))
}

fn is_filled(secret: &Option<SecretStr<'_>>) -> bool {
    secret.as_ref().is_some_and(|secret| !secret.expose().is_empty())
}

fn service_account(file: &File<'_>, key: &Credentials<'_>) -> Result<Draft, ImportError> {
    let email = needed(&key.client_email, "client_email")?;
    if !is_filled(&key.private_key) {
        return Err(lacking("private_key"));
    }
    // `ci@my-project.iam.gserviceaccount.com`
    let title = email.split('@').next().unwrap_or_default();
    let mut draft = Draft::with_preset(title)
        .set("preset", "google-service-account")
        .set("iss", email)
        .set("kid", filled(&key.private_key_id).unwrap_or_default())
        .secret("private_key", key.private_key.as_ref());
    if let Some(own) = filled(&key.token_uri).filter(|own| *own != TOKEN_ENDPOINT) {
        draft = draft.set("token_endpoint", own).set("assertion_audience", own);
    }
    let name = &draft.name;
    let note =
        format!("its scope is {CLOUD_PLATFORM}: for another run `tokctl set {name} scope=SCOPE`");
    let place = file.place();
    Ok(draft.note(note).leaves(format!(
        "{place} still holds the private key, which is good until it is deleted at Google: remove the \
         file when nothing else reads it"
    )))
}

fn authorized_user(file: &File<'_>, user: &Credentials<'_>) -> Result<Draft, ImportError> {
    let client_id = needed(&user.client_id, "client_id")?;
    if !is_filled(&user.refresh_token) {
        return Err(lacking("refresh_token"));
    }
    let draft = Draft::new("google", "refresh_token")
        .set("token_endpoint", filled(&user.token_uri).unwrap_or(TOKEN_ENDPOINT))
        .set("client_id", client_id)
        .set("client_auth", if is_filled(&user.client_secret) { "post" } else { "none" })
        .secret("client_secret", user.client_secret.as_ref())
        .secret("refresh_token", user.refresh_token.as_ref());
    let draft = match filled(&user.quota_project_id) {
        Some(project) => draft.note(format!(
            "the project `{}`, which quota is counted for, was left out: APIs that want it take the \
             header `x-goog-user-project`",
            shown(project)
        )),
        None => draft,
    };
    Ok(draft.leaves(leftover_of_login(file, "gcloud auth application-default revoke")))
}

/// What `gcloud auth application-default login --login-config` leaves: a person of a workforce pool.
fn workforce_user(file: &File<'_>, user: &Credentials<'_>) -> Result<Draft, ImportError> {
    let draft = Draft::new("google", "refresh_token")
        .set("token_endpoint", needed(&user.token_url, "token_url")?)
        .set("client_id", needed(&user.client_id, "client_id")?)
        .set("client_auth", if is_filled(&user.client_secret) { "basic" } else { "none" })
        .secret("client_secret", user.client_secret.as_ref());
    if !is_filled(&user.refresh_token) {
        return Err(lacking("refresh_token"));
    }
    let draft = draft.secret("refresh_token", user.refresh_token.as_ref());
    Ok(draft.leaves(leftover_of_login(file, "gcloud auth application-default revoke")))
}

/// Google does not rotate refresh tokens, so both can go on; but revoking one revokes the other.
fn leftover_of_login(file: &File<'_>, revoking: &str) -> String {
    let place = file.place();
    let remove = match file.path.is_empty() {
        true => "remove the file".to_owned(),
        false => format!("run `rm {}`", shown(file.path)),
    };
    format!(
        "{place} still holds the refresh token: {remove} when nothing else reads it, not `{revoking}`, \
         which revokes the token that was taken over"
    )
}

fn client_to_log_in_with(
    file: &File<'_>,
    client: &WebClient<'_>,
    kind: &str,
) -> Result<Draft, ImportError> {
    let client_id = needed(&client.client_id, "client_id")?;
    let title = filled(&client.project_id).unwrap_or("google");
    let mut draft = Draft::with_preset(title)
        .set("preset", "google")
        .set("client_id", client_id)
        .secret("client_secret", client.client_secret.as_ref());
    if !is_filled(&client.client_secret) {
        draft = draft.set("client_auth", "none");
    }
    // A desktop client may log in at any port of this machine; one for the web only where it is registered.
    if kind == "web" {
        let uris = &client.redirect_uris;
        let here = uris.iter().find(|uri| crate::config::is_http_loopback(uri));
        match here.or_else(|| uris.iter().find(|uri| uri.starts_with("https://"))) {
            Some(uri) => draft = draft.set("redirect_uri", uri),
            None => {
                draft = draft.note("no redirect URI that a login could end at is registered");
            }
        }
    }
    let (name, place) = (draft.name.clone(), file.place());
    let draft = draft.note(format!(
        "the file names no scope: run `tokctl set {name} scope=SCOPE`, then `tokctl login {name}`"
    ));
    Ok(match is_filled(&client.client_secret) {
        true => draft.leaves(format!("{place} still holds the client secret")),
        false => draft,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{read_one, refused};
    use crate::import::Source;

    const SERVICE_ACCOUNT: &str = include_str!("../../../tests/import/google-service-account.json");

    #[test]
    fn a_service_account_signs_for_itself() {
        let draft = read_one(Source::Google, SERVICE_ACCOUNT);
        assert_eq!(draft.name.as_str(), "ci-deploy");
        assert_eq!(
            draft.toml(),
            "preset = \"google-service-account\"\nkid = \"0123456789abcdef\"\n\
             iss = \"ci-deploy@acme-prod.iam.gserviceaccount.com\"\n"
        );
        let key = draft.held("private_key").unwrap();
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n") && key.ends_with("-----\n"));
        assert!(draft.notes[0].contains("tokctl set ci-deploy scope="), "{:?}", draft.notes);
        assert!(
            draft.leftover.as_deref().unwrap().starts_with("~/file still holds the private key")
        );
    }

    #[test]
    fn a_token_uri_of_its_own_is_where_the_assertion_goes() {
        let text =
            SERVICE_ACCOUNT.replace("https://oauth2.googleapis.com", "http://127.0.0.1:9400");
        let toml = read_one(Source::Google, &text).toml();
        for line in [
            "token_endpoint = \"http://127.0.0.1:9400/token\"",
            "assertion_audience = \"http://127.0.0.1:9400/token\"",
            "allow_http_loopback = true",
        ] {
            assert!(toml.contains(line), "{toml}");
        }
    }

    #[test]
    fn a_login_of_gcloud_goes_on_with_its_refresh_token() {
        let draft = read_one(
            Source::Google,
            r#"{"account":"","client_id":"x.apps.googleusercontent.com","client_secret":"d-s3cret",
                "quota_project_id":"acme-prod","refresh_token":"1//0g","type":"authorized_user",
                "universe_domain":"googleapis.com"}"#,
        );
        assert_eq!(
            draft.toml(),
            "grant = \"refresh_token\"\ntoken_endpoint = \"https://oauth2.googleapis.com/token\"\n\
             client_id = \"x.apps.googleusercontent.com\"\nclient_auth = \"post\"\n"
        );
        assert_eq!(draft.held("refresh_token"), Some("1//0g"));
        assert_eq!(draft.held("client_secret"), Some("d-s3cret"));
        assert!(draft.notes[0].contains("acme-prod"), "{:?}", draft.notes);
        let leftover = draft.leftover.unwrap();
        assert!(leftover.contains("`rm ~/file`") && leftover.contains("not `gcloud"), "{leftover}");
    }

    #[test]
    fn a_login_of_a_workforce_goes_on_too() {
        let draft = read_one(
            Source::Google,
            r#"{"type":"external_account_authorized_user","audience":"//iam.googleapis.com/locations/global",
                "client_id":"c","client_secret":"s","refresh_token":"r",
                "token_url":"https://sts.googleapis.com/v1/oauthtoken"}"#,
        );
        let toml = draft.toml();
        assert!(toml.contains("token_endpoint = \"https://sts.googleapis.com/v1/oauthtoken\""));
        assert!(toml.contains("client_auth = \"basic\""), "{toml}");
    }

    #[test]
    fn a_client_becomes_a_profile_to_log_in_with() {
        let desktop = r#"{"installed":{"client_id":"x.apps.googleusercontent.com","project_id":"acme-prod",
            "auth_uri":"https://accounts.google.com/o/oauth2/auth","token_uri":"https://oauth2.googleapis.com/token",
            "client_secret":"GOCSPX-s","redirect_uris":["http://localhost"]}}"#;
        let draft = read_one(Source::Google, desktop);
        assert_eq!(draft.name.as_str(), "acme-prod");
        assert_eq!(
            draft.toml(),
            "preset = \"google\"\nclient_id = \"x.apps.googleusercontent.com\"\n"
        );
        assert_eq!(draft.held("client_secret"), Some("GOCSPX-s"));
        assert!(draft.notes[0].contains("tokctl login acme-prod"), "{:?}", draft.notes);

        let web = r#"{"web":{"client_id":"x","client_secret":"s",
            "redirect_uris":["https://acme.example/cb","http://localhost:8080/cb"]}}"#;
        let toml = read_one(Source::Google, web).toml();
        assert!(toml.contains("redirect_uri = \"http://localhost:8080/cb\""), "{toml}");
    }

    #[test]
    fn what_cannot_be_taken_over_is_refused_in_words() {
        for (text, words) in [
            ("", "no JSON, or cut off"),
            (&SERVICE_ACCOUNT[..300], "no JSON, or cut off"),
            ("[1]", "another shape"),
            ("[\"service_account\",null,null,\"a@b\",\"kid\",\"k3y\"]", "another shape"),
            ("{\"installed\":[\"p\",\"x\",\"k3y\"]}", "another shape"),
            ("{\"type\":3}", "another shape"),
            ("{}", "no `type`, `installed` or `web`"),
            ("{\"type\":\"gdch_service_account\"}", "the type `gdch_service_account`"),
            ("{\"type\":\"impersonated_service_account\"}", "a person impersonates"),
            ("{\"type\":\"service_account\",\"client_email\":\"a@b\"}", "no `private_key`"),
            ("{\"type\":\"service_account\",\"private_key\":\"k3y\"}", "no `client_email`"),
            ("{\"type\":\"authorized_user\",\"client_id\":\"x\"}", "no `refresh_token`"),
            ("{\"installed\":{}}", "no `client_id`"),
        ] {
            let (message, _) = refused(Source::Google, text);
            assert!(message.contains(words), "{message}");
            assert!(!message.contains("k3y"), "{message}");
        }
    }
}
