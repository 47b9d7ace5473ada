//! Keys that are made, keys that are typed, and certificates, as a profile is added with them.

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::config::Algorithm;
use crate::oauth::jose::PrivateKey;

const CERTIFICATE: &str = include_str!("../../../oauth/jose/key/samples/certificate.pem");
const ITS_KEY: &str = include_str!("../../../oauth/jose/key/samples/p256_sec1.pem");
const OTHER_KEY: &str = include_str!("../../../oauth/jose/key/samples/ed25519_pkcs8.pem");
const ENCRYPTED: &str = include_str!("../../../oauth/jose/key/samples/p256_pkcs8_encrypted.pem");

const DEVICE: (&str, &str) = ("device_authorization_endpoint", "https://id.acme.example/device");

/// A client of this grant that does not say how it proves itself.
fn client(grant: &str, further: &[(&str, &str)]) -> Vec<Assignment> {
    let own = [("grant", grant), ("token_endpoint", ACME), ("client_id", "cc")];
    own.iter().chain(further).map(|(key, value)| assignment(key, value)).collect()
}

impl Bench {
    async fn add_with_key(&self, settings: Vec<Assignment>, replace: bool) -> Changed {
        self.generating(settings, Algorithm::Es256, replace).await
    }

    async fn generating(
        &self,
        settings: Vec<Assignment>,
        algorithm: Algorithm,
        replace: bool,
    ) -> Changed {
        let new = profile_of("acme", settings, Vec::new());
        let generate_key = Some(algorithm);
        self.change(Change::Add(NewProfile { replace, generate_key, ..new })).await
    }

    async fn add_with(&self, settings: Vec<Assignment>, secrets: Vec<NewSecret>) -> Changed {
        self.change(Change::Add(profile_of("acme", settings, secrets))).await
    }
}

#[tokio::test]
async fn a_key_is_made_for_whoever_signs_and_the_settings_say_so() {
    let signed: &[(&str, &str)] = &[("grant", "self_signed_jwt"), ("iss", "me")];
    let own = signed.iter().map(|(key, value)| assignment(key, value)).collect();
    let pushed = [("client_auth", "private_key_jwt"), ("kid", "mine")];
    for (settings, algorithm, proves_client) in [
        (client("client_credentials", &[]), Algorithm::Es256, true),
        (client("client_credentials", &pushed), Algorithm::Ps256, true),
        (client("device_code", &[("alg", "EdDSA"), DEVICE]), Algorithm::EdDsa, true),
        (client("jwt_bearer", &[("client_auth", "none")]), Algorithm::Rs256, false),
        (own, Algorithm::EdDsa, false),
    ] {
        let bench = bench().await;
        let changed = bench.generating(settings, algorithm, false).await;
        let said = changed.result.unwrap();
        assert!(said.starts_with("added acme") && !said.contains("set-secret"), "{said}");
        let told = changed.public_key.unwrap();
        let jwk: Value = serde_json::from_str(&told.jwk).unwrap();
        let entry = bench.entry("acme").await.unwrap();
        let private = PrivateKey::asymmetric(&entry.secrets["private_key"]).unwrap();
        assert!(private.check(algorithm).is_ok());
        assert_eq!(private.public_pem().unwrap(), told.pem);
        let thumbprint = private.public().unwrap().thumbprint();
        let text = bench.config_text();
        let kid = if text.contains("kid = \"mine\"") { "mine" } else { &*thumbprint };
        assert_eq!(
            (jwk["kid"].as_str(), jwk["use"].as_str(), jwk["alg"].as_str()),
            (Some(kid), Some("sig"), Some(algorithm.name()))
        );
        assert!(jwk.get("d").is_none() && !told.pem.contains("PRIVATE"));
        assert!(text.contains(&format!("kid = \"{kid}\"")), "{text}");
        assert!(text.contains(&format!("alg = \"{}\"", algorithm.name())), "{text}");
        assert_eq!(text.contains("client_auth = \"private_key_jwt\""), proves_client, "{text}");
    }
}

#[tokio::test]
async fn a_key_is_made_while_the_vault_thread_is_busy() {
    let bench = bench().await;
    let (sender, receiver) = std::sync::mpsc::channel();
    let busy = bench.on_worker(move |_| receiver.recv_timeout(Duration::from_secs(60)).is_ok());
    let making = async {
        let made = key::make(Algorithm::Rs256).await;
        sender.send(()).unwrap();
        made.is_ok()
    };
    // The thread is free again only when the key is there.
    assert_eq!(tokio::join!(busy, making), (true, true));
}

#[tokio::test]
async fn no_key_is_made_that_nobody_would_sign_with() {
    let settings = |text: &[(&str, &str)]| {
        text.iter().map(|(key, value)| assignment(key, value)).collect::<Vec<_>>()
    };
    let app = [("grant", "github_app"), ("client_id", "Iv1"), ("installation_id", "2")];
    for (settings, message) in [
        (
            client("client_credentials", &[("client_auth", "basic")]),
            "the client would prove itself otherwise, and never use the key",
        ),
        (
            client("client_credentials", &[("alg", "RS256")]),
            "`alg` is RS256, and the key would be for ES256",
        ),
        (settings(&[("grant", "api_key")]), "nothing is signed with `grant = \"api_key\"`"),
        (settings(&app), "GitHub takes no key of others for its apps: it makes them itself"),
    ] {
        let bench = bench().await;
        let changed = bench.add_with_key(settings, false).await;
        let failure = changed.result.unwrap_err();
        assert_eq!((failure.kind, &*failure.message), (Kind::Usage, message));
        assert!(changed.public_key.is_none() && bench.entry("acme").await.is_none());
        assert_eq!(bench.config_text(), "");
    }
}

#[tokio::test]
async fn a_key_beside_the_one_that_would_be_made_is_refused() {
    let bench = bench().await;
    for (settings, secret) in [
        (client("jwt_bearer", &[]), new("key", ITS_KEY)),
        (client("client_credentials", &[]), new("private_key", ITS_KEY)),
    ] {
        let new = profile_of("acme", settings, vec![secret]);
        let generate_key = Some(Algorithm::Es256);
        let changed = bench.change(Change::Add(NewProfile { generate_key, ..new })).await;
        assert_eq!(changed.result.unwrap_err().kind, Kind::Usage);
    }
    assert!(bench.entry("acme").await.is_none());
}

#[tokio::test]
async fn a_key_is_replaced_only_where_somebody_says_so() {
    let bench = bench().await;
    let settings = || client("client_credentials", &[]);
    bench.add_with_key(settings(), false).await.result.unwrap();
    let first = bench.secrets("acme").await;
    let refused = bench.add_with_key(settings(), false).await;
    assert_eq!(refused.result.unwrap_err().kind, Kind::ProfileExists);
    // The profile was taken out by hand: its key may be registered all the same, wherever it was for.
    for endpoint in [ACME, EVIL] {
        std::fs::write(bench.config(), "").unwrap();
        let mut settings = settings();
        settings[1] = assignment("token_endpoint", endpoint);
        let failure = bench.add_with_key(settings, false).await.result.unwrap_err();
        assert_eq!(failure.kind, Kind::Usage, "{failure:?}");
        assert!(failure.hint.unwrap().contains("--replace"));
        assert_eq!(bench.secrets("acme").await, first);
    }
    let changed = bench.add_with_key(settings(), true).await;
    assert!(changed.result.is_ok() && changed.public_key.is_some());
    assert_ne!(bench.secrets("acme").await, first);
}

#[tokio::test]
async fn a_key_that_cannot_be_kept_is_not_told() {
    let bench = bench().await;
    bench.fill_config(120);
    let changed = bench.add_with_key(client("client_credentials", &[]), false).await;
    assert!(changed.result.is_err() && changed.public_key.is_none());
    assert!(bench.entry("acme").await.is_none());
}

#[tokio::test]
async fn a_typed_key_proves_its_client_unless_a_parameter_is_made_of_it() {
    let (key, secret) = (|| new("key", ITS_KEY), || new("client_secret", "s"));
    for (grant, further, secrets, stored, proves_client) in [
        ("client_credentials", &[][..], vec![key()], "private_key", true),
        ("device_code", &[DEVICE], vec![key()], "private_key", true),
        ("client_credentials", &[("params.pin", "{secret:key}")], vec![key()], "key", false),
        ("client_credentials", &[("client_auth", "basic")], vec![key()], "key", false),
        ("client_credentials", &[], vec![key(), secret()], "key", false),
        ("jwt_bearer", &[], vec![key()], "private_key", false),
    ] {
        let bench = bench().await;
        bench.add_with(client(grant, further), secrets).await.result.unwrap();
        let held = bench.entry("acme").await.unwrap().secrets;
        assert!(held.contains_key(stored), "{grant} {further:?} {held:?}");
        let text = bench.config_text();
        assert_eq!(text.contains("client_auth = \"private_key_jwt\""), proves_client, "{text}");
    }
}

#[tokio::test]
async fn a_certificate_that_could_not_be_shown_is_not_stored() {
    let broken = CERTIFICATE.replacen("MII", "AAA", 1);
    for (certificate, key, message) in [
        (CERTIFICATE, ITS_KEY, None),
        (
            CERTIFICATE,
            OTHER_KEY,
            Some("cannot use the certificate and its key: the certificate is of another key"),
        ),
        (
            &broken,
            ITS_KEY,
            Some("cannot use the certificate and its key: one of them is not whole"),
        ),
        (ITS_KEY, ITS_KEY, Some("the secret `tls_certificate` is no certificate (PEM)")),
        (
            CERTIFICATE,
            CERTIFICATE,
            Some("the secret `tls_key` is PEM without a private key, or no PEM"),
        ),
        (
            CERTIFICATE,
            ENCRYPTED,
            Some(
                "the secret `tls_key` is encrypted: decrypt it first, as with `openssl pkey`, and \
                 let the vault encrypt it",
            ),
        ),
    ] {
        let bench = bench().await;
        let settings = client("client_credentials", &[("client_auth", "tls")]);
        let secrets = vec![new("tls_certificate", certificate), new("tls_key", key)];
        let result = bench.add_with(settings, secrets).await.result;
        let Some(message) = message else {
            result.unwrap();
            let held = bench.entry("acme").await.unwrap().secrets;
            assert_eq!(held.into_keys().collect::<Vec<_>>(), ["tls_certificate", "tls_key"]);
            continue;
        };
        let failure = result.unwrap_err();
        assert_eq!((failure.kind, &*failure.message), (Kind::Usage, message));
        assert!(bench.entry("acme").await.is_none());
        assert_eq!(bench.config_text(), "");
    }
}
