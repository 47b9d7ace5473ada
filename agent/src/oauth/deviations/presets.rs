//! The provider of each preset, played: what it is sent, and what the reply of its documentation comes to.

use std::sync::LazyLock;

use serde_json::Value;
use tokctl_proto::Secret;

use super::{Played, answer};
use crate::config::Algorithm;
use crate::oauth::jose::{PrivateKey, jws};

/// A key that takes its time to make.
pub(super) fn private_key() -> Secret {
    static KEY: LazyLock<Secret> =
        LazyLock::new(|| PrivateKey::generate(Algorithm::Rs256).unwrap());
    KEY.clone()
}

/// A preset with its questions answered.
pub(super) fn of(preset: &str, settings: &str) -> Played {
    Played::new(&format!("preset = \"{preset}\"\n{settings}"))
}

/// Those that are played by tests of their own, below.
const ALONE: &[&str] = &["github-app", "google-workload-identity", "snowflake"];

/// The presets that are played here.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let machines = MACHINES.iter().map(|machine| machine.preset);
    let assertions = ASSERTIONS.iter().map(|(preset, ..)| *preset);
    let keys = KEYS.iter().map(|(preset, ..)| *preset);
    machines.chain(assertions).chain(keys).chain(ALONE.iter().copied())
}

/// A preset whose token is the client's own.
struct Machine {
    preset: &'static str,
    settings: &'static str,
    asked: &'static str,
    reply: &'static str,
    read: &'static str,
}

const MACHINES: &[Machine] = &[
    Machine {
        preset: "auth0",
        settings: "issuer = \"https://acme.eu.auth0.com/\"\nclient_id = \"c1\"\naudience = \"https://api/\"\n",
        asked: "POST https://acme.eu.auth0.com/oauth/token\n\
             {\"audience\":\"https://api/\",\"client_id\":\"c1\",\"client_secret\":\"s3\",\"grant_type\":\"client_credentials\"}",
        reply: r#"{"access_token":"eyJz","token_type":"Bearer","expires_in":86400}"#,
        read: "eyJz Bearer 86400s",
    },
    Machine {
        preset: "okta",
        settings: "issuer = \"https://acme.okta.com/oauth2/default\"\nclient_id = \"c1\"\nscope = \"custom\"\n",
        asked: "POST https://acme.okta.com/oauth/token\nAuthorization: Basic YzE6czM=\n\
             grant_type=client_credentials&scope=custom",
        reply: r#"{"access_token":"eyJh","token_type":"Bearer","expires_in":3600,"scope":"custom"}"#,
        read: "eyJh Bearer 3600s scope=custom",
    },
    Machine {
        preset: "keycloak",
        settings: "issuer = \"https://login.acme.example/realms/main\"\nclient_id = \"c1\"\n",
        asked: "POST https://login.acme.example/oauth/token\nAuthorization: Basic YzE6czM=\ngrant_type=client_credentials",
        reply: r#"{"access_token":"eyJh","expires_in":60,"refresh_expires_in":0,"token_type":"Bearer","not-before-policy":0,"scope":"email profile"}"#,
        read: "eyJh Bearer 60s scope=email profile {\"not-before-policy\":0,\"refresh_expires_in\":0}",
    },
    Machine {
        preset: "paypal",
        settings: "client_id = \"c1\"\nvars = { host = \"api-m.sandbox.paypal.com\" }\n",
        asked: "POST https://api-m.sandbox.paypal.com/v1/oauth2/token\nAuthorization: Basic YzE6czM=\n\
             grant_type=client_credentials",
        reply: r#"{"scope":"https://uri.paypal.com/services/invoicing","access_token":"A21A","token_type":"Bearer","app_id":"APP-80W","expires_in":31668,"nonce":"2020-04-03T15:35:36Z"}"#,
        read: "A21A Bearer 31668s scope=https://uri.paypal.com/services/invoicing {\"app_id\":\"APP-80W\",\"nonce\":\"2020-04-03T15:35:36Z\"}",
    },
    Machine {
        preset: "twitch",
        settings: "client_id = \"c1\"\n",
        asked: "POST https://id.twitch.tv/oauth2/token\nclient_id=c1&client_secret=s3&grant_type=client_credentials",
        reply: r#"{"access_token":"jost","expires_in":5011271,"token_type":"bearer"}"#,
        read: "jost bearer 5011271s",
    },
    Machine {
        preset: "zoom",
        settings: "client_id = \"c1\"\nvars = { account_id = \"A1\" }\n",
        asked: "POST https://zoom.us/oauth/token\nAuthorization: Basic YzE6czM=\n\
             account_id=A1&grant_type=account_credentials",
        reply: r#"{"access_token":"eyJz","token_type":"bearer","expires_in":3600,"scope":"user:read:admin","api_url":"https://api.zoom.us"}"#,
        read: "eyJz bearer 3600s scope=user:read:admin {\"api_url\":\"https://api.zoom.us\"}",
    },
    Machine {
        preset: "box",
        settings: "client_id = \"c1\"\ngrant = \"client_credentials\"\nparams = { box_subject_type = \"enterprise\", box_subject_id = \"7\" }\n",
        asked: "POST https://api.box.com/oauth2/token\nbox_subject_id=7&box_subject_type=enterprise&client_id=c1\
             &client_secret=s3&grant_type=client_credentials",
        reply: r#"{"access_token":"DkXZ","expires_in":4123,"restricted_to":[],"token_type":"bearer"}"#,
        read: "DkXZ bearer 4123s {\"restricted_to\":[]}",
    },
];

#[test]
fn machines_get_tokens_as_each_provider_documents_it() {
    for Machine { preset, settings, asked, reply, read } in MACHINES {
        let played = of(preset, settings);
        assert_eq!(played.asked(), *asked, "{preset}");
        assert_eq!(played.reads(&answer(200, reply)), *read, "{preset}");
    }
}

/// The claims of the assertion in a request, and the rest of it.
fn assertion(asked: &str) -> (Value, String) {
    let (head, rest) = asked.split_once("assertion=").unwrap();
    let (assertion, rest) = rest.split_once('&').unwrap();
    let claims = jws::Parsed::read(assertion).unwrap().claims;
    (Value::Object(claims), format!("{head}assertion=\u{2026}&{rest}"))
}

/// Preset, settings, where it is asked, and claims.
type Assertion = (&'static str, &'static str, &'static str, [(&'static str, &'static str); 4]);

const ASSERTIONS: &[Assertion] = &[
    (
        "google-service-account",
        "iss = \"bot@acme.iam.gserviceaccount.com\"\n",
        "https://oauth2.googleapis.com/token",
        [
            ("iss", "bot@acme.iam.gserviceaccount.com"),
            ("aud", "https://oauth2.googleapis.com/token"),
            ("scope", "https://www.googleapis.com/auth/cloud-platform"),
            ("sub", ""),
        ],
    ),
    (
        "docusign",
        "iss = \"key-1\"\nsub = \"user-1\"\nvars = { host = \"account-d.docusign.com\" }\n",
        "https://account-d.docusign.com/oauth/token",
        [
            ("iss", "key-1"),
            ("aud", "account-d.docusign.com"),
            ("scope", "impersonation signature"),
            ("sub", "user-1"),
        ],
    ),
    (
        "salesforce",
        "grant = \"jwt_bearer\"\nclient_id = \"key-1\"\nsub = \"ada@acme.example\"\n",
        "https://login.salesforce.com/services/oauth2/token",
        [
            ("iss", "key-1"),
            ("aud", "https://login.salesforce.com"),
            ("scope", ""),
            ("sub", "ada@acme.example"),
        ],
    ),
];

#[test]
fn assertions_say_what_each_provider_documents() {
    let bearer = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    for (preset, settings, place, claims) in ASSERTIONS {
        let (made, rest) = assertion(&of(preset, settings).asked());
        for (name, value) in claims {
            assert_eq!(made[*name].as_str().unwrap_or_default(), *value, "{preset} {name}");
        }
        assert!(made["exp"].as_i64().unwrap() - made["iat"].as_i64().unwrap() <= 3600, "{preset}");
        let client_id = if *preset == "salesforce" { "&client_id=key-1" } else { "" };
        assert_eq!(
            rest,
            format!("POST {place}\nassertion=\u{2026}{client_id}&{bearer}"),
            "{preset}"
        );
    }
    let google = of("google-service-account", "iss = \"bot@acme.iam.gserviceaccount.com\"\n");
    let reply = r#"{"access_token":"1/8xbJ","scope":"https://www.googleapis.com/auth/prediction","token_type":"Bearer","expires_in":3600}"#;
    let read = "1/8xbJ Bearer 3600s scope=https://www.googleapis.com/auth/prediction";
    assert_eq!(google.reads(&answer(200, reply)), read);
}

#[test]
fn google_exchanges_the_token_of_a_workload() {
    let played = of(
        "google-workload-identity",
        "vars = { project_number = \"7\", pool = \"ci\", provider = \"github\" }\nsubject = \"github-actions\"\n",
    );
    let pool = "iam.googleapis.com%2Fprojects%2F7%2Flocations%2Fglobal%2FworkloadIdentityPools%2Fci%2Fproviders%2Fgithub";
    let urn = "urn%3Aietf%3Aparams%3Aoauth";
    assert_eq!(
        played.asked(),
        format!(
            "POST https://sts.googleapis.com/v1/token\naudience=%2F%2F{pool}\
             &grant_type={urn}%3Agrant-type%3Atoken-exchange\
             &requested_token_type={urn}%3Atoken-type%3Aaccess_token\
             &scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform&subject_token=j1\
             &subject_token_type={urn}%3Atoken-type%3Ajwt"
        )
    );
    let reply = r#"{"access_token":"ya29.d","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3599}"#;
    let read = played.reads(&answer(200, reply));
    assert!(read.starts_with("ya29.d Bearer 3599s"), "{read}");
    // GitHub is asked for a token that is for the pool alone.
    let audience = played.profile().grant.subject_audience();
    let pool = "https://iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/ci/providers/github";
    assert_eq!(audience, Some(pool));
}

#[test]
fn githubs_app_asks_with_what_it_signs() {
    let played = of("github-app", "client_id = \"Iv23\"\ninstallation_id = \"42\"\n");
    let asked = played.asked();
    assert!(
        asked.starts_with("POST https://api.github.com/app/installations/42/access_tokens\n"),
        "{asked}"
    );
    let (_, token) = asked.split_once("Authorization: Bearer ").unwrap();
    let claims = jws::Parsed::read(token.lines().next().unwrap()).unwrap().claims;
    assert_eq!(claims["iss"], "Iv23");
    let reply = r#"{"token":"ghs_1","expires_at":"2027-01-15T09:00:00Z","permissions":{"contents":"read"}}"#;
    let read = "ghs_1 Bearer 3600s {\"permissions\":{\"contents\":\"read\"}}";
    assert_eq!(played.reads(&answer(201, reply)), read);
}

#[test]
fn snowflake_is_shown_the_fingerprint_of_the_key() {
    let played = of("snowflake", "vars = { account = \"ORG-ACCT\", user = \"ADA\" }\n");
    let reply: Value = serde_json::from_str(&played.signed()).unwrap();
    let claims = jws::Parsed::read(reply["access_token"].as_str().unwrap()).unwrap().claims;
    let fingerprint = PrivateKey::asymmetric(&private_key()).unwrap().fingerprint().unwrap();
    assert!(fingerprint.starts_with("SHA256:"), "{fingerprint}");
    assert_eq!(claims["iss"], format!("ORG-ACCT.ADA.{fingerprint}"));
    assert_eq!(claims["sub"], "ORG-ACCT.ADA");
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert!(life <= 3600, "{life}");
}

/// Preset, header, and where it goes.
const KEYS: &[(&str, &str, &str)] = &[
    ("anthropic", "X-Api-Key: {token}", "https://api.anthropic.com/"),
    ("cloudflare", "Authorization: Bearer {token}", "https://api.cloudflare.com/"),
    ("digitalocean", "Authorization: Bearer {token}", "https://api.digitalocean.com/"),
    ("huggingface", "Authorization: Bearer {token}", "https://huggingface.co/"),
    ("openai", "Authorization: Bearer {token}", "https://api.openai.com/"),
    ("stripe", "Authorization: Bearer {token}", "https://api.stripe.com/"),
];

#[test]
fn keys_are_used_as_each_provider_documents_it() {
    for (preset, header, place) in KEYS {
        let played = of(preset, "");
        let profile = played.profile();
        assert_eq!((profile.grant.name(), profile.header.as_str()), ("api_key", *header));
        assert_eq!(profile.api_urls[0].as_str(), *place);
    }
}
