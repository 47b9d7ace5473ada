//! The token exchange grant (RFC 8693): somebody else's token, for one of this provider.
//!
//! The audience is the profile's or the caller's (section 2.1). Where a Google service account is impersonated, the
//! exchanged token opens that one door, so the scopes are left for the request after it (`impersonation.rs`).

use std::collections::BTreeSet;

use tokctl_proto::{Failure, Secret, TokenKey};

use crate::config::Client;
use crate::oauth::grant::token_request::{self, Ask};
use crate::oauth::grant::{Endpoint, Held, impersonation};
use crate::oauth::message::HttpRequest;
use crate::oauth::subject;

/// The name in config.toml.
const NAME: &str = "token_exchange";
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The request for the token of `key`.
pub fn request(
    client: &Client,
    endpoint: &Endpoint,
    key: &TokenKey,
    held: Held<'_>,
) -> Result<HttpRequest, Failure> {
    let whose = client.subject.as_ref();
    let token = held.subject.ok_or_else(|| subject::required(&key.profile, whose))?;
    let exchange = &client.exchange;
    let default = whose.map_or("jwt", subject::default_type);
    let kind = subject::token_type(exchange.subject_token_type.as_deref().unwrap_or(default));
    let wanted = exchange.requested_token_type.as_deref().map(subject::token_type);
    let (kind, wanted) = (Secret::new(kind), Secret::new(wanted.unwrap_or_default()));
    let presented = [
        ("subject_token", token),
        ("subject_token_type", &kind),
        ("requested_token_type", &wanted),
    ];
    let ask = Ask { grant: NAME, grant_type: GRANT_TYPE, presented: &presented, is_agreed: false };
    if exchange.impersonate.is_none() {
        return token_request::make(&ask, client, endpoint, key, held);
    }
    let scope = BTreeSet::from([impersonation::SCOPE.to_owned()]);
    let client = Client { scope, ..client.clone() };
    let key = TokenKey { scope: BTreeSet::new(), ..key.clone() };
    token_request::make(&ask, &client, endpoint, &key, held)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokctl_proto::{Kind, ProfileName, WallMs};
    use url::Url;

    use super::*;
    use crate::config::{Exchange, Subject};

    fn client(subject: Subject, exchange: Exchange) -> Client {
        Client {
            client_id: String::new(),
            scope: ["a".to_owned()].into(),
            audience: ["//iam.example/pool".to_owned()].into(),
            subject: Some(subject),
            exchange,
            ..Client::plain(Url::parse("https://sts.example/v1/token").unwrap())
        }
    }

    fn key() -> TokenKey {
        TokenKey::plain(ProfileName::parse("acme").unwrap())
    }

    fn made(client: &Client, subject: Option<&Secret>) -> Result<String, Failure> {
        let Client { provider, .. } = client;
        let crate::config::Provider::TokenEndpoint(url) = provider else { panic!("an issuer") };
        let endpoint = Endpoint::configured(url.clone(), client);
        let secrets = BTreeMap::new();
        let held = Held { secrets: &secrets, subject, now: WallMs(0), unique: [0; 16] };
        request(client, &endpoint, &key(), held).map(|made| made.body.expose().to_owned())
    }

    #[test]
    fn the_request_is_the_one_of_the_rfc() {
        let token = Secret::new("eyJ0".into());
        let plain = "audience=%2F%2Fiam.example%2Fpool\
            &grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&scope=a\
            &subject_token=eyJ0&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3A";
        let of = ProfileName::parse("other").unwrap();
        for (subject, kind) in [
            (Subject::GithubActions, "jwt"),
            (Subject::Env("X".into()), "jwt"),
            (Subject::Profile(of), "access_token"),
        ] {
            let body = made(&client(subject, Exchange::default()), Some(&token)).unwrap();
            assert_eq!(body, format!("{plain}{kind}"));
        }
        let exchange = Exchange {
            subject_token_type: Some("id_token".into()),
            requested_token_type: Some("urn:x:own".into()),
            ..Exchange::default()
        };
        let body = made(&client(Subject::Gitlab, exchange), Some(&token)).unwrap();
        assert!(body.ends_with("%3Atoken-type%3Aid_token"), "{body}");
        assert!(body.contains("&requested_token_type=urn%3Ax%3Aown&"), "{body}");
    }

    #[test]
    fn scopes_are_those_of_the_account_that_is_impersonated() {
        let exchange = Exchange { impersonate: Some("x@y".into()), ..Exchange::default() };
        let token = Secret::new("eyJ0".into());
        let body = made(&client(Subject::Gitlab, exchange), Some(&token)).unwrap();
        assert!(body.contains("auth%2Fcloud-platform&"), "{body}");
    }

    #[test]
    fn without_a_subject_nothing_is_sent() {
        let client = client(Subject::Env("ID_TOKEN".into()), Exchange::default());
        let failure = made(&client, None).unwrap_err();
        assert_eq!(failure.kind, Kind::SubjectRequired);
        assert_eq!(failure.message, "there is no token in $ID_TOKEN of the client");
    }
}
