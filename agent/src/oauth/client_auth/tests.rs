//! What each way puts where, and what it says when it cannot.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokctl_proto::WallMs;
use url::Url;

use super::*;
use crate::config::{Algorithm, Body, Jwt};
use crate::oauth::jose::{self, Jwks, PrivateKey};

const LONG: &str = "0123456789abcdef0123456789abcdef";

fn profile() -> ProfileName {
    ProfileName::parse("acme").unwrap()
}

fn client(client_id: &str) -> Client {
    let endpoint = Url::parse("https://acme.example/token").unwrap();
    Client { client_id: client_id.to_owned(), ..Client::plain(endpoint) }
}

fn held(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    let own = |(name, text): &(&str, &str)| ((*name).to_owned(), Secret::new((*text).to_owned()));
    pairs.iter().map(own).collect()
}

fn proved(
    auth: ClientAuth,
    client: &Client,
    secrets: &BTreeMap<String, Secret>,
    parameters: &mut Parameters,
) -> Result<Option<Secret>, Failure> {
    let (profile, audience) = (&profile(), "https://acme.example");
    let identity = Identity { profile, grant: "client_credentials", client, auth, audience };
    let subject = secrets.get("subject");
    let held = Held { secrets, subject, now: WallMs(1_800_000_000_000), unique: [1; 16] };
    prove(identity, held, parameters)
}

fn proof(auth: ClientAuth, id: &str, secret: &str) -> (String, Option<String>) {
    let mut parameters = Parameters::default();
    let secrets = held(&[(CLIENT_SECRET, secret)]);
    let header = proved(auth, &client(id), &secrets, &mut parameters).unwrap();
    let pair = header.map(|value| {
        let encoded = value.expose().strip_prefix("Basic ").unwrap().to_owned();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    });
    (parameters.encode(Body::Form).expose().to_owned(), pair)
}

/// The parameters of a way that puts its proof there.
fn presented(
    auth: ClientAuth,
    client: &Client,
    secrets: &BTreeMap<String, Secret>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut parameters = Parameters::default();
    assert!(proved(auth, client, secrets, &mut parameters)?.is_none());
    let body = parameters.encode(Body::Form);
    Ok(form_urlencoded::parse(body.expose().as_bytes()).into_owned().collect())
}

/// Header and claims of an assertion, whatever it is signed with.
fn read(assertion: &str) -> (Value, Map<String, Value>) {
    let header = jose::from_base64url(assertion.split('.').next().unwrap()).unwrap();
    let claims = jose::jws::Parsed::read(assertion).unwrap().claims;
    (serde_json::from_slice(&header).unwrap(), claims)
}

#[test]
fn an_assertion_is_the_only_proof_and_says_who_for_whom_and_how_long() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa] {
        let key = PrivateKey::generate(algorithm).unwrap();
        // A secret beside the key is not sent along.
        let secrets = BTreeMap::from([
            (PRIVATE_KEY.to_owned(), key.clone()),
            (CLIENT_SECRET.to_owned(), Secret::new("s3cret".to_owned())),
        ]);
        let mut client = client("cc");
        client.jwt.alg = Some(algorithm);
        client.jwt.kid = Some("k1".to_owned());
        let mut made = presented(ClientAuth::PrivateKeyJwt, &client, &secrets).unwrap();
        let assertion = made.remove("client_assertion").unwrap();
        assert_eq!(
            made.into_iter().collect::<Vec<_>>(),
            [
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_id", "cc"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        let (header, claims) = read(&assertion);
        assert_eq!(header, json!({ "alg": algorithm.name(), "typ": "JWT", "kid": "k1" }));
        let at = 1_800_000_000;
        assert_eq!(
            Value::Object(claims),
            json!({
                "iss": "cc", "sub": "cc", "aud": "https://acme.example",
                "iat": at - 5, "exp": at + 55, "jti": jose::base64url(&[!1; 16]),
            })
        );
        let public = PrivateKey::asymmetric(&key).unwrap().public().unwrap().bare();
        let jwks = Jwks::parse(json!({ "keys": [public] }).to_string().as_bytes()).unwrap();
        let parsed = jose::jws::Parsed::read(&assertion).unwrap();
        assert!(parsed.is_signed_by(algorithm, jwks.candidates(algorithm, None)[0]));
    }
}

#[test]
fn an_assertion_by_the_secret_takes_one_that_is_long_enough() {
    let made =
        presented(ClientAuth::ClientSecretJwt, &client("cc"), &held(&[(CLIENT_SECRET, LONG)]));
    let assertion = made.unwrap().remove("client_assertion").unwrap();
    let parsed = jose::jws::Parsed::read(&assertion).unwrap();
    assert_eq!(parsed.alg, "HS256");
    assert!(parsed.is_signed_with(&Secret::new(LONG.to_owned())));
    let with_alg = |alg| Client { jwt: Jwt { alg, ..Jwt::default() }, ..client("cc") };
    for (secret, alg, kind, message, hint) in [
        (
            &LONG[1..],
            None,
            Kind::SecretRequired,
            "the client secret has 31 bytes, and HS256 needs 32 at least (RFC 7518 section 3.2)",
            "run `tokctl set-secret acme`",
        ),
        (
            "",
            None,
            Kind::SecretRequired,
            "no secret `client_secret` is stored",
            "run `tokctl set-secret acme`",
        ),
        (
            LONG,
            Some(Algorithm::Es256),
            Kind::ConfigInvalid,
            "client_auth = \"client_secret_jwt\" signs with HS256, not with ES256",
            "run `tokctl set acme alg=`",
        ),
    ] {
        let secrets = held(&[(CLIENT_SECRET, secret)]);
        let failure = presented(ClientAuth::ClientSecretJwt, &with_alg(alg), &secrets).unwrap_err();
        assert_eq!((failure.kind, &*failure.message), (kind, message));
        assert_eq!(failure.hint.as_deref(), Some(hint));
    }
}

#[test]
fn a_key_that_cannot_sign_says_what_it_is() {
    let es256 = PrivateKey::generate(Algorithm::Es256).unwrap();
    let with_alg = |alg| Client { jwt: Jwt { alg, ..Jwt::default() }, ..client("cc") };
    for (key, alg, kind, message, hint) in [
        (
            es256.expose(),
            Some(Algorithm::Rs256),
            Kind::ConfigInvalid,
            "the private key is a P-256 key, which cannot sign RS256",
            "run `tokctl set acme alg=\u{2026}`",
        ),
        (
            "hunter2",
            None,
            Kind::SecretRequired,
            "the private key is neither PEM nor a JWK",
            "run `tokctl set-secret acme --name private_key`",
        ),
        (
            "",
            None,
            Kind::SecretRequired,
            "no secret `private_key` is stored",
            "run `tokctl set-secret acme --name private_key`",
        ),
    ] {
        let secrets = held(&[(PRIVATE_KEY, key)]);
        let failure = presented(ClientAuth::PrivateKeyJwt, &with_alg(alg), &secrets).unwrap_err();
        assert_eq!((failure.kind, &*failure.message), (kind, message));
        assert_eq!(failure.hint.as_deref(), Some(hint));
    }
}

#[test]
fn settings_of_an_assertion_are_of_the_clients_unless_the_grant_has_one_of_its_own() {
    let secrets =
        BTreeMap::from([(PRIVATE_KEY.to_owned(), PrivateKey::generate(Algorithm::Es256).unwrap())]);
    let mut client = client("cc");
    client.jwt = Jwt {
        iss: Some("someone".to_owned()),
        sub: Some("else".to_owned()),
        audience: Some("urn:as".to_owned()),
        claims: [("tenant".to_owned(), "7".to_owned())].into(),
        lifetime: Some(std::time::Duration::from_secs(300)),
        ..Jwt::default()
    };
    for (grant, tenant, lifetime_s) in
        [("client_credentials", Some(json!(7)), 300), ("jwt_bearer", None, 60)]
    {
        let (profile, client) = (&profile(), &client);
        let identity =
            Identity { profile, grant, client, auth: ClientAuth::PrivateKeyJwt, audience: "x" };
        let held = Held { secrets: &secrets, subject: None, now: WallMs(0), unique: [0; 16] };
        let mut parameters = Parameters::default();
        prove(identity, held, &mut parameters).unwrap();
        let body = parameters.encode(Body::Form);
        let (_, assertion) = form_urlencoded::parse(body.expose().as_bytes())
            .find(|(name, _)| name == "client_assertion")
            .unwrap();
        let (_, claims) = read(&assertion);
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["aud"]),
            (&json!("cc"), &json!("cc"), &json!("urn:as"))
        );
        assert_eq!(claims.get("tenant").cloned(), tenant);
        let lasts = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(lasts, lifetime_s, "{grant}");
    }
}

#[test]
fn the_certificate_of_the_key_is_named_beside_it_and_no_other() {
    const CERTIFICATE: &str = include_str!("../jose/key/samples/certificate.pem");
    const ITS_KEY: &str = include_str!("../jose/key/samples/p256_sec1.pem");
    const OTHER_KEY: &str = include_str!("../jose/key/samples/ed25519_pkcs8.pem");
    for (key, thumbprint) in
        [(ITS_KEY, json!("FX08tngpBhgy7AZfQuU2eYBBAfpV_DmUn8IpjB2zyoI")), (OTHER_KEY, Value::Null)]
    {
        let secrets = held(&[(PRIVATE_KEY, key), (TLS_CERTIFICATE, CERTIFICATE)]);
        let made = presented(ClientAuth::PrivateKeyJwt, &client("cc"), &secrets).unwrap();
        assert_eq!(read(&made["client_assertion"]).0["x5t#S256"], thumbprint);
    }
}

#[test]
fn a_workload_presents_what_vouches_for_it() {
    let secrets = held(&[("subject", "e30.e30.x"), (CLIENT_SECRET, "s3cret")]);
    let made = presented(ClientAuth::Federated, &client("cc"), &secrets).unwrap();
    assert_eq!(made["client_assertion"], "e30.e30.x");
    assert_eq!((made["client_id"].as_str(), made.len()), ("cc", 3));
    let failure = presented(ClientAuth::Federated, &client("cc"), &held(&[])).unwrap_err();
    assert_eq!(failure.kind, Kind::SubjectRequired);
}

#[test]
fn with_a_certificate_on_the_connection_the_client_is_named_alone() {
    let secrets = held(&[(TLS_CERTIFICATE, "c"), (CLIENT_SECRET, "s3cret")]);
    let made = presented(ClientAuth::Tls, &client("cc"), &secrets).unwrap();
    assert_eq!(made.into_iter().collect::<Vec<_>>(), [("client_id".to_owned(), "cc".to_owned())]);
    let failure = presented(ClientAuth::Tls, &client("cc"), &held(&[])).unwrap_err();
    assert_eq!(
        failure.hint.as_deref(),
        Some("run `tokctl set-secret acme --name tls_certificate`")
    );
}

#[test]
fn each_way_puts_the_proof_in_one_place() {
    for (auth, body, pair) in [
        (ClientAuth::Basic, "", Some("a%26b:s%2Bt")),
        (ClientAuth::BasicRaw, "", Some("a&b:s+t")),
        (ClientAuth::Post, "client_id=a%26b&client_secret=s%2Bt", None),
        (ClientAuth::None, "client_id=a%26b", None),
    ] {
        let (made_body, made_pair) = proof(auth, "a&b", "s+t");
        assert_eq!((made_body.as_str(), made_pair.as_deref()), (body, pair), "{auth:?}");
    }
}

#[test]
fn basic_is_encoded_as_the_rfc_says() {
    for (raw, encoded) in [
        // RFC 6749 appendix B.
        (" %&+\u{a3}\u{20ac}", "+%25%26%2B%C2%A3%E2%82%AC"),
        // What a provider that does not decode would see of most ids is the id itself.
        ("4b1f-00_x.y", "4b1f-00_x.y"),
        ("a:b", "a%3Ab"),
        ("plain", "plain"),
    ] {
        let (_, pair) = proof(ClientAuth::Basic, raw, raw);
        assert_eq!(pair.unwrap(), format!("{encoded}:{encoded}"));
    }
}

#[test]
fn basic_decodes_to_what_other_clients_encode() {
    let strict = "client+%25%26%2B%2D%5F%2E%21%7E%2A%27%28%29";
    let (_, pair) = proof(ClientAuth::Basic, "client %&+-_.!~*'()", "s");
    let ours = pair.unwrap();
    let decode =
        |text: &str| form_urlencoded::parse(text.as_bytes()).next().unwrap().0.into_owned();
    assert_eq!(decode(ours.strip_suffix(":s").unwrap()), decode(strict));
}

#[test]
fn a_missing_secret_says_which_command_stores_it() {
    for (held, fits) in [(None, false), (Some(""), false), (Some("s"), true)] {
        let secrets: BTreeMap<_, _> = held
            .map(|text| (CLIENT_SECRET.to_owned(), Secret::new(text.into())))
            .into_iter()
            .collect();
        for auth in [ClientAuth::Basic, ClientAuth::BasicRaw, ClientAuth::Post] {
            let made = proved(auth, &client("id"), &secrets, &mut Parameters::default());
            assert_eq!(made.is_ok(), fits, "{held:?}");
            if let Err(failure) = made {
                assert_eq!(failure.kind, Kind::SecretRequired);
                assert_eq!(failure.hint.unwrap(), "run `tokctl set-secret acme`");
            }
        }
    }
}

#[test]
fn a_secret_is_named_where_the_grant_would_store_another() {
    for (grant, name, hint) in [
        ("client_credentials", "client_secret", "run `tokctl set-secret acme`"),
        ("client_credentials", "pin", "run `tokctl set-secret acme --name pin`"),
        ("refresh_token", "client_secret", "run `tokctl set-secret acme --name client_secret`"),
        ("refresh_token", "refresh_token", "run `tokctl set-secret acme`"),
    ] {
        assert_eq!(set_secret(&profile(), grant, name), hint);
    }
}

#[test]
fn the_next_secret_stands_in_the_place_of_the_present_one() {
    for (pairs, after) in [
        (&[("client_secret", "a")][..], None),
        (&[("client_secret", "a"), ("client_secret.next", "")][..], None),
        (
            &[("client_secret", "a"), ("client_secret.next", "b"), ("pin", "1")][..],
            Some(&[("client_secret", "b"), ("pin", "1")][..]),
        ),
        (&[("client_secret.next", "b")][..], Some(&[("client_secret", "b")][..])),
    ] {
        let made = with_next(held(pairs)).map(|made| {
            let shown = |(name, value): (String, Secret)| (name, value.expose().to_owned());
            made.into_iter().map(shown).collect::<Vec<_>>()
        });
        let after = after.map(|after| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            after.iter().map(owned).collect::<Vec<_>>()
        });
        assert_eq!(made, after);
    }
}

#[test]
fn a_colon_in_the_id_is_not_sent_raw() {
    let secrets = BTreeMap::from([(CLIENT_SECRET.to_owned(), Secret::new("s".into()))]);
    let made = proved(ClientAuth::BasicRaw, &client("a:b"), &secrets, &mut Parameters::default());
    assert_eq!(made.unwrap_err().kind, Kind::ConfigInvalid);
}
