//! Tokens of somebody else that are presented: what is missing where there is none, what kind each is, and how a job
//! of GitHub Actions asks for its own.
//!
//! A job's environment has no token but the means to ask for one, which the client brings: a URL and a token that opens
//! it. Both are of this job alone. Tokens from there live for minutes, so one is fetched for each exchange.

use serde::Deserialize;
use tokctl_core::{Class, Trouble};
use tokctl_proto::{Failure, Kind, ProfileName, Secret};
use url::Url;

use crate::config::Subject;
use crate::oauth::message::{self, HttpReply, HttpRequest, Method};
use crate::oauth::origin::{self, Reach};

/// RFC 8693 section 3.
const TYPE: &str = "urn:ietf:params:oauth:token-type:";
/// More than any JWT that a job is given.
pub const SUBJECT_BYTES_MAX: usize = 64 * 1024;

/// A token type as config.toml has it: a URI, or the end of one of RFC 8693's.
pub fn token_type(written: &str) -> String {
    match written.contains(':') {
        true => written.to_owned(),
        false => format!("{TYPE}{written}"),
    }
}

/// What a subject is unless the profile says otherwise.
pub fn default_type(subject: &Subject) -> &'static str {
    match subject {
        Subject::Profile(_) => "access_token",
        Subject::GithubActions | Subject::Gitlab | Subject::File(_) | Subject::Env(_) => "jwt",
    }
}

/// The failure of an exchange that nobody has brought a subject for.
pub fn required(profile: &ProfileName, subject: Option<&Subject>) -> Failure {
    let from = match subject {
        Some(Subject::GithubActions) => "of the GitHub Actions job".to_owned(),
        Some(Subject::Gitlab) => "of the GitLab job".to_owned(),
        Some(Subject::File(path)) => format!("in {}", path.display()),
        Some(Subject::Env(name)) => format!("in ${name} of the client"),
        Some(Subject::Profile(name)) => format!("of the profile `{name}`"),
        None => "to exchange".to_owned(),
    };
    Failure::new(Kind::SubjectRequired, format!("there is no token {from}")).of(profile)
}

/// What a text of the outside holds as a subject: one token, without the line end of its file.
pub fn read(text: &str) -> Option<Secret> {
    let text = text.trim();
    let fits = (1..=SUBJECT_BYTES_MAX).contains(&text.len()) && tokctl_proto::token::is_token(text);
    fits.then(|| Secret::new(text.to_owned()))
}

/// The request for a job's token, made of the two lines that the job's client has brought.
pub fn github_actions(
    profile: &ProfileName,
    brought: &Secret,
    audience: Option<&str>,
    allow_http_loopback: bool,
) -> Result<HttpRequest, Failure> {
    let refused = |why: &str| {
        let message = format!("what the job has for asking for its token {why}");
        Failure::new(Kind::SubjectRequired, message).of(profile)
    };
    let (url, token) =
        brought.expose().split_once('\n').ok_or_else(|| refused("is not complete"))?;
    let token = read(token).ok_or_else(|| refused("holds no token"))?;
    let mut url = Url::parse(url.trim()).map_err(|_| refused("holds no URL"))?;
    if !origin::is_private(&url, allow_http_loopback) {
        return Err(refused("leads to a URL that is not https"));
    }
    let has_password = !url.username().is_empty() || url.password().is_some();
    if has_password || url.fragment().is_some() {
        return Err(refused("leads to a URL with more in it than a place"));
    }
    check_reach(profile, &url, Reach::of(&url), allow_http_loopback)?;
    if let Some(audience) = audience {
        url.query_pairs_mut().append_pair("audience", audience);
    }
    Ok(HttpRequest {
        method: Method::Get,
        url,
        headers: vec![
            ("Accept".into(), Secret::new("application/json".to_owned())),
            ("Authorization".into(), message::authorization("bearer", &token)),
        ],
        body: Secret::default(),
    })
}

/// Whether GitHub can be where a job's client sends the agent: out in the world. A client that could have the agent
/// ask on this machine and in its network would reach with it what only the agent's own place reaches.
pub fn check_reach(
    profile: &ProfileName,
    url: &Url,
    reach: Reach,
    allow_http_loopback: bool,
) -> Result<(), Failure> {
    if reach == Reach::World || (allow_http_loopback && origin::is_loopback(url)) {
        return Ok(());
    }
    let message = "what the job has for asking for its token leads to an address of this machine or of its own network";
    let failure = Failure::new(Kind::SubjectRequired, message).of(profile);
    Err(failure.hint("have the job ask for its token, and use `subject = \"env:NAME\"`"))
}

/// The token in GitHub's answer.
pub fn read_github_actions(profile: &ProfileName, reply: &HttpReply) -> Result<Secret, Trouble> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(deserialize_with = "message::secret")]
        value: Secret,
    }
    let failed = |class, message: String| {
        Err(Trouble::new(class, Failure::new(Kind::ProviderFailed, message).of(profile)))
    };
    let status = reply.status;
    let answer = serde_json::from_slice::<Answer>(&reply.body).ok();
    match (status, answer.and_then(|answer| read(answer.value.expose()))) {
        (200..=299, Some(token)) => Ok(token),
        (200..=299, None) => {
            failed(Class::Retry, format!("GitHub sent no token of the job (HTTP {status})"))
        }
        (408 | 429 | 500..=599, _) => {
            failed(Class::Retry, format!("GitHub has no token of the job now (HTTP {status})"))
        }
        _ => {
            let message = format!("GitHub refused a token to the job (HTTP {status})");
            let failure = Failure::new(Kind::SubjectRequired, message).of(profile);
            let hint = "give the job `permissions: id-token: write`, and ask before it ends";
            Err(Trouble::new(Class::Retry, failure.hint(hint)))
        }
    }
}

#[cfg(test)]
mod tests {
    use tokctl_proto::WallMs;
    use zeroize::Zeroizing;

    use super::*;

    fn acme() -> ProfileName {
        ProfileName::parse("acme").unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_job_asks_with_its_own_means_for_an_audience() {
        let brought = secret("https://run.example/token?api-version=2.0\neyJ0\n");
        let request = github_actions(&acme(), &brought, Some("api://Azure AD"), false).unwrap();
        assert_eq!(
            request.url.as_str(),
            "https://run.example/token?api-version=2.0&audience=api%3A%2F%2FAzure+AD"
        );
        assert_eq!(request.headers[1].1.expose(), "bearer eyJ0");
        let plain = github_actions(&acme(), &brought, None, false).unwrap();
        assert_eq!(plain.url.query(), Some("api-version=2.0"));
    }

    #[test]
    fn means_that_make_no_sense_are_not_used_and_not_shown() {
        for brought in [
            "https://run.example/token",
            "https://run.example/token\n",
            "http://run.example/token\neyJ0",
            "http://127.0.0.1:1/token\neyJ0",
            "no url\neyJ0",
            "https://run.example/\ne y",
            "",
        ] {
            let failure = github_actions(&acme(), &secret(brought), None, false).unwrap_err();
            assert_eq!(failure.kind, Kind::SubjectRequired, "{brought}");
            assert!(!failure.message.contains("run.example"), "{}", failure.message);
        }
        let loopback = secret("http://127.0.0.1:1/token\neyJ0");
        assert!(github_actions(&acme(), &loopback, None, true).is_ok());
    }

    #[test]
    fn a_job_leads_the_agent_out_into_the_world_alone() {
        for (url, goes, goes_to_loopback) in [
            ("https://pipelines.actions.githubusercontent.com/x", true, true),
            ("https://8.8.8.8/x", true, true),
            ("https://[2001:db8::1]/x", true, true),
            ("https://127.0.0.1/x", false, true),
            ("https://127.1/x", false, true),
            ("https://[::1]/x", false, true),
            ("https://localhost/x", false, true),
            ("http://127.0.0.1/x", false, true),
            ("http://localhost:1/x", false, true),
            ("https://x.localhost/x", false, false),
            ("https://0.0.0.0/x", false, false),
            ("https://10.0.0.1/x", false, false),
            ("https://192.168.1.1/x", false, false),
            ("https://172.16.0.1/x", false, false),
            ("https://100.64.0.1/x", false, false),
            ("https://169.254.169.254/x", false, false),
            ("https://0xa9fea9fe/x", false, false),
            ("https://[::ffff:169.254.169.254]/x", false, false),
            ("https://[fe80::1]/x", false, false),
            ("https://[fd00:ec2::254]/x", false, false),
            ("http://8.8.8.8/x", false, false),
            ("https://u:p@run.example/x", false, false),
            ("https://run.example/x#y", false, false),
            ("file:///etc/passwd", false, false),
        ] {
            for (allowed, goes) in [(false, goes), (true, goes_to_loopback)] {
                let brought = secret(&format!("{url}\neyJ0"));
                let made = github_actions(&acme(), &brought, None, allowed);
                assert_eq!(made.is_ok(), goes, "{url} {allowed}");
            }
        }
        // What a name of the world is resolved to may be anywhere.
        let url = Url::parse("https://run.example/x").unwrap();
        for (reach, goes) in [(Reach::World, true), (Reach::Inside, false), (Reach::Link, false)] {
            assert_eq!(check_reach(&acme(), &url, reach, true).is_ok(), goes, "{reach:?}");
        }
    }

    #[test]
    fn the_answer_is_a_token_or_says_who_can_do_something() {
        for (status, body, token, kind) in [
            (200, r#"{"count":1,"value":"eyJ0"}"#, Some("eyJ0"), None),
            (200, r#"{"value":"a\nb"}"#, None, Some(Kind::ProviderFailed)),
            (200, "<html>", None, Some(Kind::ProviderFailed)),
            (500, "", None, Some(Kind::ProviderFailed)),
            (403, "{}", None, Some(Kind::SubjectRequired)),
            (404, "", None, Some(Kind::SubjectRequired)),
        ] {
            let reply = HttpReply {
                status,
                content_type: None,
                retry_after: None,
                date: None,
                sent_at: WallMs(0),
                received_at: WallMs(0),
                body: Zeroizing::new(body.as_bytes().to_vec()),
            };
            let read = read_github_actions(&acme(), &reply);
            assert_eq!(read.as_ref().ok().map(Secret::expose), token, "{status} {body}");
            assert_eq!(read.err().map(|trouble| trouble.failure.kind), kind, "{status} {body}");
        }
    }

    #[test]
    fn a_subject_is_one_token() {
        for (text, token) in [
            ("eyJ0\n", Some("eyJ0")),
            (" eyJ0 ", Some("eyJ0")),
            ("", None),
            ("\n", None),
            ("a b", None),
            ("a\nb", None),
            ("a\u{1b}[31m", None),
        ] {
            assert_eq!(read(text).as_ref().map(Secret::expose), token, "{text:?}");
        }
        assert!(read(&"x".repeat(SUBJECT_BYTES_MAX + 1)).is_none());
    }
}
