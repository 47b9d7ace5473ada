//! A token of a Google service account, for an exchanged token that may act as it
//! (`projects.serviceAccounts.generateAccessToken` of the IAM Service Account Credentials API).

use serde_json::json;
use tokctl_proto::{Secret, TokenKey};
use url::Url;

use crate::config::Client;
use crate::oauth::message::{self, HttpRequest, Method};

/// What the exchanged token must be good for, and what is asked for where nobody says.
pub const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const API: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/";
const METHOD: &str = ":generateAccessToken";

/// Where the account's tokens are made, if one is impersonated: `impersonate` is its e-mail address, or that URL.
pub fn endpoint(client: &Client) -> Option<Url> {
    let account = client.exchange.impersonate.as_deref()?;
    let url = match account.contains("://") {
        true => account.to_owned(),
        false => {
            let account: String = form_urlencoded::byte_serialize(account.as_bytes()).collect();
            format!("{API}{account}{METHOD}")
        }
    };
    Url::parse(&url).ok()
}

/// The request that presents the exchanged token.
pub fn request(client: &Client, key: &TokenKey, endpoint: &Url, token: &Secret) -> HttpRequest {
    let asked = if key.scope.is_empty() { &client.scope } else { &key.scope };
    let scope: Vec<&str> = match asked.is_empty() {
        true => vec![SCOPE],
        false => asked.iter().map(String::as_str).collect(),
    };
    let mut body = json!({ "scope": scope });
    if let Some(lifetime) = client.jwt.lifetime {
        body["lifetime"] = json!(format!("{}s", lifetime.as_secs()));
    }
    let text = |value: &str| Secret::new(value.to_owned());
    HttpRequest {
        method: Method::Post,
        url: endpoint.clone(),
        headers: vec![
            ("Accept".into(), text("application/json")),
            ("Content-Type".into(), text("application/json")),
            ("Authorization".into(), message::authorization("Bearer", token)),
        ],
        body: Secret::new(body.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokctl_proto::ProfileName;

    use super::*;

    fn client(account: &str) -> Client {
        let mut client = Client::plain(Url::parse("https://sts.example/").unwrap());
        client.exchange.impersonate = Some(account.to_owned());
        client
    }

    #[test]
    fn an_account_is_named_by_its_address_or_its_url() {
        for (account, url) in [
            (
                "ci@p.iam.gserviceaccount.com",
                "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/\
                 ci%40p.iam.gserviceaccount.com:generateAccessToken",
            ),
            (
                "https://iam.example/x:generateAccessToken",
                "https://iam.example/x:generateAccessToken",
            ),
        ] {
            assert_eq!(endpoint(&client(account)).unwrap().as_str(), url);
        }
        let plain = Client::plain(Url::parse("https://sts.example/").unwrap());
        assert_eq!(endpoint(&plain), None);
    }

    #[test]
    fn the_request_asks_for_the_scopes_of_profile_or_caller() {
        let mut client = client("https://iam.example/");
        let key = TokenKey::plain(ProfileName::parse("acme").unwrap());
        let url = endpoint(&client).unwrap();
        let token = Secret::new("t".into());
        let body = |client: &Client, key: &TokenKey| {
            request(client, key, &url, &token).body.expose().to_owned()
        };
        assert_eq!(body(&client, &key), format!(r#"{{"scope":["{SCOPE}"]}}"#));
        client.scope = ["b".to_owned()].into();
        client.jwt.lifetime = Some(Duration::from_secs(600));
        assert_eq!(body(&client, &key), r#"{"lifetime":"600s","scope":["b"]}"#);
        let asked = TokenKey { scope: ["c".to_owned()].into(), ..key };
        assert_eq!(body(&client, &asked), r#"{"lifetime":"600s","scope":["c"]}"#);
        let made = request(&client, &asked, &url, &token);
        assert_eq!(made.headers[2].1.expose(), "Bearer t");
    }
}
