//! The authorization code grant (RFC 6749 section 4.1) with PKCE (RFC 7636): what the browser is sent
//! with, and the request that turns the code into tokens.
//!
//! The request of a login goes through the browser, or is left with the provider before and goes
//! through the browser as a reference (RFC 9126). Either way it says the same. S256 is sent whatever
//! the provider says of itself: one that does not know it ignores it. Nothing here draws a state or a
//! verifier, and nothing here sends.

use std::collections::BTreeSet;

use tokctl_proto::{Failure, Kind, ProfileName, Secret, TokenKey};
use url::Url;

use crate::config::{Body, Client};
use crate::oauth::client_auth::{self, Identity};
use crate::oauth::form::Parameters;
use crate::oauth::grant::token_request::{self, Ask};
use crate::oauth::grant::{Endpoint, Held};
use crate::oauth::message::{HttpReply, HttpRequest};
use crate::oauth::state::Unguessable;

/// The name of the grant, here and on the wire.
const GRANT: &str = "authorization_code";
/// A scope that makes a login one of OpenID Connect, with an id_token at its end.
pub const OPENID: &str = "openid";
/// Longer than any reference to a request (RFC 9126 section 2.2) and short enough for a URL.
const REQUEST_URI_BYTES_MAX: usize = 2048;

/// What one login says, and is answered by.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub client: &'a Client,
    /// The profile's, and what was asked for beyond it.
    pub scope: &'a BTreeSet<String>,
    /// Exactly as it will stand in the token request, the port included (RFC 6749 section 4.1.3).
    pub redirect_uri: &'a str,
    pub state: &'a Unguessable,
    /// S256 of the verifier, base64url.
    pub code_challenge: &'a str,
    /// Where an id_token will come.
    pub nonce: Option<&'a Unguessable>,
    /// The key that the tokens will be bound to (RFC 9449 section 10).
    pub dpop_jkt: Option<&'a str>,
}

/// The URL that the browser opens.
pub fn url(endpoint: &Url, request: &Request<'_>) -> Secret {
    let mut parameters = parameters(request);
    parameters.set_text("client_id", &request.client.client_id);
    parameters.rename(&request.client.quirks.rename);
    Secret::new(parameters.behind(endpoint).into())
}

/// The request that leaves everything with the provider, `at` where it takes such (RFC 9126 section 2.1). The
/// client proves itself as at the token endpoint.
pub fn push(
    at: &Url,
    endpoint: &Endpoint,
    profile: &ProfileName,
    request: &Request<'_>,
    held: Held<'_>,
) -> Result<HttpRequest, Failure> {
    let client = request.client;
    let mut parameters = parameters(request);
    parameters.set_text("client_id", &client.client_id);
    let identity = Identity::at(endpoint, profile, GRANT, client);
    let authorization = client_auth::prove(identity, held, &mut parameters)?;
    parameters.rename(&client.quirks.rename);
    // JSON is a quirk of token endpoints.
    Ok(token_request::carry(at.clone(), authorization, &parameters, Body::Form))
}

/// The URL that the browser opens for a request that was left with the provider as this.
pub fn url_of_pushed(endpoint: &Url, client: &Client, request_uri: &Secret) -> Secret {
    let mut parameters = Parameters::default();
    parameters.set_text("client_id", &client.client_id);
    parameters.set("request_uri", request_uri.clone());
    parameters.rename(&client.quirks.rename);
    Secret::new(parameters.behind(endpoint).into())
}

/// Reads what names the request that was left (RFC 9126 section 2.2).
pub fn read_pushed(profile: &ProfileName, reply: &HttpReply) -> Result<Secret, Failure> {
    #[derive(serde::Deserialize)]
    struct Pushed {
        request_uri: String,
    }
    let read = serde_json::from_slice::<Pushed>(&reply.body).ok().map(|it| it.request_uri);
    let is_uri = |uri: &String| {
        (1..=REQUEST_URI_BYTES_MAX).contains(&uri.len()) && tokctl_proto::token::is_token(uri)
    };
    read.filter(is_uri).map(Secret::new).ok_or_else(|| {
        let message = format!(
            "the provider took the pushed request and did not say what it is called (HTTP {})",
            reply.status
        );
        Failure::new(Kind::ProviderFailed, message).of(profile)
    })
}

/// The request that turns a code into tokens. A code is good once: whoever sends this sends it once.
pub fn token_request(
    client: &Client,
    endpoint: &Endpoint,
    key: &TokenKey,
    held: Held<'_>,
    code: &Code<'_>,
) -> Result<HttpRequest, Failure> {
    let redirect_uri = Secret::new(code.redirect_uri.to_owned());
    let presented =
        [("code", code.code), ("code_verifier", code.verifier), ("redirect_uri", &redirect_uri)];
    let ask = Ask { grant: GRANT, grant_type: GRANT, presented: &presented, is_agreed: true };
    token_request::make(&ask, client, endpoint, key, held)
}

/// What a token request presents.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    pub code: &'a Secret,
    pub verifier: &'a Secret,
    pub redirect_uri: &'a str,
}

/// All but what names or proves the client.
fn parameters(request: &Request<'_>) -> Parameters {
    let Request { client, scope, redirect_uri, state, code_challenge, nonce, dpop_jkt } = *request;
    let mut parameters = Parameters::default();
    for (name, value) in &client.login.params {
        parameters.set_text(name, value);
    }
    token_request::ask_for(&mut parameters, client, scope, &client.audience, &client.resource);
    for (name, value) in [
        ("response_type", "code"),
        ("redirect_uri", redirect_uri),
        ("code_challenge", code_challenge),
        ("code_challenge_method", "S256"),
        ("dpop_jkt", dpop_jkt.unwrap_or_default()),
        ("state", state.expose()),
        ("nonce", nonce.map_or("", Unguessable::expose)),
    ] {
        parameters.set_text(name, value);
    }
    parameters
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokctl_proto::WallMs;
    use zeroize::Zeroizing;

    use super::*;
    use crate::config::ClientAuth;

    fn endpoint(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    fn client() -> Client {
        let mut client = Client {
            audience: set(&["https://api/"]),
            ..Client::plain(endpoint("https://as.example/token"))
        };
        client.login.params = [("prompt", "consent"), ("state", "mine")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        client
    }

    fn with<T>(client: &Client, scope: &[&str], use_it: impl FnOnce(&Request<'_>) -> T) -> T {
        let (scope, state) = (set(scope), Unguessable::new([7; 32]));
        let nonce = Unguessable::new([8; 32]);
        use_it(&Request {
            client,
            scope: &scope,
            redirect_uri: "http://127.0.0.1:7000/cb",
            state: &state,
            code_challenge: "cc-1",
            nonce: Some(&nonce).filter(|_| scope.contains(OPENID)),
            dpop_jkt: None,
        })
    }

    fn acme() -> ProfileName {
        ProfileName::parse("acme").unwrap()
    }

    #[test]
    fn the_browser_is_sent_with_what_the_rfcs_ask_for() {
        let says = format!(
            "audience=https%3A%2F%2Fapi%2F&client_id=cc&code_challenge=cc-1\
                    &code_challenge_method=S256&nonce={}&prompt=consent\
                    &redirect_uri=http%3A%2F%2F127.0.0.1%3A7000%2Fcb&response_type=code\
                    &scope=openid+read&state={}",
            Unguessable::new([8; 32]).expose(),
            Unguessable::new([7; 32]).expose(),
        );
        for (at, before) in [
            ("https://as.example/auth", "https://as.example/auth?"),
            ("https://as.example/auth?", "https://as.example/auth?"),
            ("https://as.example/auth?t=1", "https://as.example/auth?t=1&"),
        ] {
            let made = with(&client(), &["read", "openid"], |it| url(&endpoint(at), it));
            assert_eq!(made.expose(), format!("{before}{says}"));
        }
        let plain = with(&client(), &["read"], |it| url(&endpoint("https://as.example/"), it));
        assert!(!plain.expose().contains("nonce"));
    }

    #[test]
    fn what_is_pushed_says_the_same_and_the_browser_is_sent_with_its_name_alone() {
        let pushed = with(&client(), &["read"], |it| {
            let secrets = BTreeMap::from([("client_secret".to_owned(), secret("s3"))]);
            let at_token = Endpoint::configured(endpoint("https://as.example/token"), it.client);
            let at = endpoint("https://as.example/par");
            push(&at, &at_token, &acme(), it, Held::only(&secrets))
        })
        .unwrap();
        let through = with(&client(), &["read"], |it| url(&endpoint("https://as.example/"), it));
        let (_, through) = through.expose().split_once('?').unwrap();
        assert_eq!(pushed.body.expose(), through);
        assert!(pushed.headers.iter().any(|(name, _)| name == "Authorization"));
        let at = endpoint("https://as.example/auth?t=1");
        let url = url_of_pushed(&at, &client(), &secret("urn:x:1"));
        assert_eq!(
            url.expose(),
            "https://as.example/auth?t=1&client_id=cc&request_uri=urn%3Ax%3A1"
        );
    }

    #[test]
    fn a_pushed_request_has_a_name_or_the_login_ends() {
        let too_long = format!(r#"{{"request_uri":"{}"}}"#, "u".repeat(REQUEST_URI_BYTES_MAX + 1));
        for (body, name) in [
            (r#"{"request_uri":"urn:x","expires_in":60}"#, Some("urn:x")),
            (r#"{"request_uri":"urn:x"}"#, Some("urn:x")),
            (r#"{"request_uri":""}"#, None),
            (r#"{"request_uri":"a b"}"#, None),
            (r#"{"request_uri":"a\u001b"}"#, None),
            (&too_long, None),
            ("{}", None),
            ("<html>", None),
        ] {
            let reply = HttpReply {
                status: 201,
                content_type: None,
                retry_after: None,
                date: None,
                sent_at: WallMs(0),
                received_at: WallMs(0),
                body: Zeroizing::new(body.as_bytes().to_vec()),
            };
            let read = read_pushed(&acme(), &reply);
            assert_eq!(read.ok().as_ref().map(Secret::expose), name, "{body}");
        }
    }

    #[test]
    fn the_code_is_presented_with_its_verifier_and_without_scopes() {
        let (code, verifier) = (secret("c/1"), secret("v"));
        let code =
            Code { code: &code, verifier: &verifier, redirect_uri: "http://127.0.0.1:7000/cb" };
        let client = Client { scope: set(&["a"]), resource: set(&["https://r/"]), ..client() };
        let key = TokenKey::plain(acme());
        let at = endpoint("https://as.example/token");
        let endpoint = Endpoint::configured(
            at,
            &Client { client_auth: Some(ClientAuth::None), ..client.clone() },
        );
        let made =
            token_request(&client, &endpoint, &key, Held::only(&BTreeMap::new()), &code).unwrap();
        assert_eq!(
            made.body.expose(),
            "client_id=cc&code=c%2F1&code_verifier=v&grant_type=authorization_code\
             &redirect_uri=http%3A%2F%2F127.0.0.1%3A7000%2Fcb&resource=https%3A%2F%2Fr%2F"
        );
    }
}
