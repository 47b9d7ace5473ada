//! An installation token of a GitHub App: a JWT that the app signs, for a token of one installation.
//!
//! GitHub refuses a JWT that lives for more than ten minutes or that its clock takes for one of the future, so it is
//! issued a minute back. Repositories and permissions narrow the token; without them it has all of the installation.

use std::time::Duration;

use serde_json::{Map, json};
use tokctl_proto::{Failure, Kind, Secret, TokenKey};
use url::Url;

use crate::config::{Algorithm, GithubApp};
use crate::oauth::client_auth::PRIVATE_KEY;
use crate::oauth::grant::{Held, private_key, unfit_key};
use crate::oauth::jose::Assertion;
use crate::oauth::message::{self, HttpRequest, Method};

/// The name in config.toml.
const NAME: &str = "github_app";
/// With a minute back this ends nine minutes from now.
const LIFETIME: Duration = Duration::from_secs(600);
const BACKDATE: Duration = Duration::from_secs(60);
const API_VERSION: &str = "2022-11-28";

/// Where the installation's tokens are made.
pub fn endpoint(app: &GithubApp) -> Url {
    let mut url = app.api.clone();
    let base = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}/app/installations/{}/access_tokens", app.installation_id));
    url
}

/// The request for a token.
pub fn request(app: &GithubApp, key: &TokenKey, held: Held<'_>) -> Result<HttpRequest, Failure> {
    let profile = &key.profile;
    if !key.scope.is_empty() || !key.audience.is_empty() || !key.resource.is_empty() {
        return Err(Failure::new(
            Kind::Usage,
            "a GitHub App's token has no scope, audience or resource to choose",
        )
        .of(profile)
        .hint(format!(
            "narrow it with `tokctl set {profile} repositories=\u{2026} permissions.contents=read`"
        )));
    }
    let private = private_key(profile, NAME, held.secrets, &app.jwt)?;
    let assertion = Assertion {
        iss: Some(&app.client_id),
        sub: None,
        aud: None,
        typ: "JWT",
        lifetime: LIFETIME,
        lifetime_max: LIFETIME,
        backdate: BACKDATE,
        unique: None,
        certificate: None,
        claims: Map::new(),
    };
    let signed = assertion
        .sign(held.now, &private, Algorithm::Rs256, &app.jwt)
        .map_err(|error| unfit_key(profile, NAME, PRIVATE_KEY, &error))?;
    let text = |value: &str| Secret::new(value.to_owned());
    Ok(HttpRequest {
        method: Method::Post,
        url: endpoint(app),
        headers: vec![
            ("Accept".into(), text("application/vnd.github+json")),
            ("X-GitHub-Api-Version".into(), text(API_VERSION)),
            ("Content-Type".into(), text("application/json")),
            ("Authorization".into(), message::authorization("Bearer", &signed)),
        ],
        body: Secret::new(body(app)),
    })
}

fn body(app: &GithubApp) -> String {
    let mut body = Map::new();
    if !app.repositories.is_empty() {
        // By name within the account, or by number.
        let (ids, names): (Vec<_>, Vec<_>) =
            app.repositories.iter().partition(|name| name.bytes().all(|b| b.is_ascii_digit()));
        let ids: Vec<u64> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        if !names.is_empty() {
            body.insert("repositories".to_owned(), json!(names));
        }
        if !ids.is_empty() {
            body.insert("repository_ids".to_owned(), json!(ids));
        }
    }
    if !app.permissions.is_empty() {
        body.insert("permissions".to_owned(), json!(app.permissions));
    }
    serde_json::Value::Object(body).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokctl_proto::{ProfileName, WallMs};

    use super::*;
    use crate::config::{Jwt, Network};
    use crate::oauth::jose::{PrivateKey, jws};

    fn app() -> GithubApp {
        GithubApp {
            api: Url::parse("https://api.github.com/").unwrap(),
            client_id: "Iv23".into(),
            installation_id: "42".into(),
            repositories: Vec::new(),
            permissions: BTreeMap::new(),
            jwt: Jwt::default(),
            network: Network::default(),
        }
    }

    fn key() -> TokenKey {
        TokenKey::plain(ProfileName::parse("acme").unwrap())
    }

    fn made(app: &GithubApp, key: &TokenKey, algorithm: Algorithm) -> Result<HttpRequest, Failure> {
        let private = PrivateKey::generate(algorithm).unwrap();
        let secrets = BTreeMap::from([("private_key".to_owned(), private)]);
        let now = WallMs(1_800_000_000_000);
        request(app, key, Held { secrets: &secrets, subject: None, now, unique: [0; 16] })
    }

    #[test]
    fn the_app_speaks_for_itself_for_less_than_ten_minutes() {
        let request = made(&app(), &key(), Algorithm::Rs256).unwrap();
        assert_eq!(
            request.url.as_str(),
            "https://api.github.com/app/installations/42/access_tokens"
        );
        let authorization = request.headers.iter().find(|(name, _)| name == "Authorization");
        let jwt = authorization.unwrap().1.expose().strip_prefix("Bearer ").unwrap();
        let parsed = jws::Parsed::read(jwt).unwrap();
        assert_eq!((parsed.alg.as_str(), &parsed.claims["iss"]), ("RS256", &json!("Iv23")));
        assert_eq!(parsed.claims["iat"], 1_799_999_940);
        assert_eq!(parsed.claims["exp"], 1_800_000_540);
        assert_eq!(request.body.expose(), "{}");
    }

    #[test]
    fn an_enterprise_has_its_api_below_a_path() {
        let api = Url::parse("https://ghe.example/api/v3").unwrap();
        let url = endpoint(&GithubApp { api, ..app() });
        assert_eq!(url.as_str(), "https://ghe.example/api/v3/app/installations/42/access_tokens");
    }

    #[test]
    fn repositories_and_permissions_narrow_the_token() {
        let app = GithubApp {
            repositories: vec!["hello".into(), "1296269".into()],
            permissions: [("contents".to_owned(), "read".to_owned())].into(),
            ..app()
        };
        let request = made(&app, &key(), Algorithm::Rs256).unwrap();
        assert_eq!(
            request.body.expose(),
            r#"{"permissions":{"contents":"read"},"repositories":["hello"],"repository_ids":[1296269]}"#
        );
    }

    #[test]
    fn what_github_does_not_take_is_refused_here() {
        let refused = made(&app(), &key(), Algorithm::Es256).unwrap_err();
        assert!(refused.message.contains("cannot sign RS256"), "{}", refused.message);
        let scoped = TokenKey { scope: ["repo".to_owned()].into(), ..key() };
        assert_eq!(made(&app(), &scoped, Algorithm::Rs256).unwrap_err().kind, Kind::Usage);
    }
}
