//! A login with what the metadata say, and what becomes of it when they lie (OpenID Connect Discovery).

use std::fs;

use serde_json::Value;
use tokctl_tests::ca::PrivateCa;

use super::provider::{Client, Provider, Script, Wrong};
use super::run::{Module, played};
use super::scene::{Place, failure};

const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Not where anybody would look who had not read the metadata.
const KEYS_PATH: &str = "/a/b9Xq/keys";

pub(crate) fn modules() -> Vec<Module> {
    vec![
        // What the request must hold, the provider looks at; what the answer is, the API.
        played("oidcc-client-test", |place| place.plain(Script::default()).accepted()),
        played("oidcc-client-test-client-secret-basic", |place| {
            let scene = place.plain(Script::default());
            scene.accepted();
            let [request] = &scene.provider.requests("/token")[..] else { panic!("one request") };
            assert!(request.received.basic.is_some());
            "the secret is sent as Basic, and nowhere else".to_owned()
        }),
        played("oidcc-client-test-discovery-openid-config", |place| {
            let scene = place.plain(Script::default());
            scene.accepted();
            assert_eq!((scene.provider.count(DISCOVERY), scene.provider.count("/token")), (1, 1));
            "every endpoint is found by the issuer's name".to_owned()
        }),
        played("oidcc-client-test-discovery-jwks-uri-keys", |place| {
            let wrong = Wrong { new_keys: true, ..Wrong::default() };
            let script = Script { jwks_path: KEYS_PATH, wrong, ..Script::default() };
            let scene = place.plain(script);
            scene.accepted();
            assert_eq!(scene.provider.count(KEYS_PATH), 1);
            "the keys are fetched where the metadata say".to_owned()
        }),
        played("oidcc-client-test-discovery-issuer-mismatch", |place| {
            let wrong = Wrong { metadata: other_issuer, ..Wrong::default() };
            let provider = Provider::start(Script { wrong, ..Script::default() });
            provider.misbehave(true);
            let told = failure(&place.add(&provider, &[]), 10, "is of another issuer");
            assert_eq!((provider.count("/token"), provider.count("/jwks")), (0, 0));
            place.home.tokctl(["login", &place.profile]).run().exits(3);
            format!("refused: {told}")
        }),
        played("oidcc-client-test-mtls-endpoint-aliases", aliases),
    ]
}

/// Another issuer in the metadata, as they are read.
pub(crate) fn other_issuer(metadata: &mut Value) {
    metadata["issuer"] = "https://another.example".into();
}

fn aliases(place: &Place<'_>) -> String {
    let ca = PrivateCa::new().unwrap();
    let script = Script { client: Client::Certificate, ..Script::default() };
    let provider = Provider::start_with_tls(script, &ca);
    let file = ca.file();
    let options = ["--client-auth", "tls", "--ca-file", file.to_str().unwrap()];
    place.add(&provider, &options).ok();
    let leaf = ca.client("client.example").unwrap();
    for (name, path) in [("tls_certificate", &leaf.certificate), ("tls_key", &leaf.key)] {
        let text = fs::read_to_string(path).unwrap();
        place
            .set_secret(name, &place.home.secret_file(&format!("{}.{name}", place.profile), &text));
    }
    let scene = place.at(provider);
    scene.log_in().ok();
    let [request] = &scene.provider.requests("/token")[..] else { panic!("one request") };
    assert!(request.certificate, "not at the alias");
    assert!(scene.provider.requests("/jwks").iter().all(|request| !request.certificate));
    assert!(scene.token().starts_with("access-"));
    "the token is asked for at the alias, with the certificate".to_owned()
}
