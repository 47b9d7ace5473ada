//! An external account (AIP-4117): a token of another provider is exchanged at Google's security token service.

use std::borrow::Cow;

use serde::Deserialize;
use tokctl_proto::escape::shown;
use tokctl_proto::secret::SecretStr;
use url::Url;

use super::{CLOUD_PLATFORM, KIND, filled, is_filled, lacking, needed, not_json};
use crate::import::object::{self, Object};
use crate::import::{Draft, File, ImportError};

/// Hosts that a GitHub Actions job asks for its ID token.
const OF_GITHUB_ACTIONS: &str = ".actions.githubusercontent.com";

const WITH_PROGRAM: &str =
    "use the subject `profile:NAME` and a profile with a `command` that prints the token";

#[derive(Deserialize)]
struct ExternalAccount<'a> {
    #[serde(borrow, default)]
    audience: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    subject_token_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    token_url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    service_account_impersonation_url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    credential_source: Option<Object<Place<'a>>>,
    #[serde(borrow, default)]
    client_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client_secret: Option<SecretStr<'a>>,
    #[serde(borrow, default)]
    workforce_pool_user_project: Option<Cow<'a, str>>,
}

/// Where the subject token is. Headers that go with a URL hold a token of the job, and are not read.
#[derive(Deserialize)]
struct Place<'a> {
    #[serde(borrow, default)]
    file: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    environment_id: Option<Cow<'a, str>>,
    #[serde(default)]
    executable: Option<serde::de::IgnoredAny>,
    #[serde(borrow, default)]
    format: Option<Object<Format<'a>>>,
}

#[derive(Deserialize)]
struct Format<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

pub(super) fn read(file: &File<'_>, json: &str) -> Result<Draft, ImportError> {
    let account: ExternalAccount<'_> =
        object::read(json).map_err(|error| ImportError::not_this(KIND, not_json(&error)))?;
    let Object(place) =
        account.credential_source.as_ref().ok_or_else(|| lacking("credential_source"))?;
    let subject = subject(place)?;
    let impersonated = match filled(&account.service_account_impersonation_url) {
        Some(url) => Some(impersonated(url)?),
        None => None,
    };
    let title = impersonated.and_then(|email| email.split('@').next()).unwrap_or("google");
    let has_secret = is_filled(&account.client_secret);
    let client_id = filled(&account.client_id).filter(|_| has_secret).unwrap_or_default();
    let draft = Draft::new(title, "token_exchange")
        .set("token_endpoint", needed(&account.token_url, "token_url")?)
        .set("client_id", client_id)
        .set("client_auth", if has_secret { "basic" } else { "none" })
        .set("scope", CLOUD_PLATFORM)
        .set("audience", needed(&account.audience, "audience")?)
        .set("subject", &subject)
        .set("subject_token_type", needed(&account.subject_token_type, "subject_token_type")?)
        .set("requested_token_type", "urn:ietf:params:oauth:token-type:access_token")
        .set("impersonate", impersonated.unwrap_or_default())
        .secret("client_secret", account.client_secret.as_ref());
    let draft = match filled(&account.workforce_pool_user_project) {
        // RFC 8693 has no such parameter: Google takes it as a JSON text.
        Some(project) => {
            let options = serde_json::json!({ "userProject": project }).to_string();
            draft.set_in("params", "options", &options)
        }
        None => draft,
    };
    let audience = filled(&account.audience).unwrap_or_default();
    let draft = match subject.starts_with("file:") {
        true => draft,
        // What the job asks its ID token for (google-github-actions/auth does the same).
        false => draft.set("subject_audience", &format!("https:{audience}")),
    };
    let place = file.place();
    Ok(match has_secret {
        true => draft.leaves(format!("{place} still holds the client secret")),
        false => draft.note(format!("no secret is in {place}, so nothing need be taken out of it")),
    })
}

fn subject(place: &Place<'_>) -> Result<String, ImportError> {
    let format = place.format.as_ref().and_then(|Object(format)| filled(&format.kind));
    let format = format.unwrap_or("text");
    let unsupported = |why: &str| Err(ImportError::unsupported(why));
    let by_program = |why: &str| Err(ImportError::unsupported(why).instead(WITH_PROGRAM));
    match (filled(&place.file), filled(&place.url)) {
        (Some(_), _) if format != "text" => by_program(
            "its subject token stands within a JSON file, and tokctl reads files of the token alone",
        ),
        (Some(file), _) => Ok(format!("file:{file}")),
        (None, Some(url)) if is_github_actions(url) => Ok("github-actions".to_owned()),
        (None, Some(url)) => by_program(&format!(
            "its subject token is asked for at {}, which tokctl does not do",
            shown(url.split('?').next().unwrap_or_default())
        )),
        (None, None) if place.environment_id.is_some() => {
            unsupported("its subject is a signed request of AWS, which tokctl does not make")
        }
        (None, None) if place.executable.is_some() => {
            by_program("its subject token comes from a program")
        }
        (None, None) => unsupported("its `credential_source` is of no kind that is known"),
    }
}

fn is_github_actions(url: &str) -> bool {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| host.ends_with(OF_GITHUB_ACTIONS))
}

/// The service account of `https://iamcredentials…/serviceAccounts/EMAIL:generateAccessToken`.
fn impersonated(url: &str) -> Result<&str, ImportError> {
    let named = url.rsplit_once("/serviceAccounts/").and_then(|(before, named)| {
        let email = named.strip_suffix(":generateAccessToken")?;
        before.starts_with("https://iamcredentials.").then_some(email)
    });
    named.filter(|email| email.contains('@')).ok_or_else(|| {
        ImportError::unsupported("its `service_account_impersonation_url` is not that of Google")
    })
}

#[cfg(test)]
mod tests {
    use crate::import::Source;
    use crate::import::testing::{read_one, refused};

    const POOL: &str =
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q";

    fn account(source: &str, more: &str) -> String {
        format!(
            "{{\"type\":\"external_account\",\"audience\":\"{POOL}\",\"subject_token_type\":\
             \"urn:ietf:params:oauth:token-type:jwt\",\"token_url\":\"https://sts.googleapis.com/v1/token\",\
             \"credential_source\":{source}{more}}}"
        )
    }

    #[test]
    fn a_token_in_a_file_is_exchanged() {
        let source = r#"{"file":"/var/run/token","format":{"type":"text"}}"#;
        let draft = read_one(Source::Google, &account(source, ""));
        assert_eq!(
            draft.toml(),
            format!(
                "grant = \"token_exchange\"\ntoken_endpoint = \"https://sts.googleapis.com/v1/token\"\n\
                 client_auth = \"none\"\nscope = [\"https://www.googleapis.com/auth/cloud-platform\"]\n\
                 audience = [\"{POOL}\"]\nsubject = \"file:/var/run/token\"\n\
                 subject_token_type = \"urn:ietf:params:oauth:token-type:jwt\"\n\
                 requested_token_type = \"urn:ietf:params:oauth:token-type:access_token\"\n"
            )
        );
        assert!(draft.secrets.is_empty() && draft.leftover.is_none());
    }

    #[test]
    fn what_a_job_of_github_left_asks_github_again() {
        let source = r#"{"url":"https://pipelines.actions.githubusercontent.com/x?audience=y",
            "headers":{"Authorization":"Bearer s3cret"},"format":{"type":"json","subject_token_field_name":"value"}}"#;
        let url = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/\
            ci@acme.iam.gserviceaccount.com:generateAccessToken";
        let more = format!(",\"service_account_impersonation_url\":\"{url}\"");
        let draft = read_one(Source::Google, &account(source, &more));
        assert_eq!(draft.name.as_str(), "ci");
        let toml = draft.toml();
        for line in [
            "subject = \"github-actions\"",
            "impersonate = \"ci@acme.iam.gserviceaccount.com\"",
            &format!("subject_audience = \"https:{POOL}\""),
        ] {
            assert!(toml.contains(line), "{toml}");
        }
    }

    #[test]
    fn a_workforce_with_a_client_says_who_pays() {
        let more =
            ",\"client_id\":\"c\",\"client_secret\":\"s\",\"workforce_pool_user_project\":\"12\"";
        let draft = read_one(Source::Google, &account(r#"{"file":"/t"}"#, more));
        let toml = draft.toml();
        assert!(toml.contains("client_auth = \"basic\"") && toml.contains("userProject"), "{toml}");
        assert_eq!(draft.held("client_secret"), Some("s"));
        assert!(draft.leftover.is_some());
    }

    #[test]
    fn other_subjects_are_refused_in_words() {
        for (source, words) in [
            (
                r#"{"url":"http://169.254.169.254/token?x=s3cret"}"#,
                "asked for at http://169.254.169.254/token,",
            ),
            (r#"{"url":"https://actions.githubusercontent.com.evil.example/"}"#, "asked for at"),
            (r#"{"environment_id":"aws1","url":""}"#, "signed request of AWS"),
            (r#"{"executable":{"command":"/bin/x"}}"#, "comes from a program"),
            (r#"{"file":"/t","format":{"type":"json"}}"#, "within a JSON file"),
            ("{}", "no kind that is known"),
            (r#"["/t"]"#, "another shape"),
            (r#"{"file":"/t","format":["text"]}"#, "another shape"),
        ] {
            let (message, _) = refused(Source::Google, &account(source, ""));
            assert!(message.contains(words) && !message.contains("s3cret"), "{message}");
        }
        let evil = "https://evil.example/serviceAccounts/a@b:generateAccessToken";
        let more = format!(",\"service_account_impersonation_url\":\"{evil}\"");
        let (message, _) = refused(Source::Google, &account(r#"{"file":"/t"}"#, &more));
        assert!(message.contains("not that of Google"), "{message}");
    }
}
