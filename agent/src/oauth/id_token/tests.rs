//! One table for each rule, at the boundary and on either side of it.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::oauth::jose::{PrivateKey, jws};

const NOW_S: i64 = 1_800_000_000;

fn now() -> WallMs {
    WallMs::from_unix_s(NOW_S)
}

fn nonce() -> Unguessable {
    Unguessable::new([7; 32])
}

fn expected<'a>(nonce: &'a Unguessable) -> Expected<'a> {
    Expected {
        issuer: "https://op.example",
        client_id: "cc",
        algorithm: None,
        client_secret: None,
        clock_ahead_s: 0,
        to: To::Login(nonce),
        access_token: None,
    }
}

/// A good token with these members in the place of its own; null takes one out.
fn claims_with(changes: Value) -> Map<String, Value> {
    let mut claims = json!({
        "iss": "https://op.example", "sub": "ada", "aud": "cc", "nonce": nonce().expose(),
        "iat": NOW_S, "exp": NOW_S + 600,
    })
    .as_object()
    .unwrap()
    .clone();
    claims.extend(changes.as_object().unwrap().clone());
    claims.retain(|_, value| !value.is_null());
    claims
}

struct Provider {
    key: PrivateKey,
    jwks: Jwks,
}

fn provider(algorithm: Algorithm, kid: Option<&str>) -> Provider {
    let key = PrivateKey::asymmetric(&PrivateKey::generate(algorithm).unwrap()).unwrap();
    let mut jwk = key.public().unwrap().bare();
    if let Some(kid) = kid {
        jwk["kid"] = json!(kid);
    }
    let jwks = Jwks::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    Provider { key, jwks }
}

impl Provider {
    fn token(&self, algorithm: Algorithm, header: Value, claims: Value) -> Secret {
        let header = header.as_object().unwrap().clone();
        jws::sign(&self.key, algorithm, header, &claims_with(claims)).unwrap()
    }
}

fn outcome(claims: Value) -> Result<Person, Refused> {
    let (nonce, provider) = (nonce(), provider(Algorithm::Es256, None));
    let token = provider.token(Algorithm::Es256, json!({}), claims);
    check(now(), &token, &provider.jwks, &expected(&nonce))
}

#[test]
fn a_good_token_says_who_logged_in() {
    let person = outcome(json!({})).unwrap();
    assert_eq!((person.iss.as_str(), person.sub.as_str()), ("https://op.example", "ada"));
}

#[test]
fn every_claim_is_looked_at() {
    let other_party = Err(Refused::AuthorizedParty);
    for (claims, refused) in [
        (json!({ "iss": null }), Err(Refused::Missing("iss"))),
        (
            json!({ "iss": "https://op.example/" }),
            Err(Refused::Issuer("https://op.example/".into())),
        ),
        (json!({ "sub": null }), Err(Refused::Missing("sub"))),
        (json!({ "sub": "" }), Err(Refused::Missing("sub"))),
        (json!({ "sub": 7 }), Err(Refused::Missing("sub"))),
        (json!({ "aud": null }), Err(Refused::Missing("aud"))),
        (json!({ "aud": "other" }), Err(Refused::Audience)),
        (json!({ "aud": [] }), Err(Refused::Audience)),
        (json!({ "aud": ["cc"] }), Ok(())),
        (json!({ "aud": ["cc", "other"] }), other_party.clone()),
        (json!({ "aud": ["cc", "other"], "azp": "cc" }), Ok(())),
        (json!({ "aud": ["cc", "other"], "azp": "other" }), other_party.clone()),
        (json!({ "azp": "other" }), other_party),
        (json!({ "nonce": null }), Err(Refused::Missing("nonce"))),
        (json!({ "nonce": "guess" }), Err(Refused::Nonce)),
        (json!({ "exp": null }), Err(Refused::Missing("exp"))),
        (json!({ "exp": NOW_S - 60 }), Err(Refused::Expired)),
        (json!({ "exp": NOW_S - 59 }), Ok(())),
        (json!({ "iat": null }), Err(Refused::Missing("iat"))),
        (json!({ "iat": NOW_S + 60 }), Ok(())),
        (json!({ "iat": NOW_S + 61 }), Err(Refused::NotYet)),
        (json!({ "nbf": NOW_S + 60 }), Ok(())),
        (json!({ "nbf": NOW_S + 61 }), Err(Refused::NotYet)),
    ] {
        assert_eq!(outcome(claims.clone()).map(drop), refused, "{claims}");
    }
}

#[test]
fn times_are_read_on_the_clock_that_wrote_them() {
    let (nonce, provider) = (nonce(), provider(Algorithm::Es256, None));
    let times = json!({ "iat": NOW_S + 7200, "exp": NOW_S + 7800 });
    let token = provider.token(Algorithm::Es256, json!({}), times);
    for (clock_ahead_s, refused) in
        [(0, Some(Refused::NotYet)), (7200, None), (9000, Some(Refused::Expired))]
    {
        let expected = Expected { clock_ahead_s, ..expected(&nonce) };
        assert_eq!(check(now(), &token, &provider.jwks, &expected).err(), refused);
    }
}

#[test]
fn only_what_was_agreed_on_signs() {
    let nonce = nonce();
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa] {
        let provider = provider(algorithm, None);
        let token = provider.token(algorithm, json!({}), json!({}));
        for (agreed, fits) in
            [(None, true), (Some(algorithm), true), (Some(Algorithm::Hs256), false)]
        {
            let expected = Expected { algorithm: agreed, ..expected(&nonce) };
            let made = check(now(), &token, &provider.jwks, &expected);
            assert_eq!(made.is_ok(), fits, "{algorithm:?} {agreed:?}");
        }
    }
    // Not signed at all, and signed with what everybody can read.
    let provider = provider(Algorithm::Es256, None);
    for alg in ["none", "None", "HS256", "ES512", ""] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg }).to_string());
        let claims = URL_SAFE_NO_PAD.encode(Value::Object(claims_with(json!({}))).to_string());
        let token = Secret::new(format!("{header}.{claims}."));
        let refused = check(now(), &token, &provider.jwks, &expected(&nonce)).unwrap_err();
        assert_eq!(refused, Refused::Algorithm(alg.to_owned()));
        assert!(check_unsigned(now(), &token, &expected(&nonce)).is_err());
    }
}

#[test]
fn a_shared_secret_signs_only_where_the_profile_says_so() {
    let nonce = nonce();
    let secret = Secret::new("0123456789abcdef0123456789abcdef".to_owned());
    let key = PrivateKey::read(&secret, Some(Algorithm::Hs256), Default::default()).unwrap();
    let token = jws::sign(&key, Algorithm::Hs256, Map::new(), &claims_with(json!({}))).unwrap();
    let agreed = Expected { algorithm: Some(Algorithm::Hs256), ..expected(&nonce) };
    let with_secret = Expected { client_secret: Some(&secret), ..agreed };
    for (expected, fits) in [
        (expected(&nonce), false),
        (agreed, false),
        (with_secret, true),
        (Expected { algorithm: None, ..with_secret }, false),
    ] {
        assert_eq!(check(now(), &token, &Jwks::default(), &expected).is_ok(), fits);
    }
}

#[test]
fn a_key_that_is_not_known_is_looked_for_once_more_and_a_wrong_signature_is_not() {
    let nonce = nonce();
    let signer = provider(Algorithm::Es256, Some("new"));
    for (kid_known, kid_in_token, newer_may_help) in [
        (Some("old"), json!({ "kid": "new" }), true),
        (Some("new"), json!({ "kid": "new" }), false),
        (None, json!({}), true),
        (Some("old"), json!({}), true),
    ] {
        let token = signer.token(Algorithm::Es256, kid_in_token.clone(), json!({}));
        let others = provider(Algorithm::Es256, kid_known).jwks;
        let refused = check(now(), &token, &others, &expected(&nonce)).unwrap_err();
        assert_eq!(
            refused,
            Refused::Signature { newer_keys_may_help: newer_may_help },
            "{kid_known:?} {kid_in_token}"
        );
        assert_eq!(refused.newer_keys_may_help(), newer_may_help);
        assert!(check(now(), &token, &signer.jwks, &expected(&nonce)).is_ok());
    }
}

#[test]
fn several_keys_without_a_name_are_all_tried() {
    let nonce = nonce();
    let (one, two) = (provider(Algorithm::Es256, None), provider(Algorithm::Es256, None));
    let both = [&one, &two].map(|provider| provider.key.public().unwrap().bare());
    let jwks = Jwks::parse(json!({ "keys": both }).to_string().as_bytes()).unwrap();
    for provider in [one, two] {
        let token = provider.token(Algorithm::Es256, json!({}), json!({}));
        assert!(check(now(), &token, &jwks, &expected(&nonce)).is_ok());
    }
}

#[test]
fn an_access_tokens_hash_is_compared_where_it_is_there() {
    let nonce = nonce();
    // OpenID Connect Core appendix A.3 has this token and its hash; the other is what node's oidc-token-hash makes.
    let access_token = Secret::new("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y".to_owned());
    let expected = Expected { access_token: Some(&access_token), ..expected(&nonce) };
    let sha512 = "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM";
    let (es256, eddsa) = (Algorithm::Es256, Algorithm::EdDsa);
    for (algorithm, claims, fits) in [
        (es256, json!({}), true),
        (es256, json!({ "at_hash": "77QmUPtjPfzWtF2AnpK9RQ" }), true),
        (es256, json!({ "at_hash": "77QmUPtjPfzWtF2AnpK9RR" }), false),
        (es256, json!({ "at_hash": sha512 }), false),
        (es256, json!({ "at_hash": 7 }), false),
        (eddsa, json!({ "at_hash": "77QmUPtjPfzWtF2AnpK9RQ" }), true),
        (eddsa, json!({ "at_hash": sha512 }), true),
        (eddsa, json!({ "at_hash": &sha512[1..] }), false),
    ] {
        let provider = provider(algorithm, None);
        let token = provider.token(algorithm, json!({}), claims.clone());
        assert_eq!(check(now(), &token, &provider.jwks, &expected).is_ok(), fits, "{claims}");
    }
}

#[test]
fn a_renewal_is_for_the_same_person_and_needs_no_nonce() {
    let nonce = nonce();
    let provider = provider(Algorithm::Es256, None);
    let ada = Person { iss: "https://op.example".into(), sub: "ada".into() };
    let client_id = expected(&nonce).client_id;
    for (claims, refused) in [
        (json!({ "nonce": null }), None),
        (json!({ "exp": 1 }), None),
        (json!({ "aud": "another" }), Some(Refused::Audience)),
        (json!({ "sub": "eve" }), Some(Refused::OtherPerson)),
        (json!({ "sub": null }), Some(Refused::Missing("sub"))),
        (
            json!({ "iss": "https://evil.example" }),
            Some(Refused::Issuer("https://evil.example".into())),
        ),
    ] {
        let token = provider.token(Algorithm::Es256, json!({}), claims.clone());
        assert_eq!(check_renewed(&token, &ada, client_id).err(), refused, "{claims}");
    }
}

#[test]
fn what_a_token_says_of_itself_is_shown_safely() {
    let refused = Refused::Issuer("\u{1b}[31m".into()).to_string();
    assert!(!refused.contains('\u{1b}'), "{refused}");
}

proptest! {
    #[test]
    fn no_token_makes_the_checks_panic(token in "[ -~]{0,120}") {
        let nonce = nonce();
        let _ignored = check(now(), &Secret::new(token), &Jwks::default(), &expected(&nonce));
    }
}
