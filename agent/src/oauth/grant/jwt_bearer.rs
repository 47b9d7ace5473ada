//! The JWT bearer grant (RFC 7523 section 2.1): an assertion that is signed here, for a token.
//!
//! The assertion's audience is the issuer, or the token endpoint where no issuer is named. A claim that is written
//! `{scope}` takes the scopes that are asked for, for providers that read them there (Google, DocuSign); then they
//! are no parameter.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Map;
use tokctl_proto::{Failure, TokenKey};

use crate::config::{Client, Jwt};
use crate::oauth::client_auth::PRIVATE_KEY;
use crate::oauth::grant::token_request::{self, Ask};
use crate::oauth::grant::{Endpoint, Held, private_key, unfit_key};
use crate::oauth::jose::Assertion;
use crate::oauth::jose::assertion::BACKDATE;
use crate::oauth::message::HttpRequest;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The name in config.toml.
const NAME: &str = "jwt_bearer";
/// A claim of this text is the scope.
const SCOPE_HOLE: &str = "{scope}";
/// It is used at once; this is for clocks.
const LIFETIME: Duration = Duration::from_secs(300);
/// Google takes an hour at most, and so do all that name a limit.
const LIFETIME_MAX: Duration = Duration::from_secs(3600);

/// The request for the token of `key`.
pub fn request(
    client: &Client,
    endpoint: &Endpoint,
    key: &TokenKey,
    held: Held<'_>,
) -> Result<HttpRequest, Failure> {
    let profile = &key.profile;
    let private = private_key(profile, NAME, held.secrets, &client.jwt)?;
    let algorithm = client.jwt.alg.unwrap_or_else(|| private.algorithm());
    let asked = if key.scope.is_empty() { &client.scope } else { &key.scope };
    let (settings, scope_is_claimed) = with_scope(&client.jwt, asked);
    let issuer = Some(client.client_id.as_str()).filter(|id| !id.is_empty());
    let assertion = Assertion {
        iss: issuer,
        sub: None,
        aud: Some(&endpoint.audience),
        typ: "JWT",
        lifetime: LIFETIME,
        lifetime_max: LIFETIME_MAX,
        backdate: BACKDATE,
        unique: Some(held.unique),
        certificate: None,
        claims: Map::new(),
    };
    let signed = assertion
        .sign(held.now, &private, algorithm, &settings)
        .map_err(|error| unfit_key(profile, NAME, PRIVATE_KEY, &error))?;
    let presented = [("assertion", &signed)];
    let ask = Ask { grant: NAME, grant_type: GRANT_TYPE, presented: &presented, is_agreed: false };
    if !scope_is_claimed {
        return token_request::make(&ask, client, endpoint, key, held);
    }
    let silent = Client { scope: BTreeSet::new(), ..client.clone() };
    let key = TokenKey { scope: BTreeSet::new(), ..key.clone() };
    token_request::make(&ask, &silent, endpoint, &key, held)
}

/// The settings with the scope where a claim wants it, and whether one does.
fn with_scope(settings: &Jwt, asked: &BTreeSet<String>) -> (Jwt, bool) {
    let mut settings = settings.clone();
    let scope = asked.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let holes = settings.claims.values_mut().filter(|claim| *claim == SCOPE_HOLE);
    let mut is_claimed = false;
    for hole in holes {
        // A scope that reads as JSON is text all the same.
        *hole = serde_json::Value::String(scope.clone()).to_string();
        is_claimed = true;
    }
    (settings, is_claimed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};
    use tokctl_proto::{Kind, ProfileName, Secret, WallMs};
    use url::Url;

    use super::*;
    use crate::config::{Algorithm, ClientAuth};
    use crate::oauth::jose::{PrivateKey, jws};

    fn endpoint() -> Endpoint {
        let token_endpoint = Url::parse("https://acme.example/token").unwrap();
        let audience = "https://acme.example".to_owned();
        Endpoint { token_endpoint, auth: ClientAuth::None, audience }
    }

    fn client() -> Client {
        let scope = ["b", "a"].map(str::to_owned).into();
        Client { scope, ..Client::plain(endpoint().token_endpoint) }
    }

    fn key() -> TokenKey {
        TokenKey::plain(ProfileName::parse("acme").unwrap())
    }

    /// The parameters of the request, and the claims of its assertion.
    fn made(client: &Client, key: &TokenKey) -> (BTreeMap<String, String>, Value) {
        let private = PrivateKey::generate(Algorithm::Es256).unwrap();
        let secrets = BTreeMap::from([("private_key".to_owned(), private)]);
        let now = WallMs(1_800_000_000_000);
        let held = Held { secrets: &secrets, subject: None, now, unique: [1; 16] };
        let request = request(client, &endpoint(), key, held).unwrap();
        let body = request.body.expose().as_bytes();
        let mut parameters: BTreeMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
        let assertion = parameters.remove("assertion").unwrap();
        let claims = jws::Parsed::read(&assertion).unwrap().claims;
        (parameters, Value::Object(claims))
    }

    #[test]
    fn the_request_is_the_one_of_the_rfc() {
        let (parameters, claims) = made(&client(), &key());
        assert_eq!(parameters["grant_type"], GRANT_TYPE);
        assert_eq!(parameters["scope"], "a b");
        for (name, value) in [
            ("iss", json!("cc")),
            ("aud", json!("https://acme.example")),
            ("iat", json!(1_799_999_995)),
            ("exp", json!(1_800_000_295)),
        ] {
            assert_eq!(claims[name], value, "{name}");
        }
        assert!(claims.get("sub").is_none());
    }

    #[test]
    fn a_provider_that_reads_the_scope_from_the_assertion_gets_it_there_alone() {
        let mut client = client();
        client.jwt.claims = [("scope".to_owned(), SCOPE_HOLE.to_owned())].into();
        client.jwt.sub = Some("ada@acme.example".to_owned());
        for (asked, scope) in [(&[][..], "a b"), (&["x"], "x")] {
            let scopes = asked.iter().map(|&scope| scope.to_owned()).collect();
            let (parameters, claims) = made(&client, &TokenKey { scope: scopes, ..key() });
            assert_eq!(claims["scope"], scope);
            assert_eq!(claims["sub"], "ada@acme.example");
            assert!(!parameters.contains_key("scope"));
        }
    }

    #[test]
    fn a_key_that_cannot_sign_says_so_with_the_remedy() {
        let rsa = Jwt { alg: Some(Algorithm::Rs256), ..Jwt::default() };
        let p256 = PrivateKey::generate(Algorithm::Es256).unwrap();
        for (jwt, held, kind, hint) in [
            (Jwt::default(), None, Kind::SecretRequired, "run `tokctl set-secret acme`"),
            (
                Jwt::default(),
                Some(Secret::new("hunter2".into())),
                Kind::SecretRequired,
                "run `tokctl set-secret acme`",
            ),
            (rsa, Some(p256), Kind::ConfigInvalid, "run `tokctl set acme alg=\u{2026}`"),
        ] {
            let secrets: BTreeMap<_, _> =
                held.map(|text| ("private_key".to_owned(), text)).into_iter().collect();
            let held = Held { secrets: &secrets, subject: None, now: WallMs(0), unique: [0; 16] };
            let client = Client { jwt, ..client() };
            let failure = request(&client, &endpoint(), &key(), held).unwrap_err();
            assert_eq!((failure.kind, failure.hint.as_deref()), (kind, Some(hint)));
            assert!(!failure.message.contains("hunter2"));
        }
    }
}
