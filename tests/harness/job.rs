//! A job of GitHub Actions as tokctl meets it: the endpoint that gives the job its token, and what the job's
//! environment says of it.

use serde_json::json;

use crate::api::{Api, Reply};
use crate::process::Run;

/// What opens the endpoint.
const REQUEST_TOKEN: &str = "opens-github";

/// A running endpoint. It ends with its value.
#[derive(Debug)]
pub struct GithubJob {
    endpoint: Api,
}

impl GithubJob {
    /// A job that may have tokens.
    #[track_caller]
    pub fn start() -> Self {
        let endpoint = Api::start(|message| {
            let audience = url_query(message.word(1), "audience").unwrap_or_default();
            match message.header("authorization") == Some(&format!("bearer {REQUEST_TOKEN}")) {
                true => Reply::json(200, &json!({ "count": 1, "value": token_for(&audience) })),
                false => Reply::json(401, &json!({ "message": "Bad credentials" })),
            }
        });
        Self { endpoint }
    }

    /// A program that the job runs.
    pub fn run(&self, run: Run) -> Run {
        run.env("GITHUB_ACTIONS", "true")
            .env("ACTIONS_ID_TOKEN_REQUEST_URL", self.endpoint.url("/token?api-version=2.0"))
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN)
    }

    /// How many tokens were asked for.
    pub fn asked(&self) -> usize {
        self.endpoint.requests().len()
    }
}

/// The token that a job is given for an audience.
pub fn token_for(audience: &str) -> String {
    let audience = audience.replace(|it: char| !it.is_ascii_alphanumeric(), "-");
    format!("job-token.for.{audience}")
}

fn url_query(target: &str, name: &str) -> Option<String> {
    let (_, query) = target.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
