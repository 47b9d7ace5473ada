//! A token that is signed here and that nobody is asked for: Snowflake's key pairs, Apple's and Ghost's keys.
//!
//! `{key:sha256}` in `iss` and `sub` stands for the fingerprint of the public key, as Snowflake wants it.

use std::time::Duration;

use serde_json::{Map, json};
use tokctl_proto::{Failure, Secret, TokenKey};

use crate::config::Jwt;
use crate::oauth::client_auth::PRIVATE_KEY;
use crate::oauth::grant::{Held, private_key, unfit_key};
use crate::oauth::jose::Assertion;
use crate::oauth::jose::assertion::BACKDATE;

/// The name in config.toml.
const NAME: &str = "self_signed_jwt";
const FINGERPRINT_HOLE: &str = "{key:sha256}";
/// Apple takes 20 minutes at most, Ghost five where it is told of an hour and more; renewed ahead like any other.
const LIFETIME: Duration = Duration::from_secs(900);
/// Longer than any API takes that we have met.
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// The text of a token reply (RFC 6749 section 5.1) that holds the token: it is read like any other.
pub fn reply(settings: &Jwt, key: &TokenKey, held: Held<'_>) -> Result<Secret, Failure> {
    let profile = &key.profile;
    let private = private_key(profile, NAME, held.secrets, settings)?;
    let algorithm = settings.alg.unwrap_or_else(|| private.algorithm());
    let fingerprint = private.fingerprint().unwrap_or_default();
    let filled = |text: &Option<String>| {
        text.as_ref().map(|text| text.replace(FINGERPRINT_HOLE, &fingerprint))
    };
    let settings =
        Jwt { iss: filled(&settings.iss), sub: filled(&settings.sub), ..settings.clone() };
    let assertion = Assertion {
        iss: None,
        sub: None,
        aud: None,
        typ: "JWT",
        lifetime: LIFETIME,
        lifetime_max: LIFETIME_MAX,
        backdate: BACKDATE,
        // Nobody looks whether it was used before: it is used often.
        unique: None,
        certificate: None,
        claims: Map::new(),
    };
    let lifetime = settings.lifetime.unwrap_or(LIFETIME).min(LIFETIME_MAX);
    let backdate = settings.backdate.unwrap_or(BACKDATE);
    let signed = assertion
        .sign(held.now, &private, algorithm, &settings)
        .map_err(|error| unfit_key(profile, NAME, PRIVATE_KEY, &error))?;
    let body = json!({
        "access_token": signed.expose(),
        "token_type": "Bearer",
        "expires_in": lifetime.saturating_sub(backdate).as_secs(),
    });
    Ok(Secret::new(body.to_string()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;
    use tokctl_proto::{ProfileName, WallMs};

    use super::*;
    use crate::config::{Algorithm, KeyEncoding};
    use crate::oauth::jose::{PrivateKey, jws};

    fn token(settings: &Jwt, private: Secret) -> (Value, i64) {
        let secrets = BTreeMap::from([("private_key".to_owned(), private)]);
        let now = WallMs(1_800_000_000_000);
        let held = Held { secrets: &secrets, subject: None, now, unique: [0; 16] };
        let key = TokenKey::plain(ProfileName::parse("acme").unwrap());
        let body = reply(settings, &key, held).unwrap();
        let body: Value = serde_json::from_str(body.expose()).unwrap();
        let claims = jws::Parsed::read(body["access_token"].as_str().unwrap()).unwrap().claims;
        (Value::Object(claims), body["expires_in"].as_i64().unwrap())
    }

    #[test]
    fn snowflake_names_the_key_in_the_issuer() {
        let private = PrivateKey::generate(Algorithm::Rs256).unwrap();
        let fingerprint = PrivateKey::asymmetric(&private).unwrap().fingerprint().unwrap();
        let settings = Jwt {
            iss: Some("ACCT.ADA.{key:sha256}".into()),
            sub: Some("ACCT.ADA".into()),
            lifetime: Some(Duration::from_secs(3600)),
            ..Jwt::default()
        };
        let (claims, expires_in) = token(&settings, private);
        assert_eq!(claims["iss"], format!("ACCT.ADA.{fingerprint}"));
        assert_eq!(claims["sub"], "ACCT.ADA");
        // What is said of its life is what is left of it.
        assert_eq!(claims["exp"].as_i64().unwrap() - 1_800_000_000, expires_in);
    }

    #[test]
    fn apple_and_ghost_sign_their_way() {
        let apple = Jwt {
            alg: Some(Algorithm::Es256),
            kid: Some("ABC123".into()),
            iss: Some("57246542-96fe".into()),
            audience: Some("appstoreconnect-v1".into()),
            ..Jwt::default()
        };
        let (claims, _) = token(&apple, PrivateKey::generate(Algorithm::Es256).unwrap());
        assert_eq!(claims["aud"], "appstoreconnect-v1");

        let ghost = Jwt {
            alg: Some(Algorithm::Hs256),
            audience: Some("/admin/".into()),
            lifetime: Some(Duration::from_secs(300)),
            backdate: Some(Duration::ZERO),
            key_encoding: KeyEncoding::Hex,
            ..Jwt::default()
        };
        let (claims, expires_in) = token(&ghost, Secret::new("ab".repeat(32)));
        assert_eq!((claims["aud"].as_str(), expires_in), (Some("/admin/"), 300));
        assert!(claims.get("jti").is_none());
    }
}
