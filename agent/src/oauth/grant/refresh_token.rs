//! The refresh token grant (RFC 6749 section 6): the request.
//!
//! Scope is named only where a caller or the profile names one, and after a login where a caller does:
//! absent, it is what was granted. A provider may revoke every token of the family when it sees the same refresh token twice, so
//! whoever sends this sends it once; nothing here knows whether it was sent before.

use std::collections::BTreeSet;

use tokctl_proto::{Failure, Secret, TokenKey};

use crate::config::Client;
use crate::oauth::grant::token_request::{self, Ask};
use crate::oauth::grant::{Endpoint, Held};
use crate::oauth::message::HttpRequest;

/// The name of the refresh token where secrets are named.
pub const REFRESH_TOKEN: &str = "refresh_token";

/// The request for the token of `key` that presents `refresh_token`.
pub fn request(
    client: &Client,
    endpoint: &Endpoint,
    key: &TokenKey,
    held: Held<'_>,
    refresh_token: &Secret,
) -> Result<HttpRequest, Failure> {
    let presented = [(REFRESH_TOKEN, refresh_token)];
    let grant = "refresh_token";
    let ask = Ask { grant, grant_type: grant, presented: &presented, is_agreed: false };
    token_request::make(&ask, client, endpoint, key, held)
}

/// The same for a refresh token that a login brought: what the person agreed to then may be less than the profile asks
/// for, and to name more than that is refused (section 6). What a caller names is named all the same.
pub fn renewal(
    client: &Client,
    endpoint: &Endpoint,
    key: &TokenKey,
    held: Held<'_>,
    refresh_token: &Secret,
) -> Result<HttpRequest, Failure> {
    let (scope, audience) = (BTreeSet::new(), BTreeSet::new());
    let silent = Client { scope, audience, ..client.clone() };
    request(&silent, endpoint, key, held, refresh_token)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokctl_proto::{Kind, ProfileName};
    use url::Url;

    use super::*;
    use crate::config::ClientAuth;

    fn url() -> Url {
        Url::parse("https://acme.example/token?tenant=1").unwrap()
    }

    fn client() -> Client {
        Client { scope: ["b", "a"].map(str::to_owned).into(), ..Client::plain(url()) }
    }

    fn key(scope: &[&str]) -> TokenKey {
        let scope = scope.iter().map(|&scope| scope.to_owned()).collect();
        TokenKey { scope, ..TokenKey::plain(ProfileName::parse("acme").unwrap()) }
    }

    fn made(client: &Client, auth: ClientAuth, key: &TokenKey) -> Result<HttpRequest, Failure> {
        let endpoint = Endpoint { token_endpoint: url(), auth, audience: url().to_string() };
        let secrets = match auth {
            ClientAuth::None => BTreeMap::new(),
            _ => [("client_secret".to_owned(), Secret::new("s3".into()))].into(),
        };
        request(client, &endpoint, key, Held::only(&secrets), &Secret::new("r+1 /=".into()))
    }

    fn body(client: &Client, auth: ClientAuth, key: &TokenKey) -> String {
        made(client, auth, key).unwrap().body.expose().to_owned()
    }

    #[test]
    fn the_request_is_the_one_of_the_rfc() {
        let presented = "grant_type=refresh_token&refresh_token=r%2B1+%2F%3D";
        for (auth, expected) in [
            (ClientAuth::Basic, format!("{presented}&scope=a+b")),
            (ClientAuth::Post, format!("client_id=cc&client_secret=s3&{presented}&scope=a+b")),
            (ClientAuth::None, format!("client_id=cc&{presented}&scope=a+b")),
        ] {
            assert_eq!(body(&client(), auth, &key(&[])), expected, "{auth:?}");
        }
    }

    #[test]
    fn scope_is_named_only_where_somebody_names_one() {
        let silent = Client { scope: Default::default(), ..client() };
        for (client, asked, scope) in [
            (&silent, &[][..], None),
            (&silent, &["x"][..], Some("x")),
            (&client(), &[][..], Some("a+b")),
            (&client(), &["x"][..], Some("x")),
        ] {
            let body = body(client, ClientAuth::Basic, &key(asked));
            assert_eq!(body.split_once("&scope=").map(|(_, scope)| scope), scope, "{body}");
        }
    }

    #[test]
    fn what_a_login_has_settled_is_not_asked_for_again() {
        let client = Client { audience: ["aud".to_owned()].into(), ..client() };
        let endpoint = Endpoint::configured(
            url(),
            &Client { client_auth: Some(ClientAuth::None), ..client.clone() },
        );
        let (secrets, presented) = (BTreeMap::new(), Secret::new("r".into()));
        for (asked, scope) in [(&[][..], ""), (&["x"], "&scope=x")] {
            let held = Held::only(&secrets);
            let made = renewal(&client, &endpoint, &key(asked), held, &presented).unwrap();
            let expected = "client_id=cc&grant_type=refresh_token&refresh_token=r";
            assert_eq!(made.body.expose(), format!("{expected}{scope}"));
        }
    }

    #[test]
    fn no_parameter_takes_the_place_of_the_refresh_token() {
        let params = [("refresh_token", "x"), ("refresh_token2", "y")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let client = Client { params, ..client() };
        let body = body(&client, ClientAuth::Basic, &key(&[]));
        assert!(body.contains("&refresh_token=r%2B1+%2F%3D&refresh_token2=y"), "{body}");
    }

    #[test]
    fn the_refresh_token_is_in_the_body_alone() {
        let made = made(&client(), ClientAuth::Basic, &key(&[])).unwrap();
        assert_eq!(made.url.query(), Some("tenant=1"));
        assert!(made.headers.iter().all(|(_, value)| !value.expose().contains("r+1")));
    }

    #[test]
    fn a_missing_client_secret_is_named_in_the_remedy() {
        let endpoint = Endpoint {
            token_endpoint: url(),
            auth: ClientAuth::Basic,
            audience: url().to_string(),
        };
        let presented = Secret::new("r".into());
        let made =
            request(&client(), &endpoint, &key(&[]), Held::only(&BTreeMap::new()), &presented);
        let failure = made.unwrap_err();
        assert_eq!(failure.kind, Kind::SecretRequired);
        assert_eq!(
            failure.hint.as_deref(),
            Some("run `tokctl set-secret acme --name client_secret`")
        );
    }
}
