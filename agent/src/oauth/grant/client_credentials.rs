//! The client credentials grant (RFC 6749 section 4.4): the request.

use tokctl_proto::{Failure, TokenKey};

use crate::config::Client;
use crate::oauth::grant::token_request::{self, Ask};
use crate::oauth::grant::{Endpoint, Held};
use crate::oauth::message::HttpRequest;

/// The request for the token of `key`.
pub fn request(
    client: &Client,
    endpoint: &Endpoint,
    key: &TokenKey,
    held: Held<'_>,
) -> Result<HttpRequest, Failure> {
    let grant = "client_credentials";
    let ask = Ask { grant, grant_type: grant, presented: &[], is_agreed: false };
    token_request::make(&ask, client, endpoint, key, held)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use tokctl_proto::{Kind, ProfileName, Secret};
    use url::Url;

    use super::*;
    use crate::config::{Body, ClientAuth};
    use crate::oauth::message::Method;

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    fn url() -> Url {
        Url::parse("https://acme.example/token?tenant=1").unwrap()
    }

    fn client() -> Client {
        Client { scope: set(&["b", "a"]), audience: set(&["aud"]), ..Client::plain(url()) }
    }

    fn endpoint(auth: ClientAuth) -> Endpoint {
        Endpoint { token_endpoint: url(), auth, audience: url().to_string() }
    }

    fn key() -> TokenKey {
        TokenKey::plain(ProfileName::parse("acme").unwrap())
    }

    fn secrets() -> BTreeMap<String, Secret> {
        [("client_secret", "s3"), ("pin", "12&3")]
            .map(|(name, value)| (name.to_owned(), Secret::new(value.into())))
            .into()
    }

    fn body(client: &Client, auth: ClientAuth, key: &TokenKey) -> String {
        request(client, &endpoint(auth), key, Held::only(&secrets()))
            .unwrap()
            .body
            .expose()
            .to_owned()
    }

    #[test]
    fn the_request_is_the_one_of_the_rfc() {
        let made = request(&client(), &endpoint(ClientAuth::Basic), &key(), Held::only(&secrets()))
            .unwrap();
        assert_eq!(made.method, Method::Post);
        assert_eq!(made.url, url());
        let headers: Vec<_> =
            made.headers.iter().map(|(name, value)| (&**name, value.expose())).collect();
        assert_eq!(
            headers,
            [
                ("Accept", "application/json"),
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Authorization", "Basic Y2M6czM="),
            ]
        );
        assert_eq!(made.body.expose(), "audience=aud&grant_type=client_credentials&scope=a+b");
    }

    #[test]
    fn the_secret_is_in_one_place_and_never_in_the_url() {
        for (auth, in_body, in_header) in [
            (ClientAuth::Basic, false, true),
            (ClientAuth::BasicRaw, false, true),
            (ClientAuth::Post, true, false),
            (ClientAuth::None, false, false),
        ] {
            let made = request(&client(), &endpoint(auth), &key(), Held::only(&secrets())).unwrap();
            assert_eq!(made.body.expose().contains("client_secret=s3"), in_body, "{auth:?}");
            let header = made.headers.iter().any(|(name, _)| *name == "Authorization");
            assert_eq!(header, in_header, "{auth:?}");
            assert_eq!(made.url.query(), Some("tenant=1"), "{auth:?}");
        }
    }

    #[test]
    fn what_the_key_names_takes_the_place_of_the_profile() {
        let mut key = key();
        key.scope = set(&["only"]);
        key.resource = set(&["https://one/", "https://two/"]);
        assert_eq!(
            body(&client(), ClientAuth::Basic, &key),
            "audience=aud&grant_type=client_credentials&resource=https%3A%2F%2Fone%2F\
             &resource=https%3A%2F%2Ftwo%2F&scope=only"
        );
        let mut client = client();
        client.params.insert("scope".into(), "fixed".into());
        assert!(body(&client, ClientAuth::Basic, &key).ends_with("scope=only"));
        key.scope.clear();
        assert!(body(&client, ClientAuth::Basic, &key).ends_with("scope=fixed"));
    }

    #[test]
    fn a_json_body_joins_scopes_and_lists_audiences() {
        let mut client = client();
        client.body = Body::Json;
        assert_eq!(
            body(&client, ClientAuth::Post, &key()),
            r#"{"audience":"aud","client_id":"cc","client_secret":"s3","grant_type":"client_credentials","scope":"a b"}"#
        );
        client.audience = set(&["x", "y"]);
        client.scope.clear();
        assert_eq!(
            body(&client, ClientAuth::Basic, &key()),
            r#"{"audience":["x","y"],"grant_type":"client_credentials"}"#
        );
    }

    #[test]
    fn params_rename_the_grant_and_hold_secrets() {
        let mut client = client();
        client.params =
            [("grant_type", "account_credentials"), ("pin", "x{secret:pin}"), ("no", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into();
        assert_eq!(
            body(&client, ClientAuth::Basic, &key()),
            "audience=aud&grant_type=account_credentials&pin=x12%263&scope=a+b"
        );
    }

    #[test]
    fn what_is_missing_or_twofold_is_refused_with_the_remedy() {
        for (name, value, kind, hint) in [
            (
                "x",
                "{secret:nope}",
                Kind::SecretRequired,
                "run `tokctl set-secret acme --name nope`",
            ),
            (
                "client_secret",
                "{secret:client_secret}",
                Kind::ConfigInvalid,
                "run `tokctl set acme client_auth=post`, without the parameter",
            ),
        ] {
            let mut client = client();
            client.params.insert(name.into(), value.into());
            let failure =
                request(&client, &endpoint(ClientAuth::Basic), &key(), Held::only(&secrets()))
                    .unwrap_err();
            assert_eq!((failure.kind, failure.hint.as_deref()), (kind, Some(hint)));
        }
        let failure =
            request(&client(), &endpoint(ClientAuth::Basic), &key(), Held::only(&BTreeMap::new()))
                .unwrap_err();
        assert_eq!(failure.kind, Kind::SecretRequired);
    }

    proptest! {
        #[test]
        fn no_body_holds_a_parameter_twice(
            scope in prop::collection::btree_set("[a-z]{0,3}", 0..4),
            resource in prop::collection::btree_set("[a-z]{0,3}", 0..4),
            params in prop::collection::btree_map(
                prop_oneof![Just("scope"), Just("resource"), Just("audience"), Just("grant_type"), Just("client_id")]
                    .prop_map(str::to_owned),
                "[a-z]{0,3}",
                0..4,
            ),
            post in any::<bool>(),
        ) {
            let client = Client { params, ..client() };
            let key = TokenKey { scope, resource, ..key() };
            let auth = if post { ClientAuth::Post } else { ClientAuth::Basic };
            let made = body(&client, auth, &key);
            let mut seen = BTreeSet::new();
            for (name, value) in form_urlencoded::parse(made.as_bytes()) {
                prop_assert!(!value.is_empty());
                let may_repeat = name == "resource" || name == "audience";
                let known_by = if may_repeat { format!("{name}={value}") } else { name.into_owned() };
                prop_assert!(seen.insert(known_by));
            }
        }
    }
}
