//! Those that are shown something signed: an assertion, or the token itself.

use serde_json::{Value, json};
use tokctl_proto::Secret;

use super::super::{Played, presets};
use super::NOW;
use crate::config::Algorithm;
use crate::oauth::jose::{PrivateKey, jws};

/// All that are played here.
pub(super) const PROVIDERS: &[&str] = &[
    "Apple App Store Connect",
    "Apple Business Manager",
    "Ghost",
    "Microsoft Entra, with a certificate",
    "NetSuite",
    "ServiceNow",
];

const P256: &str = include_str!("../../jose/key/samples/p256_sec1.pem");
const P256_CERTIFICATE: &str = include_str!("../../jose/key/samples/certificate.pem");

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// Header and claims of what is signed.
fn parts(token: &str) -> (Value, Value) {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    });
    (parts.next().unwrap(), parts.next().unwrap())
}

/// The same of the client's assertion in a request.
fn client_assertion(played: &Played) -> (Value, Value) {
    let asked = played.asked();
    let (_, rest) = asked.split_once("client_assertion=").unwrap();
    parts(rest.split('&').next().unwrap())
}

fn now_s() -> i64 {
    NOW.unix_s()
}

#[test]
fn apple_takes_twenty_minutes_and_no_more() {
    let played = Played::new(
        "grant = \"self_signed_jwt\"\nalg = \"ES256\"\nkid = \"2X9R4HXF34\"\niss = \"57246542\"\n\
         assertion_audience = \"appstoreconnect-v1\"\nassertion_lifetime = \"20m\"\n",
    )
    .holding("private_key", &secret(P256));
    let reply: Value = serde_json::from_str(&played.signed()).unwrap();
    let (header, claims) = parts(reply["access_token"].as_str().unwrap());
    assert_eq!(header, json!({ "alg": "ES256", "kid": "2X9R4HXF34", "typ": "JWT" }));
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!("57246542"), &json!("appstoreconnect-v1"))
    );
    let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert!(exp - iat == 1200 && iat < now_s() && exp < now_s() + 1200, "{claims}");
}

#[test]
fn apple_business_manager_is_shown_an_assertion_of_es256() {
    let played = Played::new(
        "grant = \"client_credentials\"\nclient_id = \"BUSINESSAPI.1\"\nclient_auth = \"private_key_jwt\"\n\
         token_endpoint = \"https://account.apple.com/auth/oauth2/token\"\nscope = \"business.api\"\n\
         kid = \"key-1\"\nassertion_audience = \"https://account.apple.com/auth/oauth2/v2/token\"\n",
    )
    .holding("private_key", &secret(P256));
    let (header, claims) = client_assertion(&played);
    assert_eq!((&header["alg"], &header["kid"]), (&json!("ES256"), &json!("key-1")));
    assert_eq!(claims["aud"], "https://account.apple.com/auth/oauth2/v2/token");
    assert_eq!((&claims["iss"], &claims["sub"]), (&claims["sub"], &json!("BUSINESSAPI.1")));
}

#[test]
fn ghost_has_a_key_in_hexadecimal_and_a_scheme_of_its_own() {
    let key = "0123456789abcdef".repeat(4);
    let played = Played::new(
        "grant = \"self_signed_jwt\"\nalg = \"HS256\"\nkey_encoding = \"hex\"\nkid = \"64f\"\n\
         assertion_audience = \"/admin/\"\nassertion_lifetime = \"5m\"\nheader = \"Authorization: Ghost {token}\"\n",
    )
    .holding("private_key", &secret(&key));
    let reply: Value = serde_json::from_str(&played.signed()).unwrap();
    let token = reply["access_token"].as_str().unwrap();
    let (header, claims) = parts(token);
    assert_eq!((&header["alg"], &header["kid"]), (&json!("HS256"), &json!("64f")));
    assert_eq!(claims["aud"], "/admin/");
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).unwrap()).collect();
    let mac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &bytes);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let made = aws_lc_rs::hmac::sign(&mac, message.as_bytes());
    assert_eq!(crate::oauth::jose::base64url(made.as_ref()), signature);
}

#[test]
fn microsoft_is_told_the_certificate_and_netsuite_the_padding() {
    let both = [P256_CERTIFICATE, P256].concat();
    for (settings, key, certificate, alg, thumbprint) in [
        ("alg = \"PS256\"", presets::private_key(), None, "PS256", Value::Null),
        (
            "",
            secret(P256),
            Some(&both),
            "ES256",
            json!("FX08tngpBhgy7AZfQuU2eYBBAfpV_DmUn8IpjB2zyoI"),
        ),
    ] {
        let settings = format!(
            "grant = \"client_credentials\"\nclient_id = \"c1\"\nclient_auth = \"private_key_jwt\"\n\
             token_endpoint = \"https://acme.example/token\"\n{settings}\n"
        );
        let mut played = Played::new(&settings).holding("private_key", &key);
        if let Some(certificate) = certificate {
            played = played.holding("tls_certificate", &secret(certificate));
        }
        let (header, claims) = client_assertion(&played);
        assert_eq!((&header["alg"], &header["x5t#S256"]), (&json!(alg), &thumbprint));
        assert_eq!(claims["aud"], "https://acme.example/token");
    }
    // What NetSuite answers.
    let played = Played::client("client_auth = \"private_key_jwt\"");
    let reply = r#"{"access_token":"eyJ0","expires_in":"3600","token_type":"bearer"}"#;
    assert_eq!(played.reads(&super::answer(200, reply)), "eyJ0 bearer 3600s");
}

#[test]
fn servicenow_wants_the_client_beside_the_assertion() {
    let played = Played::new(
        "grant = \"jwt_bearer\"\nclient_id = \"c1\"\nclient_auth = \"post\"\niss = \"c1\"\nsub = \"ada@acme.example\"\n\
         token_endpoint = \"https://acme.service-now.com/oauth_token.do\"\nassertion_audience = \"c1\"\n",
    );
    let asked = played.asked();
    let (_, rest) = asked.split_once("assertion=").unwrap();
    let (_, claims) = parts(rest.split('&').next().unwrap());
    assert_eq!((&claims["aud"], &claims["sub"]), (&json!("c1"), &json!("ada@acme.example")));
    assert!(rest.contains("&client_id=c1&client_secret=s3&grant_type="), "{asked}");
    let reply =
        r#"{"access_token":"2o4w","scope":"useraccount","token_type":"Bearer","expires_in":1799}"#;
    assert_eq!(played.reads(&super::answer(200, reply)), "2o4w Bearer 1799s scope=useraccount");
}

#[test]
fn githubs_app_is_backdated_by_a_minute_and_lives_for_less_than_ten() {
    let asked =
        presets::of("github-app", "client_id = \"Iv23\"\ninstallation_id = \"42\"\n").asked();
    let (_, token) = asked.split_once("Authorization: Bearer ").unwrap();
    let claims = jws::Parsed::read(token.lines().next().unwrap()).unwrap().claims;
    let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert!(iat <= now_s() - 60 && exp <= now_s() + 600 && exp > now_s(), "{claims:?}");
    assert!(exp - iat <= 600, "{claims:?}");
    let key = PrivateKey::asymmetric(&presets::private_key()).unwrap();
    assert_eq!(key.algorithm(), Algorithm::Rs256);
}
